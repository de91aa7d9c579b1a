"""Lists in pages: a token says after which item the next page begins (wire §5, §7, §12)."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Query

from akstwin.backend import Json
from akstwin.errors import InvalidSetting

PAGE: Final = 255
"""Items on a page where no `count` is given."""
MOST: Final = 1000
"""Items on a page whatever `count` is given."""

Count = Annotated[int, Query(ge=1, lt=2**31)]
SkipToken = Annotated[str | None, Query(alias="$skipToken")]
OrderBy = Annotated[str | None, Query(alias="orderby")]
OrderBySdk = Annotated[str | None, Query(alias="orderBy")]
"""The published description writes the parameter's name in both ways: each list takes both."""

T = TypeVar("T")


def page(
    items: Sequence[T], count: int, setting: str, token: str | None, identify: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """A page of a list, and the token of the next one; None: it is the last.

    A page begins after the last item of the one before, wherever that is by then; if it is gone, where it was. So nothing is
    left out because something was added or deleted in the meantime.

    Args:
        items: the whole list, in its order.
        count: items on a page.
        setting: where the token stands.
        token: what the page before ended with; None: the first page.
        identify: what an item is known by, unlike any other.

    Raises:
        InvalidSetting: the token is none of this list's.
    """
    start = 0
    if token is not None:
        last, index = _read(setting, token)
        start = next((number + 1 for number, item in enumerate(items) if identify(item) == last), index)
    shown = items[start : start + min(count, MOST)]
    end = start + len(shown)
    return shown, _token(identify(shown[-1]), end - 1) if shown and end < len(items) else None


def next_link(url: str, query: Mapping[str, str], token: str | None, parameter: str = "$skipToken") -> str | None:
    """The URL of the next page: the same question, and where to go on; None: there is none."""
    return None if token is None else f"{url}?{urlencode({**query, parameter: token})}"


def linked(shown: Sequence[Json], link: str | None) -> Json:
    """A page whose reader fails on a link that is null: there is one, or no key for it."""
    return {"value": list(shown)} if link is None else {"value": list(shown), "nextLink": link}


def _token(last: str, index: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([last, index]).encode()).decode().rstrip("=")


def _read(setting: str, token: str) -> tuple[str, int]:
    try:
        match json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)):
            case [str(last), int(index)] if index >= 0:
                return last, index
    except (binascii.Error, ValueError, RecursionError):
        pass
    raise InvalidSetting(setting, token, "a token that the nextLink of a page has")
