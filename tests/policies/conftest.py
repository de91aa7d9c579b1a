"""How many worlds properties are drawn in, and servers in a thread of this process."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.fake_api.server import Settings
from akstwin.fake_api.thread import ServerThread


@pytest.fixture(scope="session")
def worlds() -> int:
    """2,000 in `make properties`, a tenth of it otherwise."""
    return int(os.environ.get("AKSTWIN_WORLDS", "200"))


@pytest.fixture
def start() -> Iterator[Callable[..., str]]:
    """Starts a server on free ports, whose clock jumps; returns the URL of its workspace."""
    with ExitStack() as servers:

        def started(**given: Any) -> str:
            server = servers.enter_context(ServerThread(Settings(port=0, tls_port=0)))
            return server.open(WorkspaceIdentity(), clock="jump", **given).http

        yield started
