"""Services and endpoints as objects: found, waited for, scored, changed, deleted."""

import json
from typing import Any

import pytest

from akstwin import (
    AksEndpoint,
    AksWebservice,
    ComputeTarget,
    Environment,
    InferenceConfig,
    Model,
    Webservice,
    WebserviceException,
    Workspace,
)
from akstwin.backend import Operation, ServiceQuery
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import Conflict, InvalidSetting, NotFound

RUNNING, SUCCEEDED, FAILED = OperationState.RUNNING, OperationState.SUCCEEDED, OperationState.FAILED
FINISHED = 'AKS service creation operation finished, operation "Succeeded"\n'


def message(function: Any, *given: Any, **arguments: Any) -> str:
    """What a call says when it refuses."""
    with pytest.raises(WebserviceException) as caught:
        function(*given, **arguments)
    return caught.value.message


@pytest.fixture
def service(ws: Workspace, model: Model, backend: Any) -> Any:
    """A deployed service; what its deployment called is forgotten."""
    config = AksWebservice.deploy_configuration(tags={"team": "a"}, compute_target_name="aks")
    made = Model.deploy(ws, "fraud", [model], InferenceConfig("score.py", environment=Environment("env")), config)
    backend.calls.clear()
    return made


@pytest.fixture
def endpoint(ws: Workspace, model: Model, backend: Any) -> Any:
    """A deployed endpoint with two versions."""
    config = AksEndpoint.deploy_configuration(version_name="blue", compute_target_name="aks", tags={"team": "a"})
    made = Model.deploy(ws, "fraud", [model], InferenceConfig("score.py"), config)
    assert isinstance(made, AksEndpoint)
    made.create_version("green", models=[model], inference_config=InferenceConfig("score.py"))
    backend.calls.clear()
    return made


class TestDeploying:
    """`Model.deploy`."""

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ({"name": "Fraud"}, "name: 'Fraud' is not 3 to 32 lower-case letters"),
            ({"name": None}, "name: None is not 3 to 32"),
            ({"models": "fraud-model:1"}, "models: 'fraud-model:1' is not a list of models"),
            ({"models": ["fraud-model:1"]}, "models: 'fraud-model:1' is not a registered Model"),
            ({"inference_config": None, "models": []}, "models: [] is not enough without inference_config"),
            ({"inference_config": "score.py"}, "inference_config: 'score.py' is not an InferenceConfig"),
            ({"deployment_config": None}, "deployment_config: None is not enough without deployment_target"),
            ({"deployment_config": {}}, "deployment_config: {} is not what AksWebservice.deploy_configuration"),
            ({"deployment_target": "aks"}, "deployment_target: 'aks' is not a compute target"),
        ],
    )
    def test_what_is_refused(self, ws: Workspace, backend: Any, arguments: dict[str, Any], expected: str) -> None:
        """By name and value; nothing is created."""
        given = {
            "name": "fraud", "models": [], "inference_config": InferenceConfig("score.py"),
            "deployment_config": AksWebservice.deploy_configuration(), **arguments,
        }  # fmt: skip
        assert message(Model.deploy, ws, **given).startswith(expected)
        assert backend.said("create_service") == []

    def test_without_a_script(self, ws: Workspace, backend: Any) -> None:
        """A framework that brings one needs the model alone."""
        onnx = Model.register(ws, "model.pkl", "net", model_framework=Model.Framework.ONNX)
        config = AksWebservice.deploy_configuration(compute_target_name="aks")

        Model.deploy(ws, "net", [onnx], deployment_config=config)

        assert backend.said("create_service")[0]["environmentImageRequest"] == {"modelIds": ["net:1"]}
        assert "models: ['Custom'] is not enough" in message(
            Model.deploy, ws, "net", [Model.register(ws, "model.pkl", "m", model_framework="Custom")], None, config
        )

    def test_where_to(self, ws: Workspace, model: Model, backend: Any) -> None:
        """The configuration's target goes before the call's; a target alone is enough."""
        backend.put_compute("aks", {"location": "w", "properties": {"computeType": "AKS"}})
        target, script = ComputeTarget(ws, "aks"), InferenceConfig("score.py")

        Model.deploy(ws, "one", [model], script, AksWebservice.deploy_configuration(compute_target_name="its"), target)
        Model.deploy(ws, "two", [model], script, None, target, overwrite=True)

        one, two = backend.said("create_service")
        assert (one["computeName"], one.get("overwrite")) == ("its", None)
        assert (two["computeName"], two["overwrite"]) == ("aks", True)

    def test_what_is_printed(self, ws: Workspace, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
        """Only if it is asked for."""
        environment = Environment("env")
        environment.environment_variables["A"] = "1"
        config = AksWebservice.deploy_configuration(cpu_cores=1, compute_target_name="aks")
        capsys.readouterr()

        Model.deploy(ws, "fraud", [model], InferenceConfig("score.py", environment=environment), config)
        assert capsys.readouterr().out == ""
        Model.deploy(
            ws, "fraud", [model], InferenceConfig("score.py", environment=environment), config, show_output=True
        )
        shown = capsys.readouterr().out
        assert shown.startswith(
            "Models: ['fraud-model:1']\nEntry script: score.py\nEnvironment variables: {'A': '1'}\n"
        )
        assert "cpu_cores=1" in shown

    def test_the_backend_refuses(self, ws: Workspace, model: Model, backend: Any) -> None:
        """Status and content are shown as azureml-core shows a bad answer; the cause is kept."""
        backend.refusals["create_service"] = InvalidSetting("computeName", "aks", "a compute target")
        config = AksWebservice.deploy_configuration()

        with pytest.raises(WebserviceException) as caught:
            Model.deploy(ws, "fraud", [model], InferenceConfig("score.py"), config)

        head, _, content = caught.value.message.partition("\nContent: ")
        assert head == "Received bad response from Model Management Service:\nResponse Code: 400\nHeaders: {}"
        assert json.loads(content)["message"] == "computeName: 'aks' is not a compute target"
        assert caught.value.status_code == 400
        assert isinstance(caught.value.__cause__, InvalidSetting)


class TestFinding:
    """The constructor, `list` and `deserialize`."""

    def test_of_the_class_that_it_is(self, ws: Workspace, service: Any) -> None:
        """Whatever class is asked."""
        for asked in (Webservice, AksWebservice):
            assert type(asked(ws, "fraud")) is AksWebservice
        with pytest.raises(WebserviceException) as caught:
            Webservice(ws, "none")
        assert caught.value.message.startswith("WebserviceNotFound: Webservice with name none not found")
        assert caught.value.status_code == 404
        assert message(Webservice, ws, None) == "name: None is not the name of a service"
        assert "state='Healthy'" in repr(service)

    def test_listing(self, ws: Workspace, service: Any, backend: Any) -> None:
        """All that is given is asked for."""
        found = Webservice.list(
            ws, "aks", model_name="m", model_id="m:1", tags=["a", ["b", "c"]], properties=[("d", "e")]
        )
        assert [one.name for one in found] == ["fraud"]
        assert backend.said("list_services") == [
            ServiceQuery("aks", (("a", None), ("b", "c")), (("d", "e"),), "m", "m:1")
        ]
        assert message(Webservice.list, ws, "VM") == "compute_type: 'VM' is not one of ACI, AKSENDPOINT, AKS, IOT, MIR"
        assert message(Webservice.list, ws, image_id="i").startswith("image_id='i' is not offered here")

    def test_names_that_are_taken(self, ws: Workspace, service: Any) -> None:
        """Looked for before deploying."""
        Webservice.check_for_existing_webservice(ws, "other")
        Webservice.check_for_existing_webservice(ws, "fraud", overwrite=True)
        assert message(Webservice.check_for_existing_webservice, ws, "fraud").startswith("name: 'fraud' is not free")
        assert "is not offered" in message(Webservice.check_for_existing_webservice, ws, "x", request_func=print)

    def test_there_and_back(self, ws: Workspace, service: Any, endpoint: Any, backend: Any) -> None:
        """A document that lacks something is refused."""
        document = backend.services["fraud"]
        assert AksEndpoint.deserialize(ws, document).serialize() == endpoint.serialize()
        assert (
            message(AksWebservice.deserialize, ws, document) == "AksWebservice: computeType: 'AKSENDPOINT' is not 'AKS'"
        )
        blue = document["versions"]["blue"]
        assert Webservice.deserialize(ws, blue).serialize()["modelDetails"][0]["tags"] == {"team": "a"}
        assert message(AksEndpoint.deserialize, ws, blue) == "AksEndpoint: computeType: 'AKS' is not 'AKSENDPOINT'"
        assert message(Webservice.deserialize, ws, {}).endswith("it lacks computeType")
        assert message(Webservice.deserialize, ws, {**blue, "computeType": "ACI"}).startswith(
            "computeType: 'ACI' is not"
        )
        del blue["autoScaler"], blue["authEnabled"]
        assert message(AksWebservice.deserialize, ws, blue).endswith("it lacks authEnabled, autoScaler")

    def test_what_is_not_offered(self, ws: Workspace) -> None:
        """Each says so."""
        for call, given in (
            ("deploy", ("s", [], None)), ("deploy_from_model", ("s", [], None)), ("deploy_from_image", ("s", None)),
            ("deploy_local_from_model", ("s", [], None)),
        ):  # fmt: skip
            assert message(getattr(AksWebservice, call), ws, *given).startswith(
                f"Webservice.{call} is not offered here"
            )


class TestWaiting:
    """`wait_for_deployment`."""

    def test_progress_is_printed(self, service: Any, backend: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """States, new entries of the log, dots, and the last line."""
        logs = ["", "20260101000000|one|two", "20260101000000|one|two", "20260101000000|one|two#no time|three"]
        backend.polls = [*(Operation("op", RUNNING, log=log) for log in logs), Operation("op", SUCCEEDED, log=logs[-1])]

        service.wait_for_deployment(show_output=True)

        tip, *lines = capsys.readouterr().out.splitlines()
        assert tip.startswith("Tip: ")
        assert lines[0] == "Running"
        assert lines[1][:4] in ("2025", "2026")
        assert lines[1].endswith(" one|two.")
        assert lines[2:] == ["no time|three.", "Succeeded", FINISHED.strip()]
        assert backend.clock.slept == [5_000_000] * 4

    def test_silence(self, service: Any, backend: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """Only the last line."""
        backend.polls = [Operation("op", RUNNING), Operation("op", SUCCEEDED)]
        service.wait_for_deployment()
        assert capsys.readouterr().out.endswith(FINISHED)

    def test_failure_says_why(self, service: Any, backend: Any) -> None:
        """The state, the operation, where to look, and the error as it is."""
        error = {"code": "KubernetesError", "message": "C:\\new é"}
        backend.polls = [Operation("op", FAILED, error=error)]
        backend.services["fraud"]["state"] = "Failed"

        told = message(service.wait_for_deployment)

        assert told.startswith(
            "Service deployment polling reached non-successful terminal state, current service state: Failed\n"
            "Operation ID: op\n"
        )
        assert json.loads(told.partition("Error:\n")[2]) == error
        assert service.state == "Failed"
        backend.polls = [Operation("op", OperationState.TIMED_OUT)]
        assert message(service.wait_for_deployment).endswith("Error:\nThere is no error message.")

    def test_time_is_up(self, service: Any, backend: Any) -> None:
        """Looked at before each pause, as in azureml-core."""
        backend.polls = [Operation("op", RUNNING)]
        assert "exceeded timeout override of 12.0s. Current status: Running" in message(
            service.wait_for_deployment, timeout_sec="12"
        )
        assert sum(backend.clock.slept) == 15_000_000
        for wrong in ("soon", -1, float("nan"), True, []):
            assert message(service.wait_for_deployment, timeout_sec=wrong).startswith("timeout_sec: ")

    def test_nothing_to_wait_for(self, ws: Workspace, service: Any) -> None:
        """A service that was only found has no operation."""
        found = Webservice(ws, "fraud")
        assert message(found.wait_for_deployment).endswith("unable to poll. Current state is Healthy")

    def test_a_change_that_acted_at_once(self, service: Any, backend: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """Is done; an operation that still runs is waited for."""
        backend.patched = None
        backend.polls = [Operation("op", RUNNING), Operation("op", SUCCEEDED)]
        service.update(num_replicas=2, autoscale_enabled=False)
        capsys.readouterr()
        backend.polls = [Operation("op", RUNNING), Operation("op", FAILED)]
        assert "non-successful" in message(service.wait_for_deployment)
        service.update(description="d")
        backend.calls.clear()
        service.wait_for_deployment()
        service.update(description="e")
        assert backend.said("get_operation") == []
        assert capsys.readouterr().out == FINISHED


class TestScoring:
    """`run`, keys and tokens."""

    def test_a_request(self, service: Any, backend: Any) -> None:
        """JSON both ways, with the first key."""
        backend.answers = [(200, b'{"a": 1}')]
        assert service.run('{"é": 1}') == {"a": 1}
        assert service.run(b"bytes") == {"a": 1}

        (name, request), (_, other) = backend.said("score")
        assert (name, request.method, request.path) == ("fraud", "POST", "/score")
        assert request.body == '{"é": 1}'.encode()
        assert dict(request.headers) == {
            "Content-Type": "application/json", "Accept": "application/json", "Authorization": "Bearer first",
        }  # fmt: skip
        assert other.body == b"bytes"
        assert message(service.run, {"a": 1}).startswith("input_data: {'a': 1} is not text or bytes")

    def test_fresh_keys_after_401(self, service: Any, backend: Any) -> None:
        """Once."""
        backend.answers = [(401, b""), (200, b"1")]
        assert service.run("") == 1
        assert len(backend.said("get_keys")) == 2
        backend.answers = [(401, b"no")]
        assert "Response Code: 401" in message(service.run, "")
        assert len(backend.said("score")) == 4

    @pytest.mark.parametrize(
        ("status", "waits"),
        [
            (500, [2, 4, 8]), (502, [0, 1, 2]), (503, [6, 12, 24]), (429, [32, 64, 128]), (530, [0, 1, 2]), (400, []),
        ],
    )  # fmt: skip
    def test_repeats(self, service: Any, backend: Any, status: int, waits: list[int]) -> None:
        """As azureml-core does, by the workspace's clock."""
        backend.answers = [(status, b"busy")]

        with pytest.raises(WebserviceException) as caught:
            service.run("{}")

        assert caught.value.status_code == status
        assert caught.value.message.endswith(
            f"Response Code: {status}\nHeaders: {{'Content-Type': 'application/json'}}\nContent: b'busy'"
        )
        assert [slept // 1_000_000 for slept in backend.clock.slept] == waits
        assert len(backend.said("score")) == 1 + len(waits)

    def test_an_answer_that_is_no_json(self, service: Any, backend: Any) -> None:
        """Is a bad answer, too."""
        backend.answers = [(200, b"<html>")]
        assert "the answer is no JSON." in message(service.run, "{}")

    def test_tokens(self, service: Any, backend: Any) -> None:
        """Instead of keys; the old way to get one still works."""
        service.update(auth_enabled=False, token_auth_enabled=True)
        service.run("{}")
        assert dict(backend.said("score")[0][1].headers)["Authorization"] == "Bearer token"
        assert service.get_access_token().access_token == "token"  # noqa: S105 - a made-up one
        with pytest.warns(DeprecationWarning, match="use get_access_token"):
            assert service.get_token() == ("token", service.get_access_token().refresh_after)
        service.update(token_auth_enabled=False)
        service.run("{}")
        assert "Authorization" not in dict(backend.said("score")[1][1].headers)

    def test_before_there_is_an_address(self, service: Any, backend: Any) -> None:
        """Says what the service is like."""
        backend.services["fraud"] |= {"scoringUri": None, "state": "Failed", "error": {"code": "x"}}
        service.update_deployment_state()
        assert service.swagger_uri is None
        assert message(service.run, "{}").endswith("Current State: Failed\nErrors: {'code': 'x'}")

    def test_keys(self, service: Any, backend: Any) -> None:
        """Read, and replaced by a new one or by one's own."""
        backend.polls = [Operation("op", RUNNING), Operation("op", SUCCEEDED)]
        assert service.get_keys() == ("first", "second")
        service.regen_key("primary")
        service.regen_key("Secondary", set_key="mine")
        assert backend.said("regenerate_key") == [("fraud", "Primary", None), ("fraud", "Secondary", "mine")]
        assert backend.clock.slept == [5_000_000] * 3
        for wrong in ("third", "", None):
            assert message(service.regen_key, wrong) == f"key: {wrong!r} is not Primary or Secondary"
        backend.polls = [Operation("op", FAILED, error={"message": "no"})]
        assert message(service.regen_key, "Primary") == "key: replacing Primary has ended as Failed: {'message': 'no'}"
        backend.refusals["get_keys"] = InvalidSetting("name", "fraud", "a service with key auth")
        assert "Response Code: 400" in message(service.get_keys)

    def test_logs(self, service: Any) -> None:
        """With azureml-core's parameters."""
        assert service.get_logs() == "fraud 5000 False"
        assert service.get_logs(num_lines=3, init=True) == "fraud 3 True"


class TestChanging:
    """`update` and its like."""

    def test_what_is_sent(self, service: Any, backend: Any, model: Model) -> None:
        """Settings, and an image from models and script; the object shows the service afterwards."""
        service.update(scoring_timeout_ms=9, tags={"a": "b"}, properties={"p": "1"})
        service.update(inference_config=InferenceConfig("score.py"))
        service.update(properties={})

        first, second = (patch for _, patch in backend.said("patch_service"))
        assert first == [
            {"op": "replace", "path": "/scoringTimeoutMs", "value": 9},
            {"op": "replace", "path": "/kvTags", "value": {"a": "b"}},
            {"op": "add", "path": "/properties/p", "value": "1"},
        ]
        (image,) = second
        assert image["path"] == "/environmentImageRequest"
        assert image["value"]["modelIds"] == ["fraud-model:1"]
        assert image["value"]["environment"]["name"] == "fraud-env"
        assert (service.scoring_timeout_ms, service.tags) == (9, {"a": "b"})
        assert message(service.update).startswith("Nothing to update")
        assert message(service.update, num_replicas=-1) == "num_replicas: -1 is not greater than 0"

    def test_models_alone(self, service: Any, ws: Workspace, backend: Any) -> None:
        """If their framework brings a script."""
        net = Model.register(ws, "model.pkl", "net", model_framework="Onnx")
        service.update(models=[net])
        assert backend.said("patch_service")[0][1][0]["value"] == {"modelIds": ["net:1"]}

    def test_tags_and_properties(self, service: Any, backend: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """What is there stays; what is refused changes no object."""
        service.add_tags({"team": "b", "new": "c"})
        service.remove_tags("new")
        service.remove_tags(["none"])
        service.add_properties({"p": "1"})
        assert (service.tags, service.properties) == ({"team": "b"}, {"p": "1"})
        assert capsys.readouterr().out.splitlines() == [
            "Replacing tag team -> a with team -> b", "Webservice tag add operation complete.",
            "Webservice tag remove operation complete.",
            "Tag with key none not found.", "Webservice tag remove operation complete.",
            "Webservice property add operation complete.",
        ]  # fmt: skip
        backend.refusals["patch_service"] = Conflict("busy")
        assert "Response Code: 409" in message(service.add_tags, {"x": "y"})
        assert service.tags == {"team": "b"}

    def test_deleting(self, service: Any, backend: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """Waits until it is gone."""
        backend.polls = [Operation("op", RUNNING), Operation("op", SUCCEEDED)]
        service.delete()
        assert service.state == "Deleting"
        assert capsys.readouterr().out == "Running.\nSucceeded\n"
        assert "Response Code: 404" in message(service.update_deployment_state)
        backend.refusals["delete_service"] = NotFound("gone")
        assert "gone" in message(service.delete)

    def test_deleting_fails(self, service: Any, backend: Any) -> None:
        """Is said."""
        backend.polls = [Operation("op", FAILED)]
        assert "non-successful terminal state" in message(service.delete)


class TestEndpoints:
    """`AksEndpoint` and its versions."""

    def test_versions_are_shown(self, endpoint: Any) -> None:
        """With their settings; the endpoint itself has none."""
        assert list(endpoint.versions) == ["blue", "green"]
        assert endpoint.versions["blue"].models[0].id == "fraud-model:1"
        assert not hasattr(endpoint, "autoscaler")
        assert endpoint.serialize()["versions"].keys() == {"blue", "green"}
        assert endpoint.VersionType.control.value == "Control"

    def test_changing_the_endpoint(self, endpoint: Any, backend: Any) -> None:
        """What is common to all versions."""
        endpoint.update(description="d", enable_app_insights=True)
        endpoint.add_tags({"b": "c"})
        endpoint.remove_tags("b")
        endpoint.add_properties({"p": "1"})
        assert [part["path"] for _, patch in backend.said("patch_service") for part in patch] == [
            "/appInsightsEnabled", "/description", "/kvTags", "/kvTags", "/properties/p",
        ]  # fmt: skip
        assert (endpoint.description, endpoint.tags) == ("d", {"team": "a"})
        assert message(endpoint.update).startswith("Nothing to update")

    def test_adding_a_version(self, endpoint: Any, backend: Any, model: Model) -> None:
        """With resources, and as default and control."""
        endpoint.create_version(
            "red", models=[model], inference_config=InferenceConfig("score.py"), cpu_cores=1, is_default=True,
            is_control_version_type=True,
        )  # fmt: skip
        ((_, patch),) = backend.said("patch_service")
        *roles, added = patch
        assert [role["path"].split("/")[2] for role in roles] == ["blue", "blue", "green", "green"]
        assert added["value"]["computeName"] == "aks"
        assert added["value"]["containerResourceRequirements"]["cpu"] == 1
        assert added["value"]["environmentImageRequest"]["environment"]["name"] == "red-env"
        assert message(endpoint.create_version, "X").startswith("version_name: 'X' is not 3 to 32")
        assert "without inference_config" in message(endpoint.create_version, "grey")

    def test_changing_a_version(self, endpoint: Any, backend: Any, ws: Workspace) -> None:
        """Its models stay if only the script changes."""
        endpoint.update_version("blue", inference_config=InferenceConfig("score.py"))
        endpoint.update_version("blue", models=[Model.register(ws, "model.pkl", "net", model_framework="Onnx")])
        endpoint.update_version("blue", models=[], inference_config=InferenceConfig("score.py"))
        sent = [patch[0]["value"]["modelIds"] for _, patch in backend.said("patch_service")]
        assert sent == [["fraud-model:1"], ["net:1"], []]
        assert message(endpoint.update_version, "grey", num_replicas=1).startswith("version_name: 'grey' is not")

    def test_removing_a_version(self, endpoint: Any) -> None:
        """One that there is."""
        endpoint.delete_version("green")
        assert list(endpoint.versions) == ["blue"]
        assert message(endpoint.delete_version, "green").endswith("is not a version of this endpoint: blue")

    def test_a_version_is_reached_through_its_endpoint(self, endpoint: Any, backend: Any) -> None:
        """Requests, keys and logs; it is looked at again there too."""
        blue = endpoint.versions["blue"]
        assert blue.run("{}") == [1]
        name, request = backend.said("score")[0]
        assert name == "fraud"
        assert dict(request.headers)["azureml-model-deployment"] == "blue"
        assert blue.get_logs() == "fraud 5000 False"
        assert backend.said("get_keys") == ["fraud"]
        backend.services["fraud"]["versions"]["blue"]["trafficPercentile"] = 5
        blue.update_deployment_state()
        assert blue.traffic_percentile == 5
        del backend.services["fraud"]["versions"]["blue"]
        assert "blue is not a version of fraud any more" in message(blue.update_deployment_state)

    def test_a_version_is_changed_by_its_endpoint(self, endpoint: Any) -> None:
        """It says so itself."""
        blue = endpoint.versions["blue"]
        assert message(blue.update, num_replicas=1) == (
            "update: blue is a version of fraud; use AksEndpoint.update_version"
        )
        assert message(blue.add_tags, {"a": "b"}).startswith("update: blue is a version of fraud")
        assert message(blue.delete).endswith("use AksEndpoint.delete_version")
        assert message(blue.regen_key, "Primary").startswith("regen_key: ")
        assert message(blue.wait_for_deployment).startswith("wait_for_deployment: ")
