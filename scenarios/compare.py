"""`akstwin compare`: the scenario's very requests on a server, beside what the simulator says of each of them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from akstwin.clock import SECOND
from akstwin.domain.profile import Empirical
from akstwin.domain.workload import ClosedLoopUsers
from akstwin.errors import AksError, InvalidSetting
from akstwin.scenarios import compare_stats
from akstwin.scenarios.compare_client import NO_ANSWER, Again, Pool, Replay, Sent, Target, alone
from akstwin.scenarios.compare_predict import arrivals, most_at_once, predict, predict_alone
from akstwin.scenarios.compare_script import Script
from akstwin.scenarios.compare_server import Server
from akstwin.scenarios.compare_stats import Figures, Run
from akstwin.scenarios.load import Prepared
from akstwin.sim.load.retries import Retries

SCHEMA_VERSION: Final = 1
_ALONE: Final = 50
"""Requests that the overhead is measured with, if they do not take too long."""
_ALONE_SECONDS: Final = 8.0
_LEAST_ALONE: Final = 5
_LEAST_PAUSE: Final = 0.05
_IDLE: Final = 2.0
"""A pause is so many times the request before it: a third of one replica's time is below every autoscaler's usual target."""
_SPARE_CONNECTIONS: Final = 32
_MOST_CONNECTIONS: Final = 2000
_PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Gates:
    """What has to hold in every run that tells something.

    Attributes:
        same_status: least share of paired requests with the same status; None: any.
        refused_within: points by which the shares of 503 may differ; None: any.
        latency_within: share by which the medians of p50 and p95 may be off; None: any.
    """

    same_status: float | None = 0.98
    refused_within: float | None = 2.0
    latency_within: float | None = None


def compare(
    prepared: Prepared,
    url: str,
    *,
    runs: int = 1,
    overwrite: bool = False,
    gates: Gates | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Run a scenario on a server, request by request, and compare with the simulator.

    Args:
        prepared: the scenario.
        url: of a server of the twin whose clock passes by itself.
        runs: how often, each with the chance of another replication.
        overwrite: whether a service of the same name and other settings may be replaced.
        gates: what has to hold.
        progress: told the share that is done.

    Returns:
        A document: `scenario`, `against`, `seed`, `rate`, `runs` (figures of each, times in seconds of the scenario, lateness in
        real seconds), `medians`, `gates` (each with `name`, `target`, `value`, `met`), `met`, `notes`.

    Raises:
        AksError: the scenario cannot be compared, or not with that server.
    """
    check(prepared)
    server = Server(url, prepared, overwrite=overwrite)
    try:
        found = []
        for number in range(1, runs + 1):
            if number > 1 and server.taken:
                server.settle()
            found.append(compare_stats.figures(_run(prepared, server, number)))
            progress(number / runs)
        middle = compare_stats.medians(found)
        judged = judge(found, middle, gates or Gates())
        return {
            "schema_version": SCHEMA_VERSION,
            "scenario": prepared.name,
            "question": prepared.scenario.question,
            "against": url,
            "seed": prepared.scenario.seed,
            "rate": server.rate,
            "service": {"name": prepared.service.name, "taken": server.taken},
            "runs": found,
            "medians": middle,
            "gates": judged,
            "met": all(each["met"] for each in judged),
            "notes": _notes(prepared, server),
        }
    finally:
        server.close()


def check(prepared: Prepared) -> None:
    """Refuse what cannot be compared.

    Raises:
        InvalidSetting: naming the setting.
    """
    scenario = prepared.scenario
    if prepared.services:
        raise InvalidSetting(
            "services",
            ", ".join(part.service.name for part in prepared.services),
            "possible in a comparison: it replays one service, under `webservice:` or `endpoint:`",
        )
    if scenario.start != "healthy":
        raise InvalidSetting("start", scenario.start, "healthy: a comparison begins with a Healthy service")
    if not scenario.traffic:
        raise InvalidSetting("traffic", [], "at least one entry: there is nothing to compare")
    for at, entry in enumerate(scenario.traffic):
        if isinstance(entry, ClosedLoopUsers):
            raise InvalidSetting(
                f"traffic[{at}].shape",
                entry.shape,
                "constant, poisson, steps or trace: a comparison sends the same requests at the same instants to both sides, "
                "and when users send theirs depends on the answers",
            )
    for where, version in scenario.versions():
        for name in ("service_time", "init_time"):
            if isinstance(getattr(version.model, name), Empirical):
                raise InvalidSetting(
                    f"{where}.model.{name}.distribution",
                    "empirical",
                    "one that can be told to a server: it has no such file",
                )


def _run(prepared: Prepared, server: Server, replication: int) -> Run:
    predicted = predict(prepared, replication)
    with server.service(replication) as target, ThreadPoolExecutor(1, "akstwin-script") as thread:
        return asyncio.run(_measure(prepared, server, target, thread, replication, predicted))


async def _measure(
    prepared: Prepared, server: Server, target: Target, thread: ThreadPoolExecutor, replication: int, predicted: Any
) -> Run:
    scenario = prepared.scenario
    pool = Pool(target)
    try:
        try:
            await pool.open(min(_MOST_CONNECTIONS, _SPARE_CONNECTIONS + 2 * most_at_once(predicted)))
        except OSError as error:
            raise AksError(f"{target.host}:{target.port}: no connection for the requests: {error}") from None
        overhead = await _overhead(prepared, pool, target, server.rate, replication)
        before = server.answers()
        start = server.start_of_traffic()
        server.plan_faults(start.server)
        script = Script(prepared, server, start)
        acted: Future[None] = thread.submit(script.run)
        replay = Replay(pool, target, server.rate, scenario.duration, _again(prepared, replication))
        patience = max(each.settings.route.scoring_timeout for each in prepared.service.versions) / SECOND / server.rate
        try:
            sent = await replay.run(arrivals(prepared, replication), start.here, patience + _PATIENCE_SECONDS)
        finally:
            script.stop()
        await asyncio.wrap_future(acted)
        window = (scenario.warm_up / SECOND, scenario.duration / SECOND)
        skipped = server.skipped(start)
        others = max(0, server.answers() - before - len(sent))
        return Run(
            replication, predicted, sent, overhead, server.rate, window, skipped, script.refused, pool.late, others
        )
    finally:
        pool.close()


def _again(prepared: Prepared, replication: int) -> Again:
    """What the scenario's clients do with an answer."""
    retries = Retries(prepared.scenario.clients, prepared.scenario.seed, replication, f"{prepared.service.name}/")

    def again(sent: Sent) -> int | None:
        return None if sent.status in (200, NO_ANSWER) else retries.wait(sent.identity, sent.status)

    return again


async def _overhead(prepared: Prepared, pool: Pool, target: Target, rate: float, replication: int) -> list[float]:
    """What single requests take beyond what the simulator says of them, seconds of the scenario."""
    foretold = [each for each in predict_alone(prepared, replication, _ALONE) if each.status == 200]
    if not foretold:
        return []
    typical = sorted(each.latency for each in foretold)[len(foretold) // 2] / SECOND / rate
    number = int(_ALONE_SECONDS / (typical + max(_LEAST_PAUSE, _IDLE * typical)))
    number = max(_LEAST_ALONE, min(_ALONE, number))
    version = prepared.service.default
    sent = await alone(
        pool, target, len(prepared.scenario.traffic), number, version, lambda took: max(_LEAST_PAUSE, _IDLE * took)
    )
    known = {each.identity: each for each in foretold if each.version == version}
    return [
        (each.ended - each.at) * rate - known[each.identity].latency / SECOND
        for each in sent
        if each.ended is not None and each.status == 200 and each.identity in known
    ]


def judge(runs: list[Figures], middle: Figures, gates: Gates) -> list[Figures]:
    """What was asked for, and whether it holds; with no run that tells something, nothing does.

    Args:
        runs: figures of all runs.
        middle: their medians.
        gates: what has to hold.
    """
    telling = [run for run in runs if run["meaningless"] is None]
    judged = []
    if gates.same_status is not None:
        worst = min((run["same_status"]["value"] or 0.0 for run in telling), default=None)
        judged.append(_gate("same_status", gates.same_status, worst, worst is not None and worst >= gates.same_status))
    if gates.refused_within is not None:
        apart = [abs(run["refused"]["difference_points"] or 0.0) for run in telling if run["requests"]["measured"]]
        most = max(apart, default=None)
        judged.append(
            _gate("refused_within", gates.refused_within, most, most is not None and most <= gates.refused_within)
        )
    if gates.latency_within is not None:
        off = [middle["latency_off"][name] for name in ("p50", "p95")]
        known = [abs(each) for each in off if each is not None]
        most = max(known, default=None)
        judged.append(
            _gate("latency_within", gates.latency_within, most, most is not None and most <= gates.latency_within)
        )
    return judged


def _gate(name: str, target: float, value: float | None, met: bool) -> Figures:
    return {"name": name, "target": target, "value": value, "met": met}


def _notes(prepared: Prepared, server: Server) -> list[str]:
    notes = []
    if server.taken:
        notes.append(
            f"The service {prepared.service.name} was there and was taken; it now has the scenario's profile and chance."
        )
    if server.rate != 1:
        notes.append(
            f"The server's clock runs {server.rate:g} times as fast: overhead and lateness weigh as much more."
        )
    if len(prepared.service.versions) > 1:
        notes.append("Overhead was measured on the default version.")
    return notes
