"""The other side of a comparison: a server of the twin, the scenario's service on it, its clock, its faults."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel

from akstwin import Workspace
from akstwin.backend import Json
from akstwin.clock import SECOND, Micros
from akstwin.domain.deployment import Autoscaled
from akstwin.errors import AksError, Conflict, InvalidSetting, NotFound
from akstwin.remote import RemoteBackend
from akstwin.scenarios.compare_client import Target
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.opening import CLUSTER, known_size
from akstwin.scenarios.workspace import deploy, document_in_virtual_time, wait_for

_LOOKS: Final = 9
"""So often the server's clock is read; the quickest answer counts."""
_NOTICE: Final = Micros(SECOND // 4)
"""Real µs from the last preparation to the start of traffic."""
_NOT_SETTINGS: Final = frozenset(
    {"computeName", "createdTime", "updatedTime", "deploymentStatus", "description", "environmentImageRequest", "error",
     "id", "kvTags", "models", "properties", "scoringUri", "state", "operationId", "modelConfigMap", "modelIds"}
)  # fmt: skip
"""What a service's document says beside its settings."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A server's clock beside this machine's.

    Attributes:
        server: µs.
        here: seconds, by `perf_counter`.
    """

    server: int
    here: float


class Server:
    """A server that a scenario is compared with.

    Args:
        url: its address.
        prepared: the scenario.
        overwrite: whether a service of the same name and other settings may be replaced.

    Raises:
        AksError: nobody answers, it is no server of the twin, or one that the scenario cannot be compared with.
    """

    def __init__(self, url: str, prepared: Prepared, *, overwrite: bool = False) -> None:
        self._address = _address(url)
        self._prepared = prepared
        self._overwrite = overwrite
        self._workspace = Workspace.connect(url)
        backend = self._workspace.backend
        assert isinstance(backend, RemoteBackend)  # noqa: S101 - what `connect` works on
        self.backend = backend
        self._url = url.rstrip("/")
        self._http = httpx.Client(base_url=url, timeout=60)
        try:
            self.rate = self._check_clock(url)
            self._check_assumptions()
            self.taken = self._there_already()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connections."""
        self._http.close()
        self.backend.close()

    # -- whether it can be

    def _check_clock(self, url: str) -> float:
        answer = self._send("GET", "/_akstwin/clock")
        if not answer.is_success:
            raise InvalidSetting("--against", url, "a server of akstwin: this one has no /_akstwin/clock")
        told = answer.json()
        if told["mode"] not in ("live", "paced"):
            raise InvalidSetting(
                "--against", url, f"a clock that passes by itself, live or paced: this server's is {told['mode']}"
            )
        return float(told["rate"])

    def _check_assumptions(self) -> None:
        wanted = self._prepared.scenario.assumptions.model_dump(mode="json")
        there = self.backend.assumptions.model_dump(mode="json")
        for key, value in wanted.items():
            if there.get(key) != value:
                raise InvalidSetting(
                    f"assumptions.{key}", value,
                    f"the server's, which is {there.get(key)!r}: start it with --scenario or with --assume {key}=…",
                )  # fmt: skip

    def _there_already(self) -> bool:
        """Whether the service is there, with the scenario's settings."""
        name = self._prepared.service.name
        try:
            found = self.backend.get_service(name)
        except NotFound:
            return False
        expected = document_in_virtual_time(self._prepared)
        different = _first_difference(_settings(found), _settings(expected))
        if different is None and found.get("state") == "Healthy":
            return True
        if not self._overwrite:
            state = f"its state is {found.get('state')}" if different is None else different
            raise Conflict(
                f"service {name} is there already and is not the scenario's: {state}; --overwrite replaces it"
            )
        wait_for(self.backend, self.backend.delete_service(name))
        return False

    # -- the service

    @contextmanager
    def service(self, replication: int) -> Iterator[Target]:
        """The scenario's service, Healthy and seen by the router: as it was found, or deployed and deleted afterwards.

        Args:
            replication: whose chance it takes.
        """
        name, simulation = self._prepared.service.name, self.backend.simulation
        simulation.chance(name, seed=self._prepared.scenario.seed, replication=replication)
        for version, model in self._prepared.models.items():
            told = {key: getattr(model, key) for key in model.model_fields_set}
            self.profile(version, told if self.taken else {**told, "reply": {"version": version}})
        if self.taken:
            yield self._target(name)
            return
        with self._cluster() as cluster:
            deploy(self.backend, self._prepared, cluster)
            try:
                lag = self._prepared.scenario.assumptions.router_lag
                self.backend.clock.sleep_until(Micros(self.backend.clock.now() + lag))
                yield self._target(name)
            finally:
                wait_for(self.backend, self.backend.delete_service(name))

    def profile(self, version: str, told: Json) -> None:
        """Tell what a version costs and answers, by the names of `ws.simulation.profile`."""
        given: Json = {
            key: each.model_dump(mode="json") if isinstance(each, BaseModel) else each for key, each in told.items()
        }
        self.backend.simulation.profile(self._prepared.service.name, version=version, **given)

    @contextmanager
    def _cluster(self) -> Iterator[str]:
        """A compute target of the scenario's cluster, which is gone afterwards."""
        described, name = self._prepared.scenario.cluster, CLUSTER
        taken = {each["name"] for each in self.backend.list_computes()}
        number = 1
        while name in taken:
            number += 1
            name = f"{CLUSTER}-{number}"
        size = known_size(described.vm_size)
        properties: Json = {"clusterPurpose": described.purpose, "agentCount": described.nodes}
        if size is None or described.max_nodes is not None:  # more than Azure's own call can say
            told = size or described.vm_size.model_dump(mode="json")
            self.backend.simulation.cluster(name, nodes=described.nodes, vm_size=told, max_nodes=described.max_nodes)
        else:
            properties["agentVmSize"] = size
        outer = {"computeType": "AKS", "properties": properties}
        payload = {"location": self.backend.identity.location, "properties": outer}
        wait_for(self.backend, self.backend.put_compute(name, payload))
        try:
            yield name
        finally:
            with suppress(NotFound):
                wait_for(self.backend, self.backend.delete_compute(name, "delete"))

    def _target(self, name: str) -> Target:
        document = self.backend.get_service(name)
        secret = ""
        if document.get("aadAuthEnabled"):
            secret = self.backend.issue_token(name).token
        elif document.get("authEnabled"):
            secret = self.backend.get_keys(name).primary
        host, port = self._address
        return Target(host, port, f"/api/v1/service/{name}/score", secret)

    # -- time

    def read_clock(self) -> ClockReading:
        """The server's clock beside this machine's, as near as the quickest of several answers tells."""
        best: tuple[float, ClockReading] | None = None
        for _ in range(_LOOKS):
            began = perf_counter()
            told = self._call("GET", "/_akstwin/clock").json()
            ended = perf_counter()
            if best is None or ended - began < best[0]:
                best = (ended - began, ClockReading(int(told["now"]), (began + ended) / 2))
        assert best is not None  # noqa: S101
        return best[1]

    def start_of_traffic(self) -> ClockReading:
        """An instant soon, such that autoscalers look as far from it as they do in the simulation.

        There they first look one period after the start of traffic. Here they have looked once a period since the end of the
        deployment.
        """
        reading = self.read_clock()
        start = reading.server + round(_NOTICE * self.rate)
        scaling = [version.settings.scaling for version in self._prepared.service.versions]
        periods = [each.refresh for each in scaling if isinstance(each, Autoscaled)]
        if periods:
            ended = self._deployment_ended()
            start = ended + -(-(start - ended) // max(periods)) * max(periods)
        return ClockReading(start, reading.here + (start - reading.server) / self.rate / SECOND)

    def _deployment_ended(self) -> int:
        """When the service's latest operation ended, server's µs."""
        name, ended = self._prepared.service.name, 0
        for line in self._call("GET", "/_akstwin/events", params={"follow": "false"}).text.splitlines():
            if line.startswith("data: "):
                told = json.loads(line.removeprefix("data: "))
                if told.get("kind") == "operation_ended" and told.get("subject") == name:
                    ended = int(told["at"])
        return ended

    def skipped(self, before: ClockReading) -> float:
        """Real seconds by which the server's clock is not where it should be, counted from an earlier reading."""
        now = self.read_clock()
        return (now.server - before.server) / self.rate / SECOND - (now.here - before.here)

    def settle(self) -> None:
        """A service that goes on is left to come to rest: its autoscaler goes back to where it was."""
        span = 2 * self._prepared.scenario.assumptions.autoscale_down_window
        self._call("POST", "/_akstwin/clock", json={"advance": f"{span}us"})

    def answers(self) -> int:
        """So many requests the service has answered until now, whoever sent them: real clients and simulated ones."""
        from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - needed for a run only

        name = self._prepared.service.name
        return sum(
            int(sample.value)
            for family in text_string_to_metric_families(self._call("GET", "/_akstwin/metrics").text)
            for sample in family.samples
            if sample.name == "akstwin_requests_total" and sample.labels["service"] == name
        )

    # -- what breaks

    def plan_faults(self, start: int) -> None:
        """Let the scenario's faults come at their times after `start`, server's µs."""
        for fault in self._prepared.scenario.faults:
            told = fault.model_dump(mode="json", exclude={"at", "kind", "service"}, exclude_none=True)
            left = max(0, start + fault.at - self.backend.clock.now())
            self.backend.simulation.fault(fault.kind, at=f"{left}us", service=self._prepared.service.name, **told)

    def _call(self, method: str, path: str, **given: Any) -> httpx.Response:
        """An answer of the control API.

        Raises:
            AksError: there is none, or a refusal.
        """
        answer = self._send(method, path, **given)
        if not answer.is_success:
            raise AksError(f"{method} {self._url}{path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **given)
        except httpx.HTTPError as error:
            raise AksError(f"{method} {self._url}{path}: {error}") from None


def _address(url: str) -> tuple[str, int]:
    """Host and port of a server's address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # its port is none, or its host is half an IPv6 address
        parts, host, port = urlsplit(""), None, None
    if parts.scheme != "http" or not host:
        raise InvalidSetting("--against", url, "an http address of `akstwin serve`, such as http://127.0.0.1:8899")
    return host, port or 80


def _settings(document: Json) -> Json:
    return {
        key: {name: _settings(each) for name, each in value.items()} if key == "versions" else value
        for key, value in document.items()
        if key not in _NOT_SETTINGS
    }


def _first_difference(found: Any, expected: Any, place: str = "") -> str | None:
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted(found.keys() | expected.keys()):
            different = _first_difference(found.get(key), expected.get(key), f"{place}.{key}" if place else key)
            if different is not None:
                return different
        return None
    return None if found == expected else f"{place} is {found!r}, the scenario's is {expected!r}"
