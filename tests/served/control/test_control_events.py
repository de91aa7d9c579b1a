"""What a server says of itself as it runs: events and metrics; and that no secret is among it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

Town = Any
Serve = Callable[..., None]


async def told(stream: httpx.Response) -> AsyncIterator[tuple[str, Any, str | None]]:
    """Events: kind, data, id."""
    kind, number = "", None
    async for line in stream.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "id":
            number = value
        elif name == "data":
            yield kind, json.loads(value), number
            number = None


async def seek(events: AsyncIterator[tuple[str, Any, str | None]], kind: str, fits: Callable[[Any], bool]) -> Any:
    """The first event of a kind that fits."""
    async with asyncio.timeout(10):
        async for found, data, _ in events:
            if found == kind and fits(data):
                return data
    raise AssertionError(f"no {kind}")


def test_events_as_they_happen(serve: Serve) -> None:
    """States, operations, pods, scaling, answers, services at a glance, and the beginning of a new world."""

    async def scene(town: Town) -> None:
        async with town.http.stream("GET", "/_akstwin/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            events = told(stream)
            await seek(events, "services", lambda data: data["services"] == {})
            town.deploy(num_replicas=None, autoscale_enabled=True, autoscale_min_replicas=1, autoscale_max_replicas=4)
            for kind in ("operation_started", "pod_created", "pod_ready"):
                await seek(events, "happened", lambda data, kind=kind: data["kind"] == kind)
            await seek(events, "services", lambda data: data["services"]["svc"]["state"] == "Healthy")
            await town.call("POST", "traffic/svc", {"rate": 100})
            await town.call("POST", "clock", {"advance": "10s"})
            scaled = await seek(events, "happened", lambda data: data["kind"] == "scaled")
            assert scaled["subject"] == "svc"
            await town.score()
            answer = await seek(events, "answer", lambda _: True)
            assert (answer["service"], answer["of"]) == ("svc", 1)
            await town.call("POST", "faults", {"kind": "delay_answer", "by": "1s"})
            glance = await seek(events, "services", lambda data: data["faults"])
            assert glance["services"]["svc"]["versions"]["svc"]["desired"] > 1
            await town.call("POST", "reset")
            await seek(events, "reset", lambda _: True)
            await seek(events, "services", lambda data: data["services"] == {} and data["now"] == 0)

    serve(scene)


def test_a_listener_that_comes_back_misses_nothing(serve: Serve) -> None:
    """It says what it knows already."""

    async def scene(town: Town) -> None:
        town.deploy()
        whole = (await town.http.get("/_akstwin/events", params={"follow": "false"})).text
        numbers = [int(line.removeprefix("id: ")) for line in whole.splitlines() if line.startswith("id: ")]
        assert numbers == list(range(len(numbers)))
        headers = {"last-event-id": str(numbers[-3])}
        rest = (await town.http.get("/_akstwin/events", params={"follow": "false"}, headers=headers)).text
        assert [line for line in rest.splitlines() if line.startswith("id: ")] == [f"id: {at}" for at in numbers[-2:]]

    serve(scene)


def test_of_many_answers_some_are_told(serve: Serve) -> None:
    """How many there were is told too."""

    async def scene(town: Town) -> None:
        async with town.http.stream("GET", "/_akstwin/events") as stream:
            events = told(stream)
            await seek(events, "services", lambda _: True)
            await town.call("POST", "score/nobody", [{}] * 100)
            answers = []
            async with asyncio.timeout(10):
                async for kind, data, _ in events:
                    if kind == "answer":
                        answers.append(data)
                    elif answers:
                        break
            assert len(answers) == 20
            assert {each["of"] for each in answers} == {100}

    serve(scene)


def test_metrics(serve: Serve) -> None:
    """Requests by what came of them, latencies, queues, replicas by state, desired, utilisation, faults."""

    async def scene(town: Town) -> None:
        town.deploy(num_replicas=2)
        await town.call("POST", "score/svc", [{"headers": [["authorization", f"Bearer {town.keys['svc']}"]]}] * 8)
        await town.score(authorization="Bearer wrong")
        await town.call("POST", "faults", {"kind": "replica_kill"})
        page = await town.http.get("/_akstwin/metrics")
        assert page.headers["content-type"].startswith("text/plain")
        lines = page.text.splitlines()
        for wanted in (
            'akstwin_requests_total{reason="",service="svc",status="200",version="svc"} 8.0',
            'akstwin_requests_total{reason="unauthorized",service="svc",status="401",version=""} 1.0',
            'akstwin_request_latency_seconds_count{service="svc",version="svc"} 8.0',
            'akstwin_request_latency_seconds_bucket{le="0.075",service="svc",version="svc"} 2.0',
            'akstwin_request_latency_seconds_bucket{le="+Inf",service="svc",version="svc"} 8.0',
            'akstwin_queue_length{service="svc",version="svc"} 0.0',
            'akstwin_replicas_desired{service="svc",version="svc"} 2.0',
            'akstwin_replicas{service="svc",state="Ready",version="svc"} 1.0',
            'akstwin_traffic_share_percent{service="svc",version="svc"} 100.0',
            'akstwin_faults_struck_total{fault="f1",kind="replica_kill"} 1.0',
            "akstwin_journal_dropped_total 0.0",
        ):
            assert wanted in lines
        assert any(line.startswith("akstwin_utilisation_ratio{") for line in lines)

    serve(scene)


def test_no_secret_is_told(serve: Serve) -> None:
    """Neither credentials nor bodies stand in journal, metrics, events, faults, the page."""

    async def scene(town: Town) -> None:
        town.deploy(reply={"answer": "SECRET-ANSWER"})
        await town.call("POST", "faults", {"kind": "truncate_body", "version": "none"})
        secrets = [town.keys["svc"], "SECRET-BODY", "SECRET-ANSWER", "SECRET-WRONG", "SECRET-QUERY", "SECRET-COOKIE"]
        await town.score(body=b'{"data": "SECRET-BODY"}', cookie="SECRET-COOKIE")
        await town.score(authorization="Bearer SECRET-WRONG")
        await town.score(authorization="SECRET-WRONG")
        await town.http.get(
            "/api/v1/service/svc/scor?key=SECRET-QUERY", headers={"authorization": "Bearer SECRET-WRONG"}
        )
        await town.http.post("/nowhere?key=SECRET-QUERY", headers={"authorization": "Bearer SECRET-WRONG"})
        await town.call(
            "POST", "score/svc", [{"headers": [["Authorization", "Bearer SECRET-WRONG"]], "query": "SECRET-QUERY"}]
        )
        for path in (
            "journal",
            "metrics",
            "events?follow=false",
            "faults",
            "observe/svc",
            "openapi.json",
            "docs",
            "health",
        ):
            text = (await town.http.get(f"/_akstwin/{path}")).text
            assert not [secret for secret in secrets if secret in text], path
        assert (await town.journal()).entries

    serve(scene)


def test_who_comes_later_is_told_the_course_from_the_beginning(serve: Serve) -> None:
    """Answers per second and replicas, so that curves begin with the server's history; and again when the clock has jumped."""

    async def scene(town: Town) -> None:
        town.deploy("svc", num_replicas=2)
        backend = town.workspace.backend
        deployed = backend.calendar.now
        backend.simulation.traffic("svc", shape="constant", rate=4)
        await town.http.post("/_akstwin/clock", json={"advance": "100s"})
        async with town.http.stream("GET", "/_akstwin/events") as stream:
            events = told(stream)
            course = (await seek(events, "course", lambda _: True))["services"]["svc"]
            now = backend.calendar.now
            assert [each["at"] for each in course] == sorted({each["at"] for each in course})
            assert course[-1]["at"] == now
            started = [each for each in course if each["at"] > deployed + 20_000_000]
            assert len(course) <= 120
            assert all(each["answers"]["200"] == pytest.approx(4, abs=0.5) for each in started)
            assert {(each["ready"], each["desired"]) for each in started} == {(2, 2)}
            assert course[0]["answers"] == {}
            glance = await seek(events, "services", lambda _: True)
            assert glance["date"] == pytest.approx(backend.epoch + now / 1e6)
            await town.http.post("/_akstwin/clock", json={"advance": "60s"})
            more = (await seek(events, "course", lambda _: True))["services"]["svc"]
            assert now < more[0]["at"] <= now + 20_000_000
            assert more[-1]["at"] >= now + 60_000_000
            assert all(each["answers"]["200"] == pytest.approx(4, abs=0.5) for each in more)

    serve(scene)


def test_a_fault_ends_as_well_as_begins(serve: Serve) -> None:
    """One event each, by itself or by command."""

    async def scene(town: Town) -> None:
        town.deploy()
        for kind, more in (("slow_replica", {"factor": 2}), ("image_pull_slow", {"factor": 3}), ("replica_hang", {})):
            given = {"kind": kind, "at": "1s", "lasts": "2s", **more}
            town.workspace.backend.simulation.fault(
                **given, **({} if kind == "image_pull_slow" else {"service": "svc"})
            )
        await town.http.post("/_akstwin/clock", json={"advance": "5s"})
        happened = [each[1:3] for each in town.workspace.backend.driver.events]
        for kind in ("slow_replica", "image_pull_slow", "replica_hang"):
            assert [each for each in happened if each == ("fault_ended", kind)] == [("fault_ended", kind)]
            assert [each[0] for each in happened].count(f"fault_{kind}") == 1

    serve(scene)
