"""What a backend says, in the words of the SDK: its refusals, its times, and the filters that it is asked with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from akstwin.errors import AksError
from akstwin.sdk.exceptions import ComputeTargetException, SdkException, WebserviceException

Filters = list[Any]
"""Each a key, or a list of a key and a value."""


@contextmanager
def from_the_service() -> Iterator[None]:
    """Turn what a backend refuses into a `WebserviceException` with the status and the content of the answer."""
    with _reworded(WebserviceException, "Model Management Service"):
        yield


@contextmanager
def from_the_provider() -> Iterator[None]:
    """Turn what a backend refuses of a compute target into a `ComputeTargetException`."""
    with _reworded(ComputeTargetException, "Resource Provider"):
        yield


def not_offered(what: str, instead: str = "") -> NoReturn:
    """Refuse what azureml-core has and this SDK has not.

    Args:
        what: the call or the parameter.
        instead: what to do, as a sentence.

    Raises:
        WebserviceException: always.
    """
    raise WebserviceException(f"{what} is not offered here{f': {instead}' if instead else ''}")


def filters(name: str, given: Any) -> tuple[tuple[str, str | None], ...]:
    """The filters of a list call as a query takes them.

    Args:
        name: of the parameter.
        given: keys, or lists of a key and a value; None is none.

    Raises:
        WebserviceException: anything else.
    """
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        raise WebserviceException(f"{name}: {given!r} is not {_FILTERS}")
    return tuple(_filter(name, one) for one in given)


def instant(text: str | None) -> datetime | None:
    """A time of a document (ISO 8601); without a zone it is UTC."""
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def iso(time: datetime | None) -> str | None:
    """A time as documents write it."""
    return time.isoformat() if time else None


def require(document: Any, keys: tuple[str, ...], what: str) -> None:
    """Refuse a document that lacks something.

    Raises:
        WebserviceException: naming what is missing.
    """
    if not isinstance(document, dict):
        raise WebserviceException(f"{what}: {document!r} is not a JSON object")
    missing = [key for key in keys if key not in document]
    if missing:
        raise WebserviceException(f"{what}: the document is not complete: it lacks {', '.join(missing)}")


_FILTERS: Final = 'a list of keys, or of lists of a key and a value, such as ["team", ["stage", "test"]]'


def _filter(name: str, one: Any) -> tuple[str, str | None]:
    match one:
        case str():
            return one, None
        case [str(key), str(value)]:
            return key, value
    raise WebserviceException(f"{name}: {one!r} is not a key, or a list of a key and a value")


@contextmanager
def _reworded(exception: type[SdkException], whose: str) -> Iterator[None]:
    try:
        yield
    except SdkException:
        raise
    except AksError as error:
        content = json.dumps(error.body(), ensure_ascii=False)
        raise exception(
            f"Received bad response from {whose}:\nResponse Code: {error.status_hint}\nHeaders: {{}}\nContent: {content}",
            status_code=error.status_hint,
        ) from error
