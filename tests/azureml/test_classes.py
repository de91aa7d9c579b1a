"""The same calls to both SDKs, answered alike: what is sent, shown, waited for and raised."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from akstwin import (
    AksCompute,
    AksEndpoint,
    ComputeTargetException,
    Environment,
    InferenceConfig,
    Model,
    Webservice,
    Workspace,
)
from akstwin.backend import AccessToken, Backend, Keys, Operation, ScoreResponse, WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import AksError, Conflict
from akstwin.sdk.compute_configuration import AksUpdateConfiguration
from akstwin.sdk.exceptions import SdkException

pytestmark = pytest.mark.azureml

NOW = "2026-01-01T00:00:00Z"
SERVICE: dict[str, Any] = {
    **dict.fromkeys(["description", "properties", "computeName", "appInsightsEnabled", "aadAuthEnabled"]),
    **dict.fromkeys(["maxConcurrentRequestsPerContainer", "maxQueueWaitMs", "numReplicas", "scoringTimeoutMs"]),
    "name": "fraud", "computeType": "AKS", "state": "Healthy", "livenessProbeRequirements": None, "authEnabled": True,
    "createdTime": NOW, "scoringUri": "https://host/api/v1/service/fraud/score", "kvTags": {"team": "a"},
    "autoScaler": dict.fromkeys(
        ["autoscaleEnabled", "minReplicas", "maxReplicas", "refreshPeriodInSeconds", "targetUtilization"]
    ),
    "containerResourceRequirements": dict.fromkeys(["cpu", "cpuLimit", "memoryInGB", "memoryInGBLimit", "gpu"]),
    "dataCollection": dict.fromkeys(["eventHubEnabled", "storageEnabled"]),
}  # fmt: skip
ENDPOINT = {**SERVICE, "computeType": "AKSENDPOINT", "versions": {"blue": {**SERVICE, "name": "blue"}}}
CLUSTER: dict[str, Any] = {
    "id": "i", "name": "aks", "location": "west", "tags": None,
    "properties": {
        **dict.fromkeys(["resourceId", "description", "provisioningErrors", "properties"]),
        "provisioningState": "Succeeded", "computeType": "AKS", "isAttachedCompute": False,
    },
}  # fmt: skip
KEYS = [[200, {"primaryKey": "first", "secondaryKey": "second"}]]
REFUSED = [[409, Conflict("busy").body()]]


class Scripted:
    """A backend that gives the answers that the real SDK gets over HTTP."""

    def __init__(self, document: dict[str, Any], answers: dict[str, list[Any]]) -> None:
        self.document = document
        self.answers = json.loads(json.dumps(answers))
        self.identity = WorkspaceIdentity("ws", "s", "r", "west")
        self.epoch = 0.0
        self.clock = self
        self.time = Micros(0)
        self.slept: list[float] = []
        self.log = ""
        self.scored: list[Any] = []
        self.asked: list[str] = []

    def now(self) -> Micros:
        """The present instant."""
        return self.time

    def sleep_until(self, deadline: Micros) -> None:
        """Waiting is free."""
        self.slept.append((deadline - self.time) / 1_000_000)
        self.time = deadline

    def next(self, place: str) -> Any:
        """The next answer; one that is refused is raised."""
        self.asked.append(place)
        listed = self.answers[place]
        status, content = listed.pop(0) if len(listed) > 1 else listed[0]
        if status >= 400 and place != "POST score":
            raise Conflict(content["message"])
        return status, content

    def get_operation(self, operation_id: str) -> Operation:
        """What a poll shows; the whole log so far."""
        _, polled = self.next("GET op")
        self.log += polled.get("streamingOperationLog", "")
        state = {"Creating": "Running", "Canceled": "Cancelled"}.get(polled.get("status"), polled.get("status"))
        return Operation("op", OperationState(state or polled["state"]), error=polled.get("error"), log=self.log)

    def score(self, name: str, request: Any) -> ScoreResponse:
        """The next answer."""
        status, content = self.next("POST score")
        self.scored.append([name, request.body.decode(), dict(request.headers)["Authorization"]])
        body = content if isinstance(content, str) else json.dumps(content)
        return ScoreResponse(status, (), body.encode(), Micros(0))

    def get_keys(self, name: str) -> Keys:
        """The keys."""
        _, keys = self.next("POST listkeys")
        return Keys(keys["primaryKey"], keys["secondaryKey"])

    def issue_token(self, name: str) -> AccessToken:
        """A token."""
        _, token = self.next("POST token")
        return AccessToken(token["accessToken"], token["tokenType"], token["refreshAfter"], token["expiryOn"])

    def regenerate_key(self, name: str, key_type: str, value: str | None = None) -> str:
        """An operation."""
        self.next("POST regenerateKeys")
        return "op"

    def patch_service(self, name: str, patch: Any) -> str | None:
        """Whatever is answered to it."""
        status, _ = self.next("PATCH fraud")
        return "op" if status == 202 else None

    def delete_service(self, name: str) -> str:
        """An operation."""
        self.next("DELETE fraud")
        return "op"

    def get_service(self, name: str) -> Any:
        """The document."""
        return self.document

    def get_compute(self, name: str) -> Any:
        """The document."""
        return self.document

    def __getattr__(self, name: str) -> Any:
        if name in vars(Backend):
            return None
        raise AttributeError(name)


class Ours:
    """A call to our SDK: what it returned or raised, printed, sent and waited for."""

    def __init__(self, capsys: pytest.CaptureFixture[str], given: dict[str, Any]) -> None:
        document = given["document"]
        self.backend = Scripted(document, given.get("answers") or {})
        workspace = Workspace.__new__(Workspace)
        workspace.backend = self.backend  # type: ignore[assignment]
        made: Any = AksCompute if given["of"] == "AksCompute" else Webservice
        self.subject = made.deserialize(workspace, document)
        self.subject._operation = given.get("operation")
        self.subject = self.subject.versions[given["version"]] if given.get("version") else self.subject
        self.result: Any = None
        self.raised: str | None = None
        self.message = ""
        capsys.readouterr()
        try:
            self.result = getattr(self.subject, given["call"])(**(given.get("arguments") or {}))
        except SdkException as error:
            self.raised, self.message = type(error).__name__, error.message
        self.printed = capsys.readouterr().out
        self.slept = self.backend.slept


Both = Callable[..., tuple[dict[str, Any], Ours]]


@pytest.fixture
def both(real: Any, capsys: pytest.CaptureFixture[str]) -> Both:
    """The same call to both."""

    def ask(call: str, of: str = "AksWebservice", **given: Any) -> tuple[dict[str, Any], Ours]:
        document = {"AksWebservice": SERVICE, "AksEndpoint": ENDPOINT, "AksCompute": CLUSTER}[of]
        asked = {"of": of, "call": call, "document": document, **given}
        there = real.ask("exercise", **asked)
        assert there["error"] is None, there
        return there, Ours(capsys, asked)

    return ask


def poll(state: str, log: str | None = None, **more: Any) -> list[Any]:
    """A poll of an operation."""
    return [200, {"state": state, **({} if log is None else {"streamingOperationLog": log}), **more}]


def shown(text: str) -> list[str]:
    """What is printed, without the tip."""
    return [line for line in text.splitlines() if line and not line.startswith("Tip")]


@pytest.mark.parametrize(
    "statuses", [[200], [502, 200], [500, 502, 530, 408], [400], [404], [408] * 3 + [200], [429] * 4]
)
def test_run_repeats_alike(both: Both, statuses: list[int]) -> None:
    """As often, after the same waits, with the same key; the last answer decides."""
    answers = {"POST listkeys": KEYS, "POST score": [[status, [1]] for status in statuses]}

    there, here = both("run", arguments={"input_data": '{"é": 1}'}, answers=answers)

    assert [pause for pause in here.slept if pause] == [pause for pause in there["slept"] if pause]
    assert [request[2:] for request in there["requests"] if request[0] == "POST score"] == [
        request[1:] for request in here.backend.scored
    ]
    assert (here.result, here.raised) == (there["result"], there["raised"])
    for line in here.message.splitlines():
        assert line in there["message"] or not line.startswith(("Response Code", "Content"))


def test_run_waits_longer_after_each_503(both: Both) -> None:
    """From a base of its own, which doubles."""
    there, here = both("run", arguments={"input_data": ""}, answers={"POST listkeys": KEYS, "POST score": [[503, ""]]})

    assert [pause / here.slept[0] for pause in here.slept] == [pause / there["slept"][0] for pause in there["slept"]]
    assert 2 <= here.slept[0] <= 10


@pytest.mark.parametrize("after", [200, 401])
def test_run_takes_fresh_keys_alike(both: Both, after: int) -> None:
    """Once, after 401."""
    fresh = [[200, {"primaryKey": key, "secondaryKey": ""}] for key in ("old", "new", "newest")]
    answers = {"POST listkeys": fresh, "POST score": [[401, ""], [after, 1]]}

    there, here = both("run", arguments={"input_data": "{}"}, answers=answers)

    sent = [request[3] for request in there["requests"] if request[0] == "POST score"]
    assert len(sent) == len(here.backend.scored) == 2
    assert sent[0] == here.backend.scored[0][2] == "Bearer old"
    assert sent[1] != sent[0] != here.backend.scored[1][2]
    assert here.raised == there["raised"]


@pytest.mark.parametrize(
    ("polls", "show"),
    [
        ([poll("Running"), poll("Running"), poll("Succeeded")], False),
        ([poll("Running"), poll("Running"), poll("Succeeded")], True),
        ([poll("Running"), poll("Running", "20260101000000|a"), poll("Running"), poll("Succeeded")], True),
        ([poll("Running"), poll("Running", "20260101000000|a#20260701000000|b"), poll("Succeeded")], True),
        ([poll("Running"), poll("Failed", error={"code": "x"})], True),
        ([poll("TimedOut")], False),
        ([poll("Cancelled")], False),
    ],
)
def test_waiting_is_shown_alike(both: Both, polls: list[Any], show: bool) -> None:
    """States, entries of the log in local time, dots, and the last line; polls at the same times."""
    there, here = both(
        "wait_for_deployment", operation="op", arguments={"show_output": show},
        answers={"GET op": polls, "GET fraud": [[200, SERVICE]]},
    )  # fmt: skip

    assert shown(here.printed) == shown(there["printed"])
    assert here.slept == there["slept"]
    assert here.raised == there["raised"]
    assert here.message.splitlines()[:2] == there["message"].splitlines()[:2]


@pytest.mark.parametrize("timeout", [1, 12, "12"])
def test_waiting_ends_alike(both: Both, timeout: Any) -> None:
    """Looked at before each pause."""
    polls = [*[poll("Running")] * 6, poll("Succeeded")]
    there, here = both(
        "wait_for_deployment", operation="op", arguments={"timeout_sec": timeout},
        answers={"GET op": polls, "GET fraud": [[200, SERVICE]]},
    )  # fmt: skip

    assert (here.slept, here.raised) == (there["slept"], there["raised"])
    assert here.message == there["message"].partition("\n")[0]


def test_no_time_to_wait(both: Both) -> None:
    """Of 0 seconds the real one takes no note; ours looks once."""
    polls = [poll("Running"), poll("Running"), poll("Succeeded")]
    there, here = both(
        "wait_for_deployment", operation="op", arguments={"timeout_sec": 0},
        answers={"GET op": polls, "GET fraud": [[200, SERVICE]]},
    )  # fmt: skip
    assert (there["raised"], len(there["slept"])) == (None, 2)
    assert (here.raised, here.slept) == ("WebserviceException", [])


def test_without_an_operation(both: Both) -> None:
    """Both say so, and what the service is like."""
    there, here = both("wait_for_deployment", answers={"GET fraud": [[200, SERVICE]]})
    assert here.message == there["message"]


def test_deleting_is_shown_alike(both: Both) -> None:
    """States and dots."""
    answers = {"DELETE fraud": [[202, ""]], "GET op": [poll("Running"), poll("Running"), poll("Succeeded")]}
    there, here = both("delete", answers=answers)
    assert (shown(here.printed), here.slept) == (shown(there["printed"]), there["slept"])


def test_keys_are_replaced_alike(both: Both) -> None:
    """The first look is after 5 s."""
    answers = {"POST regenerateKeys": [[202, ""]], "GET op": [poll("Running"), poll("Succeeded")]}
    there, here = both("regen_key", arguments={"key": "primary"}, answers=answers)
    assert (here.raised, here.slept) == (there["raised"], there["slept"])


@pytest.mark.parametrize(
    "last", [{"status": "Succeeded"}, {"status": "Failed", "error": {"statusCode": 4, "message": "no"}}]
)
def test_clusters_are_waited_for_alike(both: Both, last: dict[str, Any]) -> None:
    """The last line has a line of its own here."""
    polls = [[200, {"status": "Creating"}], [200, {"status": "Creating"}], [200, last]]
    there, here = both(
        "wait_for_completion", of="AksCompute", operation="op", arguments={"show_output": True},
        answers={"GET op": polls, "GET aks": [[200, CLUSTER]]},
    )  # fmt: skip

    printed = there["printed"].replace("Creating", "Running").replace("Provisioning", "\nProvisioning")
    assert here.printed == printed
    assert (here.slept, here.raised, here.message) == (there["slept"], there["raised"], there["message"])


@pytest.mark.parametrize(
    ("of", "arguments"),
    [
        ("create", {}),
        ("create", {"agent_count": 3, "vm_size": "Standard_D3_v2", "location": "north", "cluster_purpose": "DevTest"}),
        ("create", {
            "vnet_resourcegroup_name": "g", "vnet_name": "v", "subnet_name": "n", "service_cidr": "c",
            "dns_service_ip": "d", "docker_bridge_cidr": "b", "load_balancer_type": "InternalLoadBalancer",
            "load_balancer_subnet": "s",
        }),
        ("attach", {"resource_group": "g", "cluster_name": "c"}),
        ("attach", {
            "resource_id": "/subscriptions/s/resourcegroups/g/providers/Microsoft.ContainerService/managedClusters/c",
            "cluster_purpose": "FastProd", "load_balancer_type": "InternalLoadBalancer", "load_balancer_subnet": "s",
        }),
        ("attach", {}),
        ("attach", {"resource_group": "g"}),
        ("attach", {"resource_id": "x"}),
        ("attach", {"resource_group": "g", "cluster_name": "c", "load_balancer_type": "x"}),
        ("attach", {"resource_group": "g", "cluster_name": "c", "load_balancer_subnet": "x"}),
        ("create", {"agent_count": -1}),
        ("create", {"vnet_name": "v"}),
    ],
)  # fmt: skip
def test_clusters_are_sent_alike(real: Any, of: str, arguments: dict[str, Any]) -> None:
    """Created and attached, or refused."""
    there = real.ask("attach", of=of, arguments=arguments)
    made = AksCompute.attach_configuration if of == "attach" else AksCompute.provisioning_configuration
    if there["error"]:
        with pytest.raises(ComputeTargetException):
            made(**arguments)
    else:
        assert made(**arguments).payload("west", "s") == {**there["payload"], "location": "west"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder called project, with a script, where we are."""
    folder = tmp_path / "project"
    (folder / "source" / "inner").mkdir(parents=True)
    for place in (folder, folder / "source", folder / "source" / "inner"):
        (place / "score.py").write_text("def init(): ...\ndef run(data): ...\n")
    monkeypatch.chdir(folder)
    return folder


def uploads(workspace: Any) -> Any:
    """A workspace whose uploads are all called `c`."""
    return SimpleNamespace(backend=SimpleNamespace(upload=lambda _container, _files: "LocalUpload/c"))


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("score.py", {}),
        ("source/score.py", {}),
        ("score.py", {"source_directory": "source"}),
        ("inner/score.py", {"source_directory": "./source/"}),
    ],
)
def test_scripts_are_sent_alike(real: Any, project: Path, script: str, arguments: dict[str, Any]) -> None:
    """Assets and environment; the generated driver, which names the script once more, is not needed."""
    there = real.ask("inference", folder=str(project), script=script, arguments=arguments)["request"]

    here = InferenceConfig(script, environment=plain(), **arguments).environment_image_request(
        uploads(None), "fraud", ["m:1"]
    )

    (driver, asset), (ours,) = there["assets"], here["assets"]
    assert driver["id"] == there["driverProgram"]
    if arguments:  # packed, under a name of its own
        asset, ours = ({**one, "id": "", "url": ""} for one in (asset, ours))
    assert ours == asset
    assert here["environment"] == there["environment"]
    assert here["modelIds"] == there["modelIds"]


def plain() -> Environment:
    """An environment without variables."""
    return Environment("env")


def test_environments_are_written_alike(real: Any) -> None:
    """All but an example variable that azureml-core sets."""
    there = real.ask("environment", name="env")["document"]
    there["environmentVariables"].pop("EXAMPLE_ENV_VAR")

    assert Environment("env").serialize() == there


# -- each row of `akstwin.sdk.differences` that is about the classes


def test_nothing_to_wait_for(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    """After a change of tags, which has no operation."""
    answers = {"PATCH fraud": [[200, SERVICE]], "GET fraud": [[200, SERVICE]]}
    _, here = both("update", arguments={"tags": {"a": "b"}}, answers=answers)
    there, _ = both("wait_for_deployment", answers=answers)
    assert "not known" in there["message"]

    capsys.readouterr()
    here.subject.wait_for_deployment()
    assert capsys.readouterr().out == 'AKS service creation operation finished, operation "Succeeded"\n'


def test_environment_stays_the_users(real: Any, project: Path) -> None:
    """The real one writes into it."""
    there = real.ask("inference", folder=str(project), script="score.py", arguments={})
    assert there["variables"] == {"AZUREML_ENTRY_SCRIPT": "score.py"}

    environment = plain()
    InferenceConfig("score.py", environment=environment).environment_image_request(uploads(None), "fraud", [])
    assert environment.environment_variables == {}


def test_update_without_environment(real: Any, both: Both, project: Path) -> None:
    """The real one goes for images; ours sends what it sends of any service."""
    current = {"environment": False}
    there = real.ask("call", of="AksWebservice", method="update", current=current, arguments={"inference_config": True})
    assert there["error"] not in (None, "WebserviceException")

    _, here = both("get_keys", answers={"POST listkeys": KEYS})
    sent: list[Any] = []
    here.backend.upload = lambda _container, _files: "LocalUpload/c"
    here.backend.patch_service = lambda _name, patch: sent.extend(patch)  # type: ignore[assignment]
    assert here.subject.environment is None
    here.subject.update(inference_config=InferenceConfig("score.py"))
    assert [part["path"] for part in sent] == ["/environmentImageRequest"]


def test_versions_know_their_endpoint(both: Both) -> None:
    """The real one asks for keys of a service called blue."""
    answers = {"POST listkeys": KEYS, "POST score": [[200, 1]]}
    there, here = both("run", of="AksEndpoint", version="blue", arguments={"input_data": "{}"}, answers=answers)
    assert there["requests"][0][1].endswith("/services/blue/listkeys")
    assert here.result == 1
    assert here.backend.scored[0][0] == "fraud"


def test_refused_tags(both: Both) -> None:
    """The real one shows what the service has not."""
    there, here = both("add_tags", arguments={"tags": {"a": "b"}}, answers={"PATCH fraud": REFUSED})
    assert (there["raised"], here.raised) == ("WebserviceException", "WebserviceException")
    assert there["tags"] == {"team": "a", "a": "b"}
    assert here.subject.tags == {"team": "a"}


def test_delete_that_fails(both: Both) -> None:
    """The real one says nothing."""
    there, here = both("delete", answers={"DELETE fraud": [[202, ""]], "GET op": [poll("Failed")]})
    assert (there["raised"], here.raised) == (None, "WebserviceException")


@pytest.mark.parametrize(("entry", "raised"), [("20260101000000|a|b", None), ("no time|a", "ValueError")])
def test_log_entries(both: Both, entry: str, raised: str | None) -> None:
    """The real one shows neither."""
    polls = [poll("Running"), poll("Running", entry), poll("Succeeded")]
    there, here = both(
        "wait_for_deployment", operation="op", arguments={"show_output": True},
        answers={"GET op": polls, "GET fraud": [[200, SERVICE]]},
    )  # fmt: skip
    assert there["raised"] == raised
    text = entry.partition("|")[2] + "."
    assert not there["printed"].partition("Running")[2].rstrip(".").endswith(text)
    assert here.raised is None
    assert any(line.endswith(text) for line in shown(here.printed))


def test_error_text(both: Both) -> None:
    """A path and an accent."""
    error = {"message": r"C:\new\table é"}
    there, here = both(
        "wait_for_deployment", operation="op",
        answers={"GET op": [poll("Failed", error=error)], "GET fraud": [[200, SERVICE]]},
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"Invalid|Expecting|delimiter"):
        json.loads(there["message"].partition("Error:\n")[2])
    assert json.loads(here.message.partition("Error:\n")[2]) == error


def test_token_refused(both: Both) -> None:
    """The real one does not look at the status."""
    there, here = both("get_access_token", answers={"POST token": REFUSED})
    assert "missing accessToken" in there["message"]
    assert "Response Code: 409" in here.message
    assert "busy" in here.message


def test_answer_without_json(both: Both) -> None:
    """As a proxy between gives it."""
    answers = {"POST listkeys": KEYS, "POST score": [[200, "<html>"]]}
    there, here = both("run", arguments={"input_data": "{}"}, answers=answers)
    assert (there["raised"], here.raised) == ("JSONDecodeError", "WebserviceException")
    assert "Content: b'<html>'" in here.message


def test_exists_ok(real: Any, tmp_path: Path) -> None:
    """Its former name."""
    assert real.ask("model", call="download", arguments={"exists_ok": True})["error"] == "WebserviceException"

    backend = SimpleNamespace(
        get_asset=lambda _: {"artifacts": [{"prefix": "LocalUpload/c/model"}]},
        download=lambda _, folder: [(folder.mkdir(), (folder / "model").touch(), Path("model"))[-1]],
    )
    document = {"id": "m:1", "name": "m", "version": 1, "createdTime": NOW, "url": "aml://asset/a"}
    model = Model.deserialize(SimpleNamespace(name="ws", backend=backend), document)  # type: ignore[arg-type]
    (tmp_path / "model").touch()
    assert model.download(str(tmp_path), exists_ok=True) == str(tmp_path / "model")


def test_cluster_without_tls(real: Any) -> None:
    """The load balancer alone."""
    document = {"properties": {"properties": {"loadBalancerSubnet": None}}}
    assert real.ask("compute_update", document=document)["error"] == "KeyError"
    changed = AksUpdateConfiguration(load_balancer_type="PublicIp").applied(document)
    assert changed == {"properties": {"properties": {"loadBalancerType": "PublicIp"}}}


def test_filters_are_sequences(real: Any) -> None:
    """A pair as Python writes pairs."""
    assert real.ask("listed", tags=[["a", "b"]])["error"] == "TypeError"
    asked: list[Any] = []
    workspace: Any = SimpleNamespace(backend=SimpleNamespace(list_services=lambda query: asked.append(query) or []))
    Webservice.list(workspace, tags=[("a", "b")])
    assert asked[0].tags == (("a", "b"),)


def test_one_exception(real: Any, project: Path) -> None:
    """A path that is not there, a script that is no Python."""
    path = {"folder": str(project), "model_path": "nowhere"}
    assert real.ask("model", call="_validate_model_path", arguments=path)["error"] == "FileNotFoundError"
    (project / "score.py").write_text("def")
    there = real.ask("inference", folder=str(project), script="score.py", arguments={})
    assert there["error"] == "UserErrorException"

    for call in (lambda: Model.register(None, "nowhere", "m"), lambda: InferenceConfig("score.py")):  # type: ignore[arg-type]
        with pytest.raises(AksError) as caught:
            call()
        assert type(caught.value).__name__ == "WebserviceException"


def test_model_path_beside(real: Any, project: Path) -> None:
    """A neighbour whose name begins alike."""
    (project.parent / "project2").mkdir()
    path = {"folder": str(project), "model_path": "../project2"}
    assert real.ask("model", call="_validate_model_path", arguments=path)["error"] is None
    with pytest.raises(SdkException, match=r"model_path: '\.\./project2' is not below the current directory"):
        Model.register(None, "../project2", "m")  # type: ignore[arg-type]


def test_run_input(both: Both) -> None:
    """A form, of all things."""
    answers = {"POST listkeys": KEYS, "POST score": [[200, 1]]}
    there, here = both("run", arguments={"input_data": {"a": [1]}}, answers=answers)
    assert there["requests"][-1][2] == "a=1"
    assert here.message.startswith("input_data: {'a': [1]} is not text or bytes")


@pytest.mark.parametrize("arguments", [{"cluster_purpose": "Prod"}, {"load_balancer_type": "x"}])
def test_cluster_values(real: Any, arguments: dict[str, Any]) -> None:
    """The real one sends them."""
    assert real.ask("attach", of="create", arguments=arguments)["error"] is None
    with pytest.raises(SdkException, match=f"Message: {next(iter(arguments))}: "):
        AksCompute.provisioning_configuration(**arguments)


def test_unknown_version_deleted(real: Any) -> None:
    """The real one sends it."""
    there = real.ask("call", of="AksEndpoint", method="delete_version", current={}, arguments={"version_name": "none"})
    assert there["patch"] == [{"op": "remove", "path": "/versions/none"}]
    workspace: Any = SimpleNamespace(name="ws")
    with pytest.raises(SdkException, match="version_name: 'none' is not a version of this endpoint: blue"):
        AksEndpoint.deserialize(workspace, ENDPOINT).delete_version("none")


def test_no_default_target(real: Any, project: Path) -> None:
    """Ours knows no Azure Container Instances."""
    assert real.ask("target")["class"] == "AciWebservice"
    with pytest.raises(SdkException, match="deployment_config: None is not enough without deployment_target"):
        Model.deploy(None, "fraud", [], InferenceConfig("score.py"))  # type: ignore[arg-type]
