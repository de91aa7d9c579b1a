"""The text that containers have written, bounded: its beginning, its end, and how much is missing between."""

from typing import Protocol


class Log(Protocol):
    """Where a worker's output goes."""

    def write(self, data: bytes, /) -> None:
        """More of it."""
        ...

    def text(self) -> str:
        """What is kept."""
        ...


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


class SharedLog:
    """One log of several containers. A line says whose the following is, wherever that changes: `==> container 3 <==`.

    Args:
        limit: how many bytes are kept.
    """

    def __init__(self, limit: int) -> None:
        self._log = BoundedLog(limit)
        self._whose: int | None = None
        self._in_line = False

    def of(self, container: int) -> "ContainerLog":
        """Where this container writes."""
        return ContainerLog(self, container)

    def note(self, container: int, what: str) -> None:
        """A line of ours: what became of a container."""
        self._whose = container
        self._mark(f"==> container {container}: {what} <==")

    def write(self, container: int, data: bytes) -> None:
        """A container has written."""
        if not data:
            return
        if self._whose != container:
            self._whose = container
            self._mark(f"==> container {container} <==")
        self._log.write(data)
        self._in_line = not data.endswith(b"\n")

    def text(self, lines: int | None = None) -> str:
        """What is kept, or the last lines of it."""
        text = self._log.text()
        if lines is None:
            return text
        last = text.removesuffix("\n").split("\n")[-lines:] if lines else []
        return "".join(f"{line}\n" for line in last)

    def _mark(self, line: str) -> None:
        self._log.write(f"{chr(10) if self._in_line else ''}{line}\n".encode())
        self._in_line = False


class ContainerLog:
    """One container's part of a shared log."""

    __slots__ = ("_container", "_shared")

    def __init__(self, shared: SharedLog, container: int) -> None:
        self._shared, self._container = shared, container

    def write(self, data: bytes) -> None:
        """More of it."""
        self._shared.write(self._container, data)

    def text(self) -> str:
        """What is kept of all."""
        return self._shared.text()
