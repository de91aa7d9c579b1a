"""The journal of a server: a row for each request, so many of the latest, and why some were for nobody."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import Micros
from akstwin.domain.identity import client_id
from akstwin.fake_api.control.journal import Journal, Wanted
from akstwin.sim.gateway import InteractiveRequest

Town = Any
Serve = Callable[..., None]


def asked(number: int, name: str = "svc", **headers: str) -> InteractiveRequest:
    """A request that came in at its number."""
    given = tuple((key.replace("_", "-"), value) for key, value in headers.items())
    nowhere: Any = None  # nobody settles it
    made = InteractiveRequest(nowhere, number, name, ScoreRequest(headers=given), None)
    made.sent = Micros(number)
    return made


def response(status: int = 200, version: str | None = "blue", reason: str | None = None) -> ScoreResponse:
    """An answer that took 5 µs."""
    return ScoreResponse(status, (), b"", Micros(5), version, reason)


class TestRows:
    """What is kept, and what is chosen of it."""

    def test_so_many_of_the_latest(self) -> None:
        """Older ones go, and are counted."""
        journal = Journal(kept=3)
        for number in range(10):
            journal.answered(asked(number), response())
        told = journal.document()
        assert (told["total"], told["dropped"]) == (10, 7)
        assert [row["arrived"] for row in told["entries"]] == [7, 8, 9]
        assert [row["arrived"] for row in journal.after(8)] == [8, 9]
        assert [row["id"] for row in journal.after(0)] == [8, 9, 10]
        journal.clear()
        assert journal.document() == {"total": 0, "dropped": 0, "entries": []}

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            ({}, [0, 1, 2, 3]),
            ({"service": "svc"}, [0, 1, 3]),
            ({"version": "green"}, [1]),
            ({"status": 503}, [3]),
            ({"reason": "queue_deadline"}, [3]),
            ({"since": 2}, [2, 3]),
            ({"limit": 2}, [2, 3]),
            ({"service": "svc", "limit": 1}, [3]),
            ({"service": "none"}, []),
            ({"limit": 99}, [0, 1, 2, 3]),
        ],
    )
    def test_choosing(self, wanted: dict[str, Any], expected: list[int]) -> None:
        """All that is given must hold."""
        journal = Journal()
        journal.answered(asked(0), response())
        journal.answered(asked(1), response(version="green"))
        journal.answered(asked(2, "other"), response())
        journal.answered(asked(3), response(503, "blue", "queue_deadline"))
        assert [row["arrived"] for row in journal.document(Wanted(**wanted))["entries"]] == expected

    def test_attempts_are_counted_by_arrival(self) -> None:
        """Of each client's request for itself, whatever the order of the answers."""
        journal = Journal()
        for number in (2, 0, 1):
            journal.answered(asked(number, x_ms_client_request_id="a"), response())
        journal.answered(asked(3, x_ms_client_request_id="b"), response())
        journal.answered(asked(4, "other", X_MS_Client_Request_Id="a"), response())
        journal.answered(asked(5), response())
        attempts = {row["arrived"]: row["attempt"] for row in journal.document()["entries"]}
        assert attempts == {0: 1, 1: 2, 2: 3, 3: 1, 4: 1, 5: None}

    def test_what_a_client_calls_its_request(self) -> None:
        """One name goes before the other; both are cut."""
        assert client_id(()) is None
        assert client_id((("x-request-id", "b"), ("X-MS-CLIENT-REQUEST-ID", "a"))) == "a"
        assert client_id((("X-Request-Id", "b"), ("authorization", "x"))) == "b"
        assert len(client_id((("x-request-id", "b" * 1000),)) or "") == 128


def test_what_came_of_a_request(serve: Serve) -> None:
    """Version, replica, instants, wait, attempt, status and reason; those who came for nothing too."""

    async def scene(town: Town) -> None:
        town.deploy(max_request_wait_time=60)
        key = ["authorization", f"Bearer {town.keys['svc']}"]
        start = town.workspace.clock.now()
        sent = [
            {"at": at, "headers": [key, ["x-ms-client-request-id", name]]}
            for at, name in ((0, "a"), (1, "b"), (2, "a"))
        ]
        answers = await town.call("POST", "score/svc", sent)
        assert sorted(each["status"] for each in answers) == [200, 200, 503]
        first, second, third = sorted(await town.journal(), key=lambda entry: entry.arrived)
        assert (first.service, first.version, first.status, first.reason) == ("svc", "svc", 200, None)
        assert (first.arrived, first.dispatched, first.started) == (start, start, start)
        assert (first.answered, first.queue_wait, first.attempt) == (start + 53_000, 0, 1)
        assert (
            second.queue_wait == second.dispatched - second.arrived == 49_999
        )  # until the router knows of the free slot
        assert (third.status, third.reason, third.dispatched, third.attempt) == (503, "queue_deadline", None, 2)
        assert (third.version, third.replica, third.answered - third.arrived) == ("svc", None, 60_000)
        assert first.replica == second.replica == 1
        assert (first.pod, third.pod) == ("svc-1", None)
        ready = await town.call("GET", "history", params={"kind": "pod_ready"})
        assert [each["subject"] for each in ready["events"]] == [first.pod]
        for name, value, count in (
            ("status", 503, 1),
            ("reason", "queue_deadline", 1),
            ("service", "x", 0),
            ("since", start + 1, 2),
        ):
            assert len(await town.journal(**{name: value})) == count
        assert len(await town.journal(limit=1)) == 1
        await town.call("GET", "journal", expect=400, params={"status": "x"})

    serve(scene)


def test_requests_for_nobody(serve: Serve) -> None:
    """The nearest name or route, and what is wrong."""

    async def scene(town: Town) -> None:
        town.deploy("fraud")
        town.deploy("prices", version_name="blue")
        await town.score("fruad")
        await town.http.post("/api/v1/service/fraud/scoer")
        await town.http.post("/api/v1/services/fraud/score")
        await town.score("prices", azureml_model_deployment="blu")
        await town.score("fraud", authorization="Bearer wrong")
        await town.http.post("/api/v1/service/fraud/score")
        await town.score("fraud", authorization="Basic xyz")
        journal = await town.journal()
        notes = [(entry.service, entry.status, entry.note) for entry in journal]
        assert notes[0] == ("fruad", 404, "there is no service fruad; did you mean fraud?")
        assert notes[1] == (None, 404, "nothing is served there; the nearest is /api/v1/service/fraud/score")
        assert notes[2][0] is None
        assert notes[2][2] == "nothing is served there; the nearest is /api/v1/service/fraud/score"
        assert notes[3] == ("prices", 404, "prices has no such version; it has blue")
        assert notes[4:] == [
            ("fraud", 401, "the credential is not valid"),
            ("fraud", 401, "no Authorization header"),
            ("fraud", 401, "Authorization is not Bearer …"),
        ]
        assert len(journal.missed()) == 4

    serve(scene)


def test_the_wrong_verb(serve: Serve) -> None:
    """It is said which one is right."""

    async def scene(town: Town) -> None:
        path = "/modelmanagement/v1.0/subscriptions/s/resourceGroups/r/providers/p/workspaces/w/services/x/listkeys"
        assert (await town.http.get(path)).status_code == 400
        (entry,) = await town.journal()
        assert (entry.status, entry.path, entry.note) == (400, path, "POST is served there, not GET")


def test_long_names_are_cut(serve: Serve) -> None:
    """And those of nobody are no label of a metric: there is no end of them."""

    async def scene(town: Town) -> None:
        await town.score("s" * 5000)
        await town.http.get("/api/v1/service/" + "p" * 5000)
        first, second = await town.journal()
        assert (len(first.service), len(second.path)) == (255, 255)
        metrics = (await town.http.get("/_akstwin/metrics")).text
        assert 'akstwin_requests_total{reason="not_found",service="",status="404",version=""} 1.0' in metrics

    serve(scene)

    serve(scene)


def test_clients_that_went_away(serve: Serve) -> None:
    """499, and why."""

    async def scene(town: Town) -> None:
        town.deploy()
        asking = asyncio.ensure_future(town.score())
        await town.until(lambda: town.under_way() == 1)
        asking.cancel()
        await town.until(lambda: town.under_way() == 0)
        (entry,) = await town.journal()
        assert (entry.status, entry.reason) == (499, "client_aborted")

    serve(scene, clock="manual")
