"""What the decisions on states and operations go by: limits, and facts that a driver reports (semantics §6.6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Self

from akstwin.clock import Micros
from akstwin.domain.assumptions import Assumptions


@dataclass(frozen=True, slots=True)
class ManagementRules:
    """Limits that end an operation or change a state; keys of the assumptions (semantics §6.9)."""

    unschedulable_after: Micros
    deployment_timeout: Micros
    crash_restarts_failed: int
    crash_time_failed: Micros
    unhealthy_after: Micros

    @classmethod
    def of(cls, assumptions: Assumptions) -> Self:
        """The limits as they are assumed."""
        return cls(
            assumptions.unschedulable_after,
            assumptions.deployment_timeout,
            assumptions.crash_restarts_failed,
            assumptions.crash_time_failed,
            assumptions.unhealthy_after,
        )


@dataclass(frozen=True, slots=True)
class OperationError:
    """Why an operation did not succeed, as the service words it."""

    code: str
    status_code: int
    message: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Pods that fit nowhere.

    Attributes:
        since: since when the first of them has fitted nowhere.
        unschedulable: what the scheduler says of it.
        shortage: what the service says of it.
    """

    since: Micros
    unschedulable: str = ""
    shortage: str = ""

    @property
    def error(self) -> OperationError:
        """What an operation says that fails for it."""
        return OperationError("KubernetesError", 400, f"{self.unschedulable} {self.shortage}")


BlockedBy = Literal["image_pull", "configuration", "quota", "admission"]
"""What keeps pods from coming up although there is room for them."""

_BLOCKED: Final[Mapping[BlockedBy, tuple[str, str]]] = {
    "image_pull": ("ImagePullFailed", "The image of a container cannot be pulled"),
    "configuration": ("InvalidContainerConfiguration", "A container cannot be made as it is configured"),
    "quota": ("QuotaExceeded", "A quota of the namespace refuses pods"),
    "admission": ("PodsRefused", "The cluster refuses pods"),
}


@dataclass(frozen=True, slots=True)
class Blocked:
    """Pods that cannot come up, for a reason that no waiting mends.

    Attributes:
        since: since when.
        by: what kind of reason.
        message: what the cluster says of it.
    """

    since: Micros
    by: BlockedBy
    message: str

    @property
    def error(self) -> OperationError:
        """What an operation says that fails for it."""
        return OperationError(_BLOCKED[self.by][0], 400, self.explanation)

    @property
    def explanation(self) -> str:
        """The reason in words."""
        return f"{_BLOCKED[self.by][1]}: {self.message}"


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What the replicas of one version are like.

    Attributes:
        asked: replicas that were last asked for: the fixed number, or the autoscaler's smallest.
        serving: replicas that are ready and known to the router, of whatever template.
        waiting: its pods that fit nowhere; None: all fit.
        crashing_since: since when its containers have been failing with no replica available.
        killed_for: why its container that ended last was killed; empty: it ended otherwise.
        blocked: what keeps its pods from coming up; None: nothing does.
        last_lines: what its container that ended last has written last; empty: nothing, or nobody knows.
    """

    asked: int
    serving: int
    waiting: Waiting | None = None
    crashing_since: Micros | None = None
    killed_for: str = ""
    blocked: Blocked | None = None
    last_lines: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the pods and the router of a service are like.

    Attributes:
        wanted: replicas that must be available for an operation to succeed, all versions taken together.
        available: ready pods.
        rolled: whether every version has all its wanted replicas available and none of an older template left.
        routed: whether the router has the replicas and the traffic split that the operation under way brings.
        waiting: pods that fit nowhere; None: all fit.
        crashing_since: since when a container has been failing with no replica of its version available.
        restarts: the most restarts in a row that one pod has had which the operation under way has brought.
        gone: whether no pod is left, not even one on its way out.
        content_message: why the files of a crashing container cannot be laid out; empty where they can.
        generation: the latest generation of the service that its pods and its router are being changed to.
        router_generation: the latest generation whose settings and split the router acts by.
        access_generation: the latest generation whose keys or tokens the router asks for.
        versions: the service's versions by name.
    """

    wanted: int
    available: int
    rolled: bool
    routed: bool
    waiting: Waiting | None = None
    crashing_since: Micros | None = None
    restarts: int = 0
    gone: bool = False
    content_message: str = ""
    generation: int = 0
    router_generation: int = 0
    access_generation: int = 0
    versions: Mapping[str, VersionFacts] = field(default_factory=dict)

    @property
    def killed_for(self) -> str:
        """Why the containers that ended last were killed, by version; empty: they ended otherwise."""
        return "; ".join(f"{name}: {each.killed_for}" for name, each in self.versions.items() if each.killed_for)

    @property
    def blocked(self) -> Blocked | None:
        """What has kept pods from coming up for longest; None: nothing does."""
        found = [each.blocked for each in self.versions.values() if each.blocked is not None]
        return min(found, key=lambda each: each.since, default=None)

    @property
    def last_lines(self) -> str:
        """What containers that ended have written last, of the first version that has any."""
        return next((each.last_lines for each in self.versions.values() if each.last_lines), "")


def crashed(content: str = "", killed_for: str = "", last_lines: str = "") -> OperationError:
    """What an operation says that fails because containers end again and again.

    Args:
        content: why their files cannot be laid out; nothing: they can.
        killed_for: why they are killed; nothing: they end by themselves.
        last_lines: what they have written last; nothing: nothing, or nobody knows.
    """
    message = "Your container application crashed"
    if content:
        return OperationError("CrashLoopBackOff", 400, f"{message}: its files cannot be laid out. {content}")
    if killed_for:
        return OperationError("CrashLoopBackOff", 400, f"{message}. {last_state(killed_for)}")
    cause = "This may be caused by errors in your scoring file's init() function."
    told = f" Its last lines: {last_lines}" if last_lines else ""
    return OperationError("CrashLoopBackOff", 400, f"{message}. {cause}{told}")


def last_state(killed_for: str) -> str:
    """A sentence on containers that were killed."""
    return f"Last state of its containers: {killed_for}."


def timed_out(service: str, missing: str = "") -> OperationError:
    """What an operation says that ran out of time.

    Args:
        service: its name.
        missing: what there was not in time; nothing: the service does not say.
    """
    message = f"Timed out waiting for AKS deployment to complete. serviceName: {service}"
    return OperationError("DeploymentTimedOut", 504, f"{message}. {missing}" if missing else message)


def over(since: Micros | None, limit: Micros, now: Micros) -> bool:
    """Whether what began at an instant has lasted as long as a limit."""
    return since is not None and now - since >= limit


def within(since: Micros | None, limited_from: Micros) -> Micros | None:
    """Since when an operation has seen something itself: it answers for nothing that was before."""
    return None if since is None else Micros(max(since, limited_from))
