"""Faults of the connection, and refused management calls: who is struck, how it looks to a client, that it can be repeated."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from akstwin.clock import SECOND
from akstwin.fake_api.control.forms import DropConnection
from akstwin.fake_api.control.interference import Armed

Town = Any
Serve = Callable[..., None]
SERVICES = (
    "/modelmanagement/v1.0/subscriptions/s/resourceGroups/r"
    "/providers/Microsoft.MachineLearningServices/workspaces/w/services"
)


async def outcomes(town: Town, count: int, **headers: str) -> list[int | str]:
    """Statuses, or the names of errors, of requests one after the other."""
    found: list[int | str] = []
    for _ in range(count):
        try:
            found.append((await town.score(**headers)).status_code)
        except httpx.TransportError as error:
            found.append(type(error).__name__)
    return found


class TestOnTheWire:
    """What a client sees."""

    def test_drop(self, serve: Serve) -> None:
        """The connection ends without an answer; the work was done."""

        async def scene(town: Town) -> None:
            town.deploy()
            await town.call("POST", "faults", {"kind": "drop_connection", "count": 1})
            assert await outcomes(town, 2) == ["RemoteProtocolError", 200]
            dropped, answered = await town.journal()
            assert (dropped.status, dropped.faults, answered.faults) == (0, ("f1",), ())
            assert dropped.note == "the answer with 200 did not reach the client"
            (fault,) = await town.call("GET", "faults")
            assert (fault["struck"], fault["state"], fault["met"]) == (1, "over", 1)
            assert not town.control.interference.active

        serve(scene)

    def test_drop_before(self, serve: Serve) -> None:
        """Nobody has seen the request."""

        async def scene(town: Town) -> None:
            town.deploy()
            await town.call("POST", "faults", {"kind": "drop_connection", "count": 1, "before": True})
            assert await outcomes(town, 2) == ["RemoteProtocolError", 200]
            assert (await town.call("GET", "observe/svc"))["versions"]["svc"]["answers"] == {"200": 1}
            dropped, _ = await town.journal()
            assert (dropped.status, dropped.faults, dropped.service, dropped.version) == (0, ("f1",), "svc", None)

        serve(scene)

    @pytest.mark.parametrize("before", [True, False])
    def test_reset(self, serve: Serve, before: bool) -> None:
        """A TCP reset, not an orderly end."""

        async def scene(town: Town) -> None:
            town.deploy()
            await town.call("POST", "faults", {"kind": "reset_connection", "before": before})
            host, port = town.server.first.http.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"POST /api/v1/service/svc/score HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n"
                b"authorization: Bearer " + town.keys["svc"].encode() + b"\r\n\r\n{}"
            )
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

        serve(scene)

    def test_truncate(self, serve: Serve) -> None:
        """Less comes than was promised."""

        async def scene(town: Town) -> None:
            town.deploy(reply="x" * 98)
            await town.call("POST", "faults", {"kind": "truncate_body", "keep": 0.25})
            async with town.http.stream(
                "POST", "/api/v1/service/svc/score", headers={"authorization": f"Bearer {town.keys['svc']}"}
            ) as answer:
                assert answer.headers["content-length"] == "100"
                came = b""
                with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012 - it is the reading that breaks
                    async for part in answer.aiter_raw():
                        came += part
                assert len(came) == 25

        serve(scene)

    def test_delay(self, serve: Serve) -> None:
        """By the server's clock: a jumping one jumps."""

        async def scene(town: Town) -> None:
            town.deploy()
            await town.call("POST", "faults", {"kind": "delay_answer", "by": "30m"})
            before = town.workspace.clock.now()
            assert (await town.score()).status_code == 200
            assert town.workspace.clock.now() == before + 53_000 + 1800 * SECOND
            assert next(iter(await town.journal())).latency == 53_000  # the router's own

        serve(scene)

    def test_a_delay_does_not_outlive_its_world(self, serve: Serve) -> None:
        """After a reset the answer comes at once."""

        async def scene(town: Town) -> None:
            town.deploy()
            await town.call("POST", "faults", {"kind": "delay_answer", "by": "30m"})
            asking = asyncio.ensure_future(town.score())
            await town.until(lambda: town.under_way() == 1)
            await town.call("POST", "clock", {"advance": "1s"})
            await town.call("GET", "clock")
            assert not asking.done()
            await town.call("POST", "reset")
            assert (await asking).status_code == 200

        serve(scene, clock="manual")

    def test_over_tls(self, serve: Serve) -> None:
        """As over a bare connection."""

        async def scene(town: Town) -> None:
            town.deploy(reply="x" * 98)
            context = ssl.create_default_context(cafile=str(town.server.authority))
            bearer = {"authorization": f"Bearer {town.keys['svc']}"}
            for kind in ("drop_connection", "reset_connection", "truncate_body"):
                await town.call("POST", "faults", {"kind": kind})
                async with httpx.AsyncClient(base_url=town.server.first.https, verify=context) as http:
                    with pytest.raises(httpx.TransportError):
                        await http.post("/api/v1/service/svc/score", headers=bearer)
                await town.call("DELETE", "faults")
                async with httpx.AsyncClient(base_url=town.server.first.https, verify=context) as http:
                    assert (await http.post("/api/v1/service/svc/score", headers=bearer)).status_code == 200

        serve(scene)

    def test_the_log_stays_quiet(self, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """What is broken on purpose is no mistake of the server's."""

        async def scene(town: Town) -> None:
            town.deploy()
            for kind in ("drop_connection", "reset_connection", "truncate_body"):
                await town.call("POST", "faults", {"kind": kind, "count": 1})
                await outcomes(town, 2)
            await town.call("POST", "faults", {"kind": "drop_connection", "count": 1, "before": True})
            await outcomes(town, 2)

        serve(scene)
        assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


class TestWhoIsStruck:
    """Service, version, operation, window, share, count."""

    def test_match(self, serve: Serve) -> None:
        """Only what it is meant for."""

        async def scene(town: Town) -> None:
            town.deploy("one")
            town.deploy("two", version_name="blue", traffic_percentile=100)

            async def fails(name: str, **headers: str) -> bool:
                try:
                    await town.score(name, **headers)
                except httpx.RemoteProtocolError:
                    return True
                return False

            for match, expected in (
                ({}, (True, True)),
                ({"service": "one"}, (True, False)),
                ({"version": "blue"}, (False, True)),
                ({"service": "one", "version": "blue"}, (False, False)),
                ({"operation": "swagger"}, (False, False)),
                ({"operation": "score"}, (True, True)),
                ({"operation": "management"}, (False, False)),
                ({"slower_than": "1s"}, (False, False)),
                ({"slower_than": "10ms"}, (True, True)),
            ):
                fault = await town.call("POST", "faults", {"kind": "drop_connection", **match})
                assert (await fails("one"), await fails("two")) == expected, match
                await town.call("DELETE", f"faults/{fault['id']}")
            assert not town.control.interference.active

        serve(scene)

    def test_window(self, serve: Serve) -> None:
        """From when, and for how long, by the server's clock."""

        async def scene(town: Town) -> None:
            town.deploy()
            fault = await town.call("POST", "faults", {"kind": "drop_connection", "at": "10s", "lasts": "5s"})
            assert fault["state"] == "planned"
            assert await outcomes(town, 1) == [200]
            await town.call("POST", "clock", {"advance": "10s"})
            assert await outcomes(town, 1) == ["RemoteProtocolError"]
            assert (await town.call("GET", "faults"))[0]["state"] == "active"
            await town.call("POST", "clock", {"advance": "5s"})
            assert await outcomes(town, 1) == [200]
            assert (await town.call("GET", "faults"))[0]["state"] == "over"

        serve(scene)

    def test_several_at_once(self, serve: Serve) -> None:
        """Late, and cut short."""

        async def scene(town: Town) -> None:
            town.deploy()
            await town.call("POST", "faults", {"kind": "delay_answer", "by": "1s"})
            await town.call("POST", "faults", {"kind": "truncate_body"})
            before = town.workspace.clock.now()
            assert await outcomes(town, 1) == ["RemoteProtocolError"]
            assert town.workspace.clock.now() == before + 1_053_000
            assert next(iter(await town.journal())).faults == ("f1", "f2")

        serve(scene)


class TestItCanBeRepeated:
    """The outcome of request k depends on seed and identity, not on timing."""

    def test_same_seed_same_requests(self, serve: Serve) -> None:
        """On another server; another seed strikes others."""
        struck: list[list[int | str]] = []

        def play(seed: int, fault_seed: int) -> None:
            async def scene(town: Town) -> None:
                town.deploy()
                await town.call("POST", "faults", {"kind": "drop_connection", "share": 0.3, "seed": fault_seed})
                struck.append(await outcomes(town, 40))

            serve(scene, seed=seed)

        for seed, fault_seed in ((7, 0), (7, 0), (8, 0), (7, 1)):
            play(seed, fault_seed)
        assert struck[0] == struck[1]
        assert 4 <= sum(each != 200 for each in struck[0]) <= 20
        assert struck[0] != struck[2]
        assert struck[0] != struck[3]

    def test_the_share_is_kept(self) -> None:
        """Over many requests."""
        armed = Armed("f1", DropConnection(kind="drop_connection", share=0.2), 0, 7)
        assert sum(armed.draws("svc", "score", None, 0) for _ in range(10_000)) in range(1880, 2120)

    def test_one_service_does_not_move_another(self) -> None:
        """Each counts its own requests."""
        alone = Armed("f1", DropConnection(kind="drop_connection", share=0.5), 0, 7)
        mixed = Armed("f9", DropConnection(kind="drop_connection", share=0.5), 0, 7)
        expected = [alone.draws("a", "score", None, 0) for _ in range(50)]
        found = []
        for _ in range(50):
            mixed.draws("b", "score", None, 0)
            found.append(mixed.draws("a", "score", None, 0))
        assert found == expected

    def test_named_requests_are_themselves_in_any_order(self) -> None:
        """Threads and their timing have no part in it: the name and the attempt decide."""
        names = [f"r{at}" for at in range(40)]

        def struck(order: list[str]) -> dict[tuple[str, int], bool]:
            armed = Armed("f1", DropConnection(kind="drop_connection", share=0.5), 0, 7)
            return {(name, attempt): armed.draws("svc", "score", name, 0) for attempt in (1, 2) for name in order}

        forwards, backwards = struck(names), struck(names[::-1])
        assert forwards == backwards
        assert any(forwards[name, 1] != forwards[name, 2] for name in names)

    def test_many_clients_at_once(self, serve: Serve) -> None:
        """Over sockets: one after the other, all together, or in another order."""
        seen: list[dict[str, bool]] = []

        def play(at_once: int, order: list[int]) -> None:
            async def scene(town: Town) -> None:
                town.deploy(num_replicas=8, max_request_wait_time=60_000)
                await town.call("POST", "faults", {"kind": "drop_connection", "share": 0.5})
                gate = asyncio.Semaphore(at_once)

                async def ask(name: str) -> tuple[str, bool]:
                    async with gate:
                        return name, await outcomes(town, 1, x_ms_client_request_id=name) == [200]

                seen.append(dict(await asyncio.gather(*(ask(f"r{at}") for at in order))))

            serve(scene)

        play(1, list(range(32)))
        play(32, list(range(32)))
        play(32, [at * 13 % 32 for at in range(32)])
        assert seen[0] == seen[1] == seen[2]
        assert set(seen[0].values()) == {True, False}


class TestManagement:
    """Calls that are refused, and nothing is done."""

    @pytest.mark.parametrize("status", [409, 429, 500])
    def test_refused(self, serve: Serve, status: int) -> None:
        """With the wording of the service, and a hint when to come again."""

        async def scene(town: Town) -> None:
            given = {
                "kind": "refuse_management",
                "status": status,
                "operation": "get_service",
                "count": 1,
                "retry_after": 7,
            }
            await town.call("POST", "faults", given)
            refused = await town.http.get(f"{SERVICES}/fraud", params={"expand": "true"})
            assert refused.status_code == status
            assert refused.json()["statusCode"] == status
            assert refused.headers["retry-after"] == "7"
            assert (await town.http.get(f"{SERVICES}/fraud")).status_code != status
            (entry,) = await town.journal(service="fraud")
            assert (entry.status, entry.faults, entry.method) == (status, ("f1",), "GET")

        serve(scene)

    def test_match(self, serve: Serve) -> None:
        """By operation and by service; scoring is never refused so."""

        async def scene(town: Town) -> None:
            town.deploy()

            async def status(method: str, path: str) -> int:
                return (await town.http.request(method, path)).status_code

            for match, expected in (
                ({}, (409, 409, 409)),
                ({"service": "a"}, (409, 404, 404)),
                ({"operation": "delete_service"}, (404, 404, 409)),
            ):
                await town.call("POST", "faults", {"kind": "refuse_management", "status": 409, **match})
                found = (
                    await status("GET", f"{SERVICES}/a"),
                    await status("GET", f"{SERVICES}/b"),
                    await status("DELETE", f"{SERVICES}/b"),
                )
                assert tuple(each == 409 for each in found) == tuple(each == 409 for each in expected), match
                assert (await town.score()).status_code == 200
                await town.call("DELETE", "faults")

        serve(scene)

    def test_connections_break_there_too(self, serve: Serve) -> None:
        """With `operation`."""

        async def scene(town: Town) -> None:
            for more in ({}, {"before": True}):
                await town.call(
                    "POST", "faults", {"kind": "drop_connection", "operation": "management", "count": 1, **more}
                )
                with pytest.raises(httpx.RemoteProtocolError):
                    await town.http.get(f"{SERVICES}/a")
                assert (await town.http.get(f"{SERVICES}/a")).status_code < 500

        serve(scene)

    def test_what_gets_through_is_told_as_it_was(self, serve: Serve) -> None:
        """A late answer, and one cut short: the journal has its status, and when it went."""

        async def scene(town: Town) -> None:
            town.deploy()
            began = (await town.call("GET", "clock"))["now"]
            for given in ({"kind": "delay_answer", "by": "2s"}, {"kind": "truncate_body", "keep": 0.5}):
                await town.call("POST", "faults", {**given, "operation": "get_service", "count": 1})
            identity = town.workspace.backend.identity
            given = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.eA"}
            with pytest.raises(httpx.RemoteProtocolError):
                await town.http.get(f"/modelmanagement/v1.0{identity.resource_id}/services/svc", headers=given)
            (entry,) = await town.journal(service="svc")
            assert (entry.status, entry.faults) == (200, ("f1", "f2"))
            assert entry.answered - entry.arrived >= 2_000_000
            assert entry.arrived - began < 2_000_000

        serve(scene)

    def test_control_is_spared(self, serve: Serve) -> None:
        """Or nobody could end it."""

        async def scene(town: Town) -> None:
            await town.call("POST", "faults", {"kind": "drop_connection", "operation": "management", "before": True})
            await town.call("POST", "faults", {"kind": "refuse_management", "status": 500})
            assert len(await town.call("DELETE", "faults")) == 2

        serve(scene)


class TestTheList:
    """Adding, listing, ending."""

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ([], "fault"),
            ({}, "fault.kind"),
            ({"kind": "drop_conection"}, "did you mean drop_connection?"),
            ({"kind": "drop_connection", "share": 0}, "fault.share"),
            ({"kind": "drop_connection", "share": 1.5}, "fault.share"),
            ({"kind": "drop_connection", "srvice": "x"}, "did you mean service?"),
            ({"kind": "drop_connection", "operation": "scoer"}, "did you mean score?"),
            ({"kind": "truncate_body", "keep": 1}, "fault.keep"),
            ({"kind": "delay_answer"}, "fault.by"),
            ({"kind": "refuse_management", "status": 404}, "fault.status"),
            ({"kind": "refuse_management", "status": 409, "count": 0}, "fault.count"),
            ({"kind": "drop_connection", "lasts": "soon"}, "fault.lasts"),
            ({"kind": "drop_connection", "before": True, "version": "green"}, "no version beside `before`"),
            ({"kind": "reset_connection", "before": True, "slower_than": "1s"}, "no slower_than beside `before`"),
            ({"kind": "delay_answer", "by": "1s", "operation": "management", "version": "v"}, "only what is scored"),
            ({"kind": "refuse_management", "status": 503, "operation": "score"}, "management side, not score"),
        ],
    )
    def test_refusals(self, serve: Serve, given: Any, told: str) -> None:
        """By name; nothing is broken."""

        async def scene(town: Town) -> None:
            assert told in (await town.call("POST", "faults", given, expect=400))["message"]
            assert await town.call("GET", "faults") == []
            assert not town.control.interference.active

        serve(scene)

    def test_ending(self, serve: Serve) -> None:
        """One, or all; numbers are not used twice."""

        async def scene(town: Town) -> None:
            town.deploy()
            for _ in range(3):
                await town.call("POST", "faults", {"kind": "drop_connection"})
            assert (await town.call("DELETE", "faults/f2"))["state"] == "ended"
            assert "f2" in (await town.call("DELETE", "faults/f2", expect=404))["message"]
            assert [each["id"] for each in await town.call("GET", "faults")] == ["f1", "f3"]
            assert [each["id"] for each in await town.call("DELETE", "faults")] == ["f1", "f3"]
            assert (await town.call("POST", "faults", {"kind": "drop_connection"}))["id"] == "f4"
            await town.call("DELETE", "faults")
            assert await outcomes(town, 1) == [200]

        serve(scene)
