"""Requests end to end: every answer of semantics §3 and §6.1, through the backend and through `service.run`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akstwin import AksEndpoint, Environment, InferenceConfig, Model, WebserviceException, Workspace
from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import SECOND, Micros
from akstwin.errors import InvalidSetting, NotFound

ECHO = """
def init():
    pass

def run(data):
    return data
"""
COUNT = """
import os, sys

def init():
    global served
    served = 0

def run(data):
    global served
    served += 1
    if data == "die":
        os._exit(9)
    if data == "exit":
        sys.exit(2)
    if data == "raise":
        raise ValueError("a bad day")
    return served
"""
MS = 1000


def outcome(response: ScoreResponse) -> tuple[int, str | None, int]:
    """Status, reason and latency in µs."""
    return response.status, response.reason, response.latency


def refusals(log: str, text: str) -> int:
    """How often a text stands in a log."""
    return log.count(text)


# -- answers and their times


def test_an_answer_takes_the_profiles_time_and_the_routers(lab: Any) -> None:
    """50 ms and 3 ms; the script's own time counts nothing, and the clock stands at the answer."""
    lab.deploy(script="import time\ndef init(): pass\ndef run(data):\n    time.sleep(0.2)\n    return [data]\n")
    before = lab.ws.clock.now()

    response = lab.score(body="hello")

    assert outcome(response) == (200, None, 53 * MS)
    assert json.loads(response.body) == ["hello"]
    assert response.version == "svc"
    assert response.header("x-ms-run-fn-exec-ms") == "50.000"
    assert response.header("X-MS-Run-Function-Failed") == "False"
    assert lab.ws.clock.now() - before == 53 * MS


@pytest.mark.parametrize(
    ("service_time", "overhead", "latency"),
    [("10ms", "3ms", 13 * MS), ("1us", 0, 1), (2, "15ms", 2_015 * MS), ("59s", "250us", 59_000 * MS + 250)],
)
def test_latency_is_run_time_and_overhead_exactly(
    make_lab: Any, service_time: Any, overhead: Any, latency: int
) -> None:
    """To the microsecond, whatever the two are."""
    lab = make_lab(router_overhead=overhead)
    lab.ws.simulation.profile("svc", service_time=service_time, reply=1)
    lab.deploy()

    assert outcome(lab.score()) == (200, None, latency)


def test_requests_wait_for_a_worker_inside_the_replica(lab: Any) -> None:
    """Two slots and one worker: the second runs after the first, nobody is refused (semantics §6.10)."""
    lab.ws.simulation.profile("svc", service_time="1s", reply=1)
    lab.deploy(replica_max_concurrent_requests=2)

    both = lab.score_at(0, 0)

    assert [outcome(each) for each in both] == [(200, None, 1_003 * MS), (200, None, 2_003 * MS)]


def test_two_workers_work_side_by_side(lab: Any) -> None:
    """Both answers come after the time of one."""
    lab.ws.simulation.profile("svc", service_time="1s", workers=2, reply=1)
    lab.deploy(replica_max_concurrent_requests=2)

    assert [each.latency for each in lab.score_at(0, 0)] == [1_003 * MS] * 2


def test_two_replicas_take_turns_and_keep_their_own_globals(lab: Any) -> None:
    """Each counts its own requests: the one that has rested longest is next (R7)."""
    lab.deploy(script=COUNT, num_replicas=2)

    assert [json.loads(lab.score().body) for _ in range(6)] == [1, 1, 2, 2, 3, 3]


# -- 401


def test_either_key_opens_and_nothing_else(lab: Any) -> None:
    """No header, an empty one, another scheme, another key, a key with something behind it: 401 at once."""
    service = lab.deploy(script=ECHO)
    primary, secondary = service.get_keys()

    for key in (primary, secondary):
        assert lab.score(key=key).status == 200
    wrong = [None, "", "wrong", primary + "x", primary[:-1], primary.lower() + "é", "\t" + primary]
    for key in wrong:
        response = lab.score(key=key)
        assert outcome(response) == (401, "unauthorized", 0)
        assert response.body == b"Unauthorized"
        assert response.version is None
    for header in (f"Basic {primary}", primary, "Bearer", f"Bearer  {primary}x"):
        assert lab.score(key=None, headers={"Authorization": header}).status == 401


def test_names_of_headers_and_schemes_know_no_case(lab: Any) -> None:
    """As HTTP has it."""
    service = lab.deploy(script=ECHO)

    assert lab.score(key=None, headers={"aUTHORIZATION": f"bearer {service.get_keys()[0]}"}).status == 200


def test_a_regenerated_key_is_known_after_the_propagation(lab: Any) -> None:
    """Until then the old one opens; from then on only the new one; the other one is as good as ever."""
    service = lab.deploy(script=ECHO)
    old, other = service.get_keys()
    lab.ws.backend.regenerate_key("svc", "Primary", "fresh")
    assert service.get_keys() == ("fresh", other)

    assert [lab.score(key=key).status for key in (old, "fresh", other)] == [200, 401, 200]
    lab.ws.simulation.advance("2s")
    assert [lab.score(key=key).status for key in (old, "fresh", other)] == [401, 200, 200]


def test_regen_key_waits_until_the_key_is_good(lab: Any) -> None:
    """So the next `run` finds it so."""
    service = lab.deploy(script=ECHO)
    old = service.get_keys()

    service.regen_key("secondary")

    primary, secondary = service.get_keys()
    assert primary == old[0]
    assert secondary != old[1]
    assert lab.score(key=secondary).status == 200
    assert lab.score(key=old[1]).status == 401


def test_a_token_opens_its_service_until_it_expires(make_lab: Any) -> None:
    """Not a key, not nonsense, not another service's token, and not one instant longer."""
    lab = make_lab(token_lifetime="1h", token_refresh="30m")  # noqa: S106 - times
    service = lab.deploy(script=ECHO, token_auth_enabled=True, auth_enabled=False)
    lab.deploy("other", script=ECHO, token_auth_enabled=True)
    token = lab.ws.backend.issue_token("svc")
    foreign = lab.ws.backend.issue_token("other").token

    assert service.token_auth_enabled
    assert not service.auth_enabled
    assert [lab.score(key=key).status for key in (token.token, foreign, "nonsense", None)] == [200, 401, 401, 401]
    assert lab.score("other", key=token.token).status == 401
    left = round((token.expiry_on - lab.ws.backend.epoch) * SECOND) - lab.ws.clock.now()
    assert [each.status for each in lab.score_at(left / SECOND - 1, left / SECOND, key=token.token)] == [200, 401]
    assert service.run('"again"') == '"again"'


def test_an_open_service_asks_for_nothing(lab: Any) -> None:
    """With and without anything."""
    service = lab.deploy(script=ECHO, auth_enabled=False)

    assert [lab.score(key=key).status for key in (None, "anything")] == [200, 200]
    assert service.run("x") == "x"


@pytest.mark.parametrize("to_tokens", [True, False])
def test_another_way_in_opens_after_the_propagation(lab: Any, to_tokens: bool) -> None:
    """Until the router has heard of the switch, what opened before does still: nobody is locked out (§6.6)."""
    first = {"token_auth_enabled": True, "auth_enabled": False}
    second = {"token_auth_enabled": False, "auth_enabled": True}
    if to_tokens:
        first, second = second, first
    service = lab.deploy(script=ECHO, **first)
    before = lab.request().headers

    service.update(**second)
    after = lab.request().headers
    asked = [lab.ws.backend.score("svc", ScoreRequest(b"1", headers)).status for headers in (before, after)]
    lab.ws.simulation.advance("2s")
    later = [lab.ws.backend.score("svc", ScoreRequest(b"1", headers)).status for headers in (before, after)]

    assert asked == [200, 401]
    assert later == [401, 200]


# -- 404 and 413


def test_a_service_that_is_not_there(lab: Any) -> None:
    """404 with its name."""
    response = lab.ws.backend.score("nobody", ScoreRequest(b"{}"))

    assert outcome(response) == (404, "not_found", 0)
    assert response.body == b"Service nobody not found"


def test_a_path_that_is_not_there(lab: Any) -> None:
    """404, whatever the service (R1)."""
    lab.deploy(script=ECHO)

    for path in ("/", "", "/scores", "/score/", "/Score", "/swagger"):
        response = lab.score(path=path)
        assert (response.status, response.body, response.latency) == (404, b"Not Found", 0)


def test_a_service_is_found_once_it_is_on_the_cluster(lab: Any) -> None:
    """Not while its image is built; then without a replica; then it answers; and gone when it is gone."""
    service = lab.deploy(script=ECHO, wait=False)
    request = lab.request(body="1")
    seen = [
        each.status for each in lab.ws.backend.score_all("svc", [(Micros(at * SECOND), request) for at in range(40)])
    ]
    service.delete()
    lab.ws.simulation.advance("2s")

    # 10 s of building and 1 s of lag; 5 s of pulling, 5 s of init() and 1 s of lag
    assert seen == [404] * 11 + [503] * 10 + [200] * 19
    assert lab.ws.backend.score("svc", request).status == 404


def test_a_deleted_service_is_no_matter_of_keys(lab: Any) -> None:
    """Before the router knows, there is nobody left to answer: not 401 with the right key."""
    lab.deploy(script=ECHO)
    request = lab.request(body="1")

    lab.ws.backend.delete_service("svc")
    answers = [lab.ws.backend.score("svc", request).status]
    for _ in range(20):
        lab.ws.simulation.advance("100ms")
        answers.append(lab.ws.backend.score("svc", request).status)

    assert set(answers) == {503, 404}
    assert answers == sorted(answers, reverse=True)


def test_a_version_named_by_the_header(lab: Any) -> None:
    """The one that is named answers, whatever the split; one that is not there is 404."""
    lab.ws.simulation.profile("svc", version="blue", reply="blue")
    lab.ws.simulation.profile("svc", version="green", reply="green")
    endpoint = lab.deploy(version_name="blue")
    endpoint.create_version("green", models=[lab.model], num_replicas=1, traffic_percentile=0)
    lab.ready(endpoint)

    def asked(version: str) -> ScoreResponse:
        response: ScoreResponse = lab.score(headers={"azureml-model-deployment": version})
        return response

    assert [json.loads(asked(version).body) for version in ("blue", "green")] == ["blue", "green"]
    assert asked("green").version == "green"
    assert outcome(asked("red")) == (404, "not_found", 0)
    assert {json.loads(lab.score().body) for _ in range(20)} == {"blue"}
    assert endpoint.versions["green"].run("{}") == "green"


def test_a_profile_without_a_version_holds_for_all_versions(lab: Any) -> None:
    """What is set last holds, name by name, also where a version had a value of its own before."""
    lab.ws.simulation.profile("svc", version="blue", reply="blue", service_time="1s")
    endpoint = lab.deploy(version_name="blue")
    endpoint.create_version("green", models=[lab.model], num_replicas=1, traffic_percentile=0)
    lab.ready(endpoint)

    def asked(version: str) -> tuple[str, int]:
        response: ScoreResponse = lab.score(headers={"azureml-model-deployment": version})
        return json.loads(response.body), response.latency // 100_000

    lab.ws.simulation.profile("svc", reply="all")
    assert [asked(version) for version in ("blue", "green")] == [("all", 10), ("all", 0)]
    lab.ws.simulation.profile("svc", service_time="2s")
    assert [asked(version) for version in ("blue", "green")] == [("all", 20), ("all", 20)]
    lab.ws.simulation.profile("svc", version="green", reply="green")
    assert [asked(version) for version in ("blue", "green")] == [("all", 20), ("green", 20)]


@pytest.mark.parametrize("comes", [True, False])
def test_an_overwrite_by_another_version(lab: Any, comes: bool) -> None:
    """The service is there all the time: the old version answers until the new one can, or for good if it never can."""
    lab.ws.simulation.profile("svc", reply=1)
    lab.deploy(version_name="blue")
    request = lab.request()
    config = AksEndpoint.deploy_configuration(version_name="green", num_replicas=1, cpu_cores=0.1 if comes else 50)
    Model.deploy(lab.ws, "svc", [lab.model], None, config, lab.aks, overwrite=True)

    answers = lab.ws.backend.score_all("svc", [(Micros(at * SECOND), request) for at in range(60)])

    assert {each.status for each in answers} <= {200, 503}
    assert answers[-1].version == ("green" if comes else "blue")


def test_a_plain_services_version_is_its_own_name(lab: Any) -> None:
    """Any other is 404."""
    lab.deploy(script=ECHO)

    assert [lab.score(headers={"azureml-model-deployment": name}).status for name in ("svc", "blue")] == [200, 404]


def test_a_body_that_is_too_large(make_lab: Any) -> None:
    """413 comes before 401, and names nobody's version (R2)."""
    lab = make_lab(max_payload="1kB")
    lab.deploy(script="def init(): pass\ndef run(data): return len(data)\n")

    assert json.loads(lab.score(body=b"x" * 1000).body) == 1000
    for key in ("wrong", lab.ws.backend.get_keys("svc").primary):
        response = lab.score(body=b"x" * 1001, key=key)
        assert outcome(response) == (413, "payload_too_large", 0)
        assert response.version is None


# -- 502


def test_what_run_raises_is_a_502_with_the_servers_own_words(lab: Any) -> None:
    """The body is passed on, the traceback stands in the logs, and the worker goes on (R12)."""
    service = lab.deploy(script=COUNT)

    answers = [lab.score(body=body) for body in ("1", "raise", "1")]

    assert [outcome(each) for each in answers] == [
        (200, None, 53 * MS), (502, "run_failed", 53 * MS), (200, None, 53 * MS),
    ]  # fmt: skip
    assert json.loads(answers[1].body) == {
        "message": "An unexpected error occurred in scoring script. Check the logs for more info."
    }
    assert answers[1].header("x-ms-run-function-failed") == "True"
    assert answers[1].header("x-ms-run-fn-exec-ms") is None
    assert "ValueError: a bad day" in service.get_logs()
    assert [json.loads(answers[at].body) for at in (0, 2)] == [1, 3]


def test_a_failing_run_may_count_as_500(make_lab: Any) -> None:
    """`run_failure_status` says so."""
    lab = make_lab(run_failure_status=500)
    lab.deploy(script=COUNT)

    assert outcome(lab.score(body="raise")) == (500, "run_failed", 53 * MS)


def test_a_worker_that_dies_breaks_the_connection_and_comes_back(lab: Any) -> None:
    """502 in the router's recorded words; who comes meanwhile waits for `init()`: dead at 50 ms, back 5 s later."""
    lab.deploy(script=COUNT)
    assert json.loads(lab.score().body) == 1
    request, deadly = lab.request(), lab.request(body="die")

    lost, waited = lab.ws.backend.score_all("svc", [(Micros(0), deadly), (SECOND, request)])

    assert outcome(lost) == (502, "replica_lost", 53 * MS)
    assert lost.body == b"Replica closed connection before replying"
    assert [name for name, _ in lost.headers] == [
        "server", "date", "content-length", "cache-control", "x-ms-request-id",
    ]  # fmt: skip
    assert dict(lost.headers)["content-length"] == "41"
    assert outcome(waited) == (200, None, (5_050 - 1_000 + 50 + 3) * MS)
    assert json.loads(waited.body) == 1  # its globals are new


def test_a_reply_of_sys_exit_is_the_bare_servers(lab: Any) -> None:
    """HTML 500 without the failure header, so it is passed on as it is; the worker survives (semantics §3)."""
    lab.deploy(script=COUNT)

    left, after = lab.score(body="exit"), lab.score()

    assert left.status == 500
    assert b"<title>Internal Server Error</title>" in left.body
    assert left.header("content-type") == "text/html"
    assert left.header("x-ms-request-id")
    assert json.loads(after.body) == 2


# -- 503


def test_the_queue_ends_at_its_deadline_exactly(lab: Any) -> None:
    """One replica of 10 s: whoever comes meanwhile is refused 500 ms after coming (semantics §6.10)."""
    lab.ws.simulation.profile("svc", service_time="10s", reply=1)
    lab.deploy()

    served, *others = lab.score_at(0, 0, 1.25, 9.4)

    assert outcome(served) == (200, None, 10_003 * MS)
    for each in others:
        assert outcome(each) == (503, "queue_deadline", 500 * MS)
        assert each.body == b"Too many requests for service svc (overloaded)"
        assert each.version == "svc"


def test_a_slot_that_comes_free_at_the_deadline_is_taken(lab: Any) -> None:
    """Dispatch wins (R8); the one behind is refused in the same instant."""
    lab.ws.simulation.profile("svc", service_time="500ms", reply=1)
    lab.deploy()

    assert [outcome(each) for each in lab.score_at(0, 0, 0)] == [
        (200, None, 503 * MS), (200, None, 1_003 * MS), (503, "queue_deadline", 500 * MS),
    ]  # fmt: skip


def test_the_wait_is_the_services_own_setting(lab: Any) -> None:
    """Two seconds, and after an update three; first come, first served."""
    lab.ws.simulation.profile("svc", service_time="1s", reply=1)
    service = lab.deploy(max_request_wait_time=2000)

    assert [each.status for each in lab.score_at(0, 0, 0, 0)] == [200, 200, 200, 503]
    service.update(max_request_wait_time=3000)
    lab.ws.simulation.advance("1s")
    answers = lab.score_at(0, 0, 0, 0, 0)

    assert [each.status for each in answers] == [200, 200, 200, 200, 503]
    assert answers[-1].latency == 3000 * MS


def test_a_full_queue_refuses_at_once(make_lab: Any) -> None:
    """One runs, one waits, the third is told so without waiting."""
    lab = make_lab(max_queue_length=1)
    lab.ws.simulation.profile("svc", service_time="400ms", reply=1)
    lab.deploy()

    assert [outcome(each) for each in lab.score_at(0, 0, 0)] == [
        (200, None, 403 * MS), (200, None, 803 * MS), (503, "queue_full", 0),
    ]  # fmt: skip


def test_no_ready_replica(lab: Any) -> None:
    """Before the router knows, requests wait in the new container; then it is 503 at once, until the replica is back."""
    lab.deploy(script=ECHO)
    lab.ws.simulation.fault("replica_kill")

    early, refused, late = lab.score_at(0.5, 2, 7)

    assert outcome(early) == (200, None, (5_000 - 500 + 53) * MS)
    assert outcome(refused) == (503, "no_ready_replica", 0)
    assert refused.body == b"No ready replicas for service svc."
    assert outcome(late) == (200, None, 53 * MS)


def test_waiting_for_a_replica(make_lab: Any) -> None:
    """With `when_no_replica_ready: queue` a request waits for one as for a slot."""
    lab = make_lab(when_no_replica_ready="queue")
    lab.deploy(script=ECHO, max_request_wait_time=10_000)
    lab.ws.simulation.fault("replica_kill")

    (response,) = lab.score_at(2)

    # killed at 0, back at once, init() until 5 s, seen at 6 s
    assert outcome(response) == (200, None, 4_053 * MS)


# -- 504


def test_a_request_that_takes_too_long(lab: Any) -> None:
    """504 at the time-out exactly; its slot is free, but the replica is still busy with it (R11)."""
    lab.ws.simulation.profile("svc", service_time="3s", reply=1)
    lab.deploy(scoring_timeout_ms=2000)

    first, second = lab.score_at(0, 2)

    assert outcome(first) == (504, "scoring_timeout", 2000 * MS)
    assert first.body == b"Request timed out"
    assert outcome(second) == (504, "scoring_timeout", 2000 * MS)  # it began at 3 s only


def test_a_slot_may_be_held_until_the_work_is_done(make_lab: Any) -> None:
    """With `slot_released_on_timeout: when_done` the next one waits in the router's queue instead."""
    lab = make_lab(slot_released_on_timeout="when_done")
    lab.ws.simulation.profile("svc", service_time="3s", reply=1)
    lab.deploy(scoring_timeout_ms=2000)

    assert [outcome(each) for each in lab.score_at(0, 2)] == [
        (504, "scoring_timeout", 2000 * MS), (503, "queue_deadline", 500 * MS),
    ]  # fmt: skip


def test_a_request_on_a_lost_node_hangs_until_its_time_out(lab: Any) -> None:
    """Nobody has noticed yet: the router goes on sending to it (§6.7)."""
    lab.deploy(script=ECHO, scoring_timeout_ms=20_000)
    node = next(detail for _, kind, _, detail in lab.ws.simulation.events if kind == "pod_scheduled")
    lab.ws.simulation.fault("node_loss", node=int(node.split()[1]))

    assert outcome(*lab.score_at(1)) == (504, "scoring_timeout", 20_000 * MS)


# -- what scripts answer with

ANSWERS = """
import json
from azureml.contrib.services.aml_response import AMLResponse

def init():
    pass

def run(data):
    asked = json.loads(data)
    return AMLResponse(asked["body"], asked["status"], asked.get("headers"), json_str=asked.get("json", False))
"""


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 404, 418, 429])
def test_a_status_of_the_scripts_own_is_passed_on(lab: Any, status: int) -> None:
    """Up to 499 as it is, with its headers and its body."""
    lab.deploy(script=ANSWERS)

    response = lab.score(body={"body": "mine", "status": status, "headers": {"x-mine": "1"}})

    assert outcome(response) == (status, None, 53 * MS)
    assert (response.body, response.header("X-Mine")) == (b"mine", "1")


@pytest.mark.parametrize("status", [500, 503, 599])
def test_an_error_of_the_scripts_own_is_a_failed_run(lab: Any, status: int) -> None:
    """From 500 on it says that the run failed, which the router turns into 502; the body is the script's (R12)."""
    lab.deploy(script=ANSWERS)

    response = lab.score(body={"body": {"why": "no"}, "status": status, "json": True})

    assert outcome(response) == (502, "run_failed", 53 * MS)
    assert json.loads(response.body) == {"why": "no"}
    assert response.header("x-ms-run-function-failed") == "True"


def test_what_json_cannot_say_is_the_servers_own_failure(lab: Any) -> None:
    """500 without the failure header: passed on (semantics §3)."""
    lab.deploy(script="def init(): pass\ndef run(data): return {1, 2} if data == 'set' else b'bytes'\n")

    for body in ("set", "bytes"):
        response = lab.score(body=body)
        assert (response.status, response.reason) == (500, "run_failed")
        assert response.header("x-ms-run-function-failed") == "False"
        assert b"unexpected internal error" in response.body
    assert lab.score(body="set").latency == 53 * MS


@pytest.mark.parametrize(
    ("returned", "body"),
    [
        ("None", b"{}"),
        ("'text'", b'"text"'),
        ("[1, None, True]", b"[1, null, true]"),
        ("'é'", b'"\\u00e9"'),
        ("0", b"0"),
    ],
)
def test_what_run_returns_becomes_json(lab: Any, returned: str, body: bytes) -> None:
    """None is the empty object, text is a JSON string."""
    lab.deploy(script=f"def init(): pass\ndef run(data): return {returned}\n")

    response = lab.score()

    assert (response.status, response.body) == (200, body)
    assert response.header("Content-Type") == "application/json"
    assert response.header("Content-Length") == str(len(body))


def test_methods_and_forms(lab: Any) -> None:
    """A form's body arrives empty, GET gives its query as JSON text, OPTIONS answers nothing, PUT is not taken."""
    lab.deploy(script=ECHO)

    form = lab.score(body="a=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    got = lab.score(body="", method="GET", query="a=1&b=x&b=2")
    options, put, head = (lab.score(method=method) for method in ("OPTIONS", "PUT", "HEAD"))

    assert (form.status, form.body) == (200, b'""')
    assert json.loads(json.loads(got.body)) == {"a": 1, "b": ["x", 2]}
    assert (options.status, options.body) == (200, b"")
    assert put.status == 405
    assert head.body == b""


def test_bytes_that_are_no_text(lab: Any) -> None:
    """400 for a script that takes text; what is UTF-8 arrives as it is."""
    lab.deploy(script=ECHO)

    assert lab.score(body=b"\xff\xfe").status == 400
    assert json.loads(lab.score(body="grüße\0\n".encode()).body) == "grüße\0\n"
    assert json.loads(lab.score(body=b"").body) == ""


def test_a_raw_request(lab: Any) -> None:
    """`@rawhttp` sees method, query, headers and bytes as they were sent."""
    lab.deploy(
        script="""
        from azureml.contrib.services.aml_request import AMLRequest, rawhttp
        from azureml.contrib.services.aml_response import AMLResponse

        def init():
            pass

        @rawhttp
        def run(request):
            if request.method == "GET":
                return AMLResponse(request.full_path, 200)
            return AMLResponse(bytes(reversed(request.get_data(False))), 203, {"x-had": request.headers.get("X-Sent", "")})
        """
    )

    posted = lab.score(body=b"\xff\x00a", headers={"x-sent": "this"})
    got = lab.score(body="", method="GET", query="a=1&a=2")

    assert (posted.status, posted.body, posted.header("x-had")) == (203, b"a\x00\xff", "this")
    assert (got.status, got.body) == (200, b"/score?a=1&a=2")


def test_a_schema(lab: Any) -> None:
    """`inference-schema`'s decorators: parameters by name, 415 and 400 for what is none, and a description of the API."""
    lab.deploy(
        script="""
        from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
        from inference_schema.schema_decorators import input_schema, output_schema

        def init():
            pass

        @input_schema("data", StandardPythonParameterType([1, 2]))
        @input_schema("factor", StandardPythonParameterType(2))
        @output_schema(StandardPythonParameterType([2, 4]))
        def run(data, factor):
            return [each * factor for each in data]
        """
    )
    as_json = {"Content-Type": "application/json"}

    assert json.loads(lab.score(body={"data": [1, 5], "factor": 3}, headers=as_json).body) == [3, 15]
    assert lab.score(body={"data": [1], "factor": 3}).status == 415
    for body in (b"", b"[1]", b"{", b'{"data": [1]}'):
        assert lab.score(body=body, headers=as_json).status == 400
    swagger = json.loads(lab.score(body="", method="GET", path="/swagger.json").body)
    assert set(swagger["definitions"]["ServiceInput"]["properties"]) == {"data", "factor"}


def test_the_description_of_the_api(lab: Any) -> None:
    """In its three versions, for those with a key; others are not there."""
    lab.deploy(script=ECHO)

    plain = lab.score(body="", method="GET", path="/swagger.json")
    third = lab.score(body="", method="GET", path="/swagger.json", query="version=3")
    unknown = lab.score(body="", method="GET", path="/swagger.json", query="version=9")

    assert json.loads(plain.body)["swagger"] == "2.0"
    assert json.loads(third.body)["openapi"].startswith("3.")
    assert unknown.status == 404
    assert "/score" in " ".join(json.loads(plain.body)["paths"])
    assert lab.score(body="", method="GET", path="/swagger.json", key=None).status == 401


# -- headers


def test_headers_reach_the_script_and_ids_come_back(lab: Any) -> None:
    """What the client sent, by its title-cased name; ids are echoed, and made where there are none."""
    lab.deploy(script="def init(): pass\ndef run(data, request_headers): return dict(request_headers)\n")

    response = lab.score(headers={"x-tenant": "a", "X-Request-Id": "r1", "x-ms-client-request-id": "c1"})
    seen = json.loads(response.body)
    bare = [lab.score() for _ in range(2)]
    long = lab.score(headers={"x-request-id": "r" * 101})

    assert (seen["X-Tenant"], seen["X-Request-Id"]) == ("a", "r1")
    assert (response.header("x-request-id"), response.header("x-ms-client-request-id")) == ("r1", "c1")
    assert response.header("x-ms-request-id") == "c1"
    assert bare[0].header("x-request-id") != bare[1].header("x-request-id")
    assert long.status == 431


def test_refusals_have_the_routers_headers_and_ids_of_their_own(lab: Any) -> None:
    """In the recorded order; the date is the virtual one (R14)."""
    one, two = (lab.ws.backend.score("nobody", ScoreRequest()) for _ in range(2))

    assert [name for name, _ in one.headers] == [
        "server", "date", "content-length", "cache-control", "x-ms-request-id",
    ]  # fmt: skip
    assert one.header("Date") == "Thu, 01 Jan 2026 00:00:05 GMT"
    assert one.header("cache-control") == "max-age=0, private, must-revalidate"
    assert one.header("x-ms-request-id") != two.header("x-ms-request-id")


# -- scripts that misbehave


def test_a_script_that_never_ends(make_lab: Any) -> None:
    """Its process is killed; virtually it hangs until its time-out, and the server ends the worker after 300 s."""
    lab = make_lab(script_seconds=1.0)
    service = lab.deploy(script="def init(): pass\ndef run(data):\n    while data == 'hang': pass\n    return data\n")

    hung = lab.score(body="hang")
    lab.ws.simulation.advance("240s")
    blocked, after = lab.score_at(0, 20)

    assert outcome(hung) == (504, "scoring_timeout", 60_000 * MS)
    # ended at 300 s, back at 305 s; 0 and 20 s later the clock showed 300 and 320 s
    assert outcome(blocked) == (200, None, 5_053 * MS)
    assert outcome(after) == (200, None, 53 * MS)
    assert "killed: run() was still going after 1 s" in service.get_logs()


def test_a_script_that_prints_megabytes(lab: Any) -> None:
    """The log is bounded, its last lines are there, and the answer comes."""
    service = lab.deploy(
        script="""
        import sys
        def init(): pass
        def run(data):
            for number in range(60_000):
                print("line", number, "x" * 40)
            sys.stderr.write("e" * 3_000_000)
            print("\\nlast words")
            return 1
        """
    )

    assert lab.score().status == 200
    log = service.get_logs(num_lines=100_000)
    assert 100_000 < len(log) < 2_000_000
    assert "last words" in service.get_logs(num_lines=5)
    assert len(service.get_logs(num_lines=3).splitlines()) == 3
    assert outcome(lab.score()) == (200, None, 53 * MS)


def test_scripts_that_fork_close_and_print_junk(lab: Any) -> None:
    """Each is answered, or loses its worker; the service goes on."""
    lab.deploy(
        script="""
        import os, sys, threading
        def init(): pass
        def run(data):
            if data == "fork" and os.fork() == 0:
                os._exit(0)
            if data == "both" and os.fork() == 0:
                return "child"
            if data == "files":
                os.closerange(3, 200)
            if data == "stdout":
                os.close(1)
                print("nobody hears this")
            if data == "junk":
                sys.stdout.buffer.write(bytes(range(256)))
            if data == "thread":
                threading.Thread(target=threading.Event().wait, daemon=False).start()
            return "parent"
        """
    )

    for body in ("fork", "both", "files", "stdout", "junk", "thread"):
        response = lab.score(body=body)
        assert (response.status, response.body) in {
            (200, b'"parent"'),
            (502, b"Replica closed connection before replying"),
        }
        lab.ws.simulation.advance("10s")
        assert lab.score(body="plain").body == b'"parent"'


# -- starting up


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def init(): raise RuntimeError('no weights')\ndef run(data): return 1\n", "RuntimeError: no weights"),
        ("import no_such_package\ndef init(): pass\ndef run(data): return 1\n", "No module named 'no_such_package'"),
        ("def init(): pass\n", "has no run()"),
        ("import os\ndef init(): os._exit(1)\ndef run(data): return 1\n", "init()"),
        ("import sys\ndef init(): sys.exit(0)\ndef run(data): return 1\n", "init()"),
        ("def init(): pass\ndef run(*data): return 1\n", "*args"),
    ],
)
def test_an_init_that_fails(lab: Any, text: str, said: str) -> None:
    """A crash loop: five restarts later the operation has failed, the service too, and the logs say why."""
    service = lab.deploy(script=text, wait=False)

    with pytest.raises(WebserviceException, match="CrashLoopBackOff"):
        service.wait_for_deployment()

    assert service.state == "Failed"
    assert service.error["code"] == "CrashLoopBackOff"
    assert service.scoring_uri is None
    assert said in service.get_logs()
    assert "init_failed" in service.get_logs(init=True)
    with pytest.raises(WebserviceException, match="Current State: Failed"):
        service.run("1")
    assert outcome(lab.score()) == (503, "no_ready_replica", 0)
    lab.deploy("other", script=ECHO)
    assert lab.score("other").status == 200


def test_a_failed_service_is_repaired_by_an_update(lab: Any) -> None:
    """Another script: the pods come up, and the service is Healthy."""
    service = lab.deploy(script="def init(): raise OSError\ndef run(data): return 1\n", wait=False)
    with pytest.raises(WebserviceException):
        service.wait_for_deployment()

    service.update(inference_config=lab.script(ECHO))
    lab.ready(service)

    assert (service.state, service.error) == ("Healthy", None)
    assert service.run("x") == "x"


def test_an_init_that_hangs(make_lab: Any) -> None:
    """The liveness probe ends it; it comes back and hangs again, until the operation has failed."""
    lab = make_lab(script_seconds=0.5)
    service = lab.deploy(
        script="def init():\n    while True: pass\ndef run(data): return 1\n",
        wait=False, initial_delay_seconds=20, failure_threshold=1,
    )  # fmt: skip

    with pytest.raises(WebserviceException, match="CrashLoopBackOff"):
        service.wait_for_deployment()

    assert service.state == "Failed"
    assert "init_hung" in service.get_logs(init=True)


def test_an_init_that_hangs_unseen(make_lab: Any) -> None:
    """Without a probe nothing ends it but the deployment's own time-out."""
    lab = make_lab(script_seconds=0.5, deployment_timeout="5m")
    service = lab.deploy(script="def init():\n    while True: pass\ndef run(data): return 1\n", wait=False)

    with pytest.raises(WebserviceException, match="DeploymentTimedOut"):
        service.wait_for_deployment()

    assert service.state == "Unhealthy"


def test_an_init_that_fails_the_second_time(lab: Any, tmp_path: Path) -> None:
    """It is believed until somebody asks; then the request is lost, and the service is Unhealthy until `init()` works."""
    mark = tmp_path / "started"
    service = lab.deploy(
        script=f"""
        import os, pathlib
        def init():
            mark = pathlib.Path({str(mark)!r})
            if mark.exists():
                raise RuntimeError("only once")
            mark.touch()
        def run(data):
            return 1
        """
    )
    assert lab.score().status == 200

    lab.ws.simulation.fault("replica_kill")
    lab.ws.simulation.advance("1m")
    assert outcome(lab.score()) == (502, "replica_lost", 53 * MS)
    lab.ws.simulation.advance("1m")
    service.update_deployment_state()

    assert service.state == "Unhealthy"
    assert "RuntimeError: only once" in service.get_logs()
    mark.unlink()
    lab.ws.simulation.advance("10m")
    service.update_deployment_state()
    assert service.state == "Healthy"
    assert lab.score().status == 200


# -- what a script finds in its container

PLACES = """
import os
from pathlib import Path

def init():
    global found
    root = Path(os.environ["AZUREML_MODEL_DIR"])
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())

def run(data):
    return found
"""


def register(lab: Any, name: str, *files: str) -> Model:
    """A model of one file, or of a folder called as it is."""
    if len(files) == 1:
        Path(files[0]).write_text(name, "utf-8")
        return Model.register(lab.ws, files[0], name)
    for file in files:
        path = Path(name, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file, "utf-8")
    return Model.register(lab.ws, name, name)


def test_where_models_are(lab: Any) -> None:
    """One model: the folder is its own. Several: by name and version. None: empty (semantics §3)."""
    one = register(lab, "first", "first.bin")
    register(lab, "second", "a.txt", "sub/b.txt")
    two = register(lab, "second", "a.txt", "sub/b.txt")

    found = {}
    for name, models in (("none", []), ("single", [one]), ("folder", [two]), ("both", [one, two])):
        lab.deploy(name, script=PLACES, models=models, cpu_cores=0.1)
        found[name] = json.loads(lab.score(name).body)

    assert found == {
        "none": [],
        "single": ["first.bin"],
        "folder": ["second/a.txt", "second/sub/b.txt"],
        "both": ["first/1/first.bin", "second/2/second/a.txt", "second/2/second/sub/b.txt"],
    }


def test_a_script_finds_its_model_by_name(lab: Any) -> None:
    """`Model.get_model_path` in the container, with and without a version."""
    models = [register(lab, "mine", "mine.bin"), register(lab, "mine", "mine.bin"), register(lab, "other", "other.bin")]
    lab.deploy(
        script="""
        from azureml.core.model import Model
        def init(): pass
        def run(data):
            return [Model.get_model_path(*asked).rpartition("azureml-models/")[2] for asked in (["mine"], ["mine", 1], ["other"])]
        """,
        models=models,
    )

    assert json.loads(lab.score().body) == ["mine/2/mine.bin", "mine/1/mine.bin", "other/1/other.bin"]


def test_variables_of_the_environment(lab: Any) -> None:
    """The user's own, and the server's."""
    environment = Environment("env")
    environment.environment_variables = {"MY_MODE": "fast", "EMPTY": ""}
    config = lab.script(
        "import os\ndef init(): pass\ndef run(data): return dict(os.environ)\n", environment=environment
    )
    lab.deploy(script=config)

    seen = json.loads(lab.score().body)

    assert (seen["MY_MODE"], seen["EMPTY"]) == ("fast", "")
    assert (seen["SERVICE_NAME"], seen["WORKSPACE_NAME"]) == ("svc", "akstwin")
    assert seen["SERVICE_PATH_PREFIX"] == "/api/v1/service/svc"
    assert seen["AZUREML_ENTRY_SCRIPT"] == config.entry_script


def test_new_variables_are_a_new_start(lab: Any) -> None:
    """An update with another environment replaces the containers."""
    environment = Environment("env")
    environment.environment_variables = {"MY_MODE": "slow"}
    config = lab.script(
        "import os\ndef init(): pass\ndef run(data): return os.environ['MY_MODE']\n", environment=environment
    )
    service = lab.deploy(script=config)
    assert service.run("{}") == "slow"

    environment.environment_variables["MY_MODE"] = "fast"
    service.update(inference_config=config)
    lab.ready(service)

    assert service.run("{}") == "fast"


COLLECT = """
from azureml.monitoring import ModelDataCollector

def init():
    global inputs
    inputs = ModelDataCollector("fraud-model", designation="inputs", feature_names=["a", "b"])

def run(data):
    inputs.collect([1, 2])
    return 1
"""


def collected(lab: Any) -> dict[str, str]:
    """The files of collected model data."""
    root = lab.ws.backend.collected
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in root.rglob("*") if path.is_file()}


def test_collected_data(lab: Any) -> None:
    """One row each, in the documented folders, by virtual days (semantics §2.6)."""
    register(lab, "fraud-model", "fraud.bin")
    model = register(lab, "fraud-model", "fraud.bin")
    lab.deploy(script=COLLECT, models=[model], collect_model_data=True)

    lab.score()
    lab.score()
    lab.ws.simulation.advance("25h")
    lab.score()

    identity = lab.ws.backend.identity
    above = f"modeldata/{identity.subscription_id}/{identity.resource_group}/{identity.name}/svc/fraud-model/2/inputs"
    rows = {path: [line.split(",")[:2] for line in text.splitlines()] for path, text in collected(lab).items()}
    assert rows == {
        f"{above}/2026/01/01/data.csv": [["a", "b"], ["1", "2"], ["1", "2"]],
        f"{above}/2026/01/02/data.csv": [["a", "b"], ["1", "2"]],
    }


def test_nothing_is_collected_unasked(lab: Any) -> None:
    """The class works all the same."""
    lab.deploy(script=COLLECT)

    assert lab.score().status == 200
    assert collected(lab) == {}


def test_collection_is_switched_on_and_off_by_an_update(lab: Any) -> None:
    """New pods, and from then on rows are written, or no more."""
    service = lab.deploy(script=COLLECT)
    lab.score()
    rows = []
    for switch in (True, False, True):
        service.update(collect_model_data=switch)
        lab.ready(service)
        lab.score()
        rows.append(sum(text.count("\n1,2,") for text in collected(lab).values()))

    assert rows == [1, 1, 2]


# -- the SDK's own way to score


def test_run_repeats_what_azureml_core_repeats(lab: Any) -> None:
    """A failing `run()` is executed four times: at once, after 0 s, after 1 s and after 2 s (wire §9)."""
    service = lab.deploy(
        script="n = 0\ndef init(): pass\ndef run(data):\n    global n\n    n += 1\n    raise ValueError(n)\n"
    )
    before = lab.now

    with pytest.raises(WebserviceException, match="Response Code: 502") as caught:
        service.run("{}")

    assert caught.value.status_code == 502
    assert lab.now - before == pytest.approx(4 * 0.053 + 3)
    assert [refusals(service.get_logs(), f"ValueError: {n}\n") for n in (1, 4, 5)] == [1, 1, 0]


def test_run_waits_out_a_busy_service(lab: Any) -> None:
    """503 is tried again after 6, 12 and 24 s: 18 s after the first time `init()` is still under way, later it is not."""
    service = lab.deploy(script=ECHO)
    lab.ws.simulation.profile("svc", init_time="20s")
    lab.ws.simulation.fault("replica_kill")
    lab.ws.simulation.advance("2s")
    before = lab.now

    assert service.run("x") == "x"

    assert lab.now - before == pytest.approx(6 + 12 + 24 + 0.053)


def test_run_is_not_locked_out_by_a_new_key(lab: Any) -> None:
    """It asks for the key each time; while the router does not know it yet, once more."""
    service = lab.deploy(script=ECHO)

    service.regen_key("Primary", "first")
    assert service.run("x") == "x"
    service.regen_key("Primary")
    assert service.run("x") == "x"


def test_run_takes_text_and_bytes_and_wants_json_back(lab: Any) -> None:
    """Anything else is refused by name before it is sent; an answer that is no JSON is said to be none."""
    service = lab.deploy(script=ANSWERS)
    good: Any = json.dumps({"body": [1], "status": 200, "json": True})
    now = lab.now

    for wrong in ({"data": 1}, None, 7, [1]):
        with pytest.raises(WebserviceException, match="input_data"):
            service.run(wrong)
    assert lab.now == now

    assert [service.run(each) for each in (good, good.encode(), bytearray(good.encode()))] == [[1]] * 3
    with pytest.raises(WebserviceException, match="no JSON"):
        service.run(json.dumps({"body": "<html>", "status": 200}))
    with pytest.raises(WebserviceException, match="Response Code: 404"):
        service.run(json.dumps({"body": "", "status": 404}))


def test_run_before_there_is_anything_to_run(lab: Any) -> None:
    """Refused without a request; after the deletion, by the service."""
    service = lab.deploy(script=ECHO, wait=False)
    with pytest.raises(WebserviceException, match="Current State: Transitioning"):
        service.run("1")
    lab.ready(service)
    service.delete()

    with pytest.raises(WebserviceException):
        service.run("1")


# -- several requests at once


def test_many_clients_are_answered_in_their_order(lab: Any) -> None:
    """Forty at 20 ms distance on two replicas of 50 ms: the answers stand in the order of the requests."""
    lab.ws.simulation.profile("svc", service_time="50ms", reply=lambda body: body)
    lab.deploy(num_replicas=2)

    requests = [(Micros(at * 20 * MS), lab.request(body=str(at))) for at in range(40)]
    answers = lab.ws.backend.score_all("svc", requests)

    assert [json.loads(each.body) for each in answers] == [str(at) for at in range(40)]
    assert {each.status for each in answers} == {200}
    assert max(each.latency for each in answers) > 53 * MS


def test_instants_that_go_back_are_refused_and_nothing_is_sent(lab: Any) -> None:
    """By name; no request counts, and no time passes."""
    lab.deploy(script=ECHO)
    request = lab.request()
    now = lab.ws.clock.now()

    for offsets in ([2, 1], [-1], [0, 5, 4]):
        with pytest.raises(InvalidSetting, match="requests"):
            lab.ws.backend.score_all("svc", [(Micros(at), request) for at in offsets])

    assert lab.ws.clock.now() == now
    assert lab.ws.simulation.observe("svc", "10m").versions["svc"].requests == 0
    assert lab.ws.backend.score_all("svc", []) == []


@pytest.mark.parametrize("body", ["text", None, {"data": 1}])
def test_a_body_that_is_no_bytes(lab: Any, body: Any) -> None:
    """`ScoreRequest` takes bytes: anything else is refused before it is sent, and the next request is answered."""
    lab.deploy(script=ECHO)
    headers = lab.request().headers

    with pytest.raises(InvalidSetting, match="body"):
        lab.ws.backend.score("svc", ScoreRequest(body, headers))

    assert outcome(lab.score()) == (200, None, 53 * MS)


@pytest.mark.parametrize("lines", ["10", None, 1.5])
def test_a_number_of_lines_that_is_none(lab: Any, lines: Any) -> None:
    """Refused by name."""
    service = lab.deploy()

    with pytest.raises(WebserviceException, match="num_lines"):
        service.get_logs(num_lines=lines)


def test_an_environment_that_is_none(lab: Any) -> None:
    """One that the SDK could not read back is refused: else one bad payload hides all services."""
    lab.deploy()
    request = {"modelIds": [lab.model.id], "environment": {"environmentVariables": 5}}
    payload = {"name": "bad", "computeType": "AKS", "computeName": "aks", "environmentImageRequest": request}

    with pytest.raises(InvalidSetting, match="environment"):
        lab.ws.backend.create_service(payload)

    assert list(lab.ws.webservices) == ["svc"]


def test_what_is_in_flight_when_a_service_is_deleted_is_finished(lab: Any) -> None:
    """Within the grace of 30 s (semantics §6.3)."""
    lab.ws.simulation.profile("svc", service_time="20s", reply=1)
    lab.deploy()
    lab.ws.backend.driver.at(lab.ws.clock.now() + SECOND, lambda: lab.ws.backend.delete_service("svc"))

    (response,) = lab.score_at(0)

    assert outcome(response) == (200, None, 20_003 * MS)
    with pytest.raises(NotFound):
        lab.ws.backend.get_service("svc")


def test_a_request_that_outlives_its_service(lab: Any) -> None:
    """Killed when the grace is over: 502 31 s after it was sent."""
    lab.ws.simulation.profile("svc", service_time="50s", reply=1)
    lab.deploy()
    lab.ws.backend.driver.at(lab.ws.clock.now() + SECOND, lambda: lab.ws.backend.delete_service("svc"))

    (response,) = lab.score_at(0)

    assert outcome(response) == (502, "replica_lost", 31_003 * MS)
    with pytest.raises(NotFound):
        lab.ws.backend.get_service("svc")


# -- the same again


def story(lab: Any) -> dict[str, Any]:
    """Something of everything, and all that can be seen of it."""
    service = lab.deploy(script=COUNT, num_replicas=2)
    answers = [lab.score(body=body) for body in ("1", "raise", "exit", "die", "1", "1", "1")]
    answers += [lab.score(key=None), lab.ws.backend.score("nobody", ScoreRequest())]
    lab.ws.simulation.traffic("svc", rate=5)
    lab.ws.simulation.fault("replica_kill", at="10s", version="svc")
    lab.ws.simulation.advance("1m")
    return {
        "answers": answers,
        "keys": service.get_keys(),
        "document": lab.ws.backend.get_service("svc"),
        "events": lab.ws.simulation.events,
        "observed": lab.ws.simulation.observe("svc"),
        "init": service.get_logs(init=True),
        "logs": service.get_logs(),
    }


def test_two_workspaces_of_one_seed_are_alike(make_lab: Any) -> None:
    """Answers, headers, keys, documents, events."""
    one, two = (story(make_lab(seed=3)) for _ in range(2))

    for key in set(one) - {"logs"}:
        assert one[key] == two[key]


def test_their_logs_are_alike_too(make_lab: Any) -> None:
    """To the letter: nothing of this machine stands in them."""
    one, two = (story(make_lab(seed=3)) for _ in range(2))

    assert one["logs"] == two["logs"]


def test_another_seed_gives_other_keys_and_ids(make_lab: Any) -> None:
    """Else the seed would do nothing."""
    one, two = (story(make_lab(seed=seed)) for seed in (3, 4))

    assert one["keys"] != two["keys"]
    assert one["answers"][-1].header("x-ms-request-id") != two["answers"][-1].header("x-ms-request-id")


def test_two_services_do_not_share_a_script(lab: Any) -> None:
    """Equal content, different services: each has containers, globals and logs of its own."""
    config = lab.script(COUNT)
    first, second = lab.deploy("first", script=config), lab.deploy("second", script=config)

    assert [first.run("1"), first.run("1"), second.run("1")] == [1, 2, 1]
    assert first.get_logs() != second.get_logs()


def test_closing_ends_processes_and_removes_files(make_lab: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing is left of a workspace that is closed."""
    lab = make_lab()
    lab.deploy(script="import os\ndef init(): pass\ndef run(data): return os.environ['AML_APP_ROOT']\n")
    folder = Path(json.loads(lab.score().body))
    assert folder.is_dir()

    lab.ws.backend.close()

    assert not folder.exists()
    inside = [path for path in Path("/proc").iterdir() if path.name.isdigit() and _works_in(path, folder)]
    assert inside == []


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return f"AML_APP_ROOT={folder}".encode() in (process / "environ").read_bytes()
    except OSError:
        return False


def test_a_script_with_its_folder(lab: Any, tmp_path: Path) -> None:
    """`source_directory` comes along: modules and data beside the script."""
    source = tmp_path / "src"
    (source / "inner").mkdir(parents=True)
    (source / "inner" / "score.py").write_text(
        "import os, helper\nfrom pathlib import Path\ndef init(): pass\n"
        "def run(data): return [helper.VALUE, Path(os.environ['AML_APP_ROOT'], 'src', 'table.csv').read_text()]\n",
        "utf-8",
    )
    (source / "helper.py").write_text("VALUE = 5\n", "utf-8")
    (source / "table.csv").write_text("1,2", "utf-8")
    lab.deploy(script=InferenceConfig("inner/score.py", source_directory="src", environment=Environment("env")))

    assert json.loads(lab.score().body) == [5, "1,2"]


def test_a_deployment_without_a_script_says_what_to_do(lab: Any) -> None:
    """500 from a service whose container the twin does not have; the remedy it names works."""
    service = lab.deploy()

    response = lab.score()
    assert response.status in {500, 502}
    assert b"ws.simulation.profile('svc', reply=...)" in response.body
    lab.ws.simulation.profile("svc", reply={"ok": True})

    assert service.run("{}") == {"ok": True}


def test_a_workspace_takes_any_backend(lab: Any) -> None:
    """The same world under another `Workspace` object: the same services."""
    lab.deploy(script=ECHO)

    again = Workspace(backend=lab.ws.backend)

    assert list(again.webservices) == ["svc"]
    assert again.webservices["svc"].run("x") == "x"
