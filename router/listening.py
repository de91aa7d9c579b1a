"""Sockets that a uvicorn server takes connections on, as every server of this project has them."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn

BACKLOG: Final = 2048


class Listener(uvicorn.Server):
    """One of several in a process: signals are the process's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listen(
    app: Any,
    protocol: Callable[..., asyncio.Protocol],
    listener: socket.socket,
    tls: ssl.SSLContext | None,
    **given: Any,
) -> tuple[Listener, "asyncio.Task[None]"]:
    """Take connections from the next turn of the running loop on.

    Args:
        app: answers what the protocol does not answer itself.
        protocol: makes the protocol of a connection.
        listener: the socket.
        tls: for https; None: http.
        **given: more of uvicorn's configuration.

    Returns:
        The server, and the task that ends with it.
    """
    config = uvicorn.Config(
        app,
        loop="none",
        http=protocol,  # type: ignore[arg-type]  # uvicorn calls it, and takes any callable
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        **given,
    )
    config.load()
    if tls is not None:
        config.ssl = tls
    server = Listener(config)
    return server, asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))


async def listening(server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
    """Return when a server takes connections; raises what has ended it before."""
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.001)
