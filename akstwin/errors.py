"""The one tree of errors that akstwin raises on purpose.

    AksError                     whoever called can do something about it
    ├── InvalidSetting           a setting's value is not one that the service takes
    ├── NotFound                 a name that stands for nothing
    ├── Conflict                 right, but not now: another operation is running
    ├── InUse                    something else needs it
    ├── Unwritable               the disk does not take what was to be kept
    └── UnreadableFile           a file that was named cannot be used

A life cycle that leaves its table is a bug of ours and is a `domain.tables.IllegalTransition`, an `AssertionError`.
All data stands in `args`: SimPy rebuilds an exception from them.
"""

import errno
from typing import Any, Final

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the operating system says where more room would help."""


def shown_value(value: object) -> str:
    """A value for an error's text. Python writes no integers of thousands of digits, and walks no further than so deep."""
    try:
        return repr(value)
    except ValueError:
        return "a number of thousands of digits"
    except RecursionError:
        return "a value that is nested too deeply"


class AksError(Exception):
    """Base of every error that a caller is meant to catch."""

    status_hint = 400
    """The HTTP status that says the same thing."""
    code = "BadRequest"
    """The error's name on the wire."""

    def body(self) -> dict[str, Any]:
        """The error as the management service words it (wire §5): `{code, statusCode, message, details, correlation}`."""
        return {
            "code": self.code,
            "statusCode": self.status_hint,
            "message": str(self),
            "details": [{"code": type(self).__name__, "message": str(self)}],
            "correlation": {},
        }


class InvalidSetting(AksError):
    """A setting has a value that cannot be used.

    Args:
        setting: where it stands, as the user wrote it (`deploy.cpu_cores`).
        value: what stood there.
        expected: what would have been right, as a phrase.
    """

    def __init__(self, setting: str, value: object, expected: str) -> None:
        super().__init__(setting, value, expected)

    @property
    def setting(self) -> str:
        """Where the value stands."""
        return str(self.args[0])

    @property
    def expected(self) -> str:
        """What would have been right."""
        return str(self.args[2])

    def __str__(self) -> str:
        setting, value, expected = self.args
        if value is None:
            return f"{setting}: is missing; expected {expected}"
        shown = str(value).lower() if isinstance(value, bool) else shown_value(value)  # as it stands in a file
        return f"{setting}: {shown} is not {expected}"

    def body(self) -> dict[str, Any]:
        """The error as the management service words it; its detail names the setting as the `target`."""
        body = super().body()
        body["details"][0]["target"] = self.setting
        return body

    def under(self, prefix: str) -> "InvalidSetting":
        """The same error, one level further out."""
        return InvalidSetting(f"{prefix}.{self.args[0]}" if self.args[0] else prefix, self.args[1], self.args[2])


class NotFound(AksError):
    """A name stands for nothing here."""

    status_hint = 404
    code = "NotFound"


class Conflict(AksError):
    """The service is busy with another operation, or the name is taken."""

    status_hint = 409
    code = "Conflict"


class InUse(AksError):
    """It cannot be deleted: something else needs it."""

    status_hint = 412
    code = "PreconditionFailed"


class Unwritable(AksError):
    """What was to be kept cannot be written; it has not been done either.

    Args:
        what: what cannot be written, as a subject.
        reason: why, in the operating system's or the database's words.
        full: whether more room would help.
    """

    status_hint = 507
    code = "InsufficientStorage"

    def __init__(self, what: str, reason: str, full: bool = True) -> None:
        super().__init__(what, reason, full)
        if not full:
            self.status_hint, self.code = 503, "ServiceUnavailable"

    def __str__(self) -> str:
        remedy = "make room on the disk, then repeat the call" if self.args[2] else "repeat the call when it can"
        return f"{self.args[0]} cannot be written: {self.args[1]}. Nothing has changed; {remedy}"


class UnreadableFile(AksError):
    """A file cannot be read, or what it holds is not what it should hold.

    Args:
        path: the file.
        reason: what is wrong, with the line where there is one.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.args[1]}"
