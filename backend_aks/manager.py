"""The manager's process: waits until it is the active one, serves a workspace, and ends so that no request is lost."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from akstwin.backend_aks.api import KubernetesApi
from akstwin.backend_aks.lease import Lease
from akstwin.backend_aks.server import ManagerServer
from akstwin.backend_aks.surroundings import ClusterSettings
from akstwin.backend_aks.workspace import ClusterWorkspace
from akstwin.clock import SECOND


@dataclass(frozen=True)
class ManagerSettings:
    """How a manager is run.

    Attributes:
        namespace: where services live, and what is kept of them.
        image: of the scoring containers whose service names none.
        folder: for uploaded files and bundles; it has to outlast the process.
        host: the address that it listens on.
        port: for management and scoring; 0 picks one.
        url: by which pods and clients reach it; None: its address and port.
        context: of the kubeconfig file; None: the current one.
        kubeconfig: the file; None: the usual one.
        in_cluster: whether it runs in a pod, and reaches the cluster as its service account.
        assumptions: keys that shall differ.
        nodes: whether nodes may be read.
        lame_duck: s for which requests are still taken after the health has turned.
    """

    namespace: str
    image: str
    folder: Path
    host: str = "127.0.0.1"
    port: int = 8899
    url: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    in_cluster: bool = False
    assumptions: Mapping[str, Any] = field(default_factory=dict)
    nodes: bool = True
    lame_duck: float = 0.0


async def manage(settings: ManagerSettings, started: Callable[[str], None]) -> None:
    """Be a manager until SIGTERM or SIGINT.

    Args:
        settings: how it is run.
        started: called with its URL when it is the active one and answers.

    Raises:
        AksError: the cluster refuses; or another manager has become the active one.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    api = (
        KubernetesApi.in_cluster()
        if settings.in_cluster
        else await KubernetesApi.connect(settings.kubeconfig, settings.context)
    )
    lease = Lease(api, settings.namespace, f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        if not await _unless(ended, lease.acquire()):
            return
        kept = loop.create_task(lease.keep())
        try:
            await _serve(settings, api, ended, kept, started)
        finally:
            kept.cancel()
            await asyncio.gather(kept, return_exceptions=True)
            await lease.release()
    finally:
        await api.close()


async def _serve(
    settings: ManagerSettings,
    api: KubernetesApi,
    ended: asyncio.Event,
    kept: "asyncio.Task[None]",
    started: Callable[[str], None],
) -> None:
    listener = socket.create_server((settings.host, settings.port), reuse_port=False)
    listener.setblocking(False)
    host, port = listener.getsockname()[:2]
    url = settings.url or f"http://{host}:{port}"
    cluster = ClusterSettings(settings.namespace, settings.image, url, settings.nodes)
    workspace = await ClusterWorkspace.open(api, cluster, settings.folder, url, assumptions=settings.assumptions)
    server = ManagerServer(workspace, url, url.replace("http:", "https:", 1), workspace.signing_secret)
    try:
        await workspace.synced()
        await server.listen(listener)
        started(url)
        over = [asyncio.ensure_future(each) for each in (ended.wait(), workspace.until_failed())]
        done, _ = await asyncio.wait({*over, kept}, return_when=asyncio.FIRST_COMPLETED)
        for each in over:
            each.cancel()
        for each in done:
            each.result()
    finally:
        await server.end(settings.lame_duck, workspace.longest_request / SECOND)
        await workspace.close()


async def _unless(ended: asyncio.Event, work: Any) -> bool:
    """Do some work; False: the end came first."""
    task, end = asyncio.ensure_future(work), asyncio.ensure_future(ended.wait())
    await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
    end.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False
    task.result()
    return True


def run(settings: ManagerSettings, started: Callable[[str], None]) -> None:
    """Be a manager in a process of its own."""
    import uvloop  # noqa: PLC0415 - only a running manager needs it

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    uvloop.run(manage(settings, started))
