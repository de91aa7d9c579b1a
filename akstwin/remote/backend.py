"""A workspace on a server as a `ValidatingBackend`: each verb a call of the management HTTP."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import Clock, Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.observation import Observation
from akstwin.domain.service_urls import service_path
from akstwin.errors import AksError, Conflict
from akstwin.remote import scoring
from akstwin.remote.caller import Caller, Token, segment
from akstwin.remote.control import Control, RemoteClock, refuse
from akstwin.remote.files import RemoteFiles
from akstwin.remote.finding import find
from akstwin.remote.services import Services
from akstwin.remote.simulation import RemoteSimulation
from akstwin.remote.verbs import Computes, Registrations


class RemoteBackend(Registrations, Computes, Services):
    """A workspace on a server that speaks the management HTTP (wire.md).

    A server of this project, which `/_akstwin/health` tells, also has a clock, limits, observation and load. Another one
    refuses `clock`, `epoch`, `assumptions` and `observe` by name, and load is sent from here in real time.

    Args:
        url: the server's: what stands for the resource manager in Azure's terms.
        subscription_id: of the workspace; what the server says, else as in `WorkspaceIdentity`.
        resource_group: likewise.
        workspace_name: likewise.
        token: what management calls are authorised by; a text, or what gives one. A server of this project needs none.
        ca: a file with the authorities to trust beside the usual ones, for https.
        transport: in place of the network, for tests.

    Raises:
        AksError: the server does not answer, or has no such workspace.
        InvalidSetting: the URL is none.
    """

    def __init__(
        self,
        url: str,
        *,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        workspace_name: str | None = None,
        token: Token | None = None,
        ca: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        named = {"subscription_id": subscription_id, "resource_group": resource_group, "name": workspace_name}
        caller = Caller(url, token, ca, transport)
        try:
            place = find(caller, {key: value for key, value in named.items() if value is not None})
        except AksError:
            caller.close()
            raise
        super().__init__(caller, place)
        self._numbers = count(1)
        self._own_ids = f"akstwin-{token_hex(8)}"
        self._control = Control(caller, place.control)
        self._files = RemoteFiles(caller, place.artifacts)

    def __repr__(self) -> str:
        return f"RemoteBackend({self._caller.url!r}, workspace_name={self.identity.name!r})"

    def close(self) -> None:
        """Close its connections. The workspace stays on the server."""
        self._caller.close()

    @property
    def url(self) -> str:
        """The server's."""
        return self._caller.url

    @property
    def simulation(self) -> RemoteSimulation:
        """What only a simulated world can do, as far as the server offers it."""
        if not self._control.there:
            refuse("simulation", self.url)
        return self._simulation

    @cached_property
    def _simulation(self) -> RemoteSimulation:
        return RemoteSimulation(self._control)

    # -- when, under which limits

    @property
    def clock(self) -> Clock:
        """The server's time."""
        if not self._control.there:
            refuse("clock", self.url)
        return RemoteClock(self._control)

    @property
    def epoch(self) -> float:
        """The Unix time of the clock's instant 0, s."""
        return self._control.epoch

    @property
    def assumptions(self) -> Assumptions:
        """The limits that the server's promises go by."""
        return self._control.assumptions

    @property
    def _how_to_poll(self) -> dict[str, str]:
        """A poll shows what there is (RFC 7240), and times are as in a simulated workspace.

        Who waits here sleeps by the server's clock, and one that jumps needs no more than that. A live clock is to skip to an
        operation's end as it is polled.
        """
        return {"Prefer": "wait=0"} if self._control.there and self._control.mode != "live" else {}

    # -- files

    def upload(self, container: str, files: Mapping[str, Path]) -> str:
        """Send files; returns `LocalUpload/{container}`, or another container's if that one is taken."""
        return self._files.upload(container, files)

    def download(self, prefix: str, target: Path) -> list[Path]:
        """Fetch files into a folder; returns their paths below it (NotFound)."""
        return self._files.download(prefix, target)

    # -- requests

    def score(self, name: str, request: ScoreRequest) -> ScoreResponse:
        """Send a request to the service's own address and wait for its answer.

        Latency, version and reason are what the server's journal says of it: a request that has no id of its own gets one as
        `x-ms-client-request-id`, to be found by. Where there is no journal: the latency that was seen from here, and neither
        of the others.

        Raises:
            AksError: no answer came: nobody is there, or the connection broke.
        """
        if not self._control.there:
            return scoring.send(self._caller, self._prepared(name, request))
        named, request_id = scoring.named(request, f"{self._own_ids}-{next(self._numbers)}")
        answer = scoring.send(self._caller, self._prepared(name, named))
        return scoring.completed(answer, request_id, partial(self._control.journal, service=name))

    def score_all(self, name: str, requests: Sequence[tuple[Micros, ScoreRequest]]) -> list[ScoreResponse]:
        """Send several requests, each at its own time: by the server's clock, where it has one, else in real time."""
        scoring.check_times(requests)
        if self._control.there:
            return self._control.score(name, requests)
        prepared = [(offset, self._prepared(name, request)) for offset, request in requests]
        return scoring.send_all(prepared, self._caller.concurrent)

    def note_policy(self, service: str, kind: str, policy: str, words: str) -> None:
        """Let the server keep that a policy has looked at a service, or has acted on it."""
        self._control.note_policy(service, kind, policy, words)

    def observe(self, name: str, window: Micros) -> Observation:
        """What was seen of the service in the last `window` (NotFound, InvalidSetting)."""
        return self._control.observe(name, window)

    def _prepared(self, name: str, request: ScoreRequest) -> httpx.Request:
        """A request to the service's own address."""
        if self._control.there:
            address = self.url + service_path(segment("service", name))
        else:
            uri = self.get_service(name).get("scoringUri")
            if not isinstance(uri, str):
                raise Conflict(f"service {name} has no scoringUri yet")
            address = uri.rpartition("/")[0]
        return scoring.prepared(self._caller, address, request)


def connect(url: str, **given: Any) -> RemoteBackend:
    """The world `remote`: what `Workspace.connect` works on.

    Args:
        url: of a server, such as `http://127.0.0.1:8899`.
        **given: see `RemoteBackend`.
    """
    return RemoteBackend(url, **given)
