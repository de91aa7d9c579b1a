"""Faults by their cause over the wire: they strike as `ws.simulation.fault` does, and can be ended."""

from collections.abc import Callable
from typing import Any

import pytest

from akstwin import Model

Town = Any
Serve = Callable[..., None]


async def states(town: Town) -> dict[str, int]:
    """Pods by state."""
    found: dict[str, int] = (await town.call("GET", "observe/svc"))["versions"]["svc"]["replicas"]
    return found


def test_a_replica_is_killed(serve: Serve) -> None:
    """At once; it comes back by itself."""

    async def scene(town: Town) -> None:
        town.deploy(num_replicas=2)
        made = await town.call("POST", "faults", {"kind": "replica_kill", "service": "svc", "count": 1})
        assert (made["id"], made["kind"], made["count"], made["struck"]) == ("f1", "replica_kill", 1, 1)
        assert (await states(town)).get("Ready") == 1
        await town.call("POST", "clock", {"advance": "5m"})
        assert await states(town) == {"Ready": 2}
        assert (await town.call("GET", "faults"))[0]["struck"] == 1

    serve(scene, clock="manual")


def test_planned_ones_strike_at_their_time(serve: Serve) -> None:
    """Not before; one that is ended before does not strike at all."""

    async def scene(town: Town) -> None:
        town.deploy(num_replicas=2)
        await town.call("POST", "faults", {"kind": "replica_kill", "at": "60s"})
        await town.call("POST", "faults", {"kind": "replica_kill", "at": "61s", "count": 2})
        await town.call("DELETE", "faults/f2")
        await town.call("POST", "clock", {"advance": "59s"})
        (fault,) = await town.call("GET", "faults")
        assert (fault["state"], fault["struck"]) == ("planned", 0)
        assert await states(town) == {"Ready": 2}
        await town.call("POST", "clock", {"advance": "1s"})
        (fault,) = await town.call("GET", "faults")
        assert (fault["state"], fault["struck"]) == ("over", 1)
        await town.call("POST", "clock", {"advance": "1s"})
        assert (await states(town)).get("Ready") == 1

    serve(scene, clock="manual")


@pytest.mark.parametrize("by", ["lasts", "delete"])
def test_slow_replicas(serve: Serve, by: str) -> None:
    """They are slow until the fault ends, by itself or by a call."""

    async def scene(town: Town) -> None:
        town.deploy()

        async def latency() -> int:
            await town.score()
            return int((await town.journal()).entries[-1].latency)

        lasts = {"lasts": "10s"} if by == "lasts" else {}
        await town.call("POST", "faults", {"kind": "slow_replica", "factor": 3, **lasts})
        assert await latency() == 153_000
        if by == "lasts":
            await town.call("POST", "clock", {"advance": "10s"})
        else:
            assert (await town.call("DELETE", "faults/f1"))["struck"] == 1
        assert await latency() == 53_000
        assert len(await town.call("DELETE", "faults")) == (0 if by == "delete" else 1)
        assert await latency() == 53_000

    serve(scene)


@pytest.mark.parametrize("by", ["lasts", "delete"])
def test_hanging_replicas(serve: Serve, by: str) -> None:
    """They go on where they stopped."""

    async def scene(town: Town) -> None:
        town.deploy()
        lasts = {"lasts": "2s"} if by == "lasts" else {}
        await town.call("POST", "faults", {"kind": "replica_hang", **lasts})
        key = ["authorization", f"Bearer {town.keys['svc']}"]
        if by == "delete":
            await town.call("POST", "clock", {"advance": "2s"})
            await town.call("DELETE", "faults/f1")
        (answer,) = await town.call("POST", "score/svc", [{"headers": [key]}])
        assert answer["status"] == 200
        assert answer["latency"] == (2_053_000 if by == "lasts" else 53_000)

    serve(scene)


def test_of_two_overlapping_slow_downs_the_end_of_one_leaves_the_other(serve: Serve) -> None:
    """Factors multiply; ending the first by a call and the second by its time ends each alone."""

    async def scene(town: Town) -> None:
        town.deploy()

        async def latency() -> int:
            await town.score()
            return int((await town.journal()).entries[-1].latency)

        await town.call("POST", "faults", {"kind": "slow_replica", "factor": 2})
        await town.call("POST", "faults", {"kind": "slow_replica", "factor": 3, "lasts": "60s"})
        assert await latency() == 303_000
        await town.call("DELETE", "faults/f1")
        assert await latency() == 153_000
        await town.call("POST", "clock", {"advance": "60s"})
        assert await latency() == 53_000

    serve(scene)


def test_of_two_overlapping_hangs_the_end_of_one_leaves_the_other(serve: Serve) -> None:
    """The replica answers when the longer one is over."""

    async def scene(town: Town) -> None:
        town.deploy()
        await town.call("POST", "faults", {"kind": "replica_hang", "lasts": "2s"})
        await town.call("POST", "faults", {"kind": "replica_hang"})
        key = ["authorization", f"Bearer {town.keys['svc']}"]
        await town.call("POST", "clock", {"advance": "4s"})
        await town.call("DELETE", "faults/f2")
        (answer,) = await town.call("POST", "score/svc", [{"headers": [key]}])
        assert (answer["status"], answer["latency"]) == (200, 53_000)

    serve(scene)


@pytest.mark.parametrize("by", ["lasts", "delete"])
def test_a_lost_node(serve: Serve, by: str) -> None:
    """It comes back with its pods."""

    async def scene(town: Town) -> None:
        town.deploy(num_replicas=1)
        lasts = {"lasts": "100s"} if by == "lasts" else {}
        await town.call("POST", "faults", {"kind": "node_loss", "node": 1, **lasts})
        await town.call("POST", "clock", {"advance": "60s"})
        assert "Ready" not in await states(town)
        if by == "delete":
            await town.call("DELETE", "faults/f1")
        await town.call("POST", "clock", {"advance": "41s"})
        assert (await states(town)).get("Ready") == 1

    serve(scene, clock="manual")


@pytest.mark.parametrize("by", ["lasts", "delete"])
@pytest.mark.parametrize("fault", [{"kind": "init_failure"}, {"kind": "image_pull_slow", "factor": 100}])
def test_replicas_that_do_not_come_up(serve: Serve, by: str, fault: dict[str, Any]) -> None:
    """Until the fault ends; what was deployed before is not touched."""

    async def scene(town: Town) -> None:
        town.deploy()
        lasts = {"lasts": "1s"} if by == "lasts" else {}
        await town.call("POST", "faults", {**fault, **lasts})
        await town.call("POST", "clock", {"advance": "2s"})
        if by == "delete":
            await town.call("DELETE", "faults/f1")
        else:
            assert (await town.call("GET", "faults"))[0]["state"] == "over"
        started = town.workspace.clock.now()
        town.deploy("later")
        assert town.workspace.clock.now() - started < 60_000_000

    serve(scene, clock="manual")


def test_a_crash_cannot_be_taken_back(serve: Serve) -> None:
    """It says so, and stays in the list."""

    async def scene(town: Town) -> None:
        town.deploy()
        await town.call("POST", "faults", {"kind": "crash_on_request", "request": 2})
        assert [(await town.score()).status_code for _ in range(2)] == [200, 502]
        assert "cannot be taken back" in (await town.call("DELETE", "faults/f1", expect=409))["message"]
        assert await town.call("DELETE", "faults") == []
        assert len(await town.call("GET", "faults")) == 1

    serve(scene)


def test_what_it_was_meant_for_may_be_gone(serve: Serve) -> None:
    """Then the list says so."""

    async def scene(town: Town) -> None:
        town.deploy()
        town.deploy("two")
        await town.call("POST", "faults", {"kind": "replica_kill", "service": "svc", "version": "none", "at": "5s"})
        await town.call("POST", "clock", {"advance": "6s"})
        (fault,) = await town.call("GET", "faults")
        assert (fault["state"], fault["struck"]) == ("over", 0)
        assert "fault.version" in fault["refused"]

    serve(scene, clock="manual")


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        ({"kind": "replica_kill"}, 400, "fault.service"),
        ({"kind": "replica_kill", "service": "none"}, 404, "none"),
        ({"kind": "node_loss"}, 400, "fault.node"),
        ({"kind": "slow_replica", "factor": 0}, 400, "fault.factor"),
        ({"kind": "replica_kill", "servce": "x"}, 400, "servce"),
        ({"kind": "replica_kill", "at": "soon"}, 400, "fault.at"),
    ],
)
def test_refusals(serve: Serve, given: dict[str, Any], status: int, told: str) -> None:
    """By name; nothing is listed."""

    async def scene(town: Town) -> None:
        assert told in (await town.call("POST", "faults", given, expect=status))["message"]
        assert await town.call("GET", "faults") == []

    serve(scene)


def test_only_the_service_and_the_version_that_it_is_meant_for(serve: Serve) -> None:
    """Others are as they were."""

    async def scene(town: Town) -> None:
        town.deploy("one")
        two = town.deploy("two", version_name="blue", traffic_percentile=100)
        settings = {"num_replicas": 1, "traffic_percentile": 0, "initial_delay_seconds": 100_000_000}
        two.create_version("green", models=[Model(town.sdk, "plain")], **settings)
        two.wait_for_deployment()
        town.workspace.backend.simulation.advance("2s")

        async def latencies() -> tuple[int, ...]:
            await town.score("one")
            await town.score("two", azureml_model_deployment="blue")
            await town.score("two", azureml_model_deployment="green")
            return tuple(entry.latency for entry in (await town.journal()).entries[-3:])

        for match, expected in (
            ({"service": "one"}, (153_000, 53_000, 53_000)),
            ({"service": "two", "version": "blue"}, (53_000, 153_000, 53_000)),
            ({"service": "two", "version": "green"}, (53_000, 53_000, 153_000)),
        ):
            fault = await town.call("POST", "faults", {"kind": "slow_replica", "factor": 3, **match})
            assert await latencies() == expected, match
            await town.call("DELETE", f"faults/{fault['id']}")
        assert await latencies() == (53_000, 53_000, 53_000)

    serve(scene)
