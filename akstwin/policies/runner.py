"""The one way to run a policy: look, decide, keep the decision, act, wait, again; in every world, on every clock."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from akstwin.clock import Micros
from akstwin.domain.observation import Observation
from akstwin.errors import AksError, InvalidSetting
from akstwin.policies import limiting
from akstwin.policies.actions import Action, Hold, action_json, read_action
from akstwin.policies.figures import inputs_of
from akstwin.policies.journal import Journal, MemoryJournal
from akstwin.policies.performing import perform, steps_of
from akstwin.policies.policy import ADAPTED_DURATION, Decision, Policy, State, StepPolicy, Verdict, check_policy

Note = Callable[[str, str], None]
"""Keeps what a policy did among what happened in the world: kind, words."""
DECISION: Final = "policy"
"""Something was done, or the verdict is another one."""
LOOK: Final = "policy_look"
"""Nothing was done, for the same verdict as before."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look of a policy.

    Attributes:
        number: 0, 1, … since the beginning of the run.
        at: the instant.
        observation: what it saw.
        decision: what it decided, within its limits.
        waiting: what the service refused for now, in its words: it is tried again at the next look. None: all is done.
    """

    number: int
    at: int
    observation: Observation
    decision: Decision
    waiting: str | None = None


@dataclass(slots=True)
class _Run:
    """Where a run stands."""

    number: int = 0
    state: State | None = field(default_factory=dict)
    before: State | None = field(default_factory=dict)
    next_look: int | None = None
    pending: tuple[Action, ...] = ()
    verdict: Verdict | None = None
    started: int | None = None


class PolicyRunner:
    """One policy on one service.

    Args:
        policy: decides.
        endpoint: what it acts on: an `AksEndpoint`, an `AksWebservice`, or what has their verbs.
        observe: the observation of the last so many µs.
        note: keeps what the policy did, in words.
        document: the service as it is, as `Backend.get_service` gives it.
        journal: where each decision is kept, and where a run goes on from; None: in memory.
        seen: hears each look.
        decide: decides, of a policy of the pure form; within its limits unless told otherwise.

    Raises:
        InvalidSetting: it is no policy; it declares no limits; or the journal is of another policy, or of one that cannot go on.
    """

    def __init__(
        self,
        policy: Policy | StepPolicy,
        endpoint: Any,
        observe: Callable[[Micros], Observation],
        note: Note = lambda _kind, _words: None,
        *,
        document: Callable[[], Mapping[str, Any]],
        journal: Journal | None = None,
        seen: Callable[[Look], None] = lambda _: None,
        decide: Callable[[Policy, State, Observation, Micros], Decision] = limiting.decide,
    ) -> None:
        check_policy(policy)
        self._decide = decide
        self.policy = policy
        self._endpoint = endpoint
        self._observe = observe
        self._note = note
        self._document = document
        self._journal = MemoryJournal() if journal is None else journal
        self._seen = seen
        self._last: int | None = None
        self._run = self._resumed()

    @property
    def interval(self) -> Micros:
        """From one look to the next."""
        return Micros(self.policy.interval)

    @property
    def ended(self) -> bool:
        """Whether the policy has done its work."""
        return self._run.state is None and not self._run.pending

    @property
    def verdict(self) -> Verdict | None:
        """Of the last look; None: there was none."""
        return self._run.verdict

    @property
    def next_look(self) -> int | None:
        """When it looks next, by the journal; None: it has not begun."""
        return self._run.next_look

    def look(self, now: int) -> None:
        """Look once, at the time since the last look, and act.

        Args:
            now: the present instant.

        Raises:
            AksError: the service refuses an action, and would refuse it again.
        """
        if self.ended:
            return
        window = self.interval if self._last is None else max(1, now - self._last)
        self._last = now
        run = self._run
        if run.started is None:
            run.started = now
        observation = self._observe(Micros(window))
        decision = self._decided(observation, now)
        if decision is None:
            return
        run.next_look = now + self.interval
        # What is pending was decided before, and is tried again; no actions are a decision, too.
        if not run.pending or decision.actions is not run.pending:
            state = self._plain(decision.state)
            self._keep(decision, observation, now)
            run.before, run.state, run.pending = run.state, state, decision.actions
        waiting = self._act()
        self._told(decision, waiting)
        self._seen(Look(run.number - 1, now, observation, decision, waiting))

    def _decided(self, observation: Observation, now: int) -> Decision | None:
        """What to do now; None: the policy acts itself."""
        run = self._run
        if not isinstance(self.policy, Policy):
            self._step(observation, now)
            return None
        if not run.pending:
            return self._decide(self.policy, run.state or {}, observation, Micros(now))
        # Something waits for the service. Failures still act: a verdict `fail` takes its place, another one does not.
        instead = self._decide(self.policy, run.before or {}, observation, Micros(now))
        if instead.verdict is Verdict.FAIL:
            run.state = run.before
            return instead
        return Decision(
            run.state, run.pending, run.verdict or Verdict.INCONCLUSIVE, "tried again: the service had refused it"
        )

    def _act(self) -> str | None:
        """Do what is pending and not in force; returns the refusal that it has to wait for."""
        run = self._run
        for action in run.pending:
            for step in steps_of(action, self._document()):
                try:
                    perform(step, self._endpoint)
                except AksError as refusal:
                    if _status(refusal) != 409:
                        raise
                    return " ".join(str(refusal).split())
        run.pending = ()
        self._journal.keep({"done": run.number - 1})
        return None

    def finish(self) -> None:
        """Do what the last decision of the journal wanted, as far as it is not in force yet.

        Raises:
            AksError: the service refuses an action, and would refuse it again.
        """
        if self._run.pending:
            self._act()

    def _keep(self, decision: Decision, observation: Observation, now: int) -> None:
        run = self._run
        self._journal.keep(
            {
                "decision": {
                    "number": run.number,
                    "policy": type(self.policy).__name__,
                    "at": now,
                    "next": now + self.interval,
                    "inputs": inputs_of(observation),
                    "actions": [action_json(action) for action in decision.actions],
                    "verdict": decision.verdict.value,
                    "reason": decision.reason,
                    "state": decision.state,
                    "before": run.state,
                }
            }
        )
        run.number += 1

    def _plain(self, state: State | None) -> State | None:
        """The state as the journal gives it back, so that a run that never stops meets the same one."""
        try:
            plain: State | None = json.loads(json.dumps(state, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise InvalidSetting(f"{type(self.policy).__name__}.state", state, f"JSON: {error}") from None
        return plain

    def _told(self, decision: Decision, waiting: str | None) -> None:
        done = [str(action) for action in decision.actions if not isinstance(action, Hold)] or ["hold"]
        words = f"{', '.join(done)} ({decision.verdict.value}): {decision.reason}"
        if waiting is not None:
            words += f"; it waits, as the service refuses it now: {waiting}"
        same = decision.verdict is self._run.verdict and done == ["hold"] and decision.state is not None
        self._run.verdict = decision.verdict
        self._note(LOOK if same else DECISION, words)

    # -- the older form

    def _step(self, observation: Observation, now: int) -> None:
        run, policy = self._run, self.policy
        assert isinstance(policy, StepPolicy)  # noqa: S101 - check_policy
        started = run.started if run.started is not None else now
        run.next_look = now + self.interval
        if now - started >= getattr(policy, "max_duration", ADAPTED_DURATION):
            run.state = None
            self._note(DECISION, "hold (inconclusive): deadline of a policy of the older form, which says no other")
            return
        calls: list[str] = []
        done = policy.step(recorded(self._endpoint, calls.append), observation)
        row = {"number": run.number, "policy": type(policy).__name__, "at": now, "next": run.next_look}
        said = {"inputs": inputs_of(observation), "calls": calls, "reason": done}
        self._journal.keep({"decision": {**row, **said}})
        self._journal.keep({"done": run.number})
        run.number += 1
        if done is not None:
            self._note(DECISION, done)

    # -- going on

    def _resumed(self) -> _Run:
        rows = self._journal.rows
        decisions = [row["decision"] for row in rows if "decision" in row]
        if not decisions:
            return _Run()
        name = type(self.policy).__name__
        last = decisions[-1]
        if last["policy"] != name:
            raise InvalidSetting("journal", last["policy"], f"the journal of a {name}")
        if "state" not in last:
            raise InvalidSetting(
                "journal",
                name,
                "the journal of a policy with decide(): one with step() remembers by itself, and cannot go on",
            )
        done = any(row.get("done") == last["number"] for row in rows)
        self._last = last["at"]
        return _Run(
            number=last["number"] + 1,
            state=last["state"],
            before=last["before"],
            next_look=last["next"],
            pending=() if done else tuple(read_action(each) for each in last["actions"]),
            verdict=Verdict(last["verdict"]),
            started=decisions[0]["at"],
        )


class _Recorded:
    """An endpoint that tells which of its verbs are called, and how."""

    def __init__(self, endpoint: Any, made: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._made = made

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._endpoint, name)
        if not callable(found):
            return found

        def call(*given: Any, **named: Any) -> Any:
            arguments = [*map(repr, given), *(f"{key}={value!r}" for key, value in named.items())]
            answer = found(*given, **named)
            self._made(f"{name}({', '.join(arguments)})")
            return answer

        return call


def recorded(endpoint: Any, made: Callable[[str], None]) -> Any:
    """The endpoint, with a listener that hears each call of a verb once it has been taken."""
    return _Recorded(endpoint, made)


class Waits(Protocol):
    """A clock that can be waited on."""

    def now(self) -> int:
        """The present instant, µs."""
        ...

    def sleep_until(self, deadline: Micros) -> None:
        """Return at `deadline`."""
        ...


def drive(runner: PolicyRunner, clock: Waits, until: int) -> None:
    """Run a policy on a clock: from now on, or from where its journal ends.

    It returns when the policy has done its work, or at `until`.

    Args:
        runner: the policy.
        clock: tells the time, and is waited on.
        until: an instant; a look that is due then still takes place.
    """
    runner.finish()
    due = runner.next_look
    following = clock.now() if due is None else max(due, clock.now())
    while following <= until and not runner.ended:
        if following > clock.now():
            clock.sleep_until(Micros(following))
        runner.look(clock.now())
        following = clock.now() + runner.interval
    if until > clock.now() and not runner.ended:
        clock.sleep_until(Micros(until))


def _status(refusal: AksError) -> int:
    """The HTTP status of a refusal, the SDK's or the backend's."""
    found = getattr(refusal, "status_code", None)
    return found if isinstance(found, int) else refusal.status_hint
