"""The one tree of errors that akstwin raises on purpose.

    AksError                     whoever called can do something about it
    ├── InvalidSetting           a setting's value is not one that the service takes
    ├── NotFound                 a name that stands for nothing
    ├── Conflict                 right, but not now: another operation is running
    └── UnreadableFile           a file that was named cannot be used

A life cycle that leaves its table is a bug of ours and is a `domain.tables.IllegalTransition`, an `AssertionError`.
All data stands in `args`: SimPy rebuilds an exception from them.
"""


class AksError(Exception):
    """Base of every error that a caller is meant to catch."""

    status_hint = 400
    """The HTTP status that says the same thing."""


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
        shown = str(value).lower() if isinstance(value, bool) else repr(value)  # as it stands in a file
        return f"{setting}: {shown} is not {expected}"

    def under(self, prefix: str) -> "InvalidSetting":
        """The same error, one level further out."""
        return InvalidSetting(f"{prefix}.{self.args[0]}" if self.args[0] else prefix, self.args[1], self.args[2])


class NotFound(AksError):
    """A name stands for nothing here."""

    status_hint = 404


class Conflict(AksError):
    """The service is busy with another operation."""

    status_hint = 409


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
