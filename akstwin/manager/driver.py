"""The port from the manager to the world it runs in: what has been decided, and when the world is to act.

A driver does not refuse but where it is asked (`try_cluster`): what can be refused has been before it is called, and by
then it is stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from akstwin.backend import Json
from akstwin.clock import Micros
from akstwin.cores.management import DeploymentStatus, Lifecycle
from akstwin.cores.routing import KeyAuth, TokenAuth
from akstwin.domain.changes import Effect
from akstwin.domain.cluster import ClusterSpec
from akstwin.domain.service import ServiceSpec

Auth = KeyAuth | TokenAuth | None
"""What a request to a service needs; None: nothing."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a version's containers run.

    Attributes:
        request: its `environmentImageRequest` as given (wire §7.3); None: none was.
        models: the documents of the models that it names (wire §5).
    """

    request: Json | None
    models: tuple[Json, ...] = ()


class ServiceDriver(Protocol):
    """What the manager needs of a world. Contents are by the name of the version."""

    def create(
        self, spec: ServiceSpec, cluster: str, contents: Mapping[str, Content], auth: Auth, lifecycle: Lifecycle
    ) -> None:
        """Bring a service up: its `create` operation has begun.

        Args:
            spec: the service.
            cluster: the compute target that it runs on.
            contents: what each version runs.
            auth: what its requests need, in effect from the start.
            lifecycle: to be told of what happens; `lifecycle.life.running.stage` says whether an image is built first.
        """
        ...

    def restore(
        self,
        spec: ServiceSpec,
        cluster: str,
        contents: Mapping[str, Content],
        auth: Auth,
        lifecycle: Lifecycle,
        *,
        ready: bool,
    ) -> None:
        """Bring a service up again after the world has stood still: no operation begins.

        Args:
            spec: the service.
            cluster: the compute target that it runs on.
            contents: what each version runs.
            auth: what its requests need, in effect from the start.
            lifecycle: to be told of what happens, not before the next event: a `change` may follow at once.
            ready: whether its replicas are there, as far as they fit; else they start now.
        """
        ...

    def change(self, spec: ServiceSpec, effects: tuple[Effect, ...], contents: Mapping[str, Content]) -> None:
        """Get a service from what it is to `spec`.

        Args:
            spec: the service as it shall be.
            effects: what that takes, never empty; an `update` operation has begun if `takes_operation(effects)`.
            contents: what each version runs then.
        """
        ...

    def authorise(self, name: str, auth: Auth) -> None:
        """Let requests of a service need something else from now on, in effect after `key_propagation`."""
        ...

    def end(self, name: str) -> None:
        """Take a service down: its `delete` operation has begun, and ends when no pod is left."""
        ...

    def status(self, name: str) -> DeploymentStatus:
        """How many replicas each version has."""
        ...

    def try_cluster(self, name: str, cluster: ClusterSpec) -> None:
        """The one question: whether a compute target could be provisioned.

        Raises:
            InvalidSetting: it could not.
        """
        ...

    def create_cluster(self, name: str, cluster: ClusterSpec) -> None:
        """A compute target is provisioned: its nodes are there."""
        ...

    def end_cluster(self, name: str) -> None:
        """A compute target is gone; no service is on it."""
        ...

    def at(self, instant: Micros, action: Callable[[], None]) -> None:
        """Call `action` at `instant`, which is not in the past: by the world's own calendar."""
        ...
