"""The verbs of `akstwin.backend.ManagementBackend` over a management service in this process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from akstwin.backend import (
    AccessToken,
    AssetQuery,
    Json,
    JsonPatch,
    Keys,
    ModelQuery,
    Operation,
    ServiceQuery,
    WorkspaceIdentity,
)
from akstwin.clock import Clock
from akstwin.control_plane.service import ManagementService
from akstwin.domain.assumptions import Assumptions
from akstwin.files import FileStore


class ManagementVerbs:
    """A `ValidatingManagement`: each verb is the management service's.

    Args:
        management: keeps and decides.
    """

    def __init__(self, management: ManagementService) -> None:
        self.management = management

    # -- who, when, under which limits

    @property
    def identity(self) -> WorkspaceIdentity:
        """The workspace."""
        return self.management.dependencies.identity

    def rename(self, identity: WorkspaceIdentity) -> None:
        """Take another name; secrets and numbers go on as they were."""
        self.management.dependencies.identity = identity

    @property
    def clock(self) -> Clock:
        """The world's time."""
        return self.management.dependencies.clock

    @property
    def epoch(self) -> float:
        """The Unix time of the clock's instant 0, s."""
        return self.management.dependencies.epoch

    @property
    def assumptions(self) -> Assumptions:
        """The limits and times that hold here."""
        return self.management.dependencies.assumptions

    @property
    def files(self) -> FileStore:
        """Uploaded files."""
        return self.management.files

    # -- the management service's verbs

    def upload(self, container: str, files: Mapping[str, Path]) -> str:
        """Keep files; returns `LocalUpload/{container}`, where they are found."""
        return self.management.files.upload(container, files)

    def download(self, prefix: str, target: Path) -> list[Path]:
        """Write files into a folder; returns their paths below it (NotFound)."""
        return self.management.files.download(prefix, target)

    def create_asset(self, payload: Json) -> Json:
        """Name uploaded files (NotFound: one of them is not there)."""
        return self.management.models.create_asset(payload)

    def get_asset(self, asset_id: str) -> Json:
        """The asset (NotFound)."""
        return self.management.models.get_asset(asset_id)

    def register_model(self, payload: Json) -> Json:
        """Make the next version of a model (NotFound: its asset is not there)."""
        return self.management.models.register(payload)

    def get_model(self, model_id: str) -> Json:
        """The model `name:version` (NotFound)."""
        return self.management.models.get(model_id)

    def list_models(self, query: ModelQuery) -> list[Json]:
        """The models that the query means, the newest first."""
        return self.management.models.find(query)

    def patch_model(self, model_id: str, patch: JsonPatch) -> Json:
        """Change tags, properties or texts of a model (NotFound, InvalidSetting)."""
        return self.management.models.patch(model_id, patch)

    def delete_model(self, model_id: str) -> None:
        """Forget a model (NotFound; InUse while it is deployed)."""
        self.management.models.delete(model_id)

    def list_assets(self, query: AssetQuery) -> list[Json]:
        """The assets that the query means, in its order."""
        return self.management.models.find_assets(query)

    def patch_asset(self, asset_id: str, patch: JsonPatch) -> Json:
        """Change tags, description or metadata of an asset, or add properties."""
        return self.management.models.patch_asset(asset_id, patch)

    def delete_asset(self, asset_id: str) -> None:
        """Forget an asset (NotFound, InUse)."""
        self.management.models.delete_asset(asset_id)

    def model_metrics(self, model_id: str, start: str | None = None, end: str | None = None) -> Json:
        """How many deployments of a model have ended well and how many not (NotFound, InvalidSetting)."""
        return self.management.models.metrics(model_id, start, end)

    def put_environment(self, name: str, version: str | None, document: Json) -> Json:
        """Register an environment; without a version the next one is made, or the newest returned if it is equal."""
        return self.management.environments.put(name, version, document)

    def get_environment(self, name: str, version: str | None = None) -> Json:
        """An environment, the newest version without one (NotFound)."""
        return self.management.environments.get(name, version)

    def list_environments(self) -> list[Json]:
        """The newest version of each environment, by name."""
        return self.management.environments.newest()

    def put_compute(self, name: str, payload: Json) -> str:
        """Attach, create or update a cluster; what the world knows of its nodes holds (NotFound, Conflict, InvalidSetting)."""
        return self.management.computes.put(name, payload)

    def get_compute(self, name: str) -> Json:
        """The compute target (NotFound)."""
        return self.management.computes.get(name)

    def list_computes(self) -> list[Json]:
        """All compute targets, by name."""
        return self.management.computes.all()

    def delete_compute(self, name: str, action: Literal["delete", "detach"]) -> str:
        """Delete or detach a cluster; returns the operation's id (NotFound, InUse, Conflict, InvalidSetting)."""
        return self.management.computes.delete(name, action)

    def compute_credentials(self, name: str) -> Json:
        """Refused: credentials of a cluster are not given out (InvalidSetting; NotFound: there is no such cluster)."""
        return self.management.computes.credentials(name)

    def create_service(self, payload: Json) -> str:
        """Create or replace a service; returns the operation's id (InvalidSetting, NotFound, Conflict)."""
        return self.management.services.create(payload)

    def patch_service(self, name: str, patch: JsonPatch) -> str | None:
        """Change a service; returns the operation's id, None for description, tags and properties (as `create_service`)."""
        return self.management.services.patch(name, patch)

    def delete_service(self, name: str) -> str:
        """Delete a service; returns the operation's id (NotFound; Conflict while another one is running)."""
        return self.management.services.delete(name)

    def get_service(self, name: str) -> Json:
        """The service's document (NotFound)."""
        return self.management.services.get(name)

    def list_services(self, query: ServiceQuery) -> list[Json]:
        """The documents of the services that the query means, by name."""
        return self.management.services.find(query)

    def validate_name(self, name: str) -> None:
        """Refuse the name of a service that is to come (InvalidSetting; Conflict: it is taken)."""
        self.management.services.validate_name(name)

    def validate_create(self, payload: Json) -> None:
        """Refuse what `create_service` would refuse now, and change nothing."""
        self.management.services.validate_create(payload)

    def validate_patch(self, name: str, patch: JsonPatch) -> None:
        """Refuse what `patch_service` would refuse now, and change nothing."""
        self.management.services.validate_patch(name, patch)

    def validate_delete(self, name: str) -> None:
        """Refuse what `delete_service` would refuse now, and change nothing."""
        self.management.services.validate_delete(name)

    def get_operation(self, operation_id: str) -> Operation:
        """An operation of a service, a key or a compute target (NotFound)."""
        return self.management.operations.get(operation_id)

    def get_keys(self, name: str) -> Keys:
        """The keys (NotFound; InvalidSetting without key auth)."""
        return self.management.keys.get(name)

    def regenerate_key(self, name: str, key_type: str, value: str | None = None) -> str:
        """Replace a key; returns the operation's id (NotFound, InvalidSetting, Conflict)."""
        return self.management.keys.regenerate(name, key_type, value)

    def issue_token(self, name: str) -> AccessToken:
        """A token (NotFound; InvalidSetting without token auth)."""
        return self.management.keys.issue_token(name)
