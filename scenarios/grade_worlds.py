"""Worlds that a policy is graded in: one regression of the version, at one rate of traffic, with one seed; and one run in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from akstwin.clock import HOUR, MINUTE, SECOND, Micros
from akstwin.domain.faults import CrashOnRequest
from akstwin.domain.profile import Constant, Empirical, ModelProfile
from akstwin.domain.workload import ConstantArrivals, PoissonArrivals, StepArrivals
from akstwin.errors import InvalidSetting
from akstwin.policies import (
    ABTestSpec,
    BlueGreenSpec,
    CanarySpec,
    Policy,
    Promote,
    RollBack,
    ScheduledScalingSpec,
    policy_of,
)
from akstwin.policies.runner import Look
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.opening import open_world, plan
from akstwin.scenarios.references import Always, FailedChecks, Never, StepAnalysis
from akstwin.sim.engine.outcomes import Outcomes

Kind = Literal["equal", "errors", "latency", "slow start", "memory"]
RolloutSpec = CanarySpec | BlueGreenSpec | ABTestSpec
OWN: Final = "policy"
"""The scenario's policy, among the references."""
REFERENCES: Final = ("never", "always", "step analysis", "failed checks")
SCALED: Final = (ConstantArrivals, PoissonArrivals, StepArrivals)
"""Traffic that can be made more or less."""


@dataclass(frozen=True, slots=True)
class Regression:
    """In what, and by how much, the version is worse than its control.

    Attributes:
        kind: equal: in nothing; errors: more of its runs fail; latency: they take longer; slow start: its replicas do;
            memory: its containers are killed again and again.
        size: points of a share; times; seconds; requests from one kill to the next.
    """

    kind: Kind
    size: float = 0.0

    def __str__(self) -> str:
        match self.kind:
            case "equal":
                return "just as good"
            case "errors":
                return f"errors +{100 * self.size:g} points"
            case "latency":
                return f"latency ×{self.size:g}"
            case "slow start":
                return f"start +{self.size:g} s"
            case _:
                return f"killed each {self.size:g} requests"


EQUAL: Final = Regression("equal")


@dataclass(frozen=True, slots=True)
class World:
    """One cell of the grading, and one seed.

    Attributes:
        who: the policy, or the name of a reference.
        regression: of the version.
        traffic: how many times the scenario's.
        replication: 1, 2, …: cells of one replication meet the same requests and the same chance.
    """

    who: str
    regression: Regression
    traffic: float
    replication: int


@dataclass(frozen=True, slots=True)
class Played:
    """How one run came out.

    Attributes:
        outcome: promoted, rolled back or undecided.
        seconds: from the start to the decision; to the end, without one.
        failed: first attempts to any version that were not answered 200, by minute.
        replica_seconds: of the version's replicas, to the decision.
        broken: whether a limit, and not the policy, decided.
    """

    outcome: Literal["promoted", "rolled back", "undecided"]
    seconds: float
    failed: tuple[int, ...]
    replica_seconds: float
    broken: bool


@dataclass
class _Failures:
    """Counts first attempts that were not answered 200, by the minute of their answer."""

    minutes: list[int] = field(default_factory=list)

    def answered(self, outcomes: Outcomes) -> None:
        for status, attempt, answered in zip(outcomes.status, outcomes.attempt, outcomes.answered, strict=True):
            if status != 200 and attempt == 0:
                minute = answered // MINUTE
                self.minutes += [0] * (minute + 1 - len(self.minutes))
                self.minutes[minute] += 1

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Nothing."""


def rollout_of(prepared: Prepared) -> RolloutSpec:
    """The policy that is graded.

    Raises:
        InvalidSetting: there is none, several, or one that judges no version.
    """
    if prepared.services:
        raise InvalidSetting(
            "services", len(prepared.services), "a scenario of one endpoint, so that one rollout is graded"
        )
    policies = prepared.scenario.policies
    if len(policies) != 1:
        raise InvalidSetting("policies", len(policies), "one rollout: canary, blue_green or ab_test")
    (only,) = policies
    if isinstance(only, ScheduledScalingSpec):
        raise InvalidSetting("policies[0].kind", only.kind, "a rollout: canary, blue_green or ab_test")
    return only


def policy_named(who: str, spec: RolloutSpec) -> Policy:
    """The policy, or a reference that goes by its steps."""
    if who == OWN:
        return policy_of(spec)
    version, longest = spec.version, spec.max_duration
    match spec:
        case CanarySpec():
            steps: Sequence[float] = spec.steps
            hold = spec.hold
        case BlueGreenSpec():
            steps, hold = [spec.preview], spec.watch
        case ABTestSpec():
            steps, hold = [spec.share], Micros(10 * MINUTE)
    made: Mapping[str, Policy] = {
        "never": Never(version, longest),
        "always": Always(version, longest),
        "step analysis": StepAnalysis(version, steps, hold, max_duration=longest),
        "failed checks": FailedChecks(version, steps, hold, failures=5, max_duration=longest),
    }
    return made[who]


def world_of(prepared: Prepared, world: World) -> Prepared:
    """The scenario as this world has it: the version's model is its control's, but for the regression.

    Raises:
        InvalidSetting: the scenario's model cannot be made worse in this way, or its traffic not be scaled.
    """
    spec, scenario = rollout_of(prepared), prepared.scenario
    control = prepared.models[prepared.service.default]
    faults = list(scenario.faults)
    if world.regression.kind == "memory":
        kill = {
            "kind": "crash_on_request",
            "version": spec.version,
            "request": int(world.regression.size),
            "every": True,
        }
        faults.append(CrashOnRequest.model_validate(kill))
    traffic = [_scaled(entry, world.traffic, at) for at, entry in enumerate(scenario.traffic)]
    return replace(
        prepared,
        models={**prepared.models, spec.version: regressed(control, world.regression)},
        scenario=scenario.model_copy(update={"faults": faults, "traffic": traffic}),
    )


def regressed(model: ModelProfile, regression: Regression) -> ModelProfile:
    """A model that is worse than another.

    Raises:
        InvalidSetting: its times are measured ones, which have no mean to multiply.
    """
    size = regression.size
    match regression.kind:
        case "errors":
            return model.model_copy(update={"failure_rate": min(1.0, model.failure_rate + size)})
        case "latency":
            times = model.service_time
            if isinstance(times, Empirical):
                raise InvalidSetting("model.service_time", times.distribution, "a distribution with a mean")
            longer = times.model_copy(update={"mean": Micros(round(times.mean * size))})
            return model.model_copy(update={"service_time": longer})
        case "slow start":
            known = model.init_time
            mean = 0 if isinstance(known, Empirical) else known.mean
            slow = Constant.model_validate({"mean": (mean + size * SECOND) / SECOND})
            return model.model_copy(update={"init_time": slow})
        case _:
            return model


def _scaled(entry: Any, factor: float, at: int) -> Any:
    if factor == 1:
        return entry
    if not isinstance(entry, SCALED):
        raise InvalidSetting(f"traffic[{at}].shape", entry.shape, "constant, poisson or steps, to be scaled")
    rate = entry.rate
    scaled = [each * factor for each in rate] if isinstance(rate, list) else rate * factor
    return entry.model_copy(update={"rate": scaled})


def play(prepared: Prepared, world: World) -> Played:
    """Run the policy in the world until nothing more can come of it.

    That is: to its decision, if the version gets no traffic any more or is just as good; to the scenario's end, if a version
    that is worse was promoted, and goes on failing.
    """
    changed = world_of(prepared, world)
    spec = rollout_of(prepared)
    policy = policy_named(world.who, spec)
    failures, looks = _Failures(), list[Look]()
    replica_seconds = 0.0

    def seen(look: Look) -> None:
        nonlocal replica_seconds
        looks[:] = [look]
        version = look.observation.versions.get(spec.version)
        if version is not None and look.at:
            replica_seconds += (version.ready + version.starting) * policy.interval / SECOND

    opened = open_world(changed, replication=world.replication, recorders=[failures])
    try:
        plan(opened, changed, policy=policy, seen=seen)
        service, scenario = opened.service, changed.scenario
        service.send(scenario.traffic, scenario.clients, (scenario.warm_up, scenario.duration))
        end = scenario.duration
        now = 0
        while now < end:
            now = min(end, now + MINUTE)
            opened.world.run_until(Micros(now))
            over = looks and looks[-1].decision.state is None
            if over and (world.regression == EQUAL or _outcome(looks[-1]) != "promoted") and world.who != "never":
                opened.world.run_until(Micros(min(end, now + MINUTE)))
                break
        opened.backend.calendar.collect()
    finally:
        opened.close()
    last = looks[-1]
    decided = last.at if last.decision.state is None else end
    broken = last.decision.reason.startswith(("budget of harm", "deadline"))
    return Played(_outcome(last), decided / SECOND, tuple(failures.minutes), replica_seconds, broken)


def _outcome(look: Look) -> Literal["promoted", "rolled back", "undecided"]:
    if look.decision.state is None:
        if any(isinstance(action, RollBack) for action in look.decision.actions):
            return "rolled back"
        if any(isinstance(action, Promote) for action in look.decision.actions):
            return "promoted"
    return "undecided"


def hours(replica_seconds: float) -> float:
    """Replica-hours."""
    return replica_seconds * SECOND / HOUR
