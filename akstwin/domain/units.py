"""Durations and sizes as people write them, to and from whole numbers."""

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Literal, NewType

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from akstwin.clock import HOUR, MILLISECOND, MINUTE, SECOND, Micros
from akstwin.errors import InvalidSetting

_DURATION_UNITS: Final = {"us": 1, "ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": 24 * HOUR}
_SIZE_UNITS: Final = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_MEMORY_UNITS: Final = {
    **_SIZE_UNITS, **{f"{letter}i{byte}": 2 ** (10 * power) for power, letter in enumerate("KMG", 1) for byte in ("", "B")},
}  # fmt: skip
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)\s*\Z")
_WIDEST: Final = 64
"""Bits: quantities have at most 62."""
DURATION_FORM: Final = 'a duration such as "250ms", "10s", "5m", "24h", or a number of seconds'
LATENCY_FORM: Final = 'a latency with its unit, such as "250ms" or "2s"'
MEMORY_FORM: Final = 'a size with its unit, such as "300MB", "1.5GB" or "512MiB"'
SIZE_FORM: Final = 'a size such as "100MB", or a number of bytes'


def _too_wide(value: object) -> bool:
    """Whether it is an integer beyond any quantity, which Python might not even write out."""
    return isinstance(value, int) and value.bit_length() > _WIDEST


def _quantity(value: object, units: dict[str, int], bare: int, form: str) -> int:
    """`value` in the smallest unit, rounded half to even."""
    if isinstance(value, bool):
        raise ValueError(form)  # noqa: TRY004 - pydantic turns ValueError into a message with the setting's path
    if _too_wide(value):
        raise ValueError(form)
    if isinstance(value, int | float):
        number, unit = Decimal(str(value)), bare
    elif isinstance(value, str) and (match := _QUANTITY.match(value)):
        number = Decimal(match[1])
        if match[2] == "":
            unit = bare
        elif match[2] in units:
            unit = units[match[2]]
        else:
            raise ValueError(form)
    else:
        raise ValueError(form)
    try:
        scaled = number * unit
        if not scaled.is_finite() or scaled < 0 or scaled >= 1 << 62:
            raise ValueError(form)
        return int(scaled.to_integral_value(rounding="ROUND_HALF_EVEN"))
    except InvalidOperation as error:
        raise ValueError(form) from error


def parse_duration(value: object) -> Micros:
    """A duration in whole microseconds.

    Args:
        value: `"250ms"`, `"10s"`, `"5m"`, `"24h"` (also `us` and `d`), or a number of seconds.

    Raises:
        ValueError: anything else, and whatever is negative or endless. The message says what is expected.
    """
    return Micros(_quantity(value, _DURATION_UNITS, SECOND, DURATION_FORM))


def has_unit(value: object) -> bool:
    """Whether a quantity says its unit; `parse_duration` reads one that does not as seconds."""
    match = _QUANTITY.match(value) if isinstance(value, str) else None
    return match is not None and match[2] != ""


def parse_latency(value: object) -> Micros:
    """A latency in whole microseconds. Unlike a duration it must say its unit: 400 could be 400 ms or 400 s.

    Raises:
        ValueError: anything else. The message says what is expected.
    """
    _check_unit(value, "a latency", "ms", "s")
    return Micros(_quantity(value, _DURATION_UNITS, SECOND, LATENCY_FORM))


def _check_unit(value: object, kind: str, small: str, large: str) -> None:
    """Refuse a plain number, which could be of either unit (ValueError)."""
    plain = "" if _too_wide(value) else str(value).strip()
    if not isinstance(value, bool) and not has_unit(value) and _QUANTITY.match(plain):
        choice = f"{plain} {small} or {plain} {large}? Write {plain}{small} or {plain}{large}"
        raise ValueError(f"{kind} with its unit: {choice}")


def read_duration(setting: str, value: object) -> Micros:
    """A duration that somebody gave for a setting.

    Raises:
        InvalidSetting: not a duration.
    """
    try:
        return parse_duration(value)
    except ValueError as error:
        raise InvalidSetting(setting, value, str(error)) from None


def parse_size(value: object) -> int:
    """A size in bytes (decimal units, as Azure's pages use them).

    Raises:
        ValueError: not a size. The message says what is expected.
    """
    return _quantity(value, _SIZE_UNITS, 1, SIZE_FORM)


def read_size(setting: str, value: object) -> int:
    """A size that somebody gave for a setting.

    Raises:
        InvalidSetting: not a size.
    """
    try:
        return parse_size(value)
    except ValueError as error:
        raise InvalidSetting(setting, value, str(error)) from None


def parse_memory(value: object) -> "Bytes":
    """Memory in bytes. A GB has 1000 MB, as in `memory_gb`; a GiB (or Gi) has 1024 MiB. It must say its unit.

    Raises:
        ValueError: anything else. The message says what is expected.
    """
    _check_unit(value, "a size", "MB", "GB")
    return Bytes(_quantity(value, _MEMORY_UNITS, 1, MEMORY_FORM))


def format_duration(span: int) -> str:
    """The shortest way to write `span` (microseconds) that `parse_duration` reads back."""
    for unit in ("h", "m", "s", "ms"):
        if span % _DURATION_UNITS[unit] == 0 and span:
            return f"{span // _DURATION_UNITS[unit]}{unit}"
    return f"{span}us" if span else "0s"


def format_size(size: int) -> str:
    """The shortest way to write `size` (bytes) that `parse_size` reads back."""
    for unit in ("GB", "MB", "kB"):
        if size % _SIZE_UNITS[unit] == 0 and size:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return f"{size}B"


_duration_schema = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*(us|ms|s|m|h|d)?\s*$"},
            {"type": "number", "minimum": 0},
        ],
        "description": DURATION_FORM,
    }
)
Duration = Annotated[Micros, BeforeValidator(parse_duration), PlainSerializer(format_duration), _duration_schema]
"""A pydantic field that holds microseconds and reads what people write."""

Latency = Annotated[
    Micros,
    BeforeValidator(parse_latency),
    PlainSerializer(format_duration),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*(us|ms|s|m|h|d)\s*$",
            "description": LATENCY_FORM,
        }
    ),
]
"""A pydantic field that holds microseconds and takes no number without a unit."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 0}], "description": SIZE_FORM}),
]
"""A pydantic field that holds bytes and reads what people write."""


Bytes = NewType("Bytes", int)
"""An amount of memory."""

Memory = Annotated[
    Bytes,
    BeforeValidator(parse_memory),
    PlainSerializer(format_size),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*(B|kB|MB|GB|Ki|KiB|Mi|MiB|Gi|GiB)\s*$",
            "description": MEMORY_FORM,
        }
    ),
]
"""A pydantic field that holds bytes and takes no number without a unit."""


TimeUnit = Literal["ns", "us", "ms", "s"]
"""What recorded times can be counted in."""


def millicores(cores: float) -> int:
    """CPU cores as whole thousandths."""
    return round(Decimal(str(cores)) * 1000)


def megabytes(gigabytes: float) -> int:
    """Memory as whole megabytes. A GB counts 1000 MB everywhere: pods and nodes are measured alike."""
    return round(Decimal(str(gigabytes)) * 1000)
