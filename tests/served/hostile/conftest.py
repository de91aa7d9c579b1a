"""A server with a service, bytes sent to it as they are, and all that can be seen of it."""

import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from akstwin.backend import WorkspaceIdentity

HOST = b"Host: 127.0.0.1\r\n"
SCORE = b"/api/v1/service/there/score"
SERVICES = f"/modelmanagement/v1.0{WorkspaceIdentity().resource_id}/services".encode()
FAULTS = b"/_akstwin/faults"


class Wire:
    """Speaks to a server without knowing HTTP.

    Attributes:
        world: the server.
        key: of its service `there`.
    """

    def __init__(self, world: Any) -> None:
        self.world = world
        self.key: str = world.mm("POST", "/services/there/listkeys").json()["primaryKey"]
        self.bearer = f"Authorization: Bearer {self.key}\r\n".encode()
        self.login = f"Authorization: {world.client.headers['Authorization']}\r\n".encode()

    def connect(self, *, secure: bool = False) -> socket.socket:
        """A connection."""
        url = urlsplit(self.world.https if secure else self.world.http)
        assert url.hostname
        connection = socket.create_connection((url.hostname, url.port or 0), timeout=30)
        if secure:
            context: ssl.SSLContext = self.world.context
            return context.wrap_socket(connection, server_hostname=url.hostname)
        return connection

    def ask(self, *pieces: bytes, secure: bool = False) -> bytes:
        """All that comes back for some bytes, to the connection's end: the last of them has to ask for it."""
        with self.connect(secure=secure) as connection:
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    connection.sendall(piece)
            return self.rest(connection)

    def rest(self, connection: socket.socket) -> bytes:
        """All that comes until the server ends the connection."""
        told = b""
        with contextlib.suppress(ConnectionError):
            while more := connection.recv(65536):
                told += more
        return told

    def state(self) -> Any:
        """All that can be seen of the workspace, and how many requests have been scored."""
        journal = httpx.get(f"{self.world.http}/_akstwin/journal", params={"status": 200, "limit": 1}).json()["entries"]
        faults = httpx.get(f"{self.world.http}/_akstwin/faults").json()
        return [self.world.state(), journal, faults, len(self.world.server.places)]

    def unchanged(self, ask: Callable[[], bytes]) -> bytes:
        """What comes back for something that must leave everything as it was, and everybody else served."""
        before = self.state()
        told = ask()
        assert self.state() == before
        return told

    def works(self) -> bool:
        """Whether the service answers."""
        given = {"Authorization": f"Bearer {self.key}"}
        return httpx.post(f"{self.world.http}{SCORE.decode()}", json={"a": 1}, headers=given).status_code == 200


@pytest.fixture(scope="module")
def wire(stocked: Any) -> Wire:
    """A stocked server whose service `there` runs an entry script."""
    if stocked.mm("GET", "/services/there").status_code == 404:
        stocked.deploy("there")
    httpx.post(f"{stocked.http}/_akstwin/clock", json={"advance": "5s"}).raise_for_status()  # the router has seen it
    return Wire(stocked)


SEED = 7
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance",
)  # fmt: skip
LAST = ("DELETE ", "POST /_akstwin/reset")
"""Takes away what the others need."""


class Explorer:
    """Asks a server whatever its OpenAPI document allows, and what it does not; the same at each run.

    Args:
        world: the server.
        known: names that exist, by parameter: most cases have one of them, else hardly any would get further than a 404.
        before: called with each case, and may change it.
        after: called after each case, with its operation.
    """

    def __init__(
        self,
        world: Any,
        known: dict[str, list[str]],
        before: Callable[[Any], None] = lambda _: None,
        after: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._world = world
        self._known = known
        self._before = before
        self._after = after
        self.statuses: Counter[int] = Counter()
        self.defects: dict[str, str] = {}
        """The first case of each kind, as a command that repeats it."""

    def explore(self, document: str, examples: int) -> int:
        """Ask so many questions of each kind for each operation; returns how many there were."""
        import schemathesis  # noqa: PLC0415 - takes a second

        schema = schemathesis.openapi.from_url(self._world.http + document)
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation in sorted(operations, key=lambda each: each.label.startswith(LAST)):
            for mode in schemathesis.GenerationMode:
                with contextlib.suppress(Unsatisfiable):  # nothing that could be wrong
                    self._ask(operation, mode, examples)
        return self.statuses.total()

    def _ask(self, operation: Any, mode: Any, examples: int) -> None:
        from schemathesis.checks import CHECKS as ALL  # noqa: PLC0415
        from schemathesis.checks import load_all_checks  # noqa: PLC0415

        load_all_checks()
        checks = [ALL.get_one(name) for name in CHECKS]
        names = {name: st.sampled_from([None, *known, *known]) for name, known in self._known.items()}

        @seed(SEED)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(
            case=operation.as_strategy(generation_mode=mode),
            names=st.fixed_dictionaries(names),
            logged_in=st.sampled_from([True, True, True, True, False]),
        )
        def ask(case: Any, names: dict[str, str | None], logged_in: bool) -> None:
            for name, known in names.items():
                for place in (case.path_parameters, case.query):
                    if known is not None and isinstance(place, dict) and name in place:
                        place[name] = known
            self._before(case)
            token = {"Authorization": self._world.client.headers["Authorization"]} if logged_in else {}
            answer = case.call(base_url=self._world.http, headers={**(case.headers or {}), **token}, timeout=60)
            self.statuses[answer.status_code] += 1
            try:
                case.validate_response(answer, checks=checks)
            except schemathesis_failures() as found:
                kind = f"{operation.label} {answer.status_code} {[type(each).__name__ for each in found.exceptions]}"
                self.defects.setdefault(kind, f"{case.as_curl_command()}\n{answer.text[:500]}")
            self._after(operation.label)

        ask()


def schemathesis_failures() -> type[Any]:
    """What it raises for an answer that is not as documented."""
    from schemathesis.core.failures import FailureGroup  # noqa: PLC0415

    return FailureGroup


@pytest.fixture
def explorer() -> type[Explorer]:
    """To be made for a server."""
    return Explorer
