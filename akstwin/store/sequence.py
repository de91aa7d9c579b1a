"""The number of the last transaction of a state file, kept beside it: it tells an older copy of the file from the file.

It is written after the transaction and before anybody hears of it. It may therefore be behind (the process was killed in between,
or a power cut took it: it is not forced to the disk), and never ahead, unless the file is an older one.
"""

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Final

NAME: Final = "sequence"
_LINE: Final = re.compile(rb"akstwin state ([0-9a-f]{32}), transaction ([0-9]{16}), check ([0-9a-f]{16})\n")


class Sequence:
    """The number, for one process at a time.

    Args:
        folder: that of the state's files.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._handle: int | None = None

    def read(self) -> tuple[str, int] | None:
        """The identity of the state that it belongs to, and the number; None: it is not there.

        Raises:
            ValueError: it is damaged.
            OSError: it cannot be read.
        """
        try:
            line = self.path.read_bytes()
        except FileNotFoundError:
            return None
        match = _LINE.fullmatch(line)
        if match is None or _line(match[1].decode(), int(match[2])) != line:
            raise ValueError("damaged")
        return match[1].decode(), int(match[2])

    def write(self, identity: str, number: int) -> None:
        """Keep a number; in the place of the last one, so that it needs no room (OSError)."""
        if self._handle is None:
            self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(self._handle, _line(identity, number), 0)

    def close(self) -> None:
        """Let go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _line(identity: str, number: int) -> bytes:
    text = f"akstwin state {identity}, transaction {number:016d}, check "
    return f"{text}{sha256(text.encode()).hexdigest()[:16]}\n".encode()
