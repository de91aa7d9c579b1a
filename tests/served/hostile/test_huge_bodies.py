"""A body that is longer than any that is taken is refused while it comes, and no more of it is kept."""

import re
import select
from dataclasses import replace
from typing import Any

import pytest

from akstwin.fake_api.control.center import LONGEST_BODY
from akstwin.fake_api.management.reading import LONGEST_JSON
from akstwin.router.http1 import Http1Protocol

MB = 2**20
HOST = b"Host: 127.0.0.1\r\n"
ON_THE_WAY = 32 * MB
"""What may be in buffers between the two when the answer comes."""


def pour(wire: Any, path: bytes, login: bytes, framing: str, declared: int) -> tuple[bytes, int]:
    """The answer to a body that never ends by itself, and how many bytes of it were sent before that came."""
    head = b"POST %s HTTP/1.1\r\n%s%sContent-Type: application/json\r\n" % (path, HOST, login)
    chunked = framing == "chunked"
    head += b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % declared
    piece = b"%x\r\n%s\r\n" % (MB, b" " * MB) if chunked else b" " * MB
    with wire.connect() as connection:
        connection.sendall(head + b"\r\n")
        sent = 0
        while sent < declared - MB and not select.select([connection], [], [], 0)[0]:
            connection.sendall(piece)
            sent += MB
        select.select([connection], [], [], 30)
        return wire.rest(connection), sent


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a body that is refused has no time."""
    monkeypatch.setattr(Http1Protocol, "limits", replace(Http1Protocol.limits, linger_seconds=1.0))


@pytest.mark.parametrize("framing", ["chunked", "declared"])
@pytest.mark.parametrize("side", ["scoring", "management", "control"])
def test_it_is_refused_while_it_comes(wire: Any, impatient: None, side: str, framing: str) -> None:
    """Declared or not, on each side, with its own limit; the connection ends, and nothing is changed."""
    identity = wire.world.server.first.workspace.backend.identity.resource_id
    path, login, limit = {
        "scoring": (b"/api/v1/service/there/score", wire.bearer, wire.world.server.first.workspace.max_payload),
        "management": (f"/modelmanagement/v1.0{identity}/services".encode(), wire.login, LONGEST_JSON),
        "control": (b"/_akstwin/faults", b"", LONGEST_BODY),
    }[side]
    sent = []

    def ask() -> bytes:
        told, size = pour(wire, path, login, framing, limit + 400 * MB)
        sent.append(size)
        return bytes(told)

    told = wire.unchanged(ask)
    assert re.findall(rb"HTTP/1\.1 (\d\d\d) ", told) == [b"413"], told[:500]
    read = 0 if (side, framing) == ("scoring", "declared") else limit  # nothing of it is read
    assert sent[0] <= read + ON_THE_WAY
    assert wire.works()
