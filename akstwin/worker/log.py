"""The text a container has written, bounded: its beginning, its end, and how much is missing between."""


class BoundedLog:
    """Keeps the first and the last half of `limit` bytes.

    Args:
        limit: how many bytes are kept.
    """

    __slots__ = ("_head", "_head_limit", "_tail", "_tail_limit", "written")

    def __init__(self, limit: int) -> None:
        self._head_limit = limit - limit // 2
        self._tail_limit = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.written = 0
        """Bytes ever written."""

    def write(self, data: bytes) -> None:
        """More of it."""
        self.written += len(data)
        room = self._head_limit - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._tail_limit:  # not at every line: that would move the tail each time
            del self._tail[: len(self._tail) - self._tail_limit]

    def text(self) -> str:
        """What is kept, as text: junk bytes become replacement characters."""
        tail = self._tail[max(0, len(self._tail) - self._tail_limit) :]
        dropped = self.written - len(self._head) - len(tail)
        gap = f"\n[... {dropped} bytes dropped ...]\n".encode() if dropped else b""
        return (bytes(self._head) + gap + bytes(tail)).decode(errors="replace")
