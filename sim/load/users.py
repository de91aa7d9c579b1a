"""Users who wait: when each begins, how long each thinks, and how their requests are numbered.

A user's requests are its turns, from 0. All chance about a request goes by its number within the traffic entry, so the number is
made of user and turn alone, and neither the service's answers nor the number of users changes what a user's n-th turn draws.
"""

from typing import Final

from akstwin.domain.workload import Clients, ClosedLoopUsers
from akstwin.sim.distributions import sampler_of
from akstwin.sim.load.request_index import RequestIdentity
from akstwin.sim.load.retries import Retries
from akstwin.sim.streams import Draws, whole_below

_TILE_BITS: Final = 5
"""A block of 1024 draws serves 32 users in 32 turns: neither few users nor few turns leave most of a block unread."""
_TILE_MASK: Final = (1 << _TILE_BITS) - 1
_USER_BITS: Final = 20
_GROUP_BITS: Final = _USER_BITS - _TILE_BITS
_GROUP_MASK: Final = (1 << _GROUP_BITS) - 1
_SHARE_BITS: Final = 32


def number_of(user: int, turn: int) -> int:
    """The number, within its traffic entry, of a user's turn.

    From the highest digits to the lowest: turn // 32, user // 32 (15 binary digits), turn % 32, user % 32.

    Args:
        user: from 0, below 2**20.
        turn: from 0.
    """
    tile = turn >> _TILE_BITS << _GROUP_BITS | user >> _TILE_BITS
    return tile << 2 * _TILE_BITS | (turn & _TILE_MASK) << _TILE_BITS | user & _TILE_MASK


def user_of(number: int) -> int:
    """Whose request has this number."""
    return (number >> 2 * _TILE_BITS & _GROUP_MASK) << _TILE_BITS | number & _TILE_MASK


def turn_of(number: int) -> int:
    """Which of its user's requests has this number."""
    return number >> _USER_BITS + _TILE_BITS << _TILE_BITS | number >> _TILE_BITS & _TILE_MASK


class WaitingUsers:
    """The users of one traffic entry.

    Args:
        spec: what they are like.
        clients: what they do with a refusal, unless the entry itself says it.
        seed: of the run.
        replication: 1, 2, …
        entry: the number of the traffic entry.
        service: goes before the entry's number in the names of its streams of chance.
    """

    def __init__(
        self, spec: ClosedLoopUsers, clients: Clients, seed: int, replication: int, entry: int, service: str = ""
    ) -> None:
        self.spec = spec
        self._think = Draws(seed, replication, "think", f"{service}{entry}", sampler_of(spec.think_time))
        self._shares = Draws(seed, replication, "first-think", f"{service}{entry}", whole_below(1 << _SHARE_BITS))
        self._retries = Retries(spec.clients or clients, seed, replication, service)

    def first(self, user: int) -> int:
        """When a user sends its first request, µs from the start of the entry."""
        if self.spec.spawn_rate is not None:
            return self.spec.begins(user)
        number = number_of(user, 0)
        return self._think.at(number) * self._shares.at(number) >> _SHARE_BITS

    def think_before(self, number: int) -> int:
        """How long a user thinks before the request of this number, µs."""
        return self._think.at(number)

    def wait_before_retry(self, identity: RequestIdentity, status: int) -> int | None:
        """µs from the answer to the user's next attempt at the same request; None: there is none."""
        return self._retries.wait(identity, status, number_of(user_of(identity.number), 0))
