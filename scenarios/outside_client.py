"""Requests to a service that is not ours: HTTP/1.1 with or without TLS, every answer's text and headers kept in part."""

import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from akstwin.scenarios.compare_client import Connection, Pool, Target
from akstwin.sim.load.request_index import RequestIdentity

NOT_SENT: Final = -1
"""Stands for a status where a request was held back: too many were under way."""
_KEPT: Final = 512
"""Bytes of an answer's text that are kept."""
_TEXTS: Final = 20
"""Different texts of one status that are counted apart."""
_PASSING: Final = frozenset({"date", "content-length", "x-ms-request-id", "x-request-id", "x-ms-client-request-id"})
"""Headers whose values differ from answer to answer."""


@dataclass(frozen=True, slots=True)
class OutsideTarget(Target):
    """Where requests go, as whoever calls a service writes them: nothing of the twin is in them.

    Attributes:
        authority: of the Host header.
    """

    authority: str = ""

    def request(self, identity: RequestIdentity, version: str | None = None) -> bytes:  # noqa: ARG002 - as every other
        """A request as it goes over the wire."""
        key = f"Authorization: Bearer {self.secret}\r\n" if self.secret else ""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.authority}\r\n{key}User-Agent: akstwin-compare\r\n"
            f"Content-Type: application/json\r\nAccept: */*\r\nContent-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode("latin-1") + self.body


@dataclass(slots=True)
class Seen:
    """What answers of one status look like.

    Attributes:
        count: how many there were.
        texts: how often each text came, the first twenty of them.
        headers: names, and the value of the first answer.
    """

    count: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    headers: dict[str, str] = field(default_factory=dict)

    def add(self, headers: list[tuple[str, str]], body: bytes) -> None:
        """One more answer."""
        self.count += 1
        text = body.decode(errors="replace")
        if text in self.texts or len(self.texts) < _TEXTS:
            self.texts[text] += 1
        for name, value in headers:
            self.headers.setdefault(name, "…" if name in _PASSING else value)


class _Reading(Connection):
    """A connection that keeps a part of what it reads."""

    def __init__(self, seen: dict[int, Seen]) -> None:
        super().__init__()
        self._seen = seen
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    def on_message_begin(self) -> None:
        """Another answer."""
        self._headers, self._body = [], b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        """A part of its text."""
        if len(self._body) < _KEPT:
            self._body += body[: _KEPT - len(self._body)]

    def on_message_complete(self) -> None:
        """It is complete."""
        self._seen.setdefault(self.status, Seen()).add(self._headers, self._body)
        super().on_message_complete()


class BoundedPool(Pool):
    """Connections to a service outside: no more requests at once than were agreed on.

    Args:
        target: where they lead.
        most: requests under way at once; further ones are not sent.
        tls: of encrypted connections.
    """

    def __init__(self, target: Target, most: int, tls: ssl.SSLContext | None = None) -> None:
        self.seen: dict[int, Seen] = {}
        self.held_back = 0
        self._most = most
        self._under_way = 0
        super().__init__(target, lambda: _Reading(self.seen), tls)

    def forget(self) -> None:
        """What was seen so far does not count."""
        self.seen.clear()

    def send(self, request: bytes, done: Callable[[int], None]) -> None:
        """Send at once, or not at all."""
        if self._under_way >= self._most:
            self.held_back += 1
            done(NOT_SENT)
            return
        self._under_way += 1

        def settled(status: int) -> None:
            self._under_way -= 1
            done(status)

        super().send(request, settled)
