"""What the simulator says of each single request of a scenario."""

from dataclasses import replace
from typing import NamedTuple

from akstwin.clock import MINUTE, Micros
from akstwin.domain.reasons import Reason
from akstwin.domain.workload import TraceArrivals
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.simulate import build, measurement_of
from akstwin.sim.engine.outcomes import Outcomes
from akstwin.sim.load.arrivals import merged
from akstwin.sim.load.request_index import RequestIdentity


class Outcome(NamedTuple):
    """What became of an attempt.

    Attributes:
        identity: which.
        arrived: when it came in, µs from the start of traffic.
        status: of the answer.
        latency: from coming in to the answer, µs.
        version: the version that it was meant for; None: refused before that.
        reason: why it was not the model's answer.
    """

    identity: RequestIdentity
    arrived: int
    status: int
    latency: int
    version: str | None
    reason: Reason | None = None


class _Outcomes:
    """Hears of every answer."""

    def __init__(self) -> None:
        self.found: list[Outcome] = []

    def answered(self, outcomes: Outcomes) -> None:
        for each in outcomes.rows():
            if each.counted:
                identity = RequestIdentity(each.entry, each.number, each.attempt)
                latency = each.answered - each.arrived
                self.found.append(Outcome(identity, each.arrived, each.status, latency, each.version, each.reason))

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Only answers count here."""


def arrivals(prepared: Prepared, replication: int) -> list[tuple[int, RequestIdentity]]:
    """First attempts of a replication up to the scenario's end: instants in µs from the start of traffic, and which."""
    found: list[tuple[int, RequestIdentity]] = []
    for instant, entry, number in merged(
        prepared.scenario.traffic, prepared.scenario.seed, replication, service=f"{prepared.service.name}/"
    ):
        if instant >= prepared.scenario.duration:
            break
        found.append((instant, RequestIdentity(entry, number)))
    return found


def predict(prepared: Prepared, replication: int) -> list[Outcome]:
    """Every attempt that comes in after the warm-up and before the scenario's end, in the order of the answers.

    Raises:
        InvalidSetting: the scenario cannot begin so.
    """
    outcomes = _Outcomes()
    opened = build(prepared, replication, measurement_of(prepared), outcomes)
    opened.world.run_until(prepared.scenario.duration)
    opened.world.run_to_the_last_answer()
    opened.close()
    return outcomes.found


def predict_alone(prepared: Prepared, replication: int, count: int) -> list[Outcome]:
    """What requests get that meet no others: of the traffic entry after the scenario's last one, by their number.

    Args:
        prepared: the scenario.
        replication: 1, 2, …
        count: how many.
    """
    scenario, entry = prepared.scenario, len(prepared.scenario.traffic)
    apart = MINUTE  # more than a request takes that has not to wait
    calm = replace(
        prepared,
        scenario=scenario.model_copy(
            update={"traffic": [], "faults": [], "operations": [], "policies": [], "warm_up": Micros(0)}
        ),
    )
    outcomes = _Outcomes()
    opened = build(calm, replication, measurement_of(calm), outcomes)
    trace = TraceArrivals(shape="trace", file="alone", instants=tuple(Micros(at * apart) for at in range(count)))
    opened.service.send([trace], scenario.clients, (0, count * apart), entry)
    opened.world.run_until(Micros(count * apart))
    opened.close()
    return sorted((each for each in outcomes.found if not each.identity.attempt), key=lambda each: each.identity)


def most_at_once(outcomes: list[Outcome]) -> int:
    """So many attempts are under way at once, at most."""
    changes = sorted(change for each in outcomes for change in ((each.arrived, 1), (each.arrived + each.latency, -1)))
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most
