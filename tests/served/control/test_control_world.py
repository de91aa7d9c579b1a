"""The control API: traffic by its entries, clusters to come, what has happened, replies by document."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

Town = Any
Serve = Callable[..., None]


def test_traffic_by_its_entries(serve: Serve) -> None:
    """Begun, listed, ended one by one; the others go on."""

    async def scene(town: Town) -> None:
        town.deploy(num_replicas=3)
        town.deploy("two")
        first = await town.call("POST", "traffic/svc", {"shape": "constant", "rate": 10})
        assert first == {
            "id": "t1", "service": "svc", "shape": "constant", "rate": 10, "users": None, "sent": 0, "retries": 0,
            "running": True,
        }  # fmt: skip
        assert (await town.call("POST", "traffic/svc", {"shape": "constant", "rate": 1}))["id"] == "t2"
        assert (await town.call("POST", "traffic/two", {"shape": "constant", "rate": 1}))["id"] == "t3"
        await town.call("POST", "clock", {"advance": "10s"})
        assert [(each["id"], each["sent"]) for each in await town.call("GET", "traffic")] == [
            ("t1", 100),
            ("t2", 10),
            ("t3", 10),
        ]
        assert (await town.call("DELETE", "traffic/svc/t1"))["running"] is False
        assert (await town.call("DELETE", "traffic/svc/t1"))["running"] is False
        await town.call("POST", "clock", {"advance": "10s"})
        assert [(each["sent"], each["running"]) for each in await town.call("GET", "traffic")] == [
            (100, False),
            (20, True),
            (20, True),
        ]
        assert [each["id"] for each in await town.call("DELETE", "traffic/svc")] == ["t2"]
        assert [each["running"] for each in await town.call("GET", "traffic")] == [False, False, True]
        for path in ("svc/t9", "svc/t3", "none/t1"):
            assert "is not there" in (await town.call("DELETE", f"traffic/{path}", expect=404))["message"]
        await town.call("POST", "reset")
        assert await town.call("GET", "traffic") == []

    serve(scene, clock="manual")


def test_only_the_latest_that_ended_are_kept(serve: Serve) -> None:
    """What runs is never forgotten."""

    async def scene(town: Town) -> None:
        town.deploy()
        await town.call("POST", "traffic/svc", {"rate": 0.001})
        simulation = town.workspace.backend.simulation
        for _ in range(1005):
            simulation.traffic("svc", shape="trace", instants=[1.0]).stop()
        listed = await town.call("GET", "traffic")
        assert len(listed) <= 1002
        assert (listed[0]["id"], listed[-1]["id"]) == ("t1", "t1006")

    serve(scene, clock="manual")


def test_clusters_to_come(serve: Serve) -> None:
    """They are described before they are attached, and no more after."""

    async def scene(town: Town) -> None:
        assert await town.call("POST", "cluster/aks", {"nodes": 5, "vm_size": "Standard_D4s_v5"}) == {}
        town.deploy()
        world = town.workspace.backend.driver.worlds["aks"]
        assert len(world.nodes.all) == 5
        for name, given, told in (
            ("aks", {}, "it is there already"),
            ("x", {"nodes": 0}, "cluster.nodes: 0 is not at least 1"),
            ("x", {"node": 1}, "did you mean nodes?"),
            ("x", {"vm_size": "Standard_D4s_v55"}, "did you mean Standard_D4s_v5?"),
        ):
            assert told in (await town.call("POST", f"cluster/{name}", given, expect=400))["message"]

    serve(scene)


def test_what_has_happened(serve: Serve) -> None:
    """By kind, subject and time; the latest of it."""

    async def scene(town: Town) -> None:
        town.deploy(num_replicas=2)
        told = await town.call("GET", "history")
        assert told["total"] == len(told["events"]) > 10
        assert set(told["events"][0]) == {"at", "kind", "subject", "detail"}
        ready = await town.call("GET", "history", params={"kind": "pod_ready"})
        assert (ready["total"], len(ready["events"])) == (told["total"], 2)
        latest = await town.call("GET", "history", params={"limit": 1})
        assert latest["events"] == told["events"][-1:]
        at = ready["events"][0]["at"]
        since = await town.call("GET", "history", params={"since": f"{at}us", "subject": ready["events"][0]["subject"]})
        assert since["events"][0]["at"] >= at
        assert "since" in (await town.call("GET", "history", expect=400, params={"since": "soon"}))["message"]
        await town.call("GET", "history", expect=400, params={"limit": 0})

    serve(scene)


def test_replies_by_what_is_asked(serve: Serve) -> None:
    """Over a socket: the first rule that matches, of the version that is asked."""

    async def scene(town: Town) -> None:
        town.deploy(version_name="blue")
        rules = [
            {"match": {"body": {"country": "DE"}}, "reply": {"answer": 1}},
            {"match": {"headers": {"x-echo": "yes"}}, "reply": {"$echo": True}},
            {"match": {"query": {"busy": "1"}}, "reply": {"$fixed": {"status": 503, "text": "busy"}}},
        ]
        assert await town.call("POST", "profile/svc", {"version": "blue", "reply": {"$match": rules}}) == {}
        assert (await town.score(body=b'{"country": "DE"}')).json() == {"answer": 1}
        echo = await town.score(body=b"\x00\xff", x_echo="yes", content_type="image/png")
        assert (echo.content, echo.headers["content-type"]) == (b"\x00\xff", "image/png")
        assert echo.headers["x-ms-server-version"].startswith("azmlinfsrv/")
        assert echo.headers["x-ms-request-id"]
        none = await town.score(body=b"{}")
        assert (none.status_code, none.headers["x-ms-run-function-failed"]) == (502, "True")
        assert "$otherwise" in none.json()["message"]
        busy = await town.http.post(
            "/api/v1/service/svc/score?busy=1", headers={"authorization": f"Bearer {town.keys['svc']}"}
        )
        assert (busy.status_code, busy.text) == (502, "busy")  # a container's failed run is no 503 of the router's
        assert [entry.reason for entry in await town.journal()] == [None, None, "run_failed", "run_failed"]
        await town.call("POST", "profile/svc", {"version": "none", "reply": {"$echo": True}})
        assert (await town.score(body=b'{"country": "DE"}')).json() == {"answer": 1}

    serve(scene)


def test_request_ids_pass_through(serve: Serve) -> None:
    """What a client calls its request comes back; who calls it nothing gets a GUID; refusals have one, too (R14)."""

    async def scene(town: Town) -> None:
        town.deploy()
        own = await town.score(x_ms_client_request_id="c1", x_request_id="r1", traceid="t1")
        assert [own.headers[name] for name in ("x-ms-client-request-id", "x-ms-request-id", "x-request-id", "traceid")] == [
            "c1", "c1", "r1", "t1",
        ]  # fmt: skip
        given = await town.score(x_ms_request_id="m1")
        assert given.headers["x-ms-request-id"] == "m1"
        made = [await town.score(), await town.score(), await town.score(authorization="x"), await town.score("none")]
        assert [each.status_code for each in made] == [200, 200, 401, 404]
        assert len({UUID(each.headers["x-ms-request-id"]) for each in made}) == 4
        assert [entry.client_request_id for entry in await town.journal()] == ["c1", None, None, None, None, None]

    serve(scene)
