"""The one way to run a policy: look, act, wait for its interval, again; in every world, on every clock."""

from collections.abc import Callable
from typing import Protocol

from akstwin.clock import Micros
from akstwin.domain.observation import Observation
from akstwin.policies.policy import Endpoint, Policy


class PolicyRunner:
    """One policy on one endpoint.

    Args:
        policy: decides.
        endpoint: what it acts on.
        observe: the observation of the last so many µs.
        note: keeps what the policy did, in words.
    """

    def __init__(
        self,
        policy: Policy,
        endpoint: Endpoint,
        observe: Callable[[Micros], Observation],
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.policy = policy
        self._endpoint = endpoint
        self._observe = observe
        self._note = note

    @property
    def interval(self) -> Micros:
        """From one look to the next."""
        return Micros(self.policy.interval)

    def look(self) -> None:
        """Look once, at the time since the last look, and act."""
        done = self.policy.step(self._endpoint, self._observe(self.interval))
        if done is not None:
            self._note(done)


class Waits(Protocol):
    """A clock that can be waited on."""

    def now(self) -> int:
        """The present instant, µs."""
        ...

    def sleep_until(self, deadline: Micros) -> None:
        """Return at `deadline`."""
        ...


def drive(runner: PolicyRunner, clock: Waits, until: int) -> None:
    """Run a policy on a clock, from now on.

    Args:
        runner: the policy.
        clock: tells the time, and is waited on.
        until: the instant at which this returns; a look that is due then still takes place.
    """
    while True:
        runner.look()
        following = clock.now() + runner.interval
        if following > until:
            break
        clock.sleep_until(Micros(following))
    if until > clock.now():
        clock.sleep_until(Micros(until))
