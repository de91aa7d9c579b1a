"""What SIGINT and SIGTERM do to a server: the first lets it end in order, the second ends the process at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def end_signals(begin: Callable[[], None]) -> Iterator[None]:
    """Handle the signals that end a process meanwhile.

    The handlers are Python's own, not the event loop's: they run between two instructions of whatever runs, so the second
    signal does not wait for a loop that is busy. It leaves the process with status 128 + the signal's number, as shells show
    it, and cleans nothing up: scripts end with the process, and the next server removes the folders that it left.

    On another thread than the main one nothing is handled: Python lets only the main thread set handlers.

    Args:
        begin: begins the orderly end; called once, on the main thread, at any moment: it may only leave a message.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True
        begin()

    before = {number: signal.signal(number, handle) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
