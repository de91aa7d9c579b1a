"""Who a server's workspace is, and where its parts answer (wire §2, §3)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from akstwin.backend import Json, WorkspaceIdentity
from akstwin.errors import AksError
from akstwin.remote.caller import STAND_IN, Caller, segment
from akstwin.remote.refusals import refusal, shown

CONTROL: Final = "/_akstwin"
"""Below it a server of this project lets itself be looked at and controlled."""
ARM_VERSION: Final = {"api-version": "2022-05-01"}
_PARTS: Final = ("api", "experimentation", "history", "modelmanagement")
"""What is used of a discovery document."""


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace on a server.

    Attributes:
        identity: who it is.
        arm: its address at the resource manager, which the server is.
        computes: of its compute targets, to be read.
        artifacts: of its files.
        management: of assets, models, services and operations.
        environments: of its environments.
        control: what is below `/_akstwin`; None: the server has no such thing.
    """

    identity: WorkspaceIdentity
    arm: str
    computes: str
    artifacts: str
    management: str
    environments: str
    control: str | None


def find(caller: Caller, given: Mapping[str, str]) -> Place:
    """Find a workspace.

    A server of this project says itself who the workspace of a port is. Of another server, the workspace has to be given;
    what is not given is as in `WorkspaceIdentity`. A further workspace of a server of this project has an address of its
    own, which the caller goes on with. Location and id come from the resource manager.

    Args:
        caller: reaches the server.
        given: `name`, `subscription_id`, `resource_group`, as far as they are known.

    Raises:
        AksError: the server does not answer, has no such workspace, or does not say where its parts are.
    """
    told = _told(caller)
    if told is not None:
        caller.alone = True
        caller.token = caller.token or STAND_IN
    identity = replace(WorkspaceIdentity(), **{**(told or {}), **given})
    document, discovery_url = _document(caller, identity)
    if told is not None and not _names(told, identity):
        caller.move(_beside(caller.url, discovery_url))
        told = _told(caller)
        if told is None or not _names(told, identity):
            raise AksError(f"GET {caller.url}{CONTROL}/health: workspace {identity.name} does not answer there")
    path = _path(identity)
    bases = _bases(caller, discovery_url)
    caller.trust(bases.values())
    return Place(
        identity=replace(
            identity,
            location=str(document.get("location") or identity.location),
            workspace_id=str(document["properties"].get("workspaceId") or identity.workspace_id),
        ),
        arm=f"{caller.url}{path}",
        computes=f"{bases['api']}/rp/workspaces{path}/computes",
        artifacts=f"{bases['history']}/artifact/v2.0{path}/artifacts",
        management=f"{bases['modelmanagement']}/modelmanagement/v1.0{path}",
        environments=f"{bases['experimentation']}/environment/v1.0{path}/environments",
        control=None if told is None else f"{caller.url}{CONTROL}",
    )


def _told(caller: Caller) -> dict[str, str] | None:
    """What a server of this project says of the workspace at this address; None: it is another server."""
    url = f"{caller.url}{CONTROL}/health"
    response = caller.send(caller.request("GET", url, headers={"Accept": "application/json"}))
    if response.status_code >= 500:
        raise refusal("GET", url, response)
    health = _texts(_object(response)) if response.status_code == 200 else {}
    if "workspace" not in health:
        return None
    rest = (each.name for each in fields(WorkspaceIdentity) if each.name != "name")
    return {"name": health["workspace"], **{key: health[key] for key in rest if key in health}}


def _names(told: Mapping[str, str], identity: WorkspaceIdentity) -> bool:
    """Whether what was told is of that workspace; Azure does not look at the case of letters."""
    keys = {"name", "subscription_id", "resource_group"} & told.keys()
    return all(told[key].lower() == getattr(identity, key).lower() for key in keys)


def _beside(url: str, other: str) -> str:
    """The address of another port of the same server."""
    here = urlsplit(url)
    host = f"[{here.hostname}]" if ":" in (here.hostname or "") else here.hostname
    return f"{here.scheme}://{host}:{urlsplit(other).port}"


def _document(caller: Caller, identity: WorkspaceIdentity) -> tuple[Json, str]:
    """The workspace's document, and where its service discovery is."""
    url = f"{caller.url}{_path(identity)}"
    document = caller.json("GET", url, params=ARM_VERSION)
    properties = document.get("properties") if isinstance(document, dict) else None
    discovery_url = properties.get("discoveryUrl") if isinstance(properties, dict) else None
    if not isinstance(discovery_url, str):
        raise AksError(f"GET {shown(url)}: the workspace's document has no properties.discoveryUrl")
    return document, discovery_url


def _bases(caller: Caller, discovery_url: str) -> dict[str, str]:
    """The addresses of a server's parts. They are asked for without a token, as the SDK does."""
    url = caller.own(discovery_url)
    response = caller.send(caller.request("GET", url, headers={"Accept": "application/json"}))
    if response.status_code != 200:
        raise refusal("GET", url, response)
    found = _texts(_object(response))
    missing = [part for part in _PARTS if not found.get(part)]
    if missing:
        raise AksError(f"GET {shown(url)}: the service discovery does not name {', '.join(missing)}")
    return {part: caller.own(found[part]).rstrip("/") for part in _PARTS}


def _path(identity: WorkspaceIdentity) -> str:
    group, name = segment("resource group", identity.resource_group), segment("workspace", identity.name)
    return replace(
        identity,
        subscription_id=segment("subscription", identity.subscription_id),
        resource_group=group,
        name=name,
    ).resource_id


def _object(response: httpx.Response) -> Json | None:
    try:
        body: Any = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _texts(value: object) -> dict[str, str]:
    return {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}
