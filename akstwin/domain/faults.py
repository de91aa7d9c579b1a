"""What can be broken on purpose, by its cause."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from akstwin.clock import Micros
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration

_At = Annotated[Duration, Field(description="when it begins, from t = 0")]
_Lasts = Annotated[Duration | None, Field(description="for how long; absent: to the end")]
_Service = Annotated[
    str | None, Field(description="whose replicas; under `services:` it must be given, elsewhere there is one service")
]
_Factor = Annotated[float, Field(gt=0, le=1e6, description="times as long")]


class NodeLoss(Spec):
    """A node falls silent; `lasts`: it comes back. Nodes are numbered from 1."""

    kind: Literal["node_loss"]
    at: _At
    node: PositiveInt
    lasts: _Lasts = None


class _OnReplicas(Spec):
    at: _At
    service: _Service = None
    version: str | None = Field(default=None, description="which version; absent: the default version")
    count: PositiveInt = Field(default=1, description="how many ready replicas, the oldest first")


class ReplicaKill(_OnReplicas):
    """Containers die at once, with what they were doing; they are restarted."""

    kind: Literal["replica_kill"]


class ReplicaHang(_OnReplicas):
    """Containers stop answering, probes included; after `lasts` they go on where they stopped."""

    kind: Literal["replica_hang"]
    lasts: _Lasts = None


class SlowReplica(_OnReplicas):
    """Requests that start on these containers take `factor` times as long."""

    kind: Literal["slow_replica"]
    factor: _Factor
    lasts: _Lasts = None


class InitFailure(Spec):
    """`init()` raises in every container of the version that ends its start meanwhile."""

    kind: Literal["init_failure"]
    at: _At = Micros(0)
    service: _Service = None
    version: str | None = None
    lasts: _Lasts = None


class ImagePullSlow(Spec):
    """Image pulls that begin meanwhile take `factor` times as long."""

    kind: Literal["image_pull_slow"]
    at: _At = Micros(0)
    factor: _Factor
    lasts: _Lasts = None


class CrashOnRequest(Spec):
    """The container dies as it starts the version's request number `request`, counted from `at`.

    Attributes:
        request: which request kills, 1 for the first.
        every: whether each further `request`-th one does too.
        times: how often at most with `every`; 0: without end.
    """

    kind: Literal["crash_on_request"]
    at: _At = Micros(0)
    service: _Service = None
    version: str | None = None
    request: PositiveInt
    every: bool = False
    times: NonNegativeInt = 0


Fault = Annotated[
    NodeLoss | ReplicaKill | ReplicaHang | SlowReplica | InitFailure | ImagePullSlow | CrashOnRequest,
    Field(discriminator="kind"),
]
