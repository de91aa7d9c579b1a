"""How plain numbers of a scenario were read: spans of time without a unit count seconds, and the result says so."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel

from akstwin.clock import Micros
from akstwin.domain.units import has_unit

_NAMED: Final = 6
"""Places that are named; of further ones only the number is said."""


def seconds_note(scenario: BaseModel, document: Mapping[str, Any]) -> list[str]:
    """A note on the spans that were written as plain numbers; nothing if there are none.

    Args:
        scenario: what was read.
        document: what it was read from.
    """
    found = [f"{place} ({_number(value)} s)" for place, value in _plain(scenario, document, "")]
    if not found:
        return []
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return [f"Written without a unit, and read as seconds: {', '.join(found[:_NAMED])}{more}."]


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value).strip()


def _plain(value: Any, written: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Places and values of plain numbers, in the order of the settings."""
    if isinstance(value, BaseModel) and isinstance(written, Mapping):
        for name, field in type(value).model_fields.items():
            if name in written:
                inside = f"{place}.{name}" if place else name
                yield from _setting(getattr(value, name), written[name], inside, spans=_holds_spans(field.annotation))
    elif isinstance(value, list):
        items = written if isinstance(written, list) else [written]
        for at, (each, text) in enumerate(zip(value, items, strict=False)):
            yield from _plain(each, text, f"{place}[{at}]")


def _setting(value: Any, written: Any, place: str, *, spans: bool) -> Iterator[tuple[str, Any]]:
    if isinstance(written, list) and spans:
        for at, each in enumerate(written):
            yield from _setting(value, each, f"{place}[{at}]", spans=True)
    elif isinstance(written, int | float | str):
        # where a mapping could stand, a plain number is a distribution that is always the same
        if (spans or isinstance(value, BaseModel)) and _is_plain(written):
            yield place, written
    else:
        yield from _plain(value, written, place)


def _is_plain(written: float | str) -> bool:
    if isinstance(written, str):
        return not has_unit(written) and written.strip().replace(".", "", 1).isdigit()
    return not isinstance(written, bool)


def _holds_spans(annotation: Any) -> bool:
    return annotation is Micros or any(_holds_spans(each) for each in get_args(annotation))
