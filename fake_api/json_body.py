"""JSON that comes in over HTTP, whichever route takes it: no deeper than it can be answered, and only what JSON has."""

import json
import math
from typing import Any, Final, NoReturn

from akstwin.domain.nesting import DEEPEST, check_nesting
from akstwin.errors import AksError, InvalidSetting

_WIDEST: Final = 2**63
_LONGEST: Final = 20
"""Digits and sign of the widest number."""


class BadJson(AksError):
    """A body that is not JSON, or holds what JSON does not carry everywhere."""


def parse(body: bytes) -> Any:
    """A JSON value.

    Raises:
        BadJson: it is none, is nested too deeply, or holds numbers or characters that JSON does not carry everywhere: NaN and
            infinities, integers of more than 64 bits, half a surrogate pair.
    """
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_constant, parse_float=_float, parse_int=_int)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
        if text.count("[") + text.count("{") > DEEPEST:  # else it cannot be
            check_nesting("the body", value)
    except (RecursionError, InvalidSetting):
        raise BadJson(f"the body is nested too deeply: at most {DEEPEST} levels are taken") from None
    except UnicodeError:
        raise BadJson("the body is not JSON in UTF-8") from None
    except ValueError as error:
        raise BadJson(f"the body is not JSON: {error}") from None
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _int(text: str) -> int:
    if len(text) > _LONGEST or not -_WIDEST <= int(text) < _WIDEST:
        raise ValueError(f"{text[:40]} is too large a number")
    return int(text)
