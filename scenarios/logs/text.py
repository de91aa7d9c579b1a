"""Text files as they come: compressed or not, with any byte-order mark and line ending, damage named by its line."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from akstwin.errors import UnreadableFile

_GZIP: Final = b"\x1f\x8b"
_CHUNK: Final = 1 << 16
_LONGEST_LINE: Final = 1 << 24
"""Characters. A longer line is no line of a log, and would have to be held in memory."""


class Text:
    """A text that is read once, by lines or by pieces.

    Args:
        file: opened for text, with universal newlines.
        where: which file, for errors.
    """

    def __init__(self, file: io.TextIOBase, where: str) -> None:
        self._file = file
        self._where = where
        self._line = 1
        self.head = self._read()
        """The first piece: what kind of file this is shows here."""

    def pieces(self) -> Iterator[str]:
        """The whole text from its beginning, in pieces.

        Raises:
            UnreadableFile: it holds what no text holds, or its compressed form is damaged.
        """
        piece = self.head
        while piece:
            yield piece
            piece = self._read()

    def lines(self) -> Iterator[str]:
        r"""Each line with its `\n`; the last may have none.

        Raises:
            UnreadableFile: as of `pieces`, or a line without an end.
        """
        rest = ""
        number = 0
        for piece in self.pieces():
            *whole, rest = (rest + piece).split("\n")
            for line in whole:
                number += 1
                yield line + "\n"
            if len(rest) > _LONGEST_LINE:
                raise UnreadableFile(self._where, f"line {number + 1}: is longer than {_LONGEST_LINE:,} characters")
        if rest:
            yield rest

    def _read(self) -> str:
        try:
            piece = self._file.read(_CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise UnreadableFile(
                self._where, f"line {self._line}: the compressed file is cut off or damaged about here"
            ) from None
        except UnicodeDecodeError:
            raise UnreadableFile(self._where, f"line {self._line}: is no text in UTF-16 any more") from None
        if not piece.isascii() or "\0" in piece:
            self._check(piece)
        self._line += piece.count("\n")
        return piece

    def _check(self, piece: str) -> None:
        nul = piece.find("\0")
        if nul >= 0:
            raise UnreadableFile(
                self._where, f"line {self._line + piece.count(chr(10), 0, nul)}: holds a NUL, which no text file does"
            )
        try:
            piece.encode()
        except UnicodeEncodeError as error:
            line = self._line + piece.count("\n", 0, error.start)
            raise UnreadableFile(self._where, f"line {line}: is not UTF-8 text; save the file as UTF-8") from None


@contextmanager
def open_text(path: Path, where: str) -> Iterator[Text]:
    """Open a text file, compressed by gzip or not; UTF-8, or UTF-16 with its byte-order mark.

    Raises:
        UnreadableFile: as of `Text`.
        OSError: it is not there.
    """
    with path.open("rb") as raw:
        start = raw.peek(2)[:2]
        data = gzip.GzipFile(fileobj=raw) if start == _GZIP else raw
        try:
            mark = data.peek(2)[:2]
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise UnreadableFile(where, "line 1: the compressed file is cut off or damaged about here") from None
        encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        errors = "strict" if encoding == "utf-16" else "surrogateescape"
        yield Text(io.TextIOWrapper(data, encoding=encoding, errors=errors), where)


def magic_of(path: Path) -> bytes:
    """The first four bytes.

    Raises:
        OSError: it is not there.
    """
    with path.open("rb") as raw:
        return raw.peek(4)[:4]
