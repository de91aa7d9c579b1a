"""A workspace through ARM, without ARM, and through a login (wire §1.2, routes A to C)."""

import os
from typing import Any

from azureml.core import Workspace
from azureml.core.authentication import AbstractAuthentication, ServicePrincipalAuthentication, TokenAuthentication
from azureml.exceptions import ProjectSystemException, UserErrorException
from common import SUBSCRIPTION, TOKEN, model, raised, workspace

# Through ARM.
ws = workspace()
assert (ws.name, ws.resource_group, ws.location) == ("akstwin", "akstwin", "westeurope")
assert ws.get_details()["location"] == "westeurope"
auth = TokenAuthentication(lambda _: TOKEN, cloud="AzureCloud")
assert Workspace(SUBSCRIPTION, "akstwin", "akstwin", auth=auth).location == "westeurope"
ws.write_config()
assert Workspace.from_config(auth=auth).name == "akstwin"
elsewhere = "11111111-1111-1111-1111-111111111111"
assert "You don't have access" in raised(
    UserErrorException, Workspace.get, "akstwin", auth=auth, subscription_id=elsewhere, resource_group="akstwin"
)

# Another workspace is opened when it is asked for; nothing of one is seen in the other.
model(ws, "of-the-first")
other = workspace("another", "elsewhere")
assert other._workspace_id != ws._workspace_id
assert "of-the-first" in ws.models
assert not other.models
model(other, "of-the-other")
assert set(other.models) == {"of-the-other"}
assert "of-the-other" not in workspace().models

# All workspaces of a subscription, or of one of its resource groups.
assert {"akstwin", "another"} <= set(Workspace.list(SUBSCRIPTION, auth=auth))
(found,) = Workspace.list(SUBSCRIPTION, auth=auth, resource_group="elsewhere")["another"]
assert (found.location, set(found.models)) == ("westeurope", {"of-the-other"})
assert "akstwin" not in Workspace.list(SUBSCRIPTION, auth=auth, resource_group="elsewhere")
assert Workspace.list(SUBSCRIPTION, auth=auth, resource_group="nothing") == {}

# With a login.
login = ServicePrincipalAuthentication("adfs", "client", "secret", cloud="AzureCloud")
assert Workspace.get("akstwin", auth=login, subscription_id=SUBSCRIPTION, resource_group="akstwin").models


class WithoutArm(AbstractAuthentication):
    """Knows no subscriptions."""

    def _get_arm_token(self) -> str:
        return TOKEN

    _get_graph_token = _get_azureml_client_token = _get_arm_token

    def _get_all_subscription_ids(self) -> Any:
        raise AssertionError("ARM is not to be asked")


# Without ARM: the SDK keeps what discovery told it by workspace, so this is one that it has not met.
assert os.environ["AZUREML_DISCOVERY_SERVICE_ENDPOINT"].startswith("http://")
bare = Workspace(
    SUBSCRIPTION, "akstwin", "bare", auth=WithoutArm(cloud="AzureCloud"), _disable_service_check=True, _location="here"
)
model(bare, "bare-model")
assert set(bare.models) == {"bare-model"}
assert bare.compute_targets == {}
assert bare.webservices == {}
assert "path.workspace: String should match pattern" in raised(
    ProjectSystemException, Workspace.get, "a.b", auth=auth, subscription_id=SUBSCRIPTION, resource_group="akstwin"
)
