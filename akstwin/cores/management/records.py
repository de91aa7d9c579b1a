"""What is kept of a service: what was given, when, and nothing that follows from it (wire §7)."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from akstwin.clock import Micros
from akstwin.domain.documents import Json

ComputeType = Literal["AKS", "AKSENDPOINT"]
Auth = Literal["key", "token", "none"]


class _Kept(BaseModel):
    """A frozen value that survives JSON unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class VersionRecord(_Kept):
    """A version, as it was asked for.

    Attributes:
        name: within the service; an AksWebservice's one version has the service's.
        settings: wire keys in their objects, null where nothing was given (`settings.blank_settings`).
        request: its `environmentImageRequest`.
        traffic: its `trafficPercentile`.
        description: in words. This and the next two are empty in an AksWebservice: the service has them.
        tags: its own.
        properties: its own.
        created: when.
        updated: when last; None: never.
    """

    name: str
    settings: Json
    request: Json | None = None
    traffic: int | float | None = None
    description: str | None = None
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}
    created: Micros
    updated: Micros | None = None

    @property
    def model_ids(self) -> tuple[str, ...]:
        """The models that it names, `name:version` each."""
        return tuple((self.request or {}).get("modelIds") or ())

    @property
    def environment(self) -> Any:
        """The environment that it names or describes; None: none."""
        return (self.request or {}).get("environment")


class ServiceRecord(_Kept):
    """A service.

    Attributes:
        name: in the workspace.
        compute_type: `AKS` has one version, `AKSENDPOINT` up to six.
        compute_name: the compute target that it is on.
        description: in words.
        tags: free to change.
        properties: can only be added to.
        namespace: of Kubernetes; None: the default.
        app_insights: whether it reports to Application Insights.
        auth: what requests need.
        primary: the one key; None: still to be made.
        secondary: the other key.
        token_secret: what its tokens are signed with.
        versions: in the order of their creation.
        default: the version that gets what the others leave.
        control: the version that the others are compared with.
        incarnation: 1, 2, …: one more with each overwrite, which replaces all pods.
        created: when.
        updated: when last; None: never.
    """

    name: str
    compute_type: ComputeType
    compute_name: str
    description: str | None = None
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}
    namespace: str | None = None
    app_insights: bool = False
    auth: Auth = "key"
    primary: str | None = None
    secondary: str | None = None
    token_secret: str | None = None
    versions: tuple[VersionRecord, ...]
    default: str
    control: str
    incarnation: int = 1
    created: Micros
    updated: Micros | None = None

    @property
    def endpoint(self) -> bool:
        """Whether it is an AksEndpoint."""
        return self.compute_type == "AKSENDPOINT"

    @property
    def model_ids(self) -> frozenset[str]:
        """All models that its versions name."""
        return frozenset(model for version in self.versions for model in version.model_ids)
