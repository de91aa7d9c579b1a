"""Runs in `.venv-azure-ai-ml`: what an SDK v2 client gets that was pointed at a server by the variables alone."""

from azure.ai.ml import MLClient
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
TOKEN = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDAsInRpZCI6ImFkZnMifQ.eA"  # noqa: S105 - signed by nobody


class Credential:
    """Any well-formed token is taken."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        """It never expires."""
        return AccessToken(TOKEN, 4_102_444_800)


client = MLClient(Credential(), SUBSCRIPTION, "akstwin", "akstwin")
for name in ("models", "online_endpoints", "environments", "jobs", "data", "components"):
    try:
        list(getattr(client, name).list())
    except HttpResponseError as error:
        print(name, error.status_code, "is not served by akstwin" in str(error), "SDK v1" in str(error))
print(client.workspaces.get("akstwin").name)
