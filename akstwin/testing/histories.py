"""What a policy did in a world, look by look, and how the service stood afterwards: what checkers judge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from akstwin.clock import Micros
from akstwin.domain.observation import Observation
from akstwin.domain.units import read_duration
from akstwin.errors import AksError
from akstwin.policies import limiting
from akstwin.policies.journal import Journal, MemoryJournal
from akstwin.policies.policy import Decision, Policy, State
from akstwin.policies.runner import Look, PolicyRunner

Span = str | float
"""A duration: `"250ms"`, `"10s"`, `"5m"`, `"24h"`, or a number of seconds."""
Windows = Sequence[tuple[Span, Span]]
"""Spans of time, each from and up to an instant, counted from the begin of the run."""
SETTLING: Final = 5
"""Looks after the policy's end at which the service is seen once more, at least."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One look.

    Attributes:
        at: since the begin of the run, µs.
        observation: what was seen; what the policy saw, unless figures were missing: `hidden` has it then.
        decision: what it decided; None: it had done its work.
        waiting: what the service refused for now.
        truth: what was to be seen, also where figures were missing.
    """

    at: int
    observation: Observation
    decision: Decision | None
    waiting: str | None
    truth: Observation


@dataclass
class History:
    """A run.

    Attributes:
        version: whom the policy moves.
        control: the default version at its begin.
        moments: its looks, and as many after its end as the run had time for.
        ended_at: when the policy had done its work, since the begin, µs; None: it had not.
        refused: why the service or the runner refused an action that ended the run; None: no action was refused.
        scenario: what the world was made from; None: it was made otherwise.
    """

    version: str
    control: str | None
    moments: list[Moment] = field(default_factory=list)
    ended_at: int | None = None
    refused: str | None = None
    scenario: Any = None

    @property
    def decided(self) -> list[Moment]:
        """The looks at which the policy decided."""
        return [moment for moment in self.moments if moment.decision is not None]


def unlimited(policy: Policy, state: State, observation: Observation, now: Micros) -> Decision:
    """A policy's own decision, without the runner's limits: what it would do if nobody held it."""
    return policy.decide(state, observation, now)


def record(
    policy: Policy,
    endpoint: Any,
    until: Span,
    *,
    version: str | None = None,
    missing: Windows = (),
    restart_at: Sequence[int] = (),
    remake: Callable[[], Policy] | None = None,
    limited: bool = True,
    also: Sequence[Policy] = (),
    scenario: Any = None,
) -> History:
    """Run a policy on a service of any world, and keep what happens.

    Args:
        policy: decides.
        endpoint: an `AksEndpoint` of a workspace.
        until: how long the run is; it goes on after the policy's end.
        version: whom it moves; None: what its limits say.
        missing: when its figures are missing.
        restart_at: looks before which its process ends and begins anew, from the journal.
        remake: makes the policy anew at a restart; None: the same object, whose own memory survives.
        limited: whether the runner's limits hold it.
        also: other policies that run on the service beside it.
        scenario: what the world was made from.

    Raises:
        AksError: the service cannot be observed.
    """
    backend, name = endpoint.workspace.backend, endpoint.name
    clock = backend.clock
    begin, length = clock.now(), read_duration("until", until)
    observe = _Figures(backend, name, begin, missing)
    watched = version if version is not None else getattr(policy.limits, "version", None)
    history = History(watched or "", _control(backend, name), scenario=scenario)

    def keep(look: Look) -> None:
        history.moments.append(Moment(look.at - begin, look.observation, look.decision, look.waiting, observe.truth))

    def runner_of(each: Policy, journal: Journal, seen: Callable[[Look], None]) -> PolicyRunner:
        decide = limiting.decide if limited else unlimited
        return PolicyRunner(
            each,
            endpoint,
            observe,
            document=lambda: backend.get_service(name),
            journal=journal,
            seen=seen,
            decide=decide,
        )

    journal = MemoryJournal()
    runners = [runner_of(policy, journal, keep), *(runner_of(each, MemoryJournal(), lambda _: None) for each in also)]
    number = 0
    while clock.now() - begin <= length:
        if number in restart_at:
            runners[0] = runner_of(policy if remake is None else remake(), journal, keep)
            runners[0].finish()
        now = clock.now()
        try:
            for runner in runners:
                runner.look(now)
        except AksError as refusal:
            history.refused = " ".join(str(refusal).split())
            history.ended_at = now - begin
            return history
        if runners[0].ended and history.ended_at is None:
            history.ended_at = now - begin
        elif history.ended_at is not None:
            seen = observe(Micros(runners[0].interval))
            history.moments.append(Moment(now - begin, seen, None, None, observe.truth))
            if now - begin - history.ended_at >= SETTLING * runners[0].interval:
                break
        number += 1
        clock.sleep_until(Micros(now + runners[0].interval))
    return history


class _Figures:
    """Observes a service, and leaves figures out at times.

    Attributes:
        truth: what was to be seen at the last look, also where figures were missing.
    """

    def __init__(self, backend: Any, name: str, begin: int, missing: Windows) -> None:
        self._backend = backend
        self._name = name
        self._begin = begin
        self._hidden = [(read_duration("missing", low), read_duration("missing", high)) for low, high in missing]
        self.truth = Observation()

    def __call__(self, window: Micros) -> Observation:
        seen: Observation = self._backend.observe(self._name, window)
        self.truth = seen
        since = self._backend.clock.now() - self._begin
        if any(low <= since < high for low, high in self._hidden):
            return Observation(at=seen.at, window=seen.window, missing="the source of the figures is down")
        return seen


def _control(backend: Any, name: str) -> str | None:
    versions = backend.get_service(name).get("versions") or {}
    return next((version for version, shown in versions.items() if shown.get("isDefault")), None)
