"""What a simulated model draws: run times, failures, start-up times, each by its own name."""

import numpy as np

from akstwin.domain.profile import Distribution, ModelProfile
from akstwin.sim.distributions import sampler_of
from akstwin.sim.requests import Request
from akstwin.sim.streams import Blocks, Draws, make_room, whole_below

_SHARES = 1 << 53


class ModelDraws:
    """The draws of one version's model under one profile.

    Every request index has a run time under every version, used or not; an attempt after the first has its own.
    """

    def __init__(self, seed: int, replication: int, version: str, profile: ModelProfile) -> None:
        self._of = (seed, replication)
        self._version = version
        self._profile = profile
        self._service: dict[tuple[int, int], Draws] = {}
        self._failures: dict[tuple[int, int], Draws] = {}
        self._fails_below = round(profile.failure_rate * _SHARES)

    def service_time(self, request: Request) -> int:
        """How long a worker that has its CPU is busy with the request, µs."""
        draws = self._service.get((request.entry, request.attempt))
        if draws is None:
            make_room(self._service)
            draws = self._service[request.entry, request.attempt] = self._draws(
                "service", request, self._profile.service_time
            )
        return draws.at(request.number)

    def fails(self, request: Request) -> bool:
        """Whether `run()` raises."""
        if not self._fails_below:
            return False
        draws = self._failures.get((request.entry, request.attempt))
        if draws is None:
            make_room(self._failures)
            draws = self._failures[request.entry, request.attempt] = Draws(
                *self._of, "failure", self._entity(request), whole_below(_SHARES)
            )
        return draws.at(request.number) < self._fails_below

    def init_time(self, pod: int, start: int) -> int:
        """How long `init()` takes in the `start`-th container (0: the first) of the version's `pod`-th pod, µs."""
        draws = Draws(*self._of, "init", f"{self._version}/{pod}", sampler_of(self._profile.init_time))
        return draws.at(start)

    def worker_init_time(self, request: Request) -> int:
        """How long `init()` takes in a worker that replaces the one ended over this request, µs."""
        return self._draws("worker-init", request, self._profile.init_time).at(request.number)

    @property
    def fails_below(self) -> int:
        """A run fails whose number in `failure_blocks` is smaller; 0: none does."""
        return self._fails_below

    def service_blocks(self, entry: int, attempt: int) -> Blocks[np.int64]:
        """The run times of a traffic entry's requests, by number."""
        return Blocks(
            *self._of, "service", f"{self._version}/{entry}/{attempt}", sampler_of(self._profile.service_time)
        )

    def failure_blocks(self, entry: int, attempt: int) -> Blocks[np.int64]:
        """What decides whether `run()` raises for a traffic entry's requests, by number."""
        return Blocks(*self._of, "failure", f"{self._version}/{entry}/{attempt}", whole_below(_SHARES))

    def _draws(self, cause: str, request: Request, distribution: Distribution) -> Draws:
        return Draws(*self._of, cause, self._entity(request), sampler_of(distribution))

    def _entity(self, request: Request) -> str:
        return f"{self._version}/{request.entry}/{request.attempt}"
