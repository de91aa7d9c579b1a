"""What all documents of the management service share (wire §5-§8): times, tags, properties, known keys, likeness."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from akstwin.clock import Micros
from akstwin.domain.nesting import check_nesting
from akstwin.domain.words import nearest
from akstwin.errors import InvalidSetting

Json = dict[str, Any]

PAIRS_FORM = "a dictionary from text to text, numbers or booleans"
_OF_GIT: Final = ("azureml.git.", "mlflow.source.git.")


def calendar_time(epoch: float, instant: Micros) -> datetime:
    """The UTC time at `instant` of a clock whose instant 0 is the Unix time `epoch`, s."""
    return datetime.fromtimestamp(epoch, UTC) + timedelta(microseconds=instant)


def iso_time(epoch: float, instant: Micros) -> str:
    """The same in ISO-8601, as documents show it."""
    return calendar_time(epoch, instant).isoformat(timespec="microseconds")


def as_json(setting: str, value: Any) -> Any:
    """A copy of a value as JSON carries it.

    Raises:
        InvalidSetting: JSON cannot carry it, or it is nested too deeply to be answered again.
    """
    check_nesting(setting, value)
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidSetting(setting, type(value).__name__, f"JSON: {error}") from None


def text_pairs(setting: str, value: object) -> dict[str, str]:
    """Tags or properties as the service keeps them: numbers and booleans become their JSON text; null is none.

    Args:
        setting: where they stand.
        value: what was given.

    Raises:
        InvalidSetting: it is no such thing.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidSetting(setting, value, PAIRS_FORM)
    pairs = {}
    for key, given in value.items():
        if not isinstance(given, str | int | float) or not isinstance(key, str):
            raise InvalidSetting(f"{setting}.{key}", given, "text, a number or a boolean")
        pairs[key] = given if isinstance(given, str) else json.dumps(given)
    return pairs


def check_kept(setting: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Refuse to change or remove a property: they can only be added (semantics §6.6).

    What azureml-core itself adds with each deployment and update, the facts about the git work tree that it was started in
    (wire), may change: else nobody could update from another commit than the one that was deployed.

    Raises:
        InvalidSetting: naming the property.
    """
    for key, value in before.items():
        if key not in after:
            raise InvalidSetting(f"{setting}.{key}", None, f"{value!r}: a property cannot be removed")
        if after[key] != value and not key.startswith(_OF_GIT):
            raise InvalidSetting(f"{setting}.{key}", after[key], f"{value!r}: a property cannot be changed")


def check_keys(where: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse keys that nobody knows.

    Raises:
        InvalidSetting: naming the first one's path below `where`.
    """
    for key in given:
        if key not in known:
            path = f"{where}.{key}" if where else str(key)
            raise InvalidSetting(path, given[key], f"known here{nearest(str(key), known)}")


def has(pairs: Mapping[str, str], wanted: Iterable[tuple[str, str | None]]) -> bool:
    """Whether each wanted key is there, with its value where one is wanted."""
    return all(key in pairs and value in (None, pairs[key]) for key, value in wanted)


def likeness(value: Any) -> str:
    """A short text that two JSON values have in common if, and only if, they are equal."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
