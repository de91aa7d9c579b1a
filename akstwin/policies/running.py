"""`run_policy`: a policy, or a script that waits, on a service of any workspace, by that world's clock."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol, runtime_checkable

from akstwin.clock import SECOND, Micros
from akstwin.domain.observation import Observation
from akstwin.domain.units import read_duration
from akstwin.errors import InvalidSetting
from akstwin.policies.journal import FileJournal, Journal, MemoryJournal
from akstwin.policies.policy import Policy, StepPolicy
from akstwin.policies.runner import DECISION, Look, Note, PolicyRunner, Waits, drive, recorded

Span = str | float
"""A duration: `"250ms"`, `"10s"`, `"5m"`, `"24h"`, or a number of seconds."""


@runtime_checkable
class KeepsDecisions(Protocol):
    """A backend that keeps what policies do among what happens in its world: events, trace, live page."""

    def note_policy(self, service: str, kind: str, policy: str, words: str) -> None:
        """Keep that a policy has looked at a service, or has acted on it."""
        ...


class _TimeIsUp(BaseException):
    """A script sleeps beyond its end."""


class ScriptClock:
    """What a script that waits is given: the world's time, and what was seen of its service."""

    def __init__(self, clock: Waits, until: int, observe: Callable[[Micros], Observation]) -> None:
        self._clock = clock
        self._until = until
        self._observe = observe

    def now(self) -> float:
        """Seconds since the clock's start."""
        return self._clock.now() / SECOND

    def sleep(self, span: Span) -> None:
        """Wait, by the world's clock: in a simulated world other things happen meanwhile, and it costs no time.

        A script whose time is up does not come back from here.

        Args:
            span: for how long.

        Raises:
            InvalidSetting: it is no duration.
        """
        deadline = self._clock.now() + read_duration("sleep", span)
        if deadline > self._until:
            if self._until > self._clock.now():
                self._clock.sleep_until(Micros(self._until))
            raise _TimeIsUp
        self._clock.sleep_until(Micros(deadline))

    def observe(self, window: Span) -> Observation:
        """What was seen of the service in the last `window`."""
        return self._observe(read_duration("window", window))


WaitingScript = Callable[[Any, ScriptClock], Any]
"""`script(endpoint, clock)`: calls the SDK, and waits with `clock.sleep`."""
_NO_LIMIT: Final = 1 << 61


def run_policy(
    policy: Policy | StepPolicy | WaitingScript,
    endpoint: Any,
    until: Span | None = None,
    *,
    journal: str | os.PathLike[str] | Journal | None = None,
    clock: Waits | None = None,
    seen: Callable[[Look], None] = lambda _: None,
) -> PolicyRunner | None:
    """Drive a service by a policy: look, decide, act, wait for its interval, again.

    The same call does it in virtual time, on a server and on a cluster: it goes by the clock of the endpoint's workspace.

    Args:
        policy: has an `interval` (µs), `limits` and `decide(state, observation, now)`; or, in the older form, an `interval` and
            `step(endpoint, observation)`; or is a script, a function of the endpoint and a clock to wait on.
        endpoint: an `AksEndpoint`, or an `AksWebservice`, of a workspace.
        until: for how long from now, at most; None: until the policy has done its work.
        journal: a file that each decision is kept in before it is acted on. If it has decisions already, the run goes on after
            the last of them, and nothing is done twice.
        clock: waits instead of the workspace's clock.
        seen: hears each look of a policy.

    Returns:
        The runner: its `verdict`, and whether it has `ended`; None of a script.

    Raises:
        InvalidSetting: what is no policy, or declares no limits; a script with a journal that has rows.
        AksError: the service refuses an action, or cannot be observed.
    """
    backend = endpoint.workspace.backend
    name = endpoint.name
    waits: Waits = backend.clock if clock is None else clock
    end = _NO_LIMIT if until is None else waits.now() + read_duration("until", until)
    observe = partial(backend.observe, name)
    called = getattr(policy, "__name__", type(policy).__name__)

    def note(kind: str, words: str) -> None:
        if isinstance(backend, KeepsDecisions):
            backend.note_policy(name, kind, called, words)

    kept = FileJournal(journal) if isinstance(journal, str | os.PathLike) else journal
    try:
        if isinstance(policy, Policy | StepPolicy) or not callable(policy):
            runner = PolicyRunner(
                policy,
                endpoint,
                observe,
                note,
                document=partial(backend.get_service, name),
                journal=kept,
                seen=seen,
            )
            drive(runner, waits, end)
            return runner
        _run_script(policy, endpoint, ScriptClock(waits, end, observe), note, kept or MemoryJournal())
        return None
    finally:
        if isinstance(kept, FileJournal) and kept is not journal:
            kept.close()


def _run_script(script: WaitingScript, endpoint: Any, clock: ScriptClock, note: Note, journal: Journal) -> None:
    if journal.rows:
        raise InvalidSetting("journal", len(journal.rows), "empty: a script begins anew, it cannot go on in the middle")

    def made(call: str) -> None:
        journal.keep({"call": {"at": clock.now(), "call": call}})
        note(DECISION, call)

    try:
        script(recorded(endpoint, made), clock)
    except _TimeIsUp:
        note(DECISION, "its time is up")
