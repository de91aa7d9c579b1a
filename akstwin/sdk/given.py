"""An argument is given unless it is None: one that could mean nothing, such as empty text, is refused by its name."""

from os import PathLike
from typing import Any, Final

from akstwin.sdk.exceptions import SdkException, WebserviceException

_LEAVE_OUT: Final = "leave it out, or give None, for none"


def check_text(exception: type[SdkException] = WebserviceException, /, **given: Any) -> None:
    """Refuse arguments that are not text, or are empty.

    Args:
        exception: what is raised.
        **given: values by the parameters' names; None is not given.

    Raises:
        SdkException: naming the parameter, its value and what was expected.
    """
    for name, value in given.items():
        if value is not None and not (isinstance(value, str) and value):
            raise exception(f"{name}: {value!r} is not text of at least one character; {_LEAVE_OUT}")


def check_path(**given: Any) -> None:
    """Refuse arguments that are not the path of a file or a folder, or are empty (as `check_text`)."""
    for name, value in given.items():
        if value is not None and not (isinstance(value, str | PathLike) and value):
            raise WebserviceException(f"{name}: {value!r} is not a path; {_LEAVE_OUT}")


def check_kind(kind: type, **given: Any) -> None:
    """Refuse arguments that are not objects of a class of the SDK (as `check_text`)."""
    for name, value in given.items():
        if value is not None and not isinstance(value, kind):
            raise WebserviceException(f"{name}: {value!r} is not an object of the class {kind.__name__}")
