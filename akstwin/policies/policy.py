"""What a policy is: a pure step over plain data, with limits that it declares; and the older form, which acts itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from akstwin.clock import HOUR, Micros
from akstwin.domain.observation import Observation
from akstwin.errors import InvalidSetting
from akstwin.policies.actions import Action

State = Mapping[str, Any]
"""What a policy remembers from one look to the next: JSON, empty at the first look."""


class Verdict(StrEnum):
    """What the figures say of what is judged."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Decision(NamedTuple):
    """What came of one look.

    Attributes:
        state: what is remembered; None: the policy has done its work, and looks no more.
        actions: what is done now, in this order.
        verdict: what the figures say.
        reason: why, with the figures, in words.
    """

    state: State | None
    actions: tuple[Action, ...]
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the runner holds a policy to, whatever it decides.

    Attributes:
        version: whose traffic it puts at risk; None: it moves no traffic, and is judged by no sample and no budget.
        max_duration: how long it may take, µs; it ends then.
        on_deadline: what is done at its end: `roll_back`, `promote`, or `hold`, which leaves everything as it is.
        min_requests: answers to first attempts, refusals of the router aside, that the version must have had since its share
            was last changed before it gets more traffic.
        budget: most failed requests that it may cause: those of the version's first attempts that the control version, the
            default, would not have lost over the same time. One more, and it is rolled back.
    """

    version: str | None
    max_duration: int
    on_deadline: Literal["roll_back", "promote", "hold"]
    min_requests: int
    budget: float

    def __post_init__(self) -> None:
        for name, least in (("max_duration", 1), ("min_requests", 0), ("budget", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
                raise InvalidSetting(f"limits.{name}", value, f"a number, {least} or more")
        if self.on_deadline not in ("roll_back", "promote", "hold"):
            raise InvalidSetting("limits.on_deadline", self.on_deadline, "one of roll_back, promote, hold")
        if self.version is None and self.on_deadline != "hold":
            raise InvalidSetting("limits.on_deadline", self.on_deadline, "hold, as there is no version to judge")


@runtime_checkable
class Policy(Protocol):
    """Decides, and does nothing: the same state, observation and instant give the same decision.

    It is looked at once at its start, and then every `interval`.
    """

    @property
    def interval(self) -> int:
        """Between two looks, µs."""
        ...

    @property
    def limits(self) -> Limits:
        """The deadline, the sample and the harm that it answers for."""
        ...

    def decide(self, state: State, observation: Observation, now: Micros) -> Decision:
        """Look, and say what shall be done.

        Args:
            state: what the last decision remembered; empty at the first look.
            observation: of the time since the last look, and since the service began; `observation.missing` says that there
                are no figures.
            now: the present instant by the backend's clock.
        """
        ...


class Endpoint(Protocol):
    """The part of `AksEndpoint` that policies call."""

    def update_version(self, version_name: str, *, traffic_percentile: float) -> None:
        """Change the version's share of the traffic."""
        ...


@runtime_checkable
class StepPolicy(Protocol):
    """The older form, which calls the endpoint itself. It cannot be resumed: what it remembers is its own."""

    @property
    def interval(self) -> int:
        """Between two looks, µs."""
        ...

    def step(self, endpoint: Endpoint, observation: Observation) -> str | None:
        """Look, and act. Returns what was done, in words, or None for nothing."""
        ...


ADAPTED_DURATION: int = 24 * HOUR
"""A policy of the older form that says no `max_duration` ends after a day, leaving everything as it is."""


def check_policy(policy: object) -> None:
    """Refuse what is no policy, or one of the pure form that declares no limits.

    Raises:
        InvalidSetting: it is none, with what is missing.
    """
    name = type(policy).__name__
    interval = getattr(policy, "interval", None)
    if isinstance(interval, bool) or not isinstance(interval, int) or interval <= 0:
        raise InvalidSetting(f"{name}.interval", interval, "a whole number of µs, more than 0")
    if callable(getattr(policy, "decide", None)):
        limits = getattr(policy, "limits", None)
        if not isinstance(limits, Limits):
            raise InvalidSetting(
                f"{name}.limits",
                limits,
                "akstwin.policies.Limits: its deadline, what is done then, its least sample and its budget of harm",
            )
    elif not callable(getattr(policy, "step", None)):
        raise InvalidSetting(
            name,
            type(policy),
            "a policy: it has neither decide(state, observation, now) nor step(endpoint, observation)",
        )
