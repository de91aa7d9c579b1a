"""The exceptions that scripts written for azureml-core catch."""

import json
import logging
from typing import Any

from akstwin.errors import AksError


class SdkException(AksError):
    """The SDK or the service refuses: base of the two classes that scripts catch.

    They have the attributes and the string form of azureml-core's classes of their names (`tests/azureml` compares
    them), and are `AksError`s besides. All but the inner exception stands in `args`.

    Args:
        exception_message: what was refused, one line for each reason.
        status_code: the HTTP status of the answer, where there was one.
        logger: writes the message as an error too.
        problems: the reasons as values (`akstwin.sdk.checks.Problem`), where the SDK itself refused.
        inner_exception: what was caught before, shown in the string form.

    Attributes:
        status_code: as given.
        inner_exception: as given.
        problems: as given.
    """

    def __init__(
        self,
        exception_message: str,
        status_code: int | str | None = None,
        logger: logging.Logger | None = None,
        problems: tuple[Any, ...] = (),
        *,
        inner_exception: object = None,
    ) -> None:
        super().__init__(exception_message, status_code, None, problems)
        self.status_code = status_code
        self.problems = problems
        self.inner_exception = inner_exception
        self._message = exception_message
        if logger is not None:
            logger.error(exception_message)

    @property
    def message(self) -> str:
        """What was refused."""
        return self._message

    @message.setter
    def message(self, value: str) -> None:
        self._message = value

    def __str__(self) -> str:
        response = json.dumps({"error": {"message": self.message}}, indent=4)
        return (
            f"{type(self).__name__}:\n\tMessage: {self.message}\n\tInnerException {self.inner_exception}"
            f"\n\tErrorResponse \n{response}"
        )

    __repr__ = __str__


class WebserviceException(SdkException):
    """Something about models, environments or services is refused."""


class ComputeTargetException(SdkException):
    """Something about compute targets is refused."""
