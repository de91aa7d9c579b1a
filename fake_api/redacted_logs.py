"""What the server process logs has no credentials either."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from akstwin.domain.redaction import Redaction

LOGGERS: Final = ("uvicorn.error", "uvicorn.asgi", "asyncio")


class RedactingFilter(logging.Filter):
    """Takes credentials out of records, tracebacks included.

    Args:
        redactions: those of all workspaces that the server has.
    """

    def __init__(self, redactions: Callable[[], Iterable[Redaction]]) -> None:
        super().__init__()
        self._redactions = redactions

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes, changed."""
        record.msg, record.args = self._redacted(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = self._redacted(logging.Formatter().formatException(record.exc_info))
        return True

    def _redacted(self, text: str) -> str:
        for redaction in self._redactions():
            text = "\n".join(redaction.text(line) for line in text.split("\n"))
        return text

    def attach(self) -> None:
        """Filter what the server's loggers write."""
        for name in LOGGERS:
            logging.getLogger(name).addFilter(self)

    def detach(self) -> None:
        """Leave the loggers as they were."""
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(self)
