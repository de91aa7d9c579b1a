"""The port from the management service to the place where services run: what has been decided, to be performed there.

A runtime refuses only where it is asked (`try_cluster`): all other refusals come before it is called, and by then the
records are written. If it fails nevertheless, its error goes to the caller and the records stand: they say what is wanted,
and `ManagementService.restore` performs it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from akstwin.backend import Json
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


class ClusterRuntime(Protocol):
    """Where services run, as the management service needs it. Contents are by the name of the version."""

    def create(
        self, spec: ServiceSpec, cluster: str, contents: Mapping[str, Content], auth: Auth, lifecycle: Lifecycle
    ) -> None:
        """Bring a service up: its `create` operation has begun.

        Args:
            spec: the service.
            cluster: the compute target that it runs on.
            contents: what each version runs.
            auth: what its requests need, in effect from the start.
            lifecycle: takes note of what happens; `lifecycle.life.running.stage` says whether an image is built first.
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
        generation: int,
    ) -> None:
        """Bring a service up again after the world has stood still: no operation begins.

        Args:
            spec: the service.
            cluster: the compute target that it runs on.
            contents: what each version runs.
            auth: what its requests need, in effect from the start.
            lifecycle: takes note of what happens, not before the next event: a `change` may follow at once.
            ready: whether its replicas are there, as far as they fit; else they start now.
            generation: of the service that `spec` is; the router acts by it from the start.
        """
        ...

    def change(
        self, spec: ServiceSpec, effects: tuple[Effect, ...], contents: Mapping[str, Content], generation: int
    ) -> None:
        """Get a service from what it is to `spec`.

        Args:
            spec: the service as it shall be.
            effects: what that takes, never empty; an `update` with the lock has begun if `takes_operation(effects)`.
            contents: what each version runs then.
            generation: of the service that `spec` is; facts say by which one pods and router act.
        """
        ...

    def authorise(self, name: str, auth: Auth, generation: int) -> None:
        """Let requests of a service need something else from now on, in effect after `key_propagation`.

        Args:
            name: of the service.
            auth: what requests need.
            generation: of the service; facts say by which one the router lets requests in.
        """
        ...

    def clamped(self, name: str, version: str, how: str) -> None:
        """Make an event of a setting that is kept as it was given, and acts otherwise.

        Args:
            name: of the service.
            version: whose setting it is.
            how: the setting, the value, and how it acts.
        """
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

    def known_nodes(self, name: str, asked: object) -> Json:
        """What the runtime knows of the nodes of a compute target that is about to come.

        Args:
            name: of the compute target.
            asked: the `agentVmSize` of the payload; of several names of the known size this one is given.

        Returns:
            `agentCount` and `agentVmSize` (wire §6), as far as they are known: they hold whatever a payload asks for.
        """
        ...

    def create_cluster(self, name: str, cluster: ClusterSpec) -> None:
        """A compute target is provisioned: its nodes are there."""
        ...

    def end_cluster(self, name: str) -> None:
        """A compute target is gone; no service is on it."""
        ...
