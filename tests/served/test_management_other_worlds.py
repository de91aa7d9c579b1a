"""The management routes over a backend that is no simulated workspace: they need the port's verbs, and nothing else of it."""

import asyncio
import importlib.util
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn

from akstwin.backend import Backend, Operation, ValidatingBackend, WorkspaceIdentity
from akstwin.clock import SECOND, Micros
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import AksError
from akstwin.fake_api.management.app import make_app
from akstwin.fake_api.tls import make_authority
from akstwin.files import FileStore
from akstwin.sim.backend import SimulatedBackend

VERBS = {name for port in (Backend, ValidatingBackend) for name in vars(port) if not name.startswith("_")}


class OnlyVerbs:
    """A backend of which nothing can be reached but what the two ports have."""

    def __init__(self, backend: SimulatedBackend) -> None:
        self._behind = backend

    def __getattr__(self, name: str) -> Any:
        if name not in VERBS:
            raise AttributeError(f"{name} is no verb of a backend")
        return getattr(self._behind, name)


class OtherWorkspace:
    """A workspace without a server's clock: who polls with patience lets its own time pass."""

    def __init__(self, backend: SimulatedBackend) -> None:
        self.files: FileStore = backend.files
        self.backend = cast("ValidatingBackend", OnlyVerbs(backend))

    def acting(self) -> AbstractContextManager[Micros]:
        """Its time stands still meanwhile."""
        return nullcontext(self.backend.clock.now())

    def commanding(self) -> AbstractAsyncContextManager[Micros]:
        """Likewise: nobody else lets it pass."""
        return nullcontext(self.backend.clock.now())

    async def operation(self, operation_id: str, *, skip: bool = True) -> Operation:
        """An operation, at its end if that can be waited for."""
        while skip and self.backend.get_operation(operation_id).state is OperationState.RUNNING:
            self.backend.clock.sleep_until(Micros(self.backend.clock.now() + SECOND))
        return self.backend.get_operation(operation_id)

    async def logs(self, name: str, lines: int, *, init: bool) -> str:
        """The last lines of what a service's containers have written."""
        return self.backend.get_logs(name, lines, init=init)


class OtherServer:
    """A server of one workspace, at the two ports that it is given."""

    secret = b"signs"

    def __init__(self, backend: SimulatedBackend, folder: Path) -> None:
        self._world = backend
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        http, https = (each.getsockname()[1] for each in self._sockets)
        self.first = SimpleNamespace(
            workspace=OtherWorkspace(backend), http=f"http://127.0.0.1:{http}", https=f"https://127.0.0.1:{https}"
        )
        self.places = {backend.identity.resource_id.lower(): self.first}
        self._tls, self.authority = make_authority(folder / "tls", ["127.0.0.1"])
        self._serving: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    async def start(self) -> None:
        """Serve the management routes."""
        app = make_app(self, self.first)
        for listener, context in zip(self._sockets, (None, self._tls), strict=True):
            config = uvicorn.Config(app, lifespan="off", log_level="warning")
            config.load()
            if context is not None:
                config.ssl = context
            server = uvicorn.Server(config)
            self._serving.append((server, asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))))
        async with asyncio.timeout(10):
            while not all(server.started for server, _ in self._serving):  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.001)

    async def ready(self) -> None:
        """It has been since it was started."""

    def first_asked(self, identity: WorkspaceIdentity) -> None:
        """Its workspace has its name."""

    def open_beside(self, asked: WorkspaceIdentity, identity: WorkspaceIdentity) -> Any:
        """There is one workspace."""
        raise AksError(f"{identity.name}: no workspace but {asked.name}")

    async def close(self) -> None:
        """End it."""
        for server, _ in self._serving:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._serving))
        self._world.close()


@pytest.fixture(scope="module")
def management(management_type: type[Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The client of the other management tests, on a server of another world."""

    class Elsewhere(management_type):  # type: ignore[misc]  # it is a fixture's
        async def _start(self, folder: Path, _: Any) -> OtherServer:
            server = OtherServer(SimulatedBackend(seed=7), folder)
            await server.start()
            return server

    made = Elsewhere(tmp_path_factory.mktemp("elsewhere"))
    yield made
    made.close()


def flows() -> ModuleType:
    """The tests of the management routes for services."""
    spec = importlib.util.spec_from_file_location("flows", Path(__file__).parent / "test_management_services.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    [
        "test_an_operations_log_goes_on_from_an_offset",
        "test_an_https_client_is_told_https_urls",
        "test_a_patch_says_whether_there_is_something_to_wait_for",
        "test_keys_tokens_and_logs",
        "test_lists_are_filtered_and_have_no_null_link",
        "test_a_service_ends",
        "test_validation_says_what_the_real_call_would_and_changes_nothing",
        "test_what_would_have_to_wait_is_objected_to",
        "test_nothing_migrates",
        "test_an_endpoint_gets_and_loses_versions",
    ],
)
def test_routes_need_no_more_than_a_backend(stocked: Any, name: str) -> None:
    """What holds of them over a simulated workspace holds over its verbs alone."""
    flow: Callable[[Any], None] = getattr(flows(), name)
    flow(stocked)


def test_another_workspace_is_the_servers_to_open(stocked: Any) -> None:
    """One that nobody has opened is asked of the server, and its refusal is the answer."""
    other = WorkspaceIdentity(name="other").resource_id
    refused = stocked.client.get(other, params={"api-version": "2020-02-02"})
    assert (refused.status_code, "no workspace but akstwin" in refused.text) == (400, True)
