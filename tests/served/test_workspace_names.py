"""Nobody has to say a workspace's name beforehand: the first one that is asked for is the server's first."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.fake_api.server import FakeServer, Settings

TOKEN = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDAsInRpZCI6ImFkZnMifQ.eA"  # noqa: S105 - signed by nobody
VERSION = {"api-version": "2022-05-01"}
SCENARIO = {"duration": "10s", "webservice": {"name": "fraud"}, "traffic": []}


def path(name: str, group: str = "prod", subscription: str = "sub-1") -> str:
    """A workspace's in the resource manager."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/{name}"


Talk = Callable[[FakeServer, httpx.AsyncClient], Awaitable[Any]]


def on_server(folder: Path, talk: Talk, **given: Any) -> Any:
    """What `talk` returns, with a server whose clock stands still."""

    async def main() -> Any:
        server = FakeServer(Settings(port=0, tls_port=0, folder=folder, clock="manual", **given))
        await server.start()
        try:
            await server.ready()
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with httpx.AsyncClient(
                base_url=server.first.http, timeout=600, headers=headers, params=VERSION
            ) as http:
                return await talk(server, http)
        finally:
            await server.close()

    return asyncio.run(main())


async def asked(http: httpx.AsyncClient, *where: str) -> dict[str, Any]:
    """A workspace as the resource manager shows it."""
    answer = await http.get(path(*where))
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def services(http: httpx.AsyncClient, base: str, name: str) -> list[str]:
    """The names of a workspace's services."""
    answer = await http.get(f"{base}/modelmanagement/v1.0{path(name)}/services")
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["value"]]


def test_the_first_name_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    """Its services, its port and its id are the server's first workspace's, in all views."""

    async def talk(server: FakeServer, http: httpx.AsyncClient) -> None:
        shown = await asked(http, "shop")
        assert (shown["name"], shown["id"]) == ("shop", path("shop"))
        assert shown["properties"]["description"] == ""
        assert shown["properties"]["discoveryUrl"] == f"{server.first.http}/discovery"
        assert shown["properties"]["workspaceId"] == WorkspaceIdentity().workspace_id
        assert await services(http, server.first.http, "shop") == ["fraud"]
        health = (await http.get("/_akstwin/health")).json()
        assert (health["workspace"], health["resource_group"], health["subscription_id"]) == ("shop", "prod", "sub-1")
        listed = (await http.get("/subscriptions/sub-1/resources")).json()["value"]
        assert [each["name"] for each in listed] == ["shop"]
        assert len(server.places) == 1

    on_server(tmp_path, talk, scenario=SCENARIO)


def test_others_get_one_of_their_own_and_the_answer_says_so(tmp_path: Path) -> None:
    """With a port of its own, which stands in its document; its services are none of the first one's."""

    async def talk(server: FakeServer, http: httpx.AsyncClient) -> None:
        await asked(http, "shop")
        other = await asked(http, "lab")
        place = server.places[path("lab").lower()]
        assert place.http != server.first.http
        assert other["properties"]["discoveryUrl"] == f"{place.http}/discovery"
        says = f"answers at {place.http} and {place.https}, beside the server's first workspace, shop"
        assert other["properties"]["description"] == says
        assert await services(http, place.http, "lab") == []
        assert other["properties"]["workspaceId"] != WorkspaceIdentity().workspace_id
        default = await asked(http, "akstwin", "akstwin", WorkspaceIdentity().subscription_id)
        assert default["properties"]["description"].endswith("the server's first workspace, shop")
        assert [place.workspace.backend.identity.name for place in server.places.values()] == ["shop", "lab", "akstwin"]

    on_server(tmp_path, talk, scenario=SCENARIO)


def test_a_name_that_was_given_stays(tmp_path: Path) -> None:
    """`--workspace` names the first one."""

    async def talk(server: FakeServer, http: httpx.AsyncClient) -> None:
        other = await asked(http, "lab")
        assert other["properties"]["description"].endswith("the server's first workspace, shop")
        assert server.first.workspace.backend.identity.name == "shop"

    on_server(tmp_path, talk, identity=WorkspaceIdentity("shop", "sub-1", "prod"))


def test_a_reset_keeps_the_name_and_the_keys(tmp_path: Path) -> None:
    """As all else that the world was made with."""

    async def talk(server: FakeServer, http: httpx.AsyncClient) -> None:
        before = server.first.workspace.backend.get_keys("fraud")
        await asked(http, "shop")
        assert server.first.workspace.backend.get_keys("fraud") == before
        assert (await http.post("/_akstwin/reset")).status_code < 300
        assert server.first.workspace.backend.identity.name == "shop"
        assert server.first.workspace.backend.get_keys("fraud") == before
        assert (await asked(http, "shop"))["properties"]["description"] == ""

    on_server(tmp_path, talk, scenario=SCENARIO)


def test_a_state_file_keeps_the_names(tmp_path: Path) -> None:
    """After a restart the same names lead to the same workspaces, and no new name takes the first one's place."""
    state = tmp_path / "kept.akstwin"

    async def register(http: httpx.AsyncClient, base: str, name: str) -> None:
        url = f"{base}/environment/v1.0{path(name)}/environments/of-{name}"
        answer = await http.put(url, json={"name": f"of-{name}"})
        assert answer.status_code < 300, answer.text

    async def has(http: httpx.AsyncClient, base: str, name: str, environment: str) -> bool:
        answer = await http.get(f"{base}/environment/v1.0{path(name)}/environments/{environment}")
        return answer.status_code == 200

    async def first_run(server: FakeServer, http: httpx.AsyncClient) -> None:
        for name in ("shop", "lab"):
            await asked(http, name)
            await register(http, server.places[path(name).lower()].http, name)
        await asked(http, "akstwin", "akstwin", WorkspaceIdentity().subscription_id)

    async def second_run(server: FakeServer, http: httpx.AsyncClient) -> None:
        assert server.first.workspace.backend.identity.name == "shop"
        other = await asked(http, "later")
        assert other["properties"]["description"].endswith("the server's first workspace, shop")
        for name in ("lab", "shop"):
            await asked(http, name)
            base = server.places[path(name).lower()].http
            assert [await has(http, base, name, each) for each in ("of-lab", "of-shop")] == [
                name == "lab",
                name == "shop",
            ]
        default = await asked(http, "akstwin", "akstwin", WorkspaceIdentity().subscription_id)
        assert default["properties"]["description"].endswith("the server's first workspace, shop")
        assert len(server.places) == 4

    on_server(tmp_path / "tls", first_run, state=state)
    on_server(tmp_path / "tls", second_run, state=state)


@pytest.mark.parametrize("named", [True, False])
def test_a_state_file_opened_by_its_first_name(named: bool, tmp_path: Path) -> None:
    """`--workspace` may say the name that the first workspace has taken."""
    state = tmp_path / "kept.akstwin"

    async def ask(server: FakeServer, http: httpx.AsyncClient) -> str:
        shown = await asked(http, "shop")
        return json.dumps([shown["properties"]["workspaceId"], len(server.places)])

    first = on_server(tmp_path / "tls", ask, state=state)
    identity = WorkspaceIdentity("shop", "sub-1", "prod") if named else None
    assert on_server(tmp_path / "tls", ask, state=state, identity=identity) == first
