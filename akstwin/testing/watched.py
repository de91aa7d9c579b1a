"""The backend under test, watched: so that a broken one is found out, and none can hold up the check for ever."""

from collections.abc import Callable
from typing import Any, Final, cast

from akstwin.backend import Backend, Operation
from akstwin.clock import MINUTE, Clock, Micros
from akstwin.domain.lifecycles import OperationState
from akstwin.testing.promise import unkept
from akstwin.testing.words import seconds

_SPARE: Final = Micros(2 * MINUTE)


def watched(backend: Backend) -> Backend:
    """The backend, behind the methods of the protocol and nothing else.

    An operation that runs longer than the limits allow, and a clock that stands still or goes back, break the promise
    that is being tried.
    """
    return cast("Backend", _Watched(backend))


def longest_operation(backend: Backend) -> Micros:
    """How long an operation may run, with something to spare."""
    assumed = backend.assumptions
    longest = max(assumed.deployment_timeout, assumed.cluster_create, assumed.cluster_attach)
    return Micros(longest + assumed.image_build + assumed.termination_grace + _SPARE)


class _WatchedClock:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest = clock.now()

    def now(self) -> Micros:
        now = self._clock.now()
        if now < self._latest:
            unkept("clock.now()", seconds(now), f"not before {seconds(self._latest)}, as it was before")
        self._latest = now
        return now

    def sleep_until(self, deadline: Micros) -> None:
        self._clock.sleep_until(deadline)
        now = self.now()
        if now < deadline:
            unkept(f"clock.sleep_until({deadline})", seconds(now), f"not before {seconds(deadline)}")


class _Watched:
    """Has the protocol's members, each handed on."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._clock = _WatchedClock(backend.clock)
        self._longest = longest_operation(backend)
        self._since: dict[str, Micros] = {}

    @property
    def clock(self) -> Clock:
        return self._clock

    def get_operation(self, operation_id: str) -> Operation:
        operation = self._backend.get_operation(operation_id)
        now = self._clock.now()
        since = self._since.setdefault(operation_id, now)
        if operation.state is OperationState.RUNNING and now - since > self._longest:
            call = f"get_operation({operation_id!r}).state, {seconds(Micros(now - since))} after it was first asked for"
            unkept(call, operation.state.value, f"a final state within {seconds(self._longest)}")
        return operation


def _forwarding(name: str) -> Callable[..., Any]:
    def call(self: _Watched, *args: Any, **given: Any) -> Any:
        return getattr(self._backend, name)(*args, **given)

    return call


def _reading(name: str) -> property:
    return property(lambda self: getattr(self._backend, name))


for _name, _member in vars(Backend).items():
    if not _name.startswith("_") and _name not in vars(_Watched):
        setattr(_Watched, _name, _reading(_name) if isinstance(_member, property) else _forwarding(_name))
