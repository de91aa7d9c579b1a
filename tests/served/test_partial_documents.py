"""No document that a client can store makes azureml-core fail to read it, or all others in the same list.

Random parts of whole documents are left out, null, empty or of another kind, at every depth. Each is refused by name, or the
real azureml-core reads it back: singly, and in the list with all the others.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from akstwin.testing.variables import variables

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.azureml, pytest.mark.slow]

ENVIRONMENT = {
    "name": "whole", "version": "1", "inferencingStackVersion": None, "assetId": None,
    "environmentVariables": {"A": "1"},
    "python": {
        "userManagedDependencies": False, "interpreterPath": "python", "condaDependenciesFile": None,
        "baseCondaEnvironment": None,
        "condaDependencies": {
            "name": "project", "channels": ["conda-forge"], "dependencies": ["python=3.8", {"pip": ["azureml-defaults"]}],
        },
    },
    "docker": {
        "enabled": True, "baseImage": "ubuntu", "baseDockerfile": None, "sharedVolumes": True, "shmSize": "2g",
        "arguments": ["-v"], "buildContext": {"locationType": "git", "location": "x", "dockerfilePath": "Dockerfile"},
        "baseImageRegistry": {
            "address": None, "username": "u", "password": "p", "registryIdentity": {"resourceId": "r", "clientId": "c"},
        },
        "platform": {"os": "Linux", "architecture": "amd64"},
    },
    "spark": {
        "repositories": ["r"], "packages": [{"group": "g", "artifact": "a", "version": "1"}], "precachePackages": True,
    },
    "databricks": {
        "mavenLibraries": [{"coordinates": "c", "repo": "r", "exclusions": ["e"]}],
        "pypiLibraries": [{"package": "p", "repo": "r"}], "rcranLibraries": [{"package": "p", "repo": "r"}],
        "jarLibraries": [{"library": "l"}], "eggLibraries": [{"library": "l"}],
        "cluster": {},
    },
    "r": {
        "rVersion": "3", "userManaged": False, "cranPackages": [{"name": "n", "version": "1", "repository": "r"}],
        "githubPackages": [{"repository": "r", "authToken": "t"}], "customUrlPackages": ["u"],
    },
}  # fmt: skip
VERSION = {
    "description": "words", "kvTags": {"a": "b"}, "properties": {"c": "d"}, "numReplicas": 1, "scoringTimeoutMs": 1000,
    "maxConcurrentRequestsPerContainer": 1, "maxQueueWaitMs": 500,
    "containerResourceRequirements": {
        "cpu": 0.1, "cpuLimit": 0.2, "memoryInGB": 0.5, "memoryInGBLimit": 1, "gpu": 0,
    },
    "livenessProbeRequirements": {
        "periodSeconds": 10, "initialDelaySeconds": 310, "timeoutSeconds": 2, "failureThreshold": 3, "successThreshold": 1,
    },
    "autoScaler": {
        "autoscaleEnabled": False, "minReplicas": None, "maxReplicas": None, "targetUtilization": None,
        "refreshPeriodInSeconds": None,
    },
    "dataCollection": {"storageEnabled": False, "eventHubEnabled": False},
    "environmentImageRequest": {
        "driverProgram": None, "assets": None, "modelIds": ["kept:1"], "environment": ENVIRONMENT,
    },
}  # fmt: skip
OWN = {"keys": {"primaryKey": "k", "secondaryKey": "l"}, "namespace": "team", "authEnabled": True, "location": None}
MODEL = {
    "url": "", "mimeType": "application/json", "unpack": False, "kvTags": {"a": "b"}, "properties": {"c": "d"},
    "description": "words", "framework": "Custom", "frameworkVersion": "1", "experimentName": None, "runId": None,
    "datasets": [{"name": "training", "id": "x"}], "sampleInputData": None, "sampleOutputData": None,
    "resourceRequirements": {"cpu": 1.5, "memoryInGB": 0.5, "gpu": 1, "fpga": None}, "parentModelId": "p:1",
}  # fmt: skip
COMPUTE = {
    "computeType": "AKS", "computeLocation": "mars", "description": "words",
    "properties": {
        "agentCount": 3, "agentVmSize": "Standard_D3_v2", "clusterPurpose": "FastProd", "loadBalancerType": "PublicIp",
        "loadBalancerSubnet": None,
        "sslConfiguration": {"status": "Enabled", "cert": "c", "key": "k", "cname": "n", "renew": False},
        "aksNetworkingConfiguration": {
            "subnetId": "s", "serviceCidr": "10.0.0.0/16", "dnsServiceIP": "10.0.0.10", "dockerBridgeCidr": "172.17.0.1/16",
        },
    },
}  # fmt: skip
ODD: st.SearchStrategy[Any] = st.sampled_from([{}, [], [None], "x", 7, 1.5, True, {"x": None}, [{}], ["x"]])
GONE, numbers = object(), count(1)


def partial(value: Any) -> st.SearchStrategy[Any]:
    """A value, or what is left of it: whole, in part, null, empty, and now and then something else."""
    if isinstance(value, dict):
        parts = {key: partial(inner) for key, inner in value.items()}
        kept = st.fixed_dictionaries({}, optional=parts)
        return st.one_of(st.fixed_dictionaries(parts), kept, kept, st.sampled_from([{}, None]))
    if isinstance(value, list):
        return st.one_of(
            st.lists(st.one_of([partial(each) for each in value]), max_size=2), st.sampled_from([[], None])
        )
    return st.sampled_from([value, value, value, value, None])


@st.composite
def broken(draw: st.DrawFn, whole: dict[str, Any]) -> Any:
    """A partial document of which one place, at any depth, may have a value of another kind."""
    document = draw(partial(whole))
    places = list(_places(document)) if isinstance(document, dict) else []
    if places and draw(st.booleans()):
        place = draw(st.sampled_from(places))
        inner = document
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = draw(ODD)
    return document


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*above, key)
        yield from _places(inner, (*above, key))


class Reader:
    """The real azureml-core in a process of its own, pointed at a server."""

    def __init__(self, management: Any, python: Path, folder: Path) -> None:
        told = variables(management.http, management.https, folder / "home", management.server.authority)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE", "PYTHON"))}
        self.errors = (folder / "stderr").open("w+")
        self._process = subprocess.Popen(
            [python, ROOT / "tests/served/sdk/reader.py"],
            cwd=folder,
            env={**clean, **told},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def failures(self, kind: str, names: list[str]) -> dict[str, str]:
        """What it fails on: the list, or one of the names."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"kind": kind, "names": names}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, Path(self.errors.name).read_text()
        failed: dict[str, str] = json.loads(line)
        return failed

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        self.errors.close()


@pytest.fixture(scope="module", params=[".venv-azureml", ".venv-azureml-1.42"])
def reader(request: pytest.FixtureRequest, stocked: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The newest azureml-core, and an old one; a model `kept:1` is there."""
    python = ROOT / request.param / "bin" / "python"
    if not (python.parents[1] / ".ready").exists():
        pytest.skip(f"there is no azureml-core in {request.param}: `make setup-azureml` makes it")
    url = stocked.mm("GET", "/models/fraud:1").json()["url"]
    stocked.mm("POST", "/models", json={"name": "kept", "url": url, "mimeType": "application/json"})
    MODEL["url"] = url
    made = Reader(stocked, python, tmp_path_factory.mktemp("reader"))
    yield made
    made.close()


def stored(management: Any, kind: str, document: Any) -> tuple[str | None, Any]:
    """What a document is known by once it is stored, and the answer to it."""
    name = f"{kind.rstrip('s')}-{next(numbers)}"
    if kind == "environments":
        base = f"/environment/v1.0{management.server.first.workspace.backend.identity.resource_id}/environments"
        answer = management.client.put(f"{base}/{name}", json=document)
    elif kind == "computes":
        answer = management.arm("PUT", f"/computes/{name}", json={"location": "here", "properties": document})
        if answer.is_success:
            management.client.get(answer.headers["Azure-AsyncOperation"])
    elif kind == "models":
        answer = management.mm("POST", "/models", json={**document, "name": name, "url": MODEL["url"]})
        name = f"{name}:1"
    else:
        own = {"name": name, "computeType": document.pop("computeType"), "computeName": "aks"}
        answer = management.mm("POST", "/services", json={**document, **own})
    return (name if answer.is_success else None), answer


SERVICE = {**VERSION, **OWN}
WHOLE = {
    "services": st.one_of(
        broken(SERVICE).filter(lambda each: isinstance(each, dict)).map(lambda each: {**each, "computeType": "AKS"}),
        st.builds(
            lambda own, versions: {
                **own, "computeType": "AKSENDPOINT", "versions": {f"v-{at}": each for at, each in enumerate(versions)},
            },
            st.sampled_from([{}, {**OWN, "description": None}, {"kvTags": None, "properties": {}}]),
            st.lists(broken({**VERSION, "trafficPercentile": 10, "type": None, "isDefault": None}), min_size=1, max_size=2),
        ),
    ),
    "models": broken(MODEL).filter(lambda each: isinstance(each, dict)),
    "environments": broken(ENVIRONMENT).filter(lambda each: isinstance(each, dict)),
    "computes": broken(COMPUTE).filter(lambda each: isinstance(each, dict)),
}  # fmt: skip


@pytest.mark.parametrize("kind", WHOLE)
def test_azureml_core_reads_whatever_is_stored(kind: str, reader: Reader, stocked: Any) -> None:
    """Or it was refused, with the name of the field."""
    seen: dict[str, Any] = {}
    refused = 0

    @seed(7)
    @settings(
        max_examples={"computes": 2, "services": 3}.get(kind, 6),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(WHOLE[kind], min_size=20, max_size=20))
    def read_back(documents: list[Any]) -> None:
        nonlocal refused
        names = []
        for document in documents:
            text = json.dumps(document)
            name, answer = stored(stocked, kind, document)
            if name is not None:
                seen[name] = text
                names.append(name)
                continue
            refused += 1
            error = answer.json()
            error = error.get("error", error)
            assert answer.status_code in (400, 404, 412), (text, answer.text)
            assert answer.status_code == 404 or error["details"][0]["target"], (text, answer.text)
        failed = reader.failures(kind, names)
        assert not failed, {name: (why, seen.get(name)) for name, why in failed.items()}

    read_back()
    assert len(seen) > 5, f"{len(seen)} stored, {refused} refused"
    assert refused > 5
