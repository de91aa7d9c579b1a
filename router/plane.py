"""The router of one service in real time: `cores.routing` driven by an event loop, with replicas behind a transport.

Nothing is decided here. What happens is told to the core, what it decides is carried out, and it is woken when it wants to be.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from akstwin.backend import ScoreRequest
from akstwin.clock import NEVER, SECOND
from akstwin.cores.router_http import says_run_failed
from akstwin.cores.routing import (
    Action,
    Answer,
    Credential,
    Dispatch,
    KeyAuth,
    Requeue,
    Router,
    RouterRules,
    TokenAuth,
)
from akstwin.domain.deployment import RouteSettings
from akstwin.domain.service import Split
from akstwin.domain.usage import Usage
from akstwin.router.replica_connection import Outcome, Refused, Reply
from akstwin.router.replica_transport import ReplicaTransport

Answered = Callable[[Answer, Reply | None], None]
"""Called with the router's answer, and the reply that it passes on."""


class _Held(NamedTuple):
    request: ScoreRequest
    answered: Answered


class TransportPlane:
    """A `RoutingPlane` over a transport.

    Args:
        service: its name.
        rules: of the router.
        now: the present instant, µs; it never goes back.
        transport: to the replicas.
    """

    def __init__(self, service: str, rules: RouterRules, now: Callable[[], int], transport: ReplicaTransport) -> None:
        self._router = Router(service, rules)
        self._now = now
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: dict[int, _Held] = {}
        self._replies: dict[int, Reply] = {}
        self._count = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: int = NEVER
        self.auth: KeyAuth | TokenAuth | None = None
        self.settings: dict[str, RouteSettings] = {}
        """Of the versions that are configured."""

    # -- requests

    @property
    def waiting(self) -> int:
        """Requests that have come in and have no answer."""
        return len(self._held)

    def arrive(
        self,
        request: ScoreRequest,
        draw: int,
        answered: Answered,
        *,
        wanted: str | None = None,
        credential: Credential | None = None,
        size: int | None = None,
    ) -> int:
        """A request comes in.

        Args:
            request: with its whole body.
            draw: 0 up to `Split.WHOLE`, for the traffic split.
            answered: called once, at once or later; never after `abort`.
            wanted: the version that it names.
            credential: what its Authorization header holds.
            size: by which its payload is judged, bytes; None: the body's.

        Returns:
            Its number, for `abort`.
        """
        number = self._count
        self._count += 1
        self._held[number] = _Held(request, answered)
        length = len(request.body) if size is None else size
        self._perform(self._router.arrive(number, self._now(), draw, wanted=wanted, credential=credential, size=length))
        return number

    def abort(self, number: int) -> None:
        """Its client went away; its slot follows the rules."""
        held = self._held.get(number)
        if held is not None:
            self._held[number] = _Held(held.request, _nobody)
            self._perform(self._router.abort(number, self._now()))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Dispatch(number, _, replica):
                    held = self._held[number]
                    self._transport.send(replica, held.request, partial(self._outcome, number))
                case Requeue():
                    pass
                case Answer(number):
                    held = self._held.pop(number)
                    held.answered(action, self._replies.get(number) if action.forwarded else None)
        self._arm()

    def _outcome(self, number: int, outcome: Outcome) -> None:
        """A replica has had a request; it may have its answer already, and then its slot alone is told."""
        now = self._now()
        if isinstance(outcome, Reply):
            self._replies[number] = outcome
            failed = says_run_failed(outcome.headers)
            try:
                self._perform(self._router.complete(number, now, outcome.status, run_failed=failed))
            finally:
                del self._replies[number]
        elif isinstance(outcome, Refused):
            self._perform(self._router.refused(number, now))
        else:
            self._perform(self._router.broken(number, now))

    # -- alarms

    def _arm(self) -> None:
        due = min(self._router.next_timeout, self._router.next_deadline)
        if due >= self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = self._loop.call_later(max(0, due - self._now()) / SECOND, self._ring)

    def _ring(self) -> None:
        self._alarm, self._alarm_at = None, NEVER
        now = self._now()
        if self._router.next_timeout <= now:
            self._perform(self._router.expire_timeouts(now))
        if self._router.next_deadline <= now:
            self._perform(self._router.expire_queue(now))
        self._arm()

    def close(self) -> None:
        """No alarm rings any more."""
        if self._alarm is not None:
            self._alarm.cancel()

    # -- RoutingPlane

    def configure(self, version: str, settings: RouteSettings) -> None:
        """A version is there, or has changed."""
        self.settings[version] = settings
        self._perform(self._router.configure(version, settings, self._now()))

    def remove(self, version: str) -> None:
        """A version is there no more."""
        del self.settings[version]
        self._perform(self._router.remove_version(version, self._now()))

    def set_split(self, split: Split | None) -> None:
        """The traffic split; None: no such service."""
        self._router.set_split(split)

    def set_auth(self, auth: KeyAuth | TokenAuth | None) -> None:
        """What a request must carry to be let in; None: nothing."""
        self.auth = auth
        self._router.set_auth(auth)

    def admit(self, version: str, replica: int, address: str | None = None) -> None:
        """The replica is seen ready; `address` is `host:port`."""
        self._transport.address(replica, address)
        self._perform(self._router.seen_ready(version, replica, self._now()))

    def suspend(self, version: str, replica: int) -> None:
        """The replica is seen unready or dead."""
        self._perform(self._router.seen_unready(version, replica, self._now()))

    def withdraw(self, version: str, replica: int) -> None:
        """Nothing more is sent to the replica."""
        self._perform(self._router.withdraw(version, replica, self._now()))

    def forget(self, version: str, replica: int) -> None:
        """The replica is gone; what it worked on is broken."""
        self._perform(self._router.forget(version, replica, self._now()))
        self._transport.address(replica, None)

    def usage(self, version: str) -> Usage:
        """How busy the version has been, and is."""
        return self._router.usage(version, self._now())

    def in_flight(self, version: str, replica: int) -> int:
        """Slots taken on one replica."""
        return self._router.in_flight(version, replica)


def _nobody(answer: Answer, reply: Reply | None) -> None:
    """The client has gone."""
