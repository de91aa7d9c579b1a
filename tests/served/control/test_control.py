"""The control API: time, looking, profiles, traffic, requests in bulk."""

import asyncio
import base64
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin import AksCompute, AksEndpoint, ComputeTarget, Model, Workspace
from akstwin.backend import ScoreRequest
from akstwin.clock import SECOND, Micros
from akstwin.domain.assumed import read_assumptions
from akstwin.sim.backend import SimulatedBackend

Town = Any
Serve = Callable[..., None]


def in_process(program: str, folder: Path) -> str:
    """What a program of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_health_needs_no_fastapi(tmp_path: Path) -> None:
    """It is asked for while a server starts."""
    printed = in_process(
        """
        import asyncio, http.client, sys
        from akstwin.fake_api.server import FakeServer, Settings

        def ask(url):
            connection = http.client.HTTPConnection(url.removeprefix("http://"))
            connection.request("GET", "/_akstwin/health")
            return connection.getresponse().read().decode()

        async def main():
            server = FakeServer(Settings(port=0, tls_port=0))
            await server.start()
            await server.ready()
            print(await asyncio.to_thread(ask, server.first.http))
            print({"fastapi", "prometheus_client", "starlette"} & set(sys.modules))
            await server.close()

        asyncio.run(main())
        """,
        tmp_path,
    )
    health, modules = printed.splitlines()
    assert '"status": "ok"' in health
    assert '"clock": "live"' in health
    assert '"workspace": "akstwin"' in health
    assert modules == "set()"


class TestClock:
    """Reading it, and moving it."""

    @pytest.mark.parametrize("mode", ["live", "paced", "jump", "manual"])
    def test_is_told(self, serve: Serve, mode: str) -> None:
        """Now, its beginning, how it passes."""

        async def scene(town: Town) -> None:
            told = await town.call("GET", "clock")
            assert set(told) == {"now", "epoch", "mode", "rate"}
            assert (told["mode"], told["rate"]) == (mode, 1.0)

            if mode == "live":  # the time of day
                assert told["epoch"] > 1767225600.0
            else:
                assert told["epoch"] == 1767225600.0
            assert isinstance(told["now"], int)

        serve(scene, clock=mode)

    @pytest.mark.parametrize("mode", ["live", "paced", "jump", "manual"])
    def test_advances_in_all_modes(self, serve: Serve, mode: str) -> None:
        """At once."""

        async def scene(town: Town) -> None:
            told = await town.call("POST", "clock", {"advance": "1h"})
            assert 3600 * SECOND <= told["now"] < 3700 * SECOND

        serve(scene, clock=mode)

    def test_jumps_to_where_somebody_sleeps_until(self, serve: Serve) -> None:
        """A jumping clock moves when somebody waits."""

        async def scene(town: Town) -> None:
            told = await town.call("POST", "clock", {"sleep_until": 90 * SECOND})
            assert told["now"] == 90 * SECOND
            assert (await town.call("POST", "clock", {"sleep_until": 0}))["now"] == 90 * SECOND

        serve(scene)

    def test_manual_one_lets_sleepers_wait(self, serve: Serve) -> None:
        """Until somebody moves it far enough."""

        async def scene(town: Town) -> None:
            sleeping = asyncio.ensure_future(town.call("POST", "clock", {"sleep_until": 10 * SECOND}))
            await town.call("POST", "clock", {"advance": "9s"})
            assert not sleeping.done()
            await town.call("POST", "clock", {"advance": "1s"})
            assert (await sleeping)["now"] == 10 * SECOND

        serve(scene, clock="manual")

    def test_rate(self, serve: Serve) -> None:
        """A paced clock goes faster."""

        async def scene(town: Town) -> None:
            assert (await town.call("POST", "clock", {"rate": 60}))["rate"] == 60.0

        serve(scene, clock="paced")

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({}, "exactly one of advance, rate, sleep_until"),
            ({"advance": "1s", "rate": 2}, "exactly one of"),
            ({"advance": None}, "exactly one of"),
            ({"advanc": "1s"}, "did you mean advance?"),
            ({"advance": "soon"}, "body.advance: 'soon' is not a duration"),
            ({"advance": -1}, "body.advance"),
            ({"advance": "60000000d"}, "advance"),
            ({"sleep_until": 1 << 61}, "body.sleep_until"),
            ({"sleep_until": -5}, "body.sleep_until"),
            ({"sleep_until": "1h"}, "body.sleep_until"),
            ({"rate": 0}, "rate"),
            ([1], "body"),
            ("x", "body"),
        ],
    )
    def test_refusals(self, serve: Serve, given: Any, told: str) -> None:
        """By name; the clock stays."""

        async def scene(town: Town) -> None:
            refused = await town.call("POST", "clock", given, expect=400)
            assert told in refused["message"]
            assert refused["code"] == "BadRequest"
            assert (await town.call("GET", "clock"))["now"] == 0

        serve(scene, clock="manual")


def test_assumptions_are_read_back_as_they_are(serve: Serve) -> None:
    """What was changed, and all defaults."""

    async def scene(town: Town) -> None:
        told = await town.call("GET", "assumptions")
        assert told["image_pull"] == "5s"
        assert read_assumptions(told) == town.workspace.backend.assumptions

    serve(scene)


def test_profile_and_observation(serve: Serve) -> None:
    """What is told of a model holds for requests over the socket; what came of them is seen."""

    async def scene(town: Town) -> None:
        town.deploy()
        told = {"service_time": "80ms", "reply_base64": base64.b64encode(b"\x00raw").decode()}
        assert await town.call("POST", "profile/svc", told) == {}
        answer = await town.score()
        assert (answer.status_code, answer.content) == (200, b"\x00raw")
        seen = (await town.call("GET", "observe/svc", params={"window": "10s"}))["versions"]["svc"]
        assert seen["answers"] == {"200": 1}
        assert seen["latency_ms"]["max"] == 83.0
        assert (await town.call("GET", "observe/svc", params={"window": "0s"}, expect=400))["message"].startswith(
            "window"
        )
        assert (
            "did you mean" not in (await town.call("GET", "observe/svc", params={"window": "x"}, expect=400))["message"]
        )
        assert (await town.call("GET", "observe/none", expect=404))["code"] == "NotFound"

    serve(scene)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"service_tim": "1s"}, "did you mean service_time?"),
        ({"service_time": "quick"}, "profile.service_time"),
        ({"workers": "two"}, "profile.workers"),
        ({"reply": 1, "reply_base64": "e30="}, "reply_base64"),
        ({"reply": {"$match": [{"match": {"share": 2}, "reply": 1}]}}, "reply.$match[0].match.share"),
        ({"version": 5}, "body.version"),
        ({"workers": 0}, "profile.workers"),
        ({"reply_base64": "?"}, "reply_base64"),
    ],
)
def test_profiles_that_are_refused(serve: Serve, given: dict[str, Any], told: str) -> None:
    """By name."""

    async def scene(town: Town) -> None:
        assert told in (await town.call("POST", "profile/svc", given, expect=400))["message"]

    serve(scene)


def test_memory_above_the_limit_kills_the_container(serve: Serve) -> None:
    """502 for the client, the cause in the history and in the logs."""

    async def scene(town: Town) -> None:
        town.deploy()
        told = {"memory": {"base": "100MB", "per_request": "500MB"}}  # the default limit is 0.5 GB
        assert await town.call("POST", "profile/svc", told) == {}
        answer = await town.score()
        assert (answer.status_code, answer.text) == (502, "Replica closed connection before replying")
        history = await town.call("GET", "history", params={"kind": "oom_killed"})
        assert history["events"][-1]["detail"] == (
            "OOMKilled, exit code 137: it takes 100 MB and 500 MB for each request in it, so that not even one fits below its "
            "limit of 500 MB"
        )
        assert await town.call("POST", "profile/svc", {"memory": "400MB"}) == {}
        await town.call("POST", "clock", {"advance": "20s"})
        assert (await town.score()).status_code == 200

    serve(scene)


def test_simulated_traffic(serve: Serve) -> None:
    """It is seen, and counted beside what comes over sockets; it ends when it is told to."""

    async def scene(town: Town) -> None:
        town.deploy(num_replicas=3)
        await town.call("POST", "traffic/svc", {"shape": "constant", "rate": 10, "lasts": "5s"})
        await town.call("POST", "traffic/svc", {"shape": "trace", "instants": [0.5, 1.5, 50]})
        await town.call("POST", "clock", {"advance": "10s"})
        seen = (await town.call("GET", "observe/svc", params={"window": "10s"}))["versions"]["svc"]
        assert sum(seen["answers"].values()) in (51, 52, 53)
        counted = (await town.http.get("/_akstwin/metrics")).text
        line = next(line for line in counted.splitlines() if line.startswith("akstwin_requests_total{"))
        assert float(line.split()[-1]) == sum(seen["answers"].values())
        await town.call("DELETE", "traffic/svc")
        await town.call("POST", "clock", {"advance": "60s"})
        assert (await town.call("GET", "observe/svc"))["versions"]["svc"]["answers"] == {}
        await town.call("POST", "traffic/none", {"rate": 1}, expect=404)
        assert "rate" in (await town.call("POST", "traffic/svc", {"shape": "poisson"}, expect=400))["message"]

    serve(scene)


class TestRequestsInBulk:
    """`Backend.score_all` for callers elsewhere."""

    def test_the_same_as_in_process(self, serve: Serve, tmp_path: Path) -> None:
        """Same seed, same instants: same statuses, versions, latencies, bodies."""
        settings: dict[str, Any] = {
            "version_name": "blue",
            "traffic_percentile": 70,
            "num_replicas": 1,
            "auth_enabled": False,
            "initial_delay_seconds": 100_000_000,
        }
        instants = [Micros(at * 20_000) for at in range(60)]

        def deployed(ws: Workspace) -> None:
            backend = ws.backend
            assert isinstance(backend, SimulatedBackend)
            backend.simulation.profile("svc", reply=[1])
            ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration(agent_count=3)).wait_for_completion()
            Path("plain.txt").write_text("plain", "utf-8")
            model = Model.register(ws, "plain.txt", "plain", model_framework=Model.Framework.SCIKITLEARN)
            config = AksEndpoint.deploy_configuration(**settings)
            service = Model.deploy(
                ws, "svc", [model], deployment_config=config, deployment_target=ComputeTarget(ws, "aks")
            )
            service.wait_for_deployment()
            backend.simulation.advance("2s")

        async def scene(town: Town) -> None:
            backend = town.workspace.backend
            deployed(Workspace(backend=backend))
            body = [
                {
                    "at": at,
                    "method": "POST",
                    "path": "/score",
                    "query": "",
                    "headers": [["a", "b"]],
                    "body_base64": "e30=",
                }
                for at in instants
            ]
            over_http = await town.call("POST", "score/svc", body)

            own = SimulatedBackend(seed=7, assumptions=backend.assumptions, identity=backend.identity)
            deployed(Workspace(backend=own))
            here = own.score_all("svc", [(at, ScoreRequest(b"{}", (("a", "b"),))) for at in instants])
            own.close()
            assert [
                (a["status"], a["latency"], a["version"], a["reason"], base64.b64decode(a["body_base64"]))
                for a in over_http
            ] == [(a.status, a.latency, a.version, a.reason, a.body) for a in here]
            assert [dict(a["headers"])["x-ms-request-id"] for a in over_http] == [
                a.header("x-ms-request-id") for a in here
            ]
            assert {a.status for a in here} == {200, 503}
            assert len(await town.journal()) == len(instants)

        serve(scene)

    def test_waits_on_a_manual_clock(self, serve: Serve) -> None:
        """As any other client does."""

        async def scene(town: Town) -> None:
            town.deploy(auth_enabled=False)
            waiting = asyncio.ensure_future(town.call("POST", "score/svc", [{"at": 0}, {"at": SECOND}]))
            await town.until(lambda: town.under_way() == 1)
            await town.call("POST", "clock", {"advance": "1s"})
            assert not waiting.done()
            await town.call("POST", "clock", {"advance": "1s"})
            assert [each["status"] for each in await waiting] == [200, 200]

        serve(scene, clock="manual")

    def test_of_nobody(self, serve: Serve) -> None:
        """No requests; no such service."""

        async def scene(town: Town) -> None:
            assert await town.call("POST", "score/none", []) == []
            (answer,) = await town.call("POST", "score/none", [{}])
            assert (answer["status"], answer["reason"], answer["version"]) == (404, "not_found", None)

        serve(scene)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({}, "requests"),
            ([{"at": 5}, {"at": 4}], "never go back"),
            ([{"at": -1}], "requests[0].at"),
            ([{}, {"headers": [["a"]]}], "requests[1].headers"),
            ([{"body_base64": "?"}], "body_base64"),
            ([{"bdy": ""}], "requests[0].bdy"),
        ],
    )
    def test_refusals(self, serve: Serve, given: Any, told: str) -> None:
        """With their place; nothing has come in."""

        async def scene(town: Town) -> None:
            assert told in (await town.call("POST", "score/svc", given, expect=400))["message"]
            assert len(await town.journal()) == 0

        serve(scene)


class TestRim:
    """Who may call, and what is answered to what is not served."""

    @pytest.mark.parametrize("path", ["health", "journal", "clock", ""])
    def test_foreign_names_are_refused(self, serve: Serve, path: str) -> None:
        """A page in a browser must not reach it by another name."""

        async def scene(town: Town) -> None:
            for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}):
                refused = await town.http.get(f"/_akstwin/{path}", headers=headers)
                assert refused.status_code == 403
            assert (
                await town.http.get(f"/_akstwin/{path}", headers={"origin": "http://localhost:1"})
            ).status_code == 200

        serve(scene)

    def test_foreign_callers_change_nothing(self, serve: Serve) -> None:
        """Not even with a form that needs no permission."""

        async def scene(town: Town) -> None:
            headers = {"origin": "https://evil.example", "content-type": "text/plain"}
            refused = await town.http.post("/_akstwin/clock", content='{"advance": "1h"}', headers=headers)
            assert refused.status_code == 403
            assert (await town.call("GET", "clock"))["now"] == 0

        serve(scene)

    def test_what_is_not_served(self, serve: Serve) -> None:
        """A clear refusal, as JSON."""

        async def scene(town: Town) -> None:
            assert "docs" in (await town.call("GET", "nothing", expect=404))["message"]
            assert (await town.call("PUT", "clock", expect=405))["statusCode"] == 405
            refused = await town.http.post(
                "/_akstwin/clock", content=b"{bad", headers={"content-type": "application/json"}
            )
            assert (refused.status_code, refused.json()["code"]) == (400, "BadRequest")
            form = await town.http.post("/_akstwin/faults", content=b'{"kind": "replica_kill"}')
            assert form.status_code == 400
            assert form.json()["message"] == "body: expected JSON, with the header Content-Type: application/json"
            deep = await town.http.post(
                "/_akstwin/clock", content=b"[" * 200_000, headers={"content-type": "application/json"}
            )
            assert deep.status_code == 400
            for body in (
                b'{"advance": ' + b"[" * 101 + b"]" * 101 + b"}",
                b'{"advance": NaN}',
                b'{"rate": 1' + b"0" * 10**6 + b"}",
            ):
                answer = await town.http.post(
                    "/_akstwin/clock", content=body, headers={"content-type": "application/json"}
                )
                assert answer.status_code == 400
                assert answer.json()["message"].startswith(("the body is nested too deeply", "the body is not JSON"))
            assert (await town.http.get("/_akstwinning")).status_code != 200

        serve(scene)

    def test_long_bodies(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """They are not read to their end."""
        monkeypatch.setattr("akstwin.fake_api.control.center.LONGEST_BODY", 1000)

        async def scene(town: Town) -> None:
            refused = await town.http.post("/_akstwin/score/svc", json=[{"body_base64": "A" * 2000}])
            assert refused.status_code == 413

        serve(scene)

    def test_its_description(self, serve: Serve) -> None:
        """All routes with what they take; nothing from elsewhere is needed to read it."""

        async def scene(town: Town) -> None:
            document = await town.call("GET", "openapi.json")
            assert {path.removeprefix("/_akstwin/") for path in document["paths"]} == {
                "health", "clock", "reset", "assumptions", "observe/{service}", "profile/{service}", "traffic/{service}",
                "score/{service}", "journal", "metrics", "events", "faults", "faults/{fault}", "chance/{service}", "environment",
                "insights", "nodes", "pods", "policies/{service}",
                "cluster/{name}", "history", "traffic", "traffic/{service}/{entry}",
            }  # fmt: skip
            assert set(document["components"]["schemas"]) >= {"Reply", "Match", "FixedReply"}
            faults = document["paths"]["/_akstwin/faults"]["post"]["requestBody"]["content"]["application/json"][
                "schema"
            ]
            assert faults == {"$ref": "#/components/schemas/Fault"}
            assert len(document["components"]["schemas"]["Fault"]["oneOf"]) == 12
            assert not any("422" in each["responses"] for path in document["paths"].values() for each in path.values())
            for path in ("docs", ""):
                page = await town.http.get(f"/_akstwin/{path}")
                assert page.status_code == 200
                assert "//" not in page.text.replace("http://www.w3.org/2000/svg", "").replace("// ", "")
                assert "default-src 'none'" in page.headers["content-security-policy"]

        serve(scene)


def test_one_workspace_is_not_another(serve: Serve) -> None:
    """Each has its own control side."""

    async def scene(town: Town) -> None:
        from akstwin.backend import WorkspaceIdentity  # noqa: PLC0415

        other = town.server.open(WorkspaceIdentity(name="other"))
        await town.server.ready()
        async with httpx.AsyncClient(base_url=other.http) as http:
            await town.call("POST", "clock", {"advance": "1h"})
            assert (await http.get("/_akstwin/clock")).json()["now"] == 0
            assert (await http.get("/_akstwin/health")).json()["workspace"] == "other"
            await town.score("nobody")
            assert (await http.get("/_akstwin/journal")).json()["total"] == 0

    serve(scene)
