"""Many workspaces on one server: what is done in one is seen in no other."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from akstwin.backend import WorkspaceIdentity

WORKSPACES = 4
NAMES = ("one-model", "two-model")
"""Of services; each workspace may have each."""
which = st.integers(0, WORKSPACES - 1)
names = st.sampled_from(NAMES)
DAY = 86_400_000_000


@dataclass
class Known:
    """What a workspace must hold, as the model says.

    Attributes:
        place: its number.
        identity: its path.
        http: where it answers.
        keys: of each service that it has.
        tokens: likewise, of those that take tokens.
        files: that were uploaded.
        scored: requests that were answered by a service.
        faults: how many there are.
        operations: ids of its operations.
    """

    place: int
    identity: str
    http: str
    keys: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    scored: int = 0
    faults: int = 0
    operations: list[str] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """What stands in all that it makes."""
        return f"only-in-{self.place}"


class Workspaces(RuleBasedStateMachine):
    """Commands in any order, in any workspace; after each, all workspaces are looked at.

    Args:
        world: the server.
    """

    def __init__(self, world: Any) -> None:
        super().__init__()
        self.world = world
        self.http: httpx.Client = world.client
        self.known: list[Known] = []

    # -- asking

    def mm(self, known: Known, method: str, path: str, **given: Any) -> httpx.Response:
        """An answer of the model management service."""
        return self.http.request(method, f"/modelmanagement/v1.0{known.identity}{path}", **given)

    def control(self, known: Known, method: str, path: str, **given: Any) -> Any:
        """An answer of the control side."""
        answer = httpx.request(method, f"{known.http}/_akstwin/{path}", timeout=30, **given)
        answer.raise_for_status()
        return answer.json()

    def score(self, known: Known, name: str, credential: str) -> httpx.Response:
        """An answer of a service."""
        headers = {"Authorization": f"Bearer {credential}"}
        return httpx.post(f"{known.http}/api/v1/service/{name}/score", json={}, headers=headers, timeout=30)

    def done(self, known: Known, answer: httpx.Response, header: str = "Operation-Location") -> None:
        """An operation has begun, and ends well."""
        assert answer.status_code == 202, answer.text
        told = self.http.get(answer.headers[header]).json()
        assert "Succeeded" in (told.get("state"), told.get("status")), told
        if header == "Operation-Location":
            known.operations.append(told["id"])

    # -- commands

    @initialize()
    def open(self) -> None:
        """All workspaces, as new."""
        for place in range(WORKSPACES):
            identity = WorkspaceIdentity(f"space-{place}").resource_id
            told = self.http.get(identity, params={"api-version": "2022-05-01"}).json()
            http = told["properties"]["discoveryUrl"].removesuffix("/discovery")
            self.known.append(Known(place, identity, http))
            self.begin_anew(place)

    @rule(place=which)
    def begin_anew(self, place: int) -> None:
        """A reset; then what every service needs is made."""
        old = self.known[place]
        self.control(old, "POST", "reset")
        known = self.known[place] = Known(place, old.identity, old.http)
        body = {"location": "westeurope", "properties": {"computeType": "AKS"}}
        made = self.http.put(f"{known.identity}/computes/aks", params={"api-version": "2020-02-02"}, json=body)
        self.done(known, made, "Azure-AsyncOperation")
        self.upload(place, "weights")
        artifact = {"prefix": f"LocalUpload/{known.mark}/weights"}
        asset = self.mm(known, "POST", "/assets", json={"name": "w", "artifacts": [artifact]}).json()["id"]
        model = {"name": "plain", "url": f"aml://asset/{asset}", "mimeType": "application/json"}
        model |= {"framework": "ScikitLearn", "description": known.mark}
        assert self.mm(known, "POST", "/models", json=model).json()["id"] == "plain:1"

    @rule(place=which, name=st.sampled_from(["weights", "more"]))
    def upload(self, place: int, name: str) -> None:
        """A file in a container of the workspace's own name."""
        known = self.known[place]
        if name in known.files:
            return
        url = f"/artifact/v2.0{known.identity}/artifacts/batch/metadata/LocalUpload/{known.mark}"
        told = self.http.post(url, json={"paths": [{"path": name}]}).json()["artifactContentInformation"][name]
        path = told["contentUri"].partition("/blob/")[2]
        headers = {"x-ms-blob-type": "BlockBlob", "If-None-Match": "*"}
        content = known.mark.encode()
        assert httpx.put(f"{known.http}/blob/{path}", content=content, headers=headers).status_code == 201
        for other in self.known:
            if other is not known:  # a signature opens nothing elsewhere
                assert httpx.get(f"{other.http}/blob/{path}").status_code == 403
        known.files.add(name)

    @rule(place=which, name=names, tokens=st.booleans())
    def deploy(self, place: int, name: str, tokens: bool) -> None:
        """A service that answers with the workspace's mark."""
        known = self.known[place]
        if name in known.keys:
            return
        self.control(known, "POST", f"profile/{name}", json={"reply": known.mark, "init_time": "1s"})
        service = {
            "name": name, "computeType": "AKS", "computeName": "aks", "numReplicas": 1, "description": known.mark,
            "environmentImageRequest": {"modelIds": ["plain:1"]},
            "livenessProbeRequirements": {"initialDelaySeconds": 100_000_000}, "aadAuthEnabled": tokens,
        }  # fmt: skip
        self.done(known, self.mm(known, "POST", "/services", json=service))
        self.control(known, "POST", "clock", json={"advance": "5s"})
        if tokens:
            known.keys[name] = ""
            known.tokens[name] = self.mm(known, "POST", f"/services/{name}/token").json()["accessToken"]
        else:
            known.keys[name] = self.mm(known, "POST", f"/services/{name}/listkeys").json()["primaryKey"]

    @rule(place=which, name=names)
    def delete(self, place: int, name: str) -> None:
        """A service, where there is one."""
        known = self.known[place]
        if name in known.keys:
            self.done(known, self.mm(known, "DELETE", f"/services/{name}"))
            del known.keys[name]
            known.tokens.pop(name, None)

    @rule(place=which, name=names)
    def change_key(self, place: int, name: str) -> None:
        """Of a service that has keys."""
        known = self.known[place]
        if known.keys.get(name):
            old = known.keys[name]
            self.done(known, self.mm(known, "POST", f"/services/{name}/regenerateKeys", json={"keyType": "Primary"}))
            known.keys[name] = self.mm(known, "POST", f"/services/{name}/listkeys").json()["primaryKey"]
            assert known.keys[name] != old

    @rule(place=which, name=names)
    def call(self, place: int, name: str) -> None:
        """The answer is the workspace's own."""
        known = self.known[place]
        if name in known.keys:
            answer = self.score(known, name, known.tokens.get(name) or known.keys[name])
            assert (answer.status_code, answer.json()) == (200, known.mark)
            known.scored += 1

    @rule(place=which)
    def break_something(self, place: int) -> None:
        """A fault that strikes no request of this test."""
        known = self.known[place]
        self.control(known, "POST", "faults", json={"kind": "delay_answer", "by": "1s", "service": "nobody"})
        known.faults += 1

    @rule(place=which)
    def mend(self, place: int) -> None:
        """All faults of one workspace."""
        known = self.known[place]
        assert len(self.control(known, "DELETE", "faults")) == known.faults
        known.faults = 0

    @rule(place=which)
    def let_a_day_pass(self, place: int) -> None:
        """In one workspace only."""
        before = [self.control(known, "GET", "clock")["now"] for known in self.known]
        self.control(self.known[place], "POST", "clock", json={"advance": "24h"})
        for known, then in zip(self.known, before, strict=True):
            passed = self.control(known, "GET", "clock")["now"] - then
            assert (passed >= DAY) == (known.place == place), (known.place, passed)
        self.known[place].tokens = {
            name: self.mm(self.known[place], "POST", f"/services/{name}/token").json()["accessToken"]
            for name in self.known[place].tokens
        }

    # -- what must hold

    @invariant()
    def each_has_its_own(self) -> None:
        """Names, models, files, journal, metrics, faults, operations, logs."""
        for known in self.known:
            mine = self.mm(known, "GET", "/services").json()["value"]
            assert {service["name"] for service in mine} == set(known.keys)
            assert all(service["description"] == known.mark for service in mine)
            assert all(service["scoringUri"].startswith(known.http) for service in mine)
            assert [model["description"] for model in self.mm(known, "GET", "/models").json()["value"]] == [known.mark]
            assert len(self.control(known, "GET", "faults")) == known.faults
            rows = self.control(known, "GET", "journal", params={"status": 200, "limit": 10_000})["entries"]
            assert len(rows) == known.scored
            metrics = httpx.get(f"{known.http}/_akstwin/metrics").text.splitlines()
            counted = sum(
                float(line.split()[-1]) for line in metrics if "requests_total{" in line and 'status="200"' in line
            )
            assert counted == known.scored
            for name in known.keys:
                logs = self.mm(known, "GET", f"/services/{name}/logs").text
                assert not [other.mark for other in self.known if other is not known and other.mark in logs]
            for other in self.known:
                url = f"/artifact/v2.0{known.identity}/artifacts/prefix/contentinfo/LocalUpload/{other.mark}"
                found = self.http.get(url)
                paths = {each["path"] for each in found.json()["value"]} if found.status_code == 200 else set()
                assert paths == (known.files if other is known else set())

    @invariant()
    def nothing_opens_elsewhere(self) -> None:
        """Neither keys nor tokens nor operation ids."""
        for known in self.known:
            for other in self.known:
                if other is known:
                    continue
                if known.operations:
                    assert self.mm(other, "GET", f"/operations/{known.operations[-1]}").status_code == 404
                for name, key in known.keys.items():
                    if name in other.keys:
                        assert self.score(other, name, known.tokens.get(name) or key).status_code == 401


@pytest.fixture
def world(management: Any) -> Iterator[Any]:
    """A server, and no trace of its workspaces' clients behind it."""
    yield management
    assert len(management.server.places) == WORKSPACES + 1


@pytest.mark.slow
def test_no_workspace_sees_another(world: Any) -> None:
    """Whatever is done in which order; the same orders at each run."""
    run_state_machine_as_test(
        lambda: Workspaces(world),
        settings=settings(
            max_examples=4, stateful_step_count=10, deadline=None, derandomize=True, database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
        ),
    )  # fmt: skip
