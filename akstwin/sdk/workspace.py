"""The one line of a script that names a world: `Workspace`."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from inspect import getattr_static
from os import PathLike
from typing import Any, Final, Self

from akstwin.backend import Backend, WorkspaceIdentity
from akstwin.clock import Clock
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.units import read_size
from akstwin.errors import AksError, InvalidSetting
from akstwin.sdk.aks import AksWebservice as AksWebservice  # noqa: PLC0414 - the kinds of services register themselves
from akstwin.sdk.compute import ComputeTarget
from akstwin.sdk.environment import Environment
from akstwin.sdk.model import Model
from akstwin.sdk.webservice import Webservice
from akstwin.uploads import UploadLimits

WORLDS: Final = "akstwin.backends"
"""The group of entry points that worlds register in."""
_METHODS: Final = tuple(name for name in vars(Backend) if not name.startswith("_"))


class Workspace:
    """Models, environments, compute targets and services of one world.

    `Workspace.simulated` and its like make one. A script written for azureml-core needs another line only here.

    Args:
        backend: the world: any object with the methods of `akstwin.backend.Backend`.

    Attributes:
        backend: as given.

    Raises:
        InvalidSetting: the object lacks methods, which are named.
    """

    def __init__(self, *, backend: Backend) -> None:
        nothing = object()
        missing = [name for name in _METHODS if getattr_static(backend, name, nothing) is nothing]
        if missing:
            raise InvalidSetting("backend", backend, f"a Backend: it lacks {', '.join(missing)}")
        self.backend = backend

    @classmethod
    def simulated(
        cls,
        seed: int | None = None,
        scenario: str | PathLike[str] | Mapping[str, Any] | None = None,
        assumptions: Assumptions | Mapping[str, Any] | None = None,
        script_seconds: float = 60.0,
        max_upload_files: int | None = None,
        max_upload_bytes: int | str | None = None,
        **identity: str,
    ) -> Self:
        """A workspace in virtual time: waiting is free.

        Args:
            seed: of all chance in the world; 0, or what the scenario says.
            scenario: a scenario file, or its content: the workspace has its cluster and its service from the start.
            assumptions: values for keys of `akstwin.domain.assumptions.Assumptions`, such as `image_pull: "5s"`.
            script_seconds: real seconds after which an entry script counts as hung, in `init()` or in one `run()`.
            max_upload_files: files, folders and links that one upload, and one container, may hold; None: 10,000.
            max_upload_bytes: what one upload, and one container, may hold unpacked: bytes, or a size such as `"2GB"`; None: 1 GB.
            **identity: name, subscription_id, resource_group, location and workspace_id: who the workspace is in
                Azure's terms; each has a default.

        Raises:
            InvalidSetting: an argument has a value that is refused.
            AksError: this version has no such world.
        """
        limits: dict[str, int] = {}
        if max_upload_files is not None:
            limits["max_upload_files"] = max_upload_files
        if max_upload_bytes is not None:
            limits["max_upload_bytes"] = read_size("max_upload_bytes", max_upload_bytes)
        more = {"uploads": UploadLimits(**limits)} if limits else {}  # other worlds need not know of them
        given = dict(assumptions) if isinstance(assumptions, Mapping) else assumptions
        if scenario is None:
            factory = _world("simulated", "simulated")
            made = factory(
                seed=0 if seed is None else seed,
                assumptions=given,
                identity=_identity(identity),
                script_seconds=script_seconds,
                **more,
            )
        elif identity:
            raise InvalidSetting(next(iter(identity)), next(iter(identity.values())), "taken together with scenario")
        else:
            made = _world("scenario", "simulated(scenario=…)")(
                scenario=scenario, seed=seed, assumptions=given, script_seconds=script_seconds, **more
            )
        return cls(backend=made)

    @classmethod
    def connect(cls, url: str) -> Self:
        """A workspace on a server that speaks the management HTTP.

        Args:
            url: of the server, such as `http://127.0.0.1:8899`.

        Raises:
            AksError: this version has no such world.
        """
        return cls(backend=_world("remote", "connect")(url=url))

    @classmethod
    def on_kubernetes(cls, context: str | None = None, namespace: str | None = None) -> Self:
        """A workspace on a Kubernetes cluster of one's own.

        Args:
            context: of the kubeconfig; the current one.
            namespace: where the services live; the world's default.

        Raises:
            AksError: this version has no such world.
        """
        return cls(backend=_world("kubernetes", "on_kubernetes")(context=context, namespace=namespace))

    @property
    def name(self) -> str:
        """The workspace's name."""
        return self.backend.identity.name

    @property
    def subscription_id(self) -> str:
        """A GUID."""
        return self.backend.identity.subscription_id

    @property
    def resource_group(self) -> str:
        """The resource group's name."""
        return self.backend.identity.resource_group

    @property
    def location(self) -> str:
        """An Azure region."""
        return self.backend.identity.location

    @property
    def clock(self) -> Clock:
        """The world's time, in whole microseconds since its start."""
        return self.backend.clock

    @property
    def simulation(self) -> Any:
        """What only a simulated world can do: traffic, faults, profiles, going forward in time.

        Raises:
            AksError: the world is not simulated.
        """
        simulation = getattr(self.backend, "simulation", None)
        if simulation is None:
            raise AksError(f"simulation: a {type(self.backend).__name__} is not a simulated world")
        return simulation

    @property
    def compute_targets(self) -> "dict[str, ComputeTarget]":
        """All compute targets by name.

        Raises:
            ComputeTargetException: the world refuses.
        """
        return {target.name: target for target in ComputeTarget.list(self)}

    @property
    def models(self) -> "dict[str, Model]":
        """The newest version of each model by name.

        Raises:
            WebserviceException: the world refuses.
        """
        return {model.name: model for model in Model.list(self, latest=True)}

    @property
    def webservices(self) -> "dict[str, Webservice]":
        """All services and endpoints by name.

        Raises:
            WebserviceException: the world refuses.
        """
        return {service.name: service for service in Webservice.list(self)}

    @property
    def environments(self) -> "dict[str, Environment]":
        """The newest version of each registered environment by name.

        Raises:
            WebserviceException: the world refuses.
        """
        return Environment.list(self)

    def get_details(self) -> dict[str, Any]:
        """What the workspace is in Azure's terms: the keys of azureml-core that mean something here."""
        identity = self.backend.identity
        return {
            "id": identity.resource_id,
            "name": identity.name,
            "location": identity.location,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "tags": {},
            "workspaceid": identity.workspace_id,
            "friendlyName": identity.name,
        }

    def __repr__(self) -> str:
        return (
            f"Workspace(name={self.name!r}, subscription_id={self.subscription_id!r}, "
            f"resource_group={self.resource_group!r}, backend={type(self.backend).__name__})"
        )


def _world(entry_point: str, how: str) -> Any:
    """What makes a world's backend."""
    for point in entry_points(group=WORLDS, name=entry_point):
        return point.load()
    installed = ", ".join(sorted({point.name for point in entry_points(group=WORLDS)})) or "none"
    raise AksError(
        f"Workspace.{how}: this version of akstwin has no world called {entry_point!r}; it has these: {installed}"
    )


def _identity(given: Mapping[str, str]) -> WorkspaceIdentity:
    known = WorkspaceIdentity.__dataclass_fields__
    for name, value in given.items():
        if name not in known:
            raise InvalidSetting(name, value, f"a setting of a workspace; there are {', '.join(known)}")
        if not isinstance(value, str) or not value:
            raise InvalidSetting(name, value, "a text that is not empty")
    return WorkspaceIdentity(**given)
