"""Waiting for an operation: polls by the backend's clock, and what is shown meanwhile (wire §8)."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from akstwin.backend import Backend, Operation
from akstwin.clock import SECOND, Micros
from akstwin.domain.lifecycles import OperationState
from akstwin.sdk.exceptions import WebserviceException

POLL_EVERY: Final = Micros(5 * SECOND)


def wait(
    backend: Backend, operation_id: str, *, show: bool, timeout_seconds: float | None = None, log: bool = True
) -> Operation:
    """Poll an operation at once and then every 5 s, until it is in a final state.

    Args:
        backend: the world.
        operation_id: of the operation.
        show: whether to print states, new entries of the log, and a dot for a poll that brought none.
        timeout_seconds: how long to wait, s; 0 looks once; None is without end.
        log: whether entries of the log are shown.

    Raises:
        WebserviceException: the time is up.
    """
    started = backend.clock.now()
    operation = backend.get_operation(operation_id)
    shown = _Shown(operation, log=log) if show else None
    while operation.state == OperationState.RUNNING:
        if timeout_seconds is not None and backend.clock.now() - started >= timeout_seconds * SECOND:
            raise WebserviceException(
                f"Deployment polling exceeded timeout override of {timeout_seconds}s. Current status: {operation.state}"
            )
        backend.clock.sleep_until(Micros(backend.clock.now() + POLL_EVERY))
        operation = backend.get_operation(operation_id)
        if shown:
            shown.polled(operation)
    if shown:
        shown.ended()
    return operation


class _Shown:
    """What has been printed of an operation."""

    def __init__(self, operation: Operation, *, log: bool) -> None:
        self._state = operation.state
        self._offset = 0
        self._log = log
        self._write(str(operation.state))

    def polled(self, operation: Operation) -> None:
        fresh = operation.log[self._offset :] if self._log else ""
        self._offset += len(fresh)
        for entry in _entries(fresh):
            self._write(f"\n{entry}")
        if not fresh:
            self._write(".")
        if operation.state != self._state:
            self._state = operation.state
            self._write(f"\n{operation.state}")

    def ended(self) -> None:
        self._write("\n")

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _entries(log: str) -> Iterator[str]:
    """Lines of a log: the time in the local zone, and the text."""
    for entry in filter(None, log.split("#")):
        stamp, _, text = entry.partition("|")
        try:
            time = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC).astimezone()
        except ValueError:
            yield entry
        else:
            yield f"{time} {text}"
