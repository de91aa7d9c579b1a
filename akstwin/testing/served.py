"""What the fixtures of pytest's plugin are: a workspace on a server, its clock, its faults, its journal."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from re import sub
from typing import Any, Final, Self
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from akstwin import scratch
from akstwin.backend import WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.domain.units import parse_duration
from akstwin.errors import AksError, NotFound
from akstwin.sdk.workspace import Workspace
from akstwin.testing.calls import Calls
from akstwin.testing.journal import Journal
from akstwin.testing.marks import Told
from akstwin.testing.passing import AksClock
from akstwin.testing.variables import variables

SERVERS: Final = "akstwin.servers"
"""The group of entry points that servers register in: nothing below has to import them."""
_ALL: Final = 1_000_000


class AksFault:
    """A fault that was added; as a context manager it ends with its block.

    Attributes:
        id: its name on the server.
        kind: what it does.
    """

    def __init__(self, faults: "AksFaults", told: Mapping[str, Any]) -> None:
        self._faults = faults
        self.id = str(told["id"])
        self.kind = str(told["kind"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if any(each["id"] == self.id for each in self._faults):  # else it has been ended in the block
            self.end()

    def __repr__(self) -> str:
        return f"<AksFault {self.id}: {self.kind}>"

    @property
    def state(self) -> dict[str, Any]:
        """All that the server knows of it: settings, `state`, `begins`, `ends`, `struck`.

        Raises:
            NotFound: it has been ended.
        """
        for each in self._faults:
            if each["id"] == self.id:
                return each
        raise NotFound(f"fault {self.id} has been ended")

    @property
    def struck(self) -> int:
        """How often it has struck (NotFound when it has been ended)."""
        return int(self.state["struck"])

    def end(self) -> None:
        """It strikes no more, and what it has done is undone (Conflict where that cannot be)."""
        self._faults.remove(self)


class AksFaults:
    """What is broken on purpose in a workspace on a server. Iterating gives what there is, as the server lists it.

    Args:
        calls: reach the workspace's control side.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def add(self, kind: str, **settings: Any) -> AksFault:
        """Break something: `add("replica_kill", service="fraud")`, `add("drop_connection", share=0.2)`.

        Args:
            kind: by its cause (`replica_hang`, `node_loss`, …) or by the connection (`delay`, `refuse`, …): as `/_akstwin/faults`
                takes it, and as `/_akstwin/docs` lists it.
            **settings: of the kind; `at` and `lasts` are durations.

        Raises:
            AksError: a setting that is refused, by its name; NotFound: no such service.
        """
        return AksFault(self, self._calls.post("faults", {"kind": kind, **settings}))

    def remove(self, fault: AksFault | str) -> None:
        """End one, by its id (NotFound; Conflict where it cannot be undone)."""
        identity = fault if isinstance(fault, str) else fault.id
        self._calls.call("DELETE", f"/_akstwin/faults/{identity}")

    def clear(self) -> None:
        """End all that can be ended."""
        self._calls.call("DELETE", "/_akstwin/faults")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._calls.get("faults"))

    def __len__(self) -> int:
        return len(self._calls.get("faults"))


class VirtualClock:
    """The clock of a workspace in virtual time, with the methods of `AksClock`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def mode(self) -> str:
        """Time is virtual: waiting is free."""
        return "virtual"

    def now(self) -> Micros:
        """The present, whole microseconds since the clock's start."""
        return self._workspace.clock.now()

    def advance(self, span: str | float) -> Micros:
        """Let time pass; returns the present (InvalidSetting: no duration)."""
        self.sleep_until(Micros(self.now() + parse_duration(span)))
        return self.now()

    def sleep(self, span: str | float) -> None:
        """Let time pass (InvalidSetting: no duration)."""
        self.advance(span)

    def sleep_until(self, deadline: Micros) -> None:
        """Return at `deadline`, µs."""
        self._workspace.clock.sleep_until(deadline)


class AksServer:
    """A test's own workspace on the server of the process, as clients see it.

    Args:
        thread: the server.
        node: the test's id: the workspace is called after it.
        told: how it is run.

    Attributes:
        url: for http.
        https_url: for https.
        seed: of its chance.
        clock: its time: `now`, `advance`, `sleep`.
        faults: what is broken in it.

    Raises:
        AksError: a setting is refused, or the scenario cannot be opened.
    """

    def __init__(self, thread: Any, node: str, told: Told) -> None:
        self._thread = thread
        self._stack = ExitStack()
        self._identity = _identity(node)
        self._place = thread.open(
            self._identity,
            seed=told.seed,
            scenario=told.scenario,
            clock=told.clock,
            rate=told.rate,
            assumptions=told.assumptions,
        )
        self.url: str = self._place.http
        self.https_url: str = self._place.https
        self.seed: int = self._place.workspace.backend.seed
        self._calls = Calls(self.url)
        self.clock = AksClock(self._calls)
        self.faults = AksFaults(self._calls)
        self._variables: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"<AksServer {self.url} seed={self.seed}>"

    @property
    def workspace(self) -> str:
        """The workspace's name: the test's, as far as Azure's rules let it."""
        return self._identity.name

    @property
    def subscription_id(self) -> str:
        """The workspace's subscription."""
        return self._identity.subscription_id

    @property
    def resource_group(self) -> str:
        """The workspace's resource group."""
        return self._identity.resource_group

    @property
    def journal(self) -> Journal:
        """What came of the test's requests until now: questions and assertions (`akstwin.testing.journal`)."""
        return Journal.read(self._calls.get(f"journal?limit={_ALL}"))

    @property
    def env(self) -> dict[str, str]:
        """Variables for another process that is to reach the server with azureml-core: `{**os.environ, **aks_server.env}`.

        Its home is empty, and gone after the test.
        """
        if self._variables is None:
            folder = Path(self._stack.enter_context(scratch.temporary()))
            authority = folder / "ca.pem"
            authority.write_text(self._thread.ways(self._place)["authority"], encoding="utf-8")
            self._variables = variables(self.url, self.https_url, folder, authority)
        return dict(self._variables)

    def connect(self) -> Workspace:
        """The workspace for a script with akstwin's own classes: `Workspace.connect`. It is closed after the test."""
        workspace = Workspace.connect(self.url)
        self._stack.callback(getattr(workspace.backend, "close"))  # noqa: B009 - the port has no `close`; this world does
        return workspace

    def client_time(self, by: str = "world") -> AbstractContextManager[None]:
        """Let clients in this process go by the workspace's clock: see `akstwin.testing.client_time`.

        Args:
            by: `world`; or `real`, which changes nothing. Nothing changes either on a live or a manual clock.

        Raises:
            AksError: they go by another workspace's clock already.
        """
        timers = self._thread.timers(self._place)
        return self._by_the_world(timers) if by == "world" and timers.strikes else nullcontext()

    @contextmanager
    def _by_the_world(self, timers: Any) -> Iterator[None]:
        from akstwin.testing.client_time import ClientTime  # noqa: PLC0415 - it imports asyncio

        ports = frozenset(urlsplit(url).port or 0 for url in (self.url, self.https_url))
        clients = ClientTime(timers, ports, self._thread.ident)
        clients.begin()
        try:
            yield
        finally:
            clients.end()

    def close(self) -> None:
        """End the workspace, and those that the test's programs have opened beside it."""
        self._stack.close()
        self._thread.close_place(self._place)


class Host:
    """The one server of this process. It begins when it is first needed."""

    def __init__(self) -> None:
        self._thread: Any = None

    def open(self, node: str, told: Told) -> AksServer:
        """A workspace for a test.

        Raises:
            AksError: a setting is refused, or this version of akstwin has no server.
        """
        if self._thread is None:
            for point in entry_points(group=SERVERS, name="served"):
                self._thread = point.load()()
                break
            else:
                raise AksError("aks_server: this version of akstwin has no server that is called 'served'")
        return AksServer(self._thread, node, told)

    def close(self) -> None:
        """End the server, if there is one."""
        if self._thread is not None:
            self._thread.close()


def open_workspace(told: Told) -> Workspace:
    """A workspace in virtual time.

    Raises:
        AksError: a setting is refused, or the scenario cannot be opened.
    """
    return Workspace.simulated(seed=told.seed, scenario=told.scenario, assumptions=told.assumptions)


def _identity(node: str) -> WorkspaceIdentity:
    """A workspace of its own for each test: the same in each run, within Azure's 33 letters."""
    words = sub(r"[^a-z0-9]+", "-", node.rpartition("::")[2].lower()).strip("-")
    name = f"{words[:24].rstrip('-') or 'test'}-{sha256(node.encode()).hexdigest()[:8]}"
    return WorkspaceIdentity(name, workspace_id=str(uuid5(NAMESPACE_URL, node)))
