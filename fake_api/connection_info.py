"""Connection info of a workspace: the URLs and the certificate authority that point an unmodified azureml-core at it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from akstwin.fake_api.server import FakeServer, Place


def connection_info(server: "FakeServer", place: "Place") -> dict[str, Any]:
    """A workspace's URLs, whom its https clients must trust, and where the server's other workspaces answer."""
    authority = server.authority
    return {
        "http": place.http,
        "https": place.https,
        "authority": "" if authority is None else authority.read_text(encoding="utf-8"),
        "workspaces": {
            each.workspace.backend.identity.resource_id: {"http": each.http, "https": each.https}
            for each in server.places.values()
        },
    }
