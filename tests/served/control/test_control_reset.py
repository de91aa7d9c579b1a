"""A reset: the workspace as new, of the same seed."""

import asyncio
from collections.abc import Callable
from typing import Any

from akstwin.clock import SECOND

Town = Any
Serve = Callable[..., None]


def test_everything_is_as_at_the_start(serve: Serve) -> None:
    """Clock, services, journal, metrics, faults; and what follows is what followed."""

    async def scene(town: Town) -> None:
        async def story() -> list[Any]:
            town.deploy()
            await town.call("POST", "profile/svc", {"service_time": {"distribution": "exponential", "mean": "80ms"}})
            answers = [await town.score() for _ in range(5)]
            told = [(answer.status_code, answer.headers["x-ms-request-id"]) for answer in answers]
            return [town.keys["svc"], told, await town.call("GET", "journal")]

        first = await story()
        await town.call("POST", "faults", {"kind": "drop_connection"})
        assert (await town.call("POST", "reset"))["now"] == 0
        assert await town.call("GET", "faults") == []
        assert (await town.call("GET", "journal")) == {"total": 0, "dropped": 0, "entries": []}
        assert "akstwin_requests_total{" not in (await town.http.get("/_akstwin/metrics")).text
        assert (await town.score("svc", authorization="Bearer x")).status_code == 404
        await town.call("POST", "reset")
        assert await story() == first

    serve(scene, clock="jump")


def test_on_a_manual_clock(serve: Serve) -> None:
    """It begins at 0 and stands still."""

    async def scene(town: Town) -> None:
        await town.call("POST", "clock", {"advance": "1h"})
        assert await town.call("POST", "reset") == {"now": 0, "epoch": 1767225600.0, "mode": "manual", "rate": 1.0}
        assert (await town.call("GET", "clock"))["now"] == 0

    serve(scene, clock="manual")


def test_scoring_uris_stay(serve: Serve) -> None:
    """They still point at the server."""

    async def scene(town: Town) -> None:
        before = town.deploy().scoring_uri
        await town.call("POST", "reset")
        assert town.deploy().scoring_uri == before
        assert before.startswith(town.server.first.http)

    serve(scene)


def test_what_is_under_way_is_answered_first(serve: Serve) -> None:
    """By the old world, at once: nobody waits for ever."""

    async def scene(town: Town) -> None:
        town.deploy()
        await town.call("POST", "profile/svc", {"service_time": "20s"})
        asked = [asyncio.ensure_future(town.score()) for _ in range(3)]
        bulk = asyncio.ensure_future(town.call("POST", "score/svc", [{"at": 0}]))
        await town.until(lambda: len(asked) + 1 == town.under_way() + sum(each.done() for each in (*asked, bulk)))
        await town.call("POST", "reset")
        assert sorted([(await each).status_code for each in asked]) == [200, 503, 503]
        assert len(await bulk) == 1
        assert (await town.call("GET", "clock"))["now"] == 0

    serve(scene, clock="manual")


def test_sleepers_are_told(serve: Serve) -> None:
    """Their clock is gone."""

    async def scene(town: Town) -> None:
        sleeping = asyncio.ensure_future(town.call("POST", "clock", {"sleep_until": 10 * SECOND}, expect=409))
        await town.until(lambda: town.workspace.backend.calendar.peek() == 10 * SECOND)
        await town.call("POST", "reset")
        assert "reset" in (await sleeping)["message"]

    serve(scene, clock="manual")


def test_simulated_traffic_ends(serve: Serve) -> None:
    """It belonged to the old world."""

    async def scene(town: Town) -> None:
        town.deploy()
        await town.call("POST", "traffic/svc", {"rate": 50})
        await town.call("POST", "clock", {"advance": "5s"})
        await town.call("POST", "reset")
        town.deploy()
        await town.call("POST", "clock", {"advance": "5s"})
        assert (await town.call("GET", "observe/svc"))["versions"]["svc"]["answers"] == {}

    serve(scene)


def test_served_scripts_end_with_it(serve: Serve) -> None:
    """What the old world ran in threads and processes is let go, what the new one runs is kept."""

    async def scene(town: Town) -> None:
        old = town.workspace.backend
        await town.call("POST", "reset")
        assert town.workspace.backend is not old
        assert town.server.first.workspace is town.control.workspace
        town.workspace.close()  # the new world's own; a second time is no mistake

    serve(scene)
