"""`ws.simulation`: profiles, traffic, faults, observations, time, described clusters, scenarios as workspaces."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from akstwin import AksCompute, AksEndpoint, AksWebservice, ComputeTarget, WebserviceException, Workspace
from akstwin.clock import SECOND
from akstwin.errors import AksError, InvalidSetting, NotFound

LIBRARY = Path(__file__).parents[2] / "scenarios" / "library"


def seen(lab: Any, window: Any = None, service: str = "svc", version: str | None = None) -> Any:
    """What was observed of a version."""
    return lab.ws.simulation.observe(service, window).versions[version or service]


def happened(lab: Any, kind: str) -> list[tuple[float, str, str]]:
    """When events of a kind happened, to whom, and what they say."""
    return [(at, subject, detail) for at, of, subject, detail in lab.ws.simulation.events if of == kind]


def steady(lab: Any, name: str = "svc", **profile: Any) -> Any:
    """A service of one replica that answers 1 after 50 ms, or what the profile says."""
    lab.ws.simulation.profile(name, **{"reply": 1, **profile})
    return lab.deploy(name)


# -- profiles


def test_a_profile_told_before_the_deployment(lab: Any) -> None:
    """Its `init()` takes its time, its requests theirs, and its reply is the answer."""
    lab.ws.simulation.profile("svc", service_time="70ms", init_time="12s", reply={"ok": True})
    service = lab.deploy()

    response = lab.score()

    assert (json.loads(response.body), response.latency) == ({"ok": True}, 73_000)
    # 10 s of building, 5 s of pulling, 12 s of init()
    begun = happened(lab, "operation_started")[0][0]
    assert happened(lab, "pod_ready")[0][0] - begun == 27
    assert service.state == "Healthy"


def test_what_is_left_out_stays(lab: Any) -> None:
    """Told bit by bit, before and after; a version follows its service in what it does not tell itself."""
    lab.ws.simulation.profile("svc", service_time="1s")
    lab.ws.simulation.profile("svc", reply="all")
    lab.ws.simulation.profile("svc", version="green", reply="green")
    endpoint = lab.deploy(version_name="blue")
    endpoint.create_version("green", models=[lab.model], num_replicas=1)
    lab.ready(endpoint)

    def asked(version: str) -> tuple[Any, int]:
        response = lab.score(headers={"azureml-model-deployment": version})
        return json.loads(response.body), response.latency

    assert [asked("blue"), asked("green")] == [("all", 1_003_000), ("green", 1_003_000)]
    lab.ws.simulation.profile("svc", service_time="2s")
    assert [asked("blue"), asked("green")] == [("all", 2_003_000), ("green", 2_003_000)]
    lab.ws.simulation.profile("svc", version="green", service_time="10ms")
    assert [asked("blue"), asked("green")] == [("all", 2_003_000), ("green", 13_000)]


def test_new_times_hold_for_what_starts_from_now_on(lab: Any) -> None:
    """What runs, ends as it would have; what waits takes the new time."""
    service = steady(lab, service_time="1s")
    service.update(max_request_wait_time=5000)
    lab.ws.simulation.advance("1s")
    lab.ws.backend.driver.at(
        lab.ws.clock.now() + SECOND // 2, lambda: lab.ws.simulation.profile("svc", service_time="100ms")
    )

    assert [each.latency for each in lab.score_at(0, 0)] == [1_003_000, 1_103_000]


def test_more_workers_come_with_new_containers(lab: Any) -> None:
    """Two at once only after a restart."""
    service = steady(lab, service_time="1s")
    service.update(replica_max_concurrent_requests=2)
    lab.ws.simulation.advance("1s")
    lab.ws.simulation.profile("svc", workers=2)

    assert [each.latency for each in lab.score_at(0, 0)] == [1_003_000, 2_003_000]
    lab.ws.simulation.fault("replica_kill")
    lab.ws.simulation.advance("10s")
    assert [each.latency for each in lab.score_at(0, 0)] == [1_003_000, 1_003_000]


def test_a_failure_rate(lab: Any) -> None:
    """Traffic and single requests fail alike, as if the script had raised."""
    steady(lab, failure_rate=1)

    response = lab.score()
    assert (response.status, response.reason) == (502, "run_failed")
    assert b"unexpected error occurred in scoring script" in response.body
    lab.ws.simulation.profile("svc", failure_rate=0.25)
    lab.ws.simulation.traffic("svc", shape="constant", rate=10, lasts="200s")
    lab.ws.simulation.advance("201s")

    answers = seen(lab).answers
    assert sum(answers.values()) == 1999
    assert abs(answers[502] / 1999 - 0.25) < 4 * (0.25 * 0.75 / 1999) ** 0.5
    assert seen(lab).error_rate == pytest.approx(answers[502] / 1999)


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"\x00raw", b"\x00raw"), (None, b"{}"), ("text", b'"text"'), ([1, {"a": None}], b'[1, {"a": null}]'),
        (lambda body: {"got": body}, b'{"got": "ask"}'), (len, b"3"), (0, b"0"), (False, b"false"),
    ],
)  # fmt: skip
def test_replies(lab: Any, reply: Any, body: bytes) -> None:
    """Bytes as they are, values as JSON, functions of the body."""
    steady(lab, reply=reply)

    assert lab.score(body="ask").body == body


def test_a_reply_that_raises_is_a_failed_run(lab: Any) -> None:
    """502 with the server's words, the traceback in the logs; one that returns no JSON is a 500."""
    service = steady(lab, reply=lambda body: 1 / int(body))

    assert lab.score(body="2").body == b"0.5"
    assert lab.score(body="0").status == 502
    assert "ZeroDivisionError" in service.get_logs()
    lab.ws.simulation.profile("svc", reply=lambda _: {1, 2})
    assert lab.score().status == 500


def test_a_reply_in_place_of_a_script(lab: Any) -> None:
    """From one moment to the next, without new pods."""
    service = lab.deploy(script="def init(): pass\ndef run(data): return 'script'\n")
    assert service.run("") == "script"
    events = len(lab.ws.simulation.events)

    lab.ws.simulation.profile("svc", reply="told")
    assert service.run("") == "told"
    assert len(lab.ws.simulation.events) == events


def test_a_reply_that_was_changed_and_told_again(lab: Any) -> None:
    """What is told last is what is answered, the same object or not."""
    reply = {"round": 1}
    service = steady(lab, reply=reply)
    assert service.run("") == {"round": 1}

    reply["round"] = 2
    lab.ws.simulation.profile("svc", reply=reply)

    assert service.run("") == {"round": 2}


def test_a_function_may_use_the_workspace(lab: Any) -> None:
    """It is called at virtual time, and sees it."""
    steady(lab, reply=lambda _: lab.ws.simulation.now)
    before = lab.now

    assert json.loads(lab.score().body) == pytest.approx(before)


# -- traffic and what is observed of it


def test_constant_traffic_to_the_last_figure(lab: Any) -> None:
    """Ten a second of 50 ms each on one replica for ten seconds, all worked out by hand."""
    steady(lab)
    lab.ws.simulation.traffic("svc", shape="constant", rate=10)
    lab.ws.simulation.advance("10s")
    first = seen(lab)
    assert first.answers == {200: 99}  # the hundredth comes at 10 s
    assert first.rate == pytest.approx(9.9)
    lab.ws.simulation.advance("10s")
    second = seen(lab)
    assert second.answers == {200: 100}
    assert second.reasons == {}
    assert second.rate == pytest.approx(10)
    assert second.latency_ms == pytest.approx({"mean": 53, "p50": 53, "p90": 53, "p95": 53, "p99": 53, "max": 53})
    assert second.utilisation == pytest.approx(0.5)
    assert (second.desired, second.replicas, second.queue_length, second.traffic_share) == (1, {"Ready": 1}, 0, 100)
    assert (second.requests, second.error_rate) == (100, 0)


def test_windows_side_by_side_count_each_answer_once(lab: Any) -> None:
    """Also those that come exactly where one ends and the next begins."""
    steady(lab, service_time="1s")
    lab.ws.simulation.traffic("svc", shape="constant", rate=1)
    counts = []
    for _ in range(3):
        lab.ws.simulation.advance("5s")
        counts.append(seen(lab).requests)

    assert counts == [4, 5, 5]
    assert seen(lab, "15s").requests == 14


def test_a_queue_to_the_last_figure(lab: Any) -> None:
    """Two at once on one slot of 2 s: 4 s busy and 2 s waiting in 10 s."""
    service = steady(lab, service_time="2s")
    service.update(max_request_wait_time=20_000)
    lab.ws.simulation.advance("2s")
    lab.ws.simulation.traffic("svc", shape="trace", instants=[1, 1])
    lab.ws.simulation.advance("2s")
    waiting = seen(lab)
    lab.ws.simulation.advance("8s")
    whole = seen(lab, "10s")

    assert (waiting.queue_length, waiting.requests) == (1, 0)
    assert waiting.latency_ms == {}
    assert whole.utilisation == pytest.approx(0.6)
    assert whole.answers == {200: 2}
    assert (whole.latency_ms["mean"], whole.latency_ms["max"]) == (3003, 4003)


def test_two_replicas_are_half_as_busy(lab: Any) -> None:
    """Half a slot of two: a quarter; with two slots each: an eighth."""
    lab.ws.simulation.profile("svc", reply=1)
    service = lab.deploy(num_replicas=2)
    lab.ws.simulation.traffic("svc", shape="constant", rate=10)
    lab.ws.simulation.advance("5s")
    lab.ws.simulation.advance("10s")
    assert seen(lab).utilisation == pytest.approx(0.25)

    service.update(replica_max_concurrent_requests=2)
    lab.ws.simulation.advance("2s")
    lab.ws.simulation.advance("10s")
    assert seen(lab).utilisation == pytest.approx(0.125)


def test_refusals_by_reason(lab: Any) -> None:
    """A slot of 10 s and twenty callers in the first second: one is answered, the rest waits in vain."""
    steady(lab, service_time="10s")
    lab.ws.simulation.traffic("svc", shape="trace", instants=[at / 20 for at in range(20)])
    lab.ws.simulation.advance("20s")

    assert seen(lab).answers == {200: 1, 503: 19}
    assert seen(lab).reasons == {"queue_deadline": 19}
    assert seen(lab).error_rate == pytest.approx(0.95)


def test_answers_that_reach_no_version(lab: Any) -> None:
    """They stand beside the versions."""
    lab.deploy(script="def init(): pass\ndef run(data): return 1\n")
    for _ in range(3):
        lab.score(key="wrong")
    lab.ws.simulation.advance("1s")

    observed = lab.ws.simulation.observe("svc", "2s")
    assert observed.refused == {"unauthorized": 3}
    assert observed.versions["svc"].requests == 0
    assert observed.window == 2 * SECOND


def test_traffic_before_there_is_anything(lab: Any) -> None:
    """404 until the router knows the service, 503 until a replica is ready, then 200."""
    lab.ws.simulation.profile("svc", reply=1)
    lab.deploy(wait=False)
    lab.ws.simulation.traffic("svc", shape="constant", rate=1)
    lab.ws.simulation.advance("30s")

    observed = lab.ws.simulation.observe("svc")
    # built at 10 s and known at 11 s; pulled at 15 s, ready at 20 s and known at 21 s
    assert observed.refused == {"not_found": 10}
    assert observed.versions["svc"].answers == {200: 9, 503: 10}


def test_steps(lab: Any) -> None:
    """Rates by their instants, counted from now: nothing before the first."""
    steady(lab, service_time="1ms")
    lab.ws.simulation.advance("77s")
    lab.ws.simulation.traffic("svc", shape="steps", rate=[40, 0, 10], at=["10s", "20s", "30s"])
    counts = []
    for _ in range(5):
        lab.ws.simulation.advance("10s")
        counts.append(seen(lab).requests)

    assert counts[0] == counts[2] == 0
    assert abs(counts[1] - 400) < 5 * 20
    assert abs(counts[3] - 100) < 5 * 10
    assert counts[4] > 0


def test_a_trace(lab: Any) -> None:
    """At its instants from now, and no more."""
    steady(lab)
    lab.ws.simulation.traffic("svc", shape="trace", instants=[0, 0.5, 0.5, 3])
    lab.ws.simulation.advance("1s")
    first = seen(lab)
    lab.ws.simulation.advance("10s")

    assert (first.answers, seen(lab).answers) == ({200: 3}, {200: 1})


def test_users_who_wait(lab: Any) -> None:
    """Two at one replica of 50 ms: each asks 950 ms after its answer; the second begins half a second after the first."""
    steady(lab)
    clients = lab.ws.simulation.traffic("svc", shape="users", users=2, think_time="947ms", spawn_rate=2)
    assert (clients.shape, clients.rate, clients.users, clients.sent, clients.running) == ("users", None, 2, 0, True)
    lab.ws.simulation.advance("10.2s")

    observed = seen(lab)
    assert observed.answers == {200: 21}  # 50 ms, 3 ms of the router and 947 ms of thinking: one a second each
    assert clients.sent == 21
    clients.stop()
    lab.ws.simulation.advance("10s")
    assert (clients.running, clients.sent, seen(lab).answers) == (False, 21, {})


def test_users_try_again(lab: Any) -> None:
    """With `retry` as for all traffic: the think time follows the last answer."""
    steady(lab, service_time="10s")
    again = {"statuses": [503], "attempts": 3, "backoff": "1s"}
    clients = lab.ws.simulation.traffic("svc", shape="users", users=2, think_time="100s", spawn_rate=2, retry=again)
    lab.ws.simulation.advance("20s")
    # the second: refused at 1 s, at 2.5 s and at 4 s, then thinks
    assert (seen(lab).answers, clients.sent, clients.retries) == ({200: 1, 503: 3}, 4, 2)


def test_traffic_stops(lab: Any) -> None:
    """By its handle, twice if need be; what was sent before is answered; another one goes on."""
    steady(lab, service_time="400ms")
    traffic = lab.ws.simulation.traffic("svc", shape="constant", rate=1)
    lab.ws.simulation.traffic("svc", shape="trace", instants=[9.5])
    lab.ws.simulation.advance("3.1s")
    traffic.stop()
    traffic.stop()
    lab.ws.simulation.advance("10s")

    assert seen(lab, "13.1s").answers == {200: 4}
    assert "svc" in repr(traffic)


def test_traffic_lasts(lab: Any) -> None:
    """Up to its end, that instant not included; for no time: not at all."""
    steady(lab)
    lab.ws.simulation.traffic("svc", shape="constant", rate=1, lasts="10s")
    lab.ws.simulation.traffic("svc", shape="constant", rate=1000, lasts=0)
    lab.ws.simulation.advance("1m")

    assert seen(lab).answers == {200: 9}


def test_clients_that_try_again(lab: Any) -> None:
    """Three attempts a second apart on a service without a replica; stopped, they try no more."""
    steady(lab)
    lab.ws.simulation.profile("svc", init_time="1h")
    lab.ws.simulation.fault("replica_kill")
    lab.ws.simulation.advance("5s")
    again = {"statuses": [503], "attempts": 3, "backoff": "1s"}
    lab.ws.simulation.traffic("svc", shape="trace", instants=[1], retry=again)
    lab.ws.simulation.advance("10s")
    assert seen(lab).answers == {503: 3}

    stopped = lab.ws.simulation.traffic("svc", shape="trace", instants=[1], retry=again)
    lab.ws.simulation.advance("1.5s")
    stopped.stop()
    lab.ws.simulation.advance("10s")
    assert seen(lab, "11.5s").answers == {503: 1}


def test_two_sources_are_not_the_same_chance(lab: Any) -> None:
    """Poisson beside Poisson: their arrivals differ; together they are the sum of both."""
    lab.ws.simulation.profile("svc", service_time="1us", reply=1)
    lab.deploy(replica_max_concurrent_requests=1000)
    alone = []
    for _ in range(2):
        lab.ws.simulation.traffic("svc", rate=5, lasts="100s")
        counts = []
        for _ in range(10):
            lab.ws.simulation.advance("10s")
            counts.append(seen(lab).requests)
        alone.append(counts)

    assert alone[0] != alone[1]
    for counts in alone:
        assert abs(sum(counts) - 500) < 5 * 500**0.5


def test_clients_keep_their_credentials(lab: Any) -> None:
    """Through a new key, and over to tokens: nobody of them is ever refused."""
    service = steady(lab)
    lab.ws.simulation.traffic("svc", shape="constant", rate=10)
    lab.ws.simulation.advance("5s")
    service.regen_key("Primary")
    service.update(auth_enabled=False, token_auth_enabled=True)
    lab.ws.simulation.advance("5s")
    service.update(auth_enabled=False, token_auth_enabled=False)
    lab.ws.simulation.advance("5s")

    observed = lab.ws.simulation.observe("svc", "14s")
    assert observed.refused == {}
    assert set(observed.versions["svc"].answers) == {200}


def test_traffic_follows_the_split(lab: Any) -> None:
    """90 to 10 of 2,000, within four standard deviations; the shares are told as they are asked for."""
    lab.ws.simulation.profile("svc", service_time="1ms", reply=1)
    endpoint = lab.deploy(version_name="blue", traffic_percentile=20)
    endpoint.create_version("green", models=[lab.model], num_replicas=1, traffic_percentile=10)
    lab.ready(endpoint)
    lab.ws.simulation.traffic("svc", shape="constant", rate=20, lasts="100s")
    lab.ws.simulation.advance("101s")

    counts = {name: each.requests for name, each in lab.ws.simulation.observe("svc").versions.items()}
    assert sum(counts.values()) == 1999
    assert abs(counts["green"] / 1999 - 0.1) < 4 * (0.1 * 0.9 / 1999) ** 0.5
    assert seen(lab, version="green").traffic_share == 10


def test_single_requests_beside_traffic(lab: Any) -> None:
    """They are counted together, and wait for each other."""
    steady(lab, service_time="100ms")
    lab.ws.simulation.traffic("svc", shape="constant", rate=1)
    lab.ws.simulation.advance("1s")

    response = lab.score()  # the client of second 1 has just come

    assert response.latency == 203_000
    assert seen(lab, "2s").answers == {200: 2}


# -- faults


def test_faults_count_from_now(lab: Any) -> None:
    """In five seconds is in five seconds, whatever the clock says."""
    steady(lab)
    lab.ws.simulation.advance("100s")
    now = lab.now

    lab.ws.simulation.fault("replica_kill", at="5s")
    lab.ws.simulation.fault("replica_kill", at=2.5)
    lab.ws.simulation.advance("1m")

    assert [at for at, _, _ in happened(lab, "fault_replica_kill")] == [now + 2.5, now + 5]


def test_what_a_killed_replica_costs(lab: Any) -> None:
    """With ten calls a second: one is lost with it; then they wait in its new container, or are refused."""
    steady(lab, init_time="3s")
    lab.ws.simulation.traffic("svc", shape="constant", rate=10)
    lab.ws.simulation.fault("replica_kill", at="5.12s")
    lab.ws.simulation.advance("20s")

    # 5.12 s: the one of 5.1 s dies. The router goes on for a second: one call is in the container, which answers it
    # 3 s later; each other one waits 500 ms in the queue, and those that still wait at 6.12 s are refused then or before.
    answers, reasons = seen(lab).answers, seen(lab).reasons
    assert reasons["replica_lost"] == 1
    assert answers[502] == 1
    assert set(reasons) == {"replica_lost", "queue_deadline", "no_ready_replica"}
    assert sum(answers.values()) == 199
    assert seen(lab, "5s").answers == {200: 50}


def test_a_slow_replica(lab: Any) -> None:
    """Three times as long for ten seconds."""
    steady(lab)
    lab.ws.simulation.fault("slow_replica", factor=3, lasts="10s")

    assert [each.latency for each in lab.score_at(1, 11)] == [153_000, 53_000]


def test_overlapping_faults_of_one_kind_add_up(lab: Any) -> None:
    """Slow-downs multiply while both last; hangs of 10 to 30 s and 20 to 40 s are one of 10 to 40 s."""
    steady(lab)
    lab.ws.simulation.fault("slow_replica", factor=3, lasts="10s")
    lab.ws.simulation.fault("slow_replica", factor=2, at="5s", lasts="10s")

    assert [each.latency for each in lab.score_at(1, 6, 11, 16)] == [153_000, 303_000, 103_000, 53_000]
    lab.ws.simulation.fault("replica_hang", at="10s", lasts="20s")
    lab.ws.simulation.fault("replica_hang", at="20s", lasts="20s")
    assert [each.latency for each in lab.score_at(9.98, 41)] == [30_053_000, 53_000]


def test_a_hanging_replica(lab: Any) -> None:
    """What it has in hand goes on when it does; who comes meanwhile waits in vain."""
    steady(lab)
    lab.ws.simulation.fault("replica_hang", at="1s", lasts="10s")

    held, refused, after = lab.score_at(0.98, 2, 12)

    assert (held.status, held.latency) == (200, 10_053_000)  # 20 ms before, 30 ms after
    assert (refused.status, refused.latency) == (503, 500_000)
    assert (after.status, after.latency) == (200, 53_000)


def test_a_container_that_dies_on_every_third_request(lab: Any) -> None:
    """The third and the sixth of seven that come one after the other are lost."""
    steady(lab, init_time="1s")
    lab.ws.simulation.fault("crash_on_request", request=3, every=True, times=2)
    lab.ws.simulation.advance("1s")

    statuses = [each.status for each in lab.score_at(*range(0, 700, 100))]

    assert statuses == [200, 200, 502, 200, 200, 502, 200]


def test_a_lost_node(lab: Any) -> None:
    """Noticed after 40 s, its pods replaced 300 s later; the other node's replica carries on."""
    lab.ws.simulation.profile("svc", reply=1)
    service = lab.deploy(num_replicas=2)
    nodes = [int(detail.split()[1]) for _, _, detail in happened(lab, "pod_scheduled")]
    lab.ws.simulation.fault("node_loss", node=nodes[0])
    start = lab.now
    lab.ws.simulation.advance("10m")
    service.update_deployment_state()

    assert [at - start for at, _, _ in happened(lab, "node_not_ready")] == [40]
    assert [at - start for at, _, _ in happened(lab, "pod_evicted")] == [340]
    assert (service.state, service.deployment_status["availableReplicas"]) == ("Healthy", 2)


def test_a_failing_init_and_slow_pulls(lab: Any) -> None:
    """A deployment under both takes its time, and comes up when they are over."""
    lab.ws.simulation.profile("svc", reply=1)
    service = lab.deploy(wait=False)
    lab.ws.simulation.fault("image_pull_slow", factor=10)
    lab.ws.simulation.fault("init_failure", lasts="80s")
    service.wait_for_deployment()

    started, failed = happened(lab, "container_started"), happened(lab, "init_failed")
    assert started[0][0] - happened(lab, "pod_scheduled")[0][0] == 50
    assert failed
    assert service.state == "Healthy"
    assert lab.ws.simulation.observe("svc", 1).versions["svc"].replicas == {"Ready": 1}


def test_faults_find_their_service(lab: Any) -> None:
    """One service is meant by itself; among several it has to be named; a node of their cluster has not."""
    steady(lab, "one")
    lab.ws.simulation.fault("replica_kill")
    steady(lab, "two")

    with pytest.raises(InvalidSetting, match=r"fault\.service.*one of one, two"):
        lab.ws.simulation.fault("replica_kill")
    lab.ws.simulation.fault("node_loss", node=3, lasts="1s")
    lab.ws.simulation.fault("replica_kill", service="two", at="2s")
    lab.ws.simulation.advance("3s")

    assert [(subject, detail[:4]) for _, subject, detail in happened(lab, "fault_replica_kill")] == [
        ("one", "one-"), ("two", "two-"),
    ]  # fmt: skip


# -- several at once


def endpoint_on(lab: Any, name: str, target: Any) -> Any:
    """An endpoint with a version `blue` that answers with the endpoint's name."""
    lab.ws.simulation.profile(name, reply=name)
    return lab.deploy(name, on=target, version_name="blue")


def second_cluster(lab: Any) -> Any:
    """Another one."""
    target = ComputeTarget.create(lab.ws, "other", AksCompute.provisioning_configuration())
    target.wait_for_completion()
    return target


@pytest.mark.parametrize("apart", [True, False])
def test_endpoints_with_versions_of_the_same_name(lab: Any, apart: bool) -> None:
    """On one cluster or on two: requests, counts, times and replies of one are not the other's."""
    one = endpoint_on(lab, "one", lab.aks)
    two = endpoint_on(lab, "two", second_cluster(lab) if apart else lab.aks)
    lab.ws.simulation.traffic("one", shape="constant", rate=10)
    lab.ws.simulation.advance("2s")
    lab.ws.simulation.advance("10s")

    assert (seen(lab, None, "one", "blue").requests, seen(lab, None, "two", "blue").requests) == (100, 0)
    assert (one.run(""), two.run("")) == ("one", "two")
    lab.ws.simulation.profile("two", version="blue", service_time="1s", reply="new")
    assert lab.score("one").status == 200
    assert lab.score("two").latency == 1_003_000
    assert (one.run(""), two.run("")) == ("one", "new")
    lab.ws.simulation.fault("crash_on_request", service="two", request=1)
    lab.ws.simulation.advance("5s")
    assert set(seen(lab, "5s", "one", "blue").answers) == {200}
    two.update_version("blue", num_replicas=3)
    lab.ws.simulation.advance("30s")
    assert seen(lab, 1, "one", "blue").desired == 1
    two.delete()
    assert one.run("") == "one"


@pytest.mark.parametrize(
    "apart",
    [
        True,
        False,
    ],
)
def test_a_failing_init_is_one_services_own(lab: Any, apart: bool) -> None:
    """The fault on `one` leaves the version of the same name of `two` alone."""
    endpoint_on(lab, "one", lab.aks)
    endpoint_on(lab, "two", second_cluster(lab) if apart else lab.aks)
    lab.ws.simulation.fault("init_failure", service="one", lasts="10m")
    lab.ws.simulation.fault("replica_kill", service="two")
    lab.ws.simulation.advance("1m")

    assert seen(lab, 1, "two", "blue").replicas == {"Ready": 1}


@pytest.mark.parametrize("apart", [True, False])
def test_how_pods_came_up_is_told_of_their_own_service(lab: Any, apart: bool) -> None:
    """`get_logs(init=True)` of each knows one pod, and not the other's."""
    one = endpoint_on(lab, "one", lab.aks)
    two = endpoint_on(lab, "two", second_cluster(lab) if apart else lab.aks)
    assert [each.get_logs(init=True).count("pod_ready") for each in (one, two)] == [1, 1]


def test_a_services_name_may_begin_with_anothers(lab: Any) -> None:
    """`svc` is told nothing of `svc-two`."""
    steady(lab)
    steady(lab, "svc-two")

    assert "svc-two" not in lab.ws.webservices["svc"].get_logs(init=True)


# -- time


def test_advance(lab: Any) -> None:
    """By the clock of the workspace; to nowhere is nowhere; spans as everywhere."""
    now = lab.ws.clock.now()
    for span in ("1.5s", 2, "250ms", 0, "1us", "1h"):
        lab.ws.simulation.advance(span)

    assert lab.ws.clock.now() - now == 3_600_000_000 + 3_750_001
    lab.ws.clock.sleep_until(lab.ws.clock.now() + 5)
    assert lab.ws.clock.now() - now == 3_600_000_000 + 3_750_006
    assert lab.ws.simulation.now == lab.ws.clock.now() / SECOND


def test_events_in_their_order(lab: Any) -> None:
    """Of all clusters and services, with their seconds; the list is the caller's."""
    steady(lab)
    steady(lab, "other", init_time="9s")
    events = lab.ws.simulation.events
    assert [at for at, *_ in events] == sorted(at for at, *_ in events)
    assert {"operation_started", "pod_created", "pod_ready", "service_state", "operation_ended"} <= {
        kind for _, kind, _, _ in events
    }
    events.clear()
    assert lab.ws.simulation.events


def test_events_tell_every_state(lab: Any) -> None:
    """Also that a service is well again because the version that had failed is taken away."""
    lab.ws.simulation.profile("svc", reply=1)
    endpoint = lab.deploy(version_name="blue")
    endpoint.create_version("green", models=[lab.model], num_replicas=1, cpu_cores=50)
    with pytest.raises(WebserviceException, match="Unschedulable"):
        endpoint.wait_for_deployment()

    endpoint.delete_version("green")

    assert endpoint.state == "Healthy"
    assert [detail for _, _, detail in happened(lab, "service_state")] == [
        "Transitioning", "Healthy", "Transitioning", "Unschedulable", "Healthy",
    ]  # fmt: skip


def test_a_service_that_is_gone(lab: Any) -> None:
    """It cannot be looked at, called or broken any more."""
    steady(lab).delete()
    lab.ws.simulation.advance("5s")

    acts: list[Callable[[], Any]] = [
        lambda: lab.ws.simulation.observe("svc", 1), lambda: lab.ws.simulation.traffic("svc", rate=1),
        lambda: lab.ws.simulation.fault("replica_kill", service="svc"), lambda: lab.ws.backend.observe("svc", SECOND),
    ]  # fmt: skip
    for act in acts:
        with pytest.raises(NotFound, match="svc"):
            act()


def test_a_name_that_is_used_again_begins_anew(lab: Any) -> None:
    """Neither the old traffic nor the old answers nor the old logs come back; the profile is kept."""
    service = steady(lab, service_time="20ms")
    lab.ws.simulation.traffic("svc", shape="constant", rate=10)
    lab.ws.simulation.advance("10s")
    service.delete()
    lab.deploy()
    lab.ws.simulation.advance("10s")

    assert seen(lab, "1h").requests == 0
    assert lab.score().latency == 23_000


# -- clusters


def test_a_described_cluster(lab: Any) -> None:
    """It has the nodes that were told when it is attached; its document says so."""
    lab.ws.simulation.cluster("mine", nodes=5, vm_size="Standard_D4s_v5")
    config = AksCompute.attach_configuration(resource_group="group", cluster_name="theirs")
    target = ComputeTarget.attach(lab.ws, "mine", config)
    target.wait_for_completion()
    lab.ws.simulation.profile("svc", reply=1)
    lab.deploy(on=target)

    assert (target.agent_count, target.agent_vm_size, target.is_attached) == (5, "Standard_D4s_v5", True)
    lab.ws.simulation.fault("node_loss", node=5, lasts="1s")
    with pytest.raises(InvalidSetting, match=r"fault\.node: 6.*1 to 5"):
        lab.ws.simulation.fault("node_loss", node=6)
    with pytest.raises(InvalidSetting, match=r"cluster\.name.*'mine'"):
        lab.ws.simulation.cluster("mine")


def test_a_cluster_that_nobody_described(lab: Any) -> None:
    """Three Standard_D3_v2 (semantics §6.6)."""
    target = ComputeTarget.attach(lab.ws, "mine", AksCompute.attach_configuration(resource_group="g", cluster_name="c"))
    target.wait_for_completion()
    assert (target.agent_count, target.agent_vm_size) == (3, "Standard_D3_v2")


def test_a_cluster_that_cannot_be(lab: Any) -> None:
    """Too small for its router: refused when it is described or attached, and there is no compute target then."""
    with pytest.raises(AksError, match=r"cluster\.vm_size"):  # noqa: PT012 - one or the other
        lab.ws.simulation.cluster("mine", nodes=1, vm_size={"cpu_cores": 1, "memory_gb": 4})
        config = AksCompute.attach_configuration(resource_group="g", cluster_name="c", cluster_purpose="DevTest")
        ComputeTarget.attach(lab.ws, "mine", config).wait_for_completion()
    assert list(lab.ws.compute_targets) == ["aks"]


def test_a_cluster_without_room_for_routers() -> None:
    """By the assumptions: refused, and the operation that would make it never begins."""
    ws = Workspace.simulated(assumptions={"router_cpu": 5})
    config = AksCompute.provisioning_configuration()

    with pytest.raises(AksError, match=r"router"):
        ComputeTarget.create(ws, "mine", config).wait_for_completion()

    assert ws.compute_targets == {}


def test_nodes_of_ones_own_size(lab: Any) -> None:
    """Cores and memory by number: two pods of 3 cores fit on two nodes of 4.5, a third does not."""
    lab.ws.simulation.cluster("mine", nodes=2, vm_size={"cpu_cores": 4.5, "memory_gb": 16})
    config = AksCompute.attach_configuration(resource_group="g", cluster_name="c", cluster_purpose="DevTest")
    target = ComputeTarget.attach(lab.ws, "mine", config)
    target.wait_for_completion()
    lab.ws.simulation.profile("svc", reply=1)
    service = lab.deploy(on=target, cpu_cores=2.5, num_replicas=3, wait=False)
    lab.ws.simulation.advance("1m")

    assert seen(lab, 1).replicas == {"Pending": 1, "Ready": 2}
    service.update(num_replicas=2)
    lab.ready(service)
    assert service.state == "Healthy"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("STANDARD_DS3_V2", "Standard_DS3_v2"), ("Standard_NC6", "Standard_D3"), ("Standard_Own", "Standard_D3")],
)
def test_a_described_cluster_is_there_before_it_is_made(lab: Any, asked: str, shown: str) -> None:
    """`ComputeTarget.create` then makes what was described, whatever size it asks for; a name that fits is kept."""
    lab.ws.simulation.cluster("mine", nodes=3, vm_size={"cpu_cores": 4, "memory_gb": 14})
    target = ComputeTarget.create(lab.ws, "mine", AksCompute.provisioning_configuration(vm_size=asked))
    target.wait_for_completion()
    assert (target.agent_count, target.agent_vm_size) == (3, shown)


def test_a_cluster_is_created_with_nodes_of_ones_own_size(lab: Any) -> None:
    """Where azureml-core takes a name, a description does as well."""
    own = AksCompute.provisioning_configuration(vm_size={"cpu_cores": 7, "memory_gb": 14}, agent_count=4)
    target = ComputeTarget.create(lab.ws, "mine", own)
    target.wait_for_completion()
    assert target.agent_vm_size == "7 cores, 14 GB, 0 GPUs"
    lab.ws.simulation.profile("svc", reply=1)
    assert lab.deploy(on=target, cpu_cores=4.5, num_replicas=2).state == "Healthy"


def test_a_cluster_with_an_autoscaler(lab: Any) -> None:
    """A pod that fits nowhere brings a node within three minutes and a scan."""
    lab.ws.simulation.cluster("mine", nodes=1, vm_size="Standard_D3_v2", max_nodes=2)
    config = AksCompute.attach_configuration(resource_group="g", cluster_name="c", cluster_purpose="DevTest")
    target = ComputeTarget.attach(lab.ws, "mine", config)
    target.wait_for_completion()
    lab.ws.simulation.profile("svc", reply=1)
    service = lab.deploy(on=target, cpu_cores=2, num_replicas=2)

    assert service.state == "Healthy"
    (waited,) = happened(lab, "pod_unschedulable")
    (joined,) = happened(lab, "node_joined")
    assert 180 <= joined[0] - waited[0] <= 190


# -- mistakes


MISTAKES: list[Any] = [
    ("profile", ("svc",), {"service_time": "fast"}, r"profile\.service_time.*'fast'.*duration"),
    ("profile", ("svc",), {"service_time": -1}, r"profile\.service_time.*-1"),
    ("profile", ("svc",), {"service_time": {"distribution": "normal", "mean": 1}}, r"profile\.service_time.*normal"),
    ("profile", ("svc",), {"service_time": {"distribution": "gamma", "mean": 1}}, r"profile\.service_time.*cv"),
    ("profile", ("svc",), {"init_time": "soon"}, r"profile\.init_time.*'soon'"),
    ("profile", ("svc",), {"workers": 0}, r"profile\.workers.*0"),
    ("profile", ("svc",), {"workers": 1.5}, r"profile\.workers.*1\.5"),
    ("profile", ("svc",), {"workers": True}, r"profile\.workers.*[Tt]rue"),
    ("profile", ("svc",), {"cpu": 0}, r"profile\.cpu.*0"),
    ("profile", ("svc",), {"failure_rate": 1.5}, r"profile\.failure_rate.*1\.5"),
    ("profile", ("svc",), {"failure_rate": float("nan")}, r"profile\.failure_rate.*nan"),
    ("profile", ("svc",), {"memory": 2}, r"profile\.memory.*2.*with its unit"),
    ("profile", ("svc",), {"memory": {"base": 2}}, r"profile\.memory\.base.*2 MB or 2 GB"),
    ("profile", ("svc",), {"memory": {"per_request": "2GB"}}, r"profile\.memory\.base.*missing"),
    ("profile", ("svc",), {"reply": {1, 2}}, r"reply.*JSON"),
    ("cluster", ("new",), {"nodes": 0}, r"cluster\.nodes.*0"),
    ("cluster", ("new",), {"nodes": "3"}, r"cluster\.nodes.*'3'"),
    ("cluster", ("new",), {"vm_size": "Standard_Nothing"}, r"cluster\.vm_size.*Standard_Nothing"),
    ("cluster", ("new",), {"vm_size": {"cpu_cores": -1, "memory_gb": 1}}, r"cluster\.vm_size.*-1"),
    (
        "cluster",
        ("new",),
        {"nodes": 3, "max_nodes": 2},
        r"cluster\.max_nodes.*2",
    ),
    ("cluster", ("aks",), {}, r"cluster\.name.*'aks'"),
    ("traffic", ("svc",), {}, r"traffic\.rate"),
    ("traffic", ("svc",), {"rate": 0}, r"traffic\.rate.*0"),
    ("traffic", ("svc",), {"rate": "many"}, r"traffic\.rate.*'many'"),
    ("traffic", ("svc",), {"rate": [1, 2]}, r"traffic\.rate.*\[1, 2\]"),
    ("traffic", ("svc",), {"shape": "wave", "rate": 1}, r"traffic\.shape.*'wave'"),
    ("traffic", ("svc",), {"shape": "steps", "rate": [1, 2], "at": [0]}, r"traffic.*2 rates, 1 instants"),
    ("traffic", ("svc",), {"shape": "steps", "rate": [1, 2], "at": ["5s", "1s"]}, r"traffic.*grow"),
    ("traffic", ("svc",), {"shape": "constant", "rate": 1, "at": ["1s"]}, r"traffic\.at"),
    ("traffic", ("svc",), {"shape": "users"}, r"traffic\.users"),
    ("traffic", ("svc",), {"shape": "users", "users": 0, "think_time": "1s"}, r"traffic\.users.*0"),
    ("traffic", ("svc",), {"shape": "users", "users": 1, "think_time": 0}, r"traffic\.think_time.*at least 1ms"),
    ("traffic", ("svc",), {"shape": "users", "users": 1, "think_time": "1s", "rate": 1}, r"traffic\.rate"),
    ("traffic", ("svc",), {"rate": 1, "users": 5}, r"traffic\.users"),
    ("traffic", ("svc",), {"shape": "trace"}, r"traffic\.instants"),
    ("traffic", ("svc",), {"shape": "trace", "instants": [2, 1]}, r"traffic\.instants.*\[2, 1\].*never goes back"),
    ("traffic", ("svc",), {"shape": "trace", "instants": [-1]}, r"traffic\.instants.*-1"),
    (
        "traffic",
        ("svc",),
        {"shape": "trace", "instants": 5},
        r"traffic\.instants.*5",
    ),
    (
        "traffic",
        ("svc",),
        {"shape": "poisson", "rate": 1, "instants": [1]},
        r"traffic\.instants",
    ),
    ("traffic", ("svc",), {"rate": 1, "retry": "always"}, r"clients\.retry.*'always'"),
    ("traffic", ("svc",), {"rate": 1, "retry": {"statuses": [200], "attempts": 2}}, r"clients\.retry.*200"),
    (
        "traffic",
        ("svc",),
        {"rate": 1, "lasts": "long"},
        r"lasts.*'long'.*duration",
    ),
    ("traffic", ("nobody",), {"rate": 1}, r"nobody"),
    ("fault", ("flood",), {}, r"fault\.kind.*'flood'"),
    ("fault", ("node_los",), {"node": 1}, r"fault\.kind.*'node_los'.*node_loss"),
    ("fault", ("node_loss",), {}, r"fault\.node"),
    ("fault", ("node_loss",), {"node": 0}, r"fault\.node.*0"),
    ("fault", ("node_loss",), {"node": 4}, r"fault\.node: 4.*1 to 3"),
    ("fault", ("node_loss",), {"node": 1, "lasts": "x"}, r"fault\.lasts.*'x'"),
    ("fault", ("node_loss",), {"node": 1, "version": "svc"}, r"fault\.version"),
    ("fault", ("replica_kill",), {"version": "blue"}, r"fault\.version.*'blue'.*svc"),
    ("fault", ("replica_kill",), {"count": 0}, r"fault\.count.*0"),
    ("fault", ("replica_kill",), {"at": "-5s"}, r"at.*'-5s'"),
    ("fault", ("replica_kill",), {"service": "nobody"}, r"nobody"),
    ("fault", ("replica_kill",), {"cluster": "nowhere"}, r"fault\.cluster.*'nowhere'.*aks"),
    ("fault", ("slow_replica",), {}, r"fault\.factor"),
    ("fault", ("slow_replica",), {"factor": -1}, r"fault\.factor.*-1"),
    ("fault", ("crash_on_request",), {"request": 0}, r"fault\.request.*0"),
    ("advance", ("soon",), {}, r"span.*'soon'.*duration"),
    ("advance", (-1,), {}, r"span.*-1"),
    ("advance", (None,), {}, r"span"),
    ("advance", (float("inf"),), {}, r"span.*inf"),
    ("observe", ("svc", 0), {}, r"window.*0"),
    ("observe", ("svc", "x"), {}, r"window.*'x'"),
    ("observe", ("nobody",), {}, r"nobody"),
]


@pytest.mark.parametrize(("call", "positional", "named", "said"), MISTAKES)
def test_a_mistake_is_named(lab: Any, call: str, positional: tuple[Any, ...], named: dict[str, Any], said: str) -> None:
    """By its setting, its value and what was expected; and nothing has happened."""
    steady(lab)
    events, now, document = lab.ws.simulation.events, lab.now, lab.ws.backend.get_service("svc")

    with pytest.raises(AksError, match=f"(?s){said}"):
        getattr(lab.ws.simulation, call)(*positional, **named)

    assert (lab.ws.simulation.events, lab.now) == (events, now)
    assert lab.ws.backend.get_service("svc") == document
    assert lab.score().latency == 53_000
    lab.ws.simulation.advance("1m")
    assert seen(lab).answers == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"assumptions": {"image_pul": 3}}, r"image_pul.*image_pull"),
        ({"assumptions": {"image_pull": "fast"}}, r"image_pull.*'fast'"),
        ({"assumptions": {"max_surge": 0, "max_unavailable": 0}}, r"max_surge"),
        ({"assumptions": {"run_failure_status": 503}}, r"run_failure_status.*503"),
        ({"name": ""}, r"name"),
        ({"nickname": "x"}, r"nickname.*setting of a workspace"),
        ({"scenario": "nowhere.yaml"}, r"nowhere\.yaml"),
        ({"scenario": {"duration": "1m"}}, r"webservice|endpoint"),
        ({"scenario": {}, "name": "x"}, r"name.*scenario"),
        ({"seed": "one"}, r"seed.*'one'"),
        ({"seed": -1}, r"seed.*-1"),
        ({"seed": 1.5}, r"seed.*1\.5"),
        ({"assumptions": [1]}, r"assumptions"),
    ],
)
def test_a_mistake_in_a_workspace(given: dict[str, Any], said: str) -> None:
    """The same."""
    with pytest.raises(AksError, match=f"(?s){said}"):
        Workspace.simulated(**given)


# -- scenarios


@pytest.fixture
def opened() -> Iterator[Any]:
    """Opens scenarios as workspaces."""
    made: list[Workspace] = []

    def open_scenario(name: str, **more: Any) -> Workspace:
        made.append(Workspace.simulated(scenario=LIBRARY / f"{name}.yaml", **more))
        return made[-1]

    yield open_scenario
    for ws in made:
        backend: Any = ws.backend
        backend.close()


HEALTHY = {
    "canary_split": ("fraud", AksEndpoint, {"blue", "green"}), "cpu_throttled": ("fraud", AksWebservice, {"fraud"}),
    "one_replica_update": ("fraud", AksWebservice, {"fraud"}), "planning_example": ("fraud", AksWebservice, {"fraud"}),
    "retired_defaults": ("fraud", AksWebservice, {"fraud"}), "retry_storm": ("fraud", AksWebservice, {"fraud"}),
    "rush_hour": ("fraud", AksWebservice, {"fraud"}), "slow_model_liveness": ("slow", AksWebservice, {"slow"}),
}  # fmt: skip


def test_all_scenarios_are_looked_at() -> None:
    """None of the library is forgotten below."""
    names = {path.stem for path in LIBRARY.glob("*.yaml") if not path.stem.endswith(".expected")}

    assert names == {*HEALTHY, "unschedulable", "three_services"}


@pytest.mark.parametrize("name", sorted(HEALTHY))
def test_a_scenario_as_a_workspace(opened: Any, name: str) -> None:
    """Its service is there and Healthy, and its clients call."""
    ws = opened(name)
    service_name, kind, versions = HEALTHY[name]
    service = ws.webservices[service_name]

    assert (type(service), service.state) == (kind, "Healthy")
    assert list(ws.compute_targets) == ["scenario"]
    ws.simulation.advance("2m")
    observed = ws.simulation.observe(service_name)
    assert set(observed.versions) == versions
    assert all(each.answers.get(200) for each in observed.versions.values())


@pytest.mark.parametrize(
    "name",
    sorted(HEALTHY),
)
def test_a_healthy_start_begins_with_replicas_that_are_seen(opened: Any, name: str) -> None:
    """`start: healthy` means the deployment lies in the past: no client of the first second is told there is none."""
    ws = opened(name)
    ws.simulation.advance("5s")
    observed = ws.simulation.observe(HEALTHY[name][0])

    assert [each.reasons.get("no_ready_replica") for each in observed.versions.values()] == [None] * len(
        HEALTHY[name][2]
    )


def test_a_scenarios_canary(opened: Any) -> None:
    """The policy sees that green fails, and takes its traffic away."""
    ws = opened("canary_split")
    assert {name: each.traffic_share for name, each in ws.simulation.observe("fraud", 1).versions.items()} == {
        "blue": 90, "green": 10,
    }  # fmt: skip
    ws.simulation.advance("11m")
    observed = ws.simulation.observe("fraud", "1m").versions
    assert (observed["blue"].traffic_share, observed["green"].traffic_share) == (100, 0)
    assert observed["green"].requests == 0


def test_a_scenarios_operations(opened: Any) -> None:
    """A new model after two minutes replaces the one pod: 85 s without it, as `akstwin run` says."""
    ws = opened("one_replica_update")
    ws.simulation.advance("10m")

    answers = ws.simulation.observe("fraud").versions["fraud"].answers
    assert 845 <= answers.get(503, 0) <= 870


def test_a_scenarios_cold_start(opened: Any) -> None:
    """What does not fit, fails after its 300 s; clients call from the first second."""
    ws = opened("unschedulable")
    service = ws.webservices["fraud"]
    assert service.state == "Transitioning"

    ws.simulation.advance("15m")
    service.update_deployment_state()
    assert service.state == "Unschedulable"
    assert service.error["details"][0]["code"] == "Unschedulable"
    assert ws.simulation.observe("fraud").refused["not_found"] > 0


def test_a_scenarios_three_services(opened: Any) -> None:
    """All are in the workspace, of their kinds; the last finds no room, and the clients of each call it."""
    ws = opened("three_services")
    ws.simulation.advance("15m")
    kinds = {name: (type(service), service.state) for name, service in ws.webservices.items()}

    assert kinds == {
        "fraud": (AksWebservice, "Healthy"), "rates": (AksEndpoint, "Healthy"), "vision": (AksWebservice, "Unschedulable"),
    }  # fmt: skip
    for name, versions in (("fraud", {"fraud"}), ("rates", {"blue"})):
        observed = ws.simulation.observe(name, "1m").versions
        assert set(observed) == versions
        assert all(set(each.answers) == {200} for each in observed.values())


def test_a_scenario_with_faults(opened: Any) -> None:
    """They strike, counted from the start of traffic; content and seed are the caller's."""
    ws = Workspace.simulated(
        scenario={
            "duration": "10m",
            "webservice": {"name": "svc", "deploy": {"num_replicas": 3}, "model": {"service_time": "20ms"}},
            "traffic": {"shape": "constant", "rate": 5},
            "faults": [
                {"at": "1m", "kind": "replica_kill", "count": 2}, {"at": "2m", "kind": "node_loss", "node": 1, "lasts": "1m"},
            ],
        },
        seed=11, assumptions={"image_build": "1s"},
    )  # fmt: skip
    start = ws.simulation.now
    ws.simulation.advance("5m")

    struck = {kind: at - start for at, kind, _, _ in ws.simulation.events if kind.startswith("fault_")}
    assert struck == {"fault_replica_kill": 60, "fault_node_loss": 120}
    assert ws.simulation.observe("svc").versions["svc"].requests > 1400
    backend: Any = ws.backend
    assert backend.seed == 11
    backend.close()


def test_a_scenario_is_the_same_each_time(opened: Any) -> None:
    """One seed, one story; another seed, another one; the scenario's own is 7."""
    stories = []
    for seed in (None, 7, 8):
        ws = opened("rush_hour", seed=seed)
        ws.simulation.advance("3m")
        stories.append((ws.simulation.events, ws.simulation.observe("fraud")))

    assert stories[0] == stories[1]
    assert stories[0] != stories[2]


def test_a_scenarios_service_gets_a_reply(opened: Any) -> None:
    """By the very words that the service answers with as long as it has none."""
    ws = opened("cpu_throttled")
    ws.simulation.advance("10s")

    ws.simulation.profile("fraud", reply="told")

    assert ws.webservices["fraud"].run("{}") == "told"


def test_a_scenarios_service_can_be_worked_with(opened: Any) -> None:
    """As any other: updated, asked, called beside its own clients, deleted."""
    ws = opened("cpu_throttled")
    service = ws.webservices["fraud"]
    ws.simulation.advance("10s")
    ws.simulation.profile("fraud", version="fraud", reply="told")
    assert service.run("{}") == "told"
    service.update(cpu_cores_limit=1)
    service.wait_for_deployment()
    ws.simulation.advance("10s")
    assert service.state == "Healthy"
    assert service.container_resource_requirements.cpu_limit == 1
    before = ws.simulation.observe("fraud", "10s").versions["fraud"].latency_ms["p50"]
    assert before == pytest.approx(203)
    service.delete()
    assert ws.webservices == {}


def test_live_requests_and_traffic_are_observed_once_each(lab: Any) -> None:
    """At once, while no event of the control plane lies between the answers and the look; a second look finds no more."""
    steady(lab, service_time="1ms")
    lab.ws.simulation.advance("30s")
    traffic = lab.ws.simulation.traffic("svc", rate=10, shape="constant")
    lab.ws.simulation.advance("950ms")
    for _ in range(3):
        lab.score()

    first = seen(lab, "20s")
    assert first.answers == {200: traffic.sent + 3}
    assert traffic.sent == 9
    assert seen(lab, "20s").answers == first.answers


# -- memory


MEMORY = {"base": "1.2GB", "per_request": "300MB"}
TOO_MUCH = "OOMKilled, exit code 137: it takes 1.2 GB and 300 MB for each request in it, so that no more than 2 fit"


def test_a_container_that_takes_too_much_memory_is_killed(lab: Any) -> None:
    """Three at once where two fit: 502 for all of them, an event, a line in both logs, and a replica that is back."""
    lab.ws.simulation.profile("svc", reply=1, service_time="1s", memory=MEMORY)
    service = lab.deploy(memory_gb=2, replica_max_concurrent_requests=4)
    answers = lab.score_at(0, 0, 0)
    assert [each.status for each in answers] == [502, 502, 502]
    assert {each.reason for each in answers} == {"replica_lost"}
    ((_, pod, told),) = happened(lab, "oom_killed")
    assert pod.startswith("svc-")
    assert told.startswith(TOO_MUCH)
    assert "oom_killed OOMKilled, exit code 137" in service.get_logs(init=True)
    assert f": {TOO_MUCH}" in service.get_logs()
    lab.ws.simulation.advance("10s")
    assert [each.status for each in lab.score_at(0, 0)] == [200, 200]


def test_memory_holds_from_the_next_request_on(lab: Any) -> None:
    """Told of running replicas; with a higher limit nothing happens."""
    steady(lab)
    lab.ws.simulation.profile("svc", memory={"base": "100MB", "per_request": "500MB"})
    assert lab.score().status == 502  # memory_gb is 0.5
    lab.ws.simulation.profile("svc", memory="400MB")
    lab.ws.simulation.advance("20s")
    assert lab.score().status == 200


def test_a_service_that_takes_too_much_never_gets_healthy(lab: Any) -> None:
    """Its error says why, as does the operation's."""
    lab.ws.simulation.profile("svc", reply=1, memory="3GB")
    service = lab.deploy(wait=False, memory_gb=1)
    with pytest.raises(
        WebserviceException, match="OOMKilled, exit code 137: it takes 3 GB without any request, above its limit"
    ):
        service.wait_for_deployment()
    assert service.state == "Failed"
    service.update_deployment_state()
    assert "OOMKilled" in str(service.error)
    assert "OOMKilled, exit code 137" in service.get_logs()
