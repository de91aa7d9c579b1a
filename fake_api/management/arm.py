"""Stand-ins for what stands around a workspace: clouds, subscriptions, ARM, service discovery, logins (wire §1-§3)."""

from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from joserfc import jwt
from joserfc.jwk import OctKey

from akstwin.backend import Json, WorkspaceIdentity
from akstwin.errors import NotFound
from akstwin.fake_api.management.desk import ERRORS, WS, AtPath, AtPort, Desk, api_version, bearer
from akstwin.fake_api.management.errors import answer
from akstwin.fake_api.management.reading import FORM, read_form
from akstwin.fake_api.server import FakeServer

METADATA: Final = "/metadata/endpoints"
DISCOVERY: Final = "/discovery"
TENANT: Final = "adfs"
"""The one tenant id with which no library asks the public login host about the authority (wire §1.2)."""

router: Final = APIRouter(
    dependencies=[Depends(bearer), Depends(api_version)], responses=ERRORS, tags=["resource manager"]
)
open_router: Final = APIRouter(responses=ERRORS, tags=["resource manager"])
"""What clients ask before they have a token."""

_SERVICES: Final = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "studio")
_GRANTS: Final = ("client_credentials", "password", "refresh_token")
_LIFETIME: Final = 3599
_NEVER: Final = 4_102_444_800
"""2100, Unix seconds: a login here does not expire, whatever the server's clock says."""
_KEY: Final = OctKey.generate_key(256)


@open_router.get(METADATA)
async def list_clouds(desk: AtPort) -> Response:
    """The clouds there are: one, and all its hosts are this server."""
    host = urlsplit(desk.place.https).netloc
    return answer(
        [
            {
                "name": "AzureCloud",
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


@router.get(WS)
async def get_workspace(desk: AtPath) -> Response:
    """A workspace; one that nobody has asked for yet is opened."""
    return answer(_workspace(desk))


def _identities(request: Request) -> list[WorkspaceIdentity]:
    server: FakeServer = request.app.state.server
    return [place.workspace.backend.identity for place in server.places.values()]


def _subscription(subscription_id: str) -> Json:
    return {
        "id": f"/subscriptions/{subscription_id}",
        "subscriptionId": subscription_id,
        "displayName": "akstwin",
        "tenantId": TENANT,
        "state": "Enabled",
    }


def _workspace(desk: Desk) -> Json:
    identity = desk.identity
    return {
        "id": identity.resource_id,
        "name": identity.name,
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": identity.location,
        "tags": {},
        "sku": {"name": "Basic", "tier": "Basic"},
        "properties": {
            "workspaceId": identity.workspace_id,
            "discoveryUrl": f"{desk.base}{DISCOVERY}",
            "friendlyName": identity.name,
            "description": "",
            "provisioningState": "Succeeded",
        },
    }
