"""The port between the SDK's classes and a world (design §6): the management service's verbs, time, and observation.

Documents (services, models, computes, patches) are JSON in the form of the management HTTP (wire §2-§8): one form for a
world in this process, behind HTTP and on Kubernetes. All else is a small frozen value. A verb that refuses raises an
`AksError` and has changed nothing.

`Workspace(backend=…)` takes any object with these methods; `akstwin.testing.check_backend` says which promises it breaks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from akstwin.clock import Clock, Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.lifecycles import OperationState
from akstwin.domain.observation import Observation
from akstwin.domain.ordering import Order

Json = dict[str, Any]
JsonPatch = list[Json]
"""RFC 6902 operations, as `akstwin.sdk.wire` makes them."""


_Form = TypeVar("_Form")


@dataclass(frozen=True, slots=True)
class WorkspaceIdentity:
    """Who a workspace is in Azure's terms.

    Attributes:
        name: of the workspace.
        subscription_id: a GUID.
        resource_group: its name.
        location: an Azure region.
        workspace_id: a GUID.
    """

    name: str = "akstwin"
    subscription_id: str = "00000000-0000-0000-0000-000000000000"
    resource_group: str = "akstwin"
    location: str = "westeurope"
    workspace_id: str = "00000000-0000-0000-0000-000000000001"

    @property
    def namespace(self) -> str:
        """Where pods without a `namespace` of their own live: `azureml-` and the workspace's name (semantics §2.1)."""
        name = re.sub(r"[^a-z0-9-]", "-", self.name.lower())
        return f"azureml-{name}"[:63].rstrip("-")

    @property
    def resource_id(self) -> str:
        """The path that names the workspace in Azure Resource Manager."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation as a poll shows it (wire §8).

    Attributes:
        id: unlike any other in the workspace.
        state: `Running` or a final one.
        stage: what it is busy with, or failed in: `BuildImage` or `DeployService`.
        error: `{code, statusCode, message, details}` why it did not succeed.
        log: `YYYYmmddHHMMSS|text` entries in UTC joined by `#`: what has happened so far.
        resource: what it creates, changes or deletes, below the workspace: `services/NAME` or `computes/NAME`; None: not known.
        created: when it began, on the backend's clock; None: not known.
        ended: when it reached a final state; None: it has not, or that is not known.
    """

    id: str
    state: OperationState
    stage: str = "DeployService"
    error: Json | None = None
    log: str = ""
    resource: str | None = None
    created: Micros | None = None
    ended: Micros | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """Both keys of a service with key auth."""

    primary: str = field(repr=False)
    secondary: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token for scoring. Times are Unix seconds by the backend's clock."""

    token: str = field(repr=False)
    token_type: str
    refresh_after: int
    expiry_on: int


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What a client sends to `/api/v1/service/{name}/{path}`.

    Attributes:
        body: the bytes.
        headers: names and values; `Authorization` and `Content-Type` belong here.
        method: the HTTP verb.
        path: `/score` or `/swagger.json`.
        query: what stands behind the question mark.
    """

    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    path: str = "/score"
    query: str = ""


@dataclass(frozen=True, slots=True)
class ScoreResponse:
    """What the client gets.

    Attributes:
        status: the HTTP status.
        headers: names and values.
        body: the bytes.
        latency: from sending to the answer, by the backend's clock.
        version: the version that it was meant for; None: refused before that.
        reason: why it is not the model's own answer (`domain.reasons`); None: it is.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    latency: Micros
    version: str | None = None
    reason: str | None = None

    def header(self, name: str) -> str | None:
        """A header's value, without regard to the name's case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class ServiceQuery:
    """Which services (wire §7, 6); all that is given must hold.

    Attributes:
        compute_type: `AKS` or `AKSENDPOINT`, in any case of letters.
        tags: a key that must be there; with a value, `(key, value)`.
        properties: likewise.
        model_name: the name of a deployed model.
        model_id: `name:version` of a deployed model.
        name: of the service.
        order: of the list; None: by name.
    """

    compute_type: str | None = None
    tags: tuple[tuple[str, str | None], ...] = ()
    properties: tuple[tuple[str, str | None], ...] = ()
    model_name: str | None = None
    model_id: str | None = None
    name: str | None = None
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class ModelQuery:
    """Which models (wire §5); all that is given must hold.

    Attributes:
        name: of the model.
        framework: likewise.
        tags: a key that must be there; with a value, `(key, value)`.
        properties: likewise.
        run_id: the run that made it.
        latest: only the newest version of each name.
        description: in words, all of it.
        order: of the list.
    """

    name: str | None = None
    framework: str | None = None
    tags: tuple[tuple[str, str | None], ...] = ()
    properties: tuple[tuple[str, str | None], ...] = ()
    run_id: str | None = None
    latest: bool = False
    description: str | None = None
    order: Order = "CreatedAtDesc"


@dataclass(frozen=True, slots=True)
class AssetQuery:
    """Which assets (wire §12); all that is given must hold.

    Attributes:
        name: of the asset.
        tags: a key that must be there; with a value, `(key, value)`.
        properties: the same for its properties.
        run_id: the run that made it.
        order: of the list.
    """

    name: str | None = None
    tags: tuple[tuple[str, str | None], ...] = ()
    properties: tuple[tuple[str, str | None], ...] = ()
    run_id: str | None = None
    order: Order = "CreatedAtDesc"


class ManagementBackend(Protocol):
    """The verbs of a management service: all that is decided from records, and waits for nothing."""

    # -- who, when, under which limits

    @property
    def identity(self) -> WorkspaceIdentity:
        """The workspace."""
        ...

    @property
    def clock(self) -> Clock:
        """The world's time; in a virtual one waiting is free."""
        ...

    @property
    def epoch(self) -> float:
        """The Unix time of the clock's instant 0, s."""
        ...

    @property
    def assumptions(self) -> Assumptions:
        """The limits that its promises go by."""
        ...

    # -- files

    def upload(self, container: str, files: Mapping[str, Path]) -> str:
        """Keep files.

        Args:
            container: a name for them; one that is taken gets another.
            files: by the path they shall have, `/` between folders.

        Returns:
            What they are found by: `LocalUpload/{container}`. `aml://artifact/{that}/{path}` is one of them.
        """
        ...

    def download(self, prefix: str, target: Path) -> list[Path]:
        """Write the files whose `LocalUpload/…` path begins with `prefix` (whole path segments) into a folder.

        Returns:
            Their paths below `target`: relative to the container.

        Raises:
            NotFound: there is none.
        """
        ...

    # -- models and environments

    def create_asset(self, payload: Json) -> Json:
        """Name uploaded files: `{name, artifacts: [{prefix}], …}` → the same with `id` (wire §5)."""
        ...

    def get_asset(self, asset_id: str) -> Json:
        """The asset (NotFound)."""
        ...

    def register_model(self, payload: Json) -> Json:
        """Make the next version of a model (wire §5); returns its document."""
        ...

    def get_model(self, model_id: str) -> Json:
        """The model `name:version` (NotFound)."""
        ...

    def list_models(self, query: ModelQuery) -> list[Json]:
        """The models that the query means, in its order: the newest first unless it says something else."""
        ...

    def patch_model(self, model_id: str, patch: JsonPatch) -> Json:
        """Change tags, properties or texts of a model; returns its document."""
        ...

    def delete_model(self, model_id: str) -> None:
        """Forget a model (NotFound; 412 InUse while it is deployed)."""
        ...

    def put_environment(self, name: str, version: str | None, document: Json) -> Json:
        """Register an environment; without a version the next one is made, or the newest returned if it is equal."""
        ...

    def get_environment(self, name: str, version: str | None = None) -> Json:
        """An environment, the newest version without one (NotFound)."""
        ...

    def list_environments(self) -> list[Json]:
        """The newest version of each environment."""
        ...

    # -- compute targets

    def put_compute(self, name: str, payload: Json) -> str:
        """Attach, create or update a cluster (wire §6); returns the operation's id. It can be read at once."""
        ...

    def get_compute(self, name: str) -> Json:
        """The compute target (NotFound)."""
        ...

    def list_computes(self) -> list[Json]:
        """All compute targets."""
        ...

    def delete_compute(self, name: str, action: Literal["delete", "detach"]) -> str:
        """Delete or detach a cluster; returns the operation's id."""
        ...

    def compute_credentials(self, name: str) -> Json:
        """What `get_credentials` returns (NotFound)."""
        ...

    # -- services

    def create_service(self, payload: Json) -> str:
        """Create, or with `overwrite: true` replace, a service (wire §7.3, §7.4); returns the operation's id.

        Raises:
            InvalidSetting: a value that is refused.
            NotFound: the compute target, a model or an uploaded file is not there.
            Conflict: the name is taken, or another operation is running.
        """
        ...

    def patch_service(self, name: str, patch: JsonPatch) -> str | None:
        """Change a service (wire §7.5, §7.6), wholly or not at all.

        Returns:
            The operation's id; None: only description, tags or properties were written, which is in effect (semantics
            §6.6).

        Raises:
            InvalidSetting: the patch, or what it leads to, is refused.
            NotFound: no such service, or something the patch names.
            Conflict: pods are to be replaced and another operation is running.
        """
        ...

    def delete_service(self, name: str) -> str:
        """Delete a service; returns the operation's id (NotFound; Conflict while another one is running)."""
        ...

    def get_service(self, name: str) -> Json:
        """The service's document (wire §7.2; NotFound)."""
        ...

    def list_services(self, query: ServiceQuery) -> list[Json]:
        """The documents of the services that the query means, in its order: by name unless it has one."""
        ...

    def get_operation(self, operation_id: str) -> Operation:
        """An operation of a service, a key or a compute target (NotFound)."""
        ...

    def get_keys(self, name: str) -> Keys:
        """The keys (NotFound; InvalidSetting without key auth)."""
        ...

    def regenerate_key(self, name: str, key_type: str, value: str | None = None) -> str:
        """Replace the `Primary` or the `Secondary` key, by `value` or by a new one; returns the operation's id."""
        ...

    def issue_token(self, name: str) -> AccessToken:
        """A token (NotFound; InvalidSetting without token auth)."""
        ...


def _with_all_members(protocol: type[_Form]) -> type[_Form]:
    """The protocol with inherited members in its own namespace, those first.

    Those who wrap a backend go through `vars(Backend)`, so all that there is to pass on must stand there.
    """
    own = {name: member for name, member in vars(protocol).items() if not name.startswith("_")}
    inherited: dict[str, object] = {}
    for base in reversed(protocol.__mro__[1:]):
        inherited |= {name: member for name, member in vars(base).items() if not name.startswith("_")}
    for name in own:
        delattr(protocol, name)
    for name, member in {**inherited, **own}.items():
        setattr(protocol, name, member)
    return protocol


@_with_all_members
class Backend(ManagementBackend, Protocol):
    """A world that the SDK's classes can work on."""

    def get_logs(self, name: str, lines: int = 5000, *, init: bool = False) -> str:
        """The last lines of the containers' logs; of the init containers with `init` (NotFound)."""
        ...

    # -- requests

    def score(self, name: str, request: ScoreRequest) -> ScoreResponse:
        """Send a request as a client would, and wait for its answer. A refusal is an answer too."""
        ...

    def score_all(self, name: str, requests: Sequence[tuple[Micros, ScoreRequest]]) -> list[ScoreResponse]:
        """Send several requests, each at its own time, and wait for all answers: how load is made.

        Args:
            name: of the service.
            requests: from when on, counted from now and never going back, and what; nobody waits for another's answer.

        Returns:
            The answers, in the order of the requests.
        """
        ...

    def observe(self, name: str, window: Micros) -> Observation:
        """What users and operators saw of the service in the last `window` (NotFound)."""
        ...


@_with_all_members
class ValidatingManagement(ManagementBackend, Protocol):
    """A management service that also has what the management routes of `akstwin serve` need and the SDK's classes do without.

    That is: checks of arguments without side effects, as Azure's `services/validate` routes make them (wire §7.1), and what
    only the published REST description has (wire §12). Apart from `Backend`, so that a backend that third parties have
    written stays whole. What passes a check may be refused later, when something has changed.
    """

    def validate_name(self, name: str) -> None:
        """Refuse the name of a service that is to come (InvalidSetting; Conflict: it is taken)."""
        ...

    def validate_create(self, payload: Json) -> None:
        """Refuse what `create_service` would refuse now (InvalidSetting, NotFound, Conflict)."""
        ...

    def validate_patch(self, name: str, patch: JsonPatch) -> None:
        """Refuse what `patch_service` would refuse now (InvalidSetting, NotFound, Conflict)."""
        ...

    def validate_delete(self, name: str) -> None:
        """Refuse what `delete_service` would refuse now (NotFound, Conflict)."""
        ...

    def list_assets(self, query: AssetQuery) -> list[Json]:
        """The assets that the query means, in its order."""
        ...

    def patch_asset(self, asset_id: str, patch: JsonPatch) -> Json:
        """Change tags, description or metadata of an asset, or add properties; returns its document (NotFound)."""
        ...

    def delete_asset(self, asset_id: str) -> None:
        """Forget an asset (NotFound; 412 InUse while a model has its files by it)."""
        ...

    def model_metrics(self, model_id: str, start: str | None = None, end: str | None = None) -> Json:
        """How many deployments of a model have ended well, and how many not.

        Args:
            model_id: `name:version`.
            start: the first instant that is looked at, ISO 8601, UTC if it says nothing else; None: the model's creation.
            end: the last one; None: now.

        Returns:
            `{startTime, endTime, deploymentSummary: {successfulDeployments, unsuccessfulDeployments}}`.

        Raises:
            NotFound: no such model.
            InvalidSetting: an instant is none, or the window ends before it begins.
        """
        ...


@_with_all_members
class ValidatingBackend(Backend, ValidatingManagement, Protocol):
    """A world that management routes can be served from."""
