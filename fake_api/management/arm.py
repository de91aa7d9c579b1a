"""Stand-ins for what stands around a workspace: clouds, subscriptions, ARM, service discovery, logins (wire §1-§3)."""

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response
from joserfc import jwt
from joserfc.jwk import OctKey

from akstwin.backend import Json, WorkspaceIdentity
from akstwin.errors import InvalidSetting, NotFound
from akstwin.fake_api.management.desk import ERRORS, WS, AtPath, AtPort, Desk, api_version, bearer
from akstwin.fake_api.management.errors import answer
from akstwin.fake_api.management.ports import WorkspaceServer
from akstwin.fake_api.management.reading import FORM, read_form
from akstwin.testing.variables import CLOUD

METADATA: Final = "/metadata/endpoints"
DISCOVERY: Final = "/discovery"
TENANT: Final = "adfs"
"""The one tenant id with which no library asks the public login host about the authority (wire §1.2)."""

router: Final = APIRouter(
    dependencies=[Depends(bearer), Depends(api_version)], responses=ERRORS, tags=["resource manager"]
)
open_router: Final = APIRouter(responses=ERRORS, tags=["resource manager"])
"""What clients ask before they have a token."""

_CLOUDS: Final = ("AzureCloud", CLOUD)
"""Programs for azureml-core name the first outright; a client with addresses of its own for it needs the second."""
_SERVICES: Final = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "studio")
_GRANTS: Final = ("client_credentials", "password", "refresh_token")
_LIFETIME: Final = 3599
_NEVER: Final = 4_102_444_800
"""2100, Unix seconds: a login here does not expire, whatever the server's clock says."""
_KEY: Final = OctKey.generate_key(256)
_TYPE: Final = "Microsoft.MachineLearningServices/workspaces"
_CLAUSE: Final = re.compile(r"\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_AND: Final = re.compile(r"\sand\s(?=\s*\w+\s+eq\s+')", re.IGNORECASE)


@open_router.get(METADATA)
async def list_clouds(desk: AtPort) -> Response:
    """The clouds there are: ours, and Azure's by its name. All hosts of both are this server."""
    host = urlsplit(desk.place.https).netloc
    return answer(
        [
            {
                "name": name,
                "portal": "https://portal.azure.com",
                "resourceManager": desk.place.https,
                "authentication": {
                    "loginEndpoint": desk.place.https,
                    "audiences": [desk.place.https],
                    "tenant": TENANT,
                    "identityProvider": "ADFS",
                },
                "graphAudience": desk.place.https,
                "graph": desk.place.https,
                "suffixes": {"storage": host, "keyVaultDns": host, "acrLoginServer": host},
            }
            for name in _CLOUDS
        ]
    )


@open_router.get(DISCOVERY)
async def discover(desk: AtPort) -> Response:
    """Where the services of the port's workspace are."""
    return answer(dict.fromkeys(_SERVICES, desk.base))


@open_router.get(f"/{TENANT}/.well-known/openid-configuration")
async def describe_login(desk: AtPort) -> Response:
    """Where to log in."""
    base = f"{desk.place.https}/{TENANT}"
    return answer(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "token_endpoint": f"{base}/oauth2/token",
            "device_authorization_endpoint": f"{base}/oauth2/devicecode",
        }
    )


@open_router.post(f"/{TENANT}/oauth2/token", openapi_extra=FORM)
async def log_in(request: Request) -> Response:
    """A token for whoever asks."""
    form = await read_form(request)
    if form.get("grant_type") not in _GRANTS:
        description = f"grant_type is {form.get('grant_type')}; expected one of {', '.join(_GRANTS)}"
        return answer({"error": "unsupported_grant_type", "error_description": description}, 400)
    claims = {"exp": _NEVER, "tid": TENANT, "appid": form.get("client_id", ""), "aud": form.get("resource", "")}
    token = jwt.encode({"alg": "HS256"}, claims, _KEY)
    return answer({"token_type": "Bearer", "expires_in": _LIFETIME, "access_token": token})


@router.get("/subscriptions")
async def list_subscriptions(request: Request) -> Response:
    """The subscriptions of all workspaces that are open."""
    known = {identity.subscription_id: None for identity in _identities(request)}
    return answer({"value": [_subscription(subscription) for subscription in known]})


@router.get("/subscriptions/{subscription_id}")
async def get_subscription(request: Request, subscription_id: str) -> Response:
    """A subscription of a workspace that is open."""
    for identity in _identities(request):
        if identity.subscription_id.lower() == subscription_id.lower():
            return answer(_subscription(identity.subscription_id))
    raise NotFound(f"subscription {subscription_id} has no workspace here")


@router.get("/subscriptions/{subscription_id}/resources")
async def list_resources(
    request: Request,
    subscription_id: str,
    condition: Annotated[str | None, Query(alias="$filter")] = None,
    most: Annotated[int | None, Query(alias="$top", ge=1)] = None,
) -> Response:
    """The resources of a subscription: its workspaces that are open, on one page."""
    shown = [_resource(desk.identity) for desk in await _desks(request, subscription_id)]
    return answer({"value": [each for each in shown if _meets(each, condition)][:most]})


@router.get(f"/subscriptions/{{subscription_id}}/providers/{_TYPE}")
async def list_workspaces(request: Request, subscription_id: str) -> Response:
    """The workspaces of a subscription that are open, on one page."""
    return answer({"value": [_workspace(desk, _first(request)) for desk in await _desks(request, subscription_id)]})


@router.get(f"/subscriptions/{{subscription_id}}/resourceGroups/{{resource_group}}/providers/{_TYPE}")
async def list_workspaces_of_group(request: Request, subscription_id: str, resource_group: str) -> Response:
    """The workspaces of a resource group that are open, on one page."""
    desks = await _desks(request, subscription_id)
    wanted = [desk for desk in desks if desk.identity.resource_group.lower() == resource_group.lower()]
    return answer({"value": [_workspace(desk, _first(request)) for desk in wanted]})


@router.get(WS)
async def get_workspace(desk: AtPath, request: Request) -> Response:
    """A workspace; the first that anybody asks for is the server's first, one that nobody has asked for yet is opened."""
    return answer(_workspace(desk, _first(request)))


def _first(request: Request) -> WorkspaceIdentity:
    server: WorkspaceServer = request.app.state.server
    return server.first.workspace.backend.identity


def _identities(request: Request) -> list[WorkspaceIdentity]:
    server: WorkspaceServer = request.app.state.server
    return [place.workspace.backend.identity for place in server.places.values()]


async def _desks(request: Request, subscription_id: str) -> list[Desk]:
    """The desks of a subscription's workspaces that are open, by name."""
    server: WorkspaceServer = request.app.state.server
    desks = [Desk(place, request) for place in server.places.values()]
    found = [desk for desk in desks if desk.identity.subscription_id.lower() == subscription_id.lower()]
    if not found:
        raise NotFound(f"subscription {subscription_id} has no workspace here")
    await server.ready()  # their URLs are about to be told
    return sorted(found, key=lambda desk: (desk.identity.name, desk.identity.resource_group))


def _meets(resource: Json, condition: str | None) -> bool:
    """Whether a resource meets what a list asks for: `key eq 'value'`, and more of that after `and`.

    Raises:
        InvalidSetting: it asks for something else.
    """
    if not condition:
        return True
    values = {
        "resourcetype": resource["type"],
        "resourcegroup": resource["id"].split("/")[4],
        "name": resource["name"],
        "location": resource["location"],
    }
    wanted = []
    for clause in _AND.split(condition):
        match = _CLAUSE.fullmatch(clause)
        if match is None or match[1].lower() not in values:
            raise InvalidSetting(
                "$filter",
                condition,
                "resourceType, resourceGroup, name or location, eq and a 'value'; several with and",
            )
        wanted.append((match[1].lower(), match[2].replace("''", "'")))
    return all(values[key].lower() == value.lower() for key, value in wanted)


def _subscription(subscription_id: str) -> Json:
    return {
        "id": f"/subscriptions/{subscription_id}",
        "subscriptionId": subscription_id,
        "displayName": "akstwin",
        "tenantId": TENANT,
        "state": "Enabled",
    }


def _resource(identity: WorkspaceIdentity) -> Json:
    """A workspace as any resource of Azure."""
    return {
        "id": identity.resource_id,
        "name": identity.name,
        "type": _TYPE,
        "location": identity.location,
        "tags": {},
        "sku": {"name": "Basic", "tier": "Basic"},
    }


def _workspace(desk: Desk, first: WorkspaceIdentity) -> Json:
    """A workspace. One that is not the server's first says where it answers: its ports are its own."""
    identity, place = desk.identity, desk.place
    beside = f"answers at {place.http} and {place.https}, beside the server's first workspace, {first.name}"
    return {
        **_resource(identity),
        "properties": {
            "workspaceId": identity.workspace_id,
            "discoveryUrl": f"{desk.base}{DISCOVERY}",
            "friendlyName": identity.name,
            "description": "" if identity == first else beside,
            "provisioningState": "Succeeded",
        },
    }
