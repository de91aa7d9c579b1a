"""`enable_app_insights`: containers report requests, prints and failed runs, in virtual time and on a server alike."""

import csv
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin import (
    AksCompute,
    AksWebservice,
    ComputeTarget,
    Environment,
    InferenceConfig,
    Model,
    WebserviceException,
    Workspace,
)  # fmt: skip
from akstwin.backend import ScoreRequest, WorkspaceIdentity
from akstwin.errors import AksError
from akstwin.fake_api.thread import ServerThread
from akstwin.sim.insights import KEPT, Insights

SCRIPT = """
import json


def init():
    print("not of a request")


def run(raw):
    print("got", raw)
    print("twice")
    if json.loads(raw)["data"] < 0:
        raise ValueError("below zero")
    return {"n": json.loads(raw)["data"]}
"""


def deploy(ws: Workspace, folder: Path, **given: Any) -> AksWebservice:
    """A service with a script that prints and may fail."""
    (folder / "score.py").write_text(SCRIPT)
    cluster = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
    cluster.wait_for_completion()
    inference = InferenceConfig("score.py", source_directory=str(folder), environment=Environment("plain"))
    configuration = AksWebservice.deploy_configuration(num_replicas=1, max_request_wait_time=100, **given)
    service = Model.deploy(ws, "fraud", [], inference, configuration, cluster)
    service.wait_for_deployment()
    assert isinstance(service, AksWebservice)
    return service


def ask(ws: Workspace, service: AksWebservice, data: int, name: str) -> Any:
    """One request, by the name that its client gives it."""
    key, _ = service.get_keys()
    headers = (("Authorization", f"Bearer {key}"), ("x-ms-client-request-id", name))
    return ws.backend.score("fraud", ScoreRequest(json.dumps({"data": data}).encode(), headers))


@pytest.fixture(params=["simulated", "served"])
def ws(request: pytest.FixtureRequest) -> Any:
    """A workspace in virtual time, and one on a server."""
    if request.param == "simulated":
        workspace = Workspace.simulated(seed=3)
        yield workspace
        getattr(workspace.backend, "close")()  # noqa: B009 - the port has none
    else:
        with ServerThread() as server:
            place = server.open(WorkspaceIdentity(), seed=3, clock="jump")
            yield Workspace.connect(place.http)


def test_a_request_is_a_row_with_the_ids_of_the_journal(ws: Workspace, tmp_path: Path) -> None:
    """Name, status, duration, pod, ids and answer, as the inference server reports them."""
    service = deploy(ws, tmp_path, enable_app_insights=True)
    answer = ask(ws, service, 7, "mine")

    (row,) = ws.simulation.insights()
    request_id = {name.lower(): value for name, value in answer.headers}["x-ms-request-id"]
    assert row["itemType"] == "request"
    assert (row["name"], row["resultCode"], row["success"], row["duration"]) == ("/score", "200", True, 50.0)
    assert row["url"].startswith("http://")
    assert row["url"].endswith("/score")
    assert (row["cloud_RoleName"], row["cloud_RoleInstance"]) == ("fraud", "fraud-1")
    assert row["operation_Id"] == request_id.replace("-", "")
    dimensions = row["customDimensions"]
    assert (dimensions["Request Id"], dimensions["Client Request Id"]) == (request_id, "mine")
    assert dimensions["Response Value"] == '{"n": 7}'
    assert dimensions["Workspace Name"] == ws.name
    if hasattr(ws.backend, "url"):
        (entry,) = httpx.get(f"{ws.backend.url}/_akstwin/journal", params={"service": "fraud"}).json()["entries"]
        assert (entry["request_id"], entry["client_request_id"]) == (request_id, "mine")


def test_prints_and_failures_are_rows_of_their_own(ws: Workspace, tmp_path: Path) -> None:
    """Of one operation with the request; what `init()` prints belongs to none."""
    service = deploy(ws, tmp_path, enable_app_insights=True)
    ask(ws, service, 1, "good")
    ask(ws, service, -1, "bad")

    traces = ws.simulation.insights("traces")
    assert [row["message"] for row in traces] == ['got {"data": 1}', "twice", 'got {"data": -1}', "twice"]
    good, bad = ws.simulation.insights("requests")
    assert (bad["resultCode"], bad["success"]) == ("500", False)
    assert [row["operation_Id"] for row in traces] == [good["operation_Id"]] * 2 + [bad["operation_Id"]] * 2
    (failed,) = ws.simulation.insights("exceptions")
    assert (failed["type"], failed["outerMessage"], failed["severityLevel"]) == ("ValueError", "below zero", 3)
    assert failed["operation_Id"] == bad["operation_Id"]
    assert "in run" in failed["details"]


def test_what_the_router_refuses_is_in_no_table(ws: Workspace, tmp_path: Path) -> None:
    """Containers report; the router does not."""
    service = deploy(ws, tmp_path, enable_app_insights=True)
    key, _ = service.get_keys()
    request = ScoreRequest(b'{"data": 1}', (("Authorization", f"Bearer {key}"),))
    answers = ws.backend.score_all("fraud", [(0, request)] * 6)  # type: ignore[list-item]
    answers.append(ws.backend.score("fraud", ScoreRequest(b"{}", ())))

    statuses = [answer.status for answer in answers]
    assert {503, 401} < set(statuses)
    assert len(ws.simulation.insights()) == statuses.count(200)


def test_an_update_switches_it_on_and_off(ws: Workspace, tmp_path: Path) -> None:
    """From the end of its operation on; other services report nothing."""
    service = deploy(ws, tmp_path)
    ask(ws, service, 1, "before")
    assert ws.simulation.insights() == []
    for enabled, count in ((True, 1), (False, 1)):
        service.update(enable_app_insights=enabled)
        service.wait_for_deployment()
        ask(ws, service, 1, "after")
        assert len(ws.simulation.insights()) == count
    assert ws.simulation.insights(service="other") == []
    assert len(ws.simulation.insights(service="fraud")) == 1


def test_another_table_is_refused(ws: Workspace) -> None:
    """By name, with those there are."""
    with pytest.raises(AksError, match="requests, traces, exceptions"):
        ws.simulation.insights("dependencies")


def test_no_credential_is_in_a_row_over_http(tmp_path: Path) -> None:
    """A script may print the key that it is sent."""
    with ServerThread() as server:
        place = server.open(WorkspaceIdentity(), seed=3, clock="jump")
        ws = Workspace.connect(place.http)
        service = deploy(ws, tmp_path, enable_app_insights=True)
        key, other = service.get_keys()
        headers = (("Authorization", f"Bearer {key}"),)
        ws.backend.score("fraud", ScoreRequest(json.dumps({"data": 1, "keys": [key, other]}).encode(), headers))
        for table in ("requests", "traces"):
            told = httpx.get(f"{place.http}/_akstwin/insights", params={"table": table}).text
            assert '"rows":[{' in told
            assert key not in told
            assert other not in told


def test_an_export_of_the_rows_is_a_log_of_requests(tmp_path: Path) -> None:
    """`traffic: trace` reads what is reported: the same instants."""
    ws = Workspace.simulated(seed=3)
    service = deploy(ws, tmp_path, enable_app_insights=True)
    key, _ = service.get_keys()
    request = ScoreRequest(b'{"data": 1}', (("Authorization", f"Bearer {key}"),))
    ws.backend.score_all("fraud", [(second * 1_000_000, request) for second in range(5)])  # type: ignore[misc]
    rows = ws.simulation.insights()
    file = tmp_path / "requests.csv"
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "customDimensions": json.dumps(row["customDimensions"])} for row in rows)

    replay = {
        "duration": "10s",
        "webservice": {"name": "again", "deploy": {"num_replicas": 2}},
        "traffic": {"shape": "trace", "file": str(file)},
    }
    again = Workspace.simulated(scenario=replay)
    again.simulation.advance("10s")
    assert sum(again.simulation.observe("again", "10s").versions["again"].answers.values()) == 5


def test_rows_are_bounded() -> None:
    """The latest are kept, and how many went is said."""
    insights = Insights(lambda: "ws", lambda _: True, lambda _: None)  # type: ignore[arg-type, return-value]
    insights.total = KEPT + 5
    insights.rows.extend({"number": number} for number in range(KEPT + 5))
    assert len(insights.rows) == KEPT
    assert insights.dropped == 5


def test_a_bad_answer_raises_as_before(tmp_path: Path) -> None:
    """Reporting changes no answer."""
    ws = Workspace.simulated(seed=3)
    service = deploy(ws, tmp_path, enable_app_insights=True)
    assert service.run('{"data": 2}') == {"n": 2}
    with pytest.raises(WebserviceException):
        service.run('{"data": -2}')
