"""`akstwin compare … --against https://host/score`: the scenario's load on any service, its answers beside the prediction.

Nothing of the twin is needed at the other end. So single requests cannot be paired: the service draws its own chance, and
shares and quantiles stand side by side, each with its interval.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np

from akstwin.clock import SECOND
from akstwin.cores.router_http import is_passed_on, refusal_text, router_headers
from akstwin.domain.reasons import Reason
from akstwin.errors import AksError, InvalidSetting
from akstwin.scenarios import compare_stats
from akstwin.scenarios.compare_client import NO_ANSWER, Again, Replay, Sent, alone
from akstwin.scenarios.compare_predict import Outcome, arrivals, most_at_once, predict, predict_alone
from akstwin.scenarios.compare_stats import Figures, Run
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.outside_client import NOT_SENT, BoundedPool, OutsideTarget, Seen
from akstwin.sim.load.retries import Retries

SCHEMA_VERSION: Final = 1
MOST_AT_ONCE: Final = 500
_ALONE: Final = 10
_LEAST_PAUSE: Final = 0.05
_PATIENCE_SECONDS: Final = 10.0
_SPARE_CONNECTIONS: Final = 8
_TEXTS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Outside:
    """A service that is not ours.

    Attributes:
        url: where it scores.
        key: that it wants; empty: none.
        body: of each request.
        ca: certificates to trust beside the system's; None: only those.
        most: requests under way at once.
    """

    url: str
    key: str = ""
    body: bytes = b"{}"
    ca: Path | None = None
    most: int = MOST_AT_ONCE


def is_outside(url: str) -> bool:
    """Whether a URL names a service's scoring path, and not a server of the twin."""
    return urlsplit(url).path not in ("", "/")


def peak_rate(prepared: Prepared, runs: int = 1) -> int:
    """The most first attempts that come within any one second."""
    most = 0
    for replication in range(1, runs + 1):
        instants = np.array([instant for instant, _ in arrivals(prepared, replication)])
        if len(instants):
            ahead = np.searchsorted(instants, instants + SECOND, side="left") - np.arange(len(instants))
            most = max(most, int(ahead.max()))
    return most


def check_outside(prepared: Prepared) -> None:
    """Refuse a scenario that cannot be played to somebody else's service.

    Raises:
        InvalidSetting: naming the setting.
    """
    scenario = prepared.scenario
    if scenario.start != "healthy":
        raise InvalidSetting("start", scenario.start, "healthy: the service that it is compared with runs already")
    if not scenario.traffic:
        raise InvalidSetting("traffic", [], "at least one entry: there is nothing to compare")
    for name in ("faults", "operations", "policies"):
        if getattr(scenario, name):
            raise InvalidSetting(
                name, len(getattr(scenario, name)), "empty: nothing is broken or changed at the other end"
            )


def compare_outside(
    prepared: Prepared,
    outside: Outside,
    *,
    runs: int = 1,
    refused_within: float | None = None,
    latency_within: float | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Send a scenario's load to a service and put its answers beside the prediction.

    Args:
        prepared: the scenario.
        outside: the service.
        runs: how often, each with the chance of another replication; all count together.
        refused_within: points by which the shares of 503 may differ; None: any.
        latency_within: share by which p50 and p95 may be off; None: any.
        progress: told the share that is done.

    Returns:
        A document: `scenario`, `against`, `seed`, `requests`, `statuses`, `refused`, `latency` (seconds), `overhead`, `lateness`,
        `answers` (texts and headers), `meaningless`, `gates`, `met`, `notes`.

    Raises:
        AksError: the scenario or the address cannot be used, or nobody answers there.
    """
    check_outside(prepared)
    target, tls = _target(outside)
    gathered = _Gathered()
    for replication in range(1, runs + 1):
        asyncio.run(_measure(prepared, outside, target, tls, replication, gathered))
        progress(replication / runs)
    return _document(prepared, outside, gathered, runs, refused_within, latency_within)


def _target(outside: Outside) -> tuple[OutsideTarget, ssl.SSLContext | None]:
    parts = urlsplit(outside.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidSetting("--against", outside.url, "a URL such as https://any.example/score")
    if parts.username or parts.password:
        raise InvalidSetting(
            "--against", f"{parts.scheme}://…@{parts.hostname}", "without a secret; name it with --key-env"
        )
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise InvalidSetting("--against", outside.url, "a URL with a port from 1 to 65535") from None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if parts.port is None else f"{host}:{port}"
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if not (path.isascii() and path.isprintable() and " " not in path):
        raise InvalidSetting("--against", outside.url, "a URL whose path is percent-encoded")
    tls = _tls(outside.ca) if parts.scheme == "https" else None
    return OutsideTarget(parts.hostname, port, path, outside.key, outside.body, authority), tls


def _tls(ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError) as error:
            raise InvalidSetting("--ca", str(ca), f"a file of certificates (PEM): {error}") from None
    return context


# -- measuring


class _Gathered:
    """What all runs gave."""

    def __init__(self) -> None:
        self.predicted: list[Outcome] = []
        self.measured: list[compare_stats.Measured] = []
        self.seen: dict[int, Seen] = {}
        self.alone: list[float] = []
        self.alone_predicted: list[float] = []
        self.runs: list[Run] = []
        self.held_back = 0


async def _measure(
    prepared: Prepared,
    outside: Outside,
    target: OutsideTarget,
    tls: ssl.SSLContext | None,
    replication: int,
    all_: _Gathered,
) -> None:
    scenario = prepared.scenario
    predicted = predict(prepared, replication)
    pool = BoundedPool(target, outside.most, tls)
    try:
        await _open(pool, target, min(outside.most, _SPARE_CONNECTIONS + most_at_once(predicted)))
        if replication == 1:
            await _measure_alone(prepared, pool, target, all_)
        pool.forget()
        patience = (
            max(each.settings.route.scoring_timeout for each in prepared.service.versions) / SECOND + _PATIENCE_SECONDS
        )
        replay = Replay(pool, target, 1.0, scenario.duration, _again(prepared, replication))
        sent = await replay.run(arrivals(prepared, replication), perf_counter(), patience)
    finally:
        await pool.end()
    went = [each for each in sent if each.status != NOT_SENT]
    window = (scenario.warm_up / SECOND, scenario.duration / SECOND)
    run = Run(replication, predicted, went, [], 1.0, window, without_connection=pool.late)
    all_.runs.append(run)
    all_.predicted += predicted
    all_.measured += compare_stats.measured(run).values()
    all_.held_back += pool.held_back
    for status, seen in pool.seen.items():
        known = all_.seen.setdefault(status, Seen())
        known.count += seen.count
        known.texts.update(seen.texts)
        known.headers = known.headers or seen.headers


async def _open(pool: BoundedPool, target: OutsideTarget, number: int) -> None:
    try:
        await pool.open(number)
    except ssl.SSLCertVerificationError as error:
        raise AksError(
            f"{target.authority}: its certificate is not trusted ({error.verify_message}); --ca FILE names the authority's"
        ) from None
    except OSError as error:
        raise AksError(f"{target.authority}: no connection: {error}; is the service there?") from None


async def _measure_alone(prepared: Prepared, pool: BoundedPool, target: OutsideTarget, all_: _Gathered) -> None:
    """What a request takes that meets no other: by so much more than predicted, the way there is longer."""
    found = await alone(pool, target, 0, _ALONE, prepared.service.default, lambda took: max(_LEAST_PAUSE, took))
    statuses = Counter(each.status for each in found)
    if statuses[NO_ANSWER] == len(found):
        raise AksError(f"{target.authority}: none of {len(found)} requests was answered; is that a service?")
    if not statuses[200]:
        common, _ = statuses.most_common(1)[0]
        text = next(iter(pool.seen[common].texts), "") if common in pool.seen else ""
        raise AksError(
            f"{target.authority}: no request alone was answered 200, but {common} {text[:100]!r}: the path, the key or the body "
            "is not what it takes; nothing was measured"
        )
    all_.alone = [each.ended - each.at for each in found if each.ended is not None and each.status == 200]
    foretold = predict_alone(prepared, 1, _ALONE * 10)
    all_.alone_predicted = [each.latency / SECOND for each in foretold if each.status == 200]


def _again(prepared: Prepared, replication: int) -> Again:
    """What the scenario's clients do with an answer; what was not sent is not tried again."""
    retries = Retries(prepared.scenario.clients, prepared.scenario.seed, replication)

    def again(sent: Sent) -> int | None:
        return None if sent.status in (200, NO_ANSWER, NOT_SENT) else retries.wait(sent.identity, sent.status)

    return again


# -- figures


def _document(
    prepared: Prepared,
    outside: Outside,
    all_: _Gathered,
    runs: int,
    refused_within: float | None,
    latency_within: float | None,
) -> dict[str, Any]:
    before, after = [each.status for each in all_.predicted], [each.status for each in all_.measured]
    overhead = median(all_.alone) - median(all_.alone_predicted) if all_.alone and all_.alone_predicted else None
    whole = Run(1, all_.predicted, [each for run in all_.runs for each in run.sent], [], 1.0, all_.runs[0].window)
    figures: Figures = {
        "statuses": compare_stats.statuses(before, after),
        "refused": compare_stats.refused(before, after),
        "latency": compare_stats.latencies(
            np.array([each.latency / SECOND for each in all_.predicted if each.status == 200]),
            np.array([each.latency for each in all_.measured if each.status == 200]),
            np.array([each.from_sending for each in all_.measured if each.status == 200]),
            [] if overhead is None else [overhead],
        ),
        "lateness": compare_stats.lateness(whole),
    }
    meaningless = compare_stats.too_late(whole, figures)
    gates = _gates(figures, meaningless, refused_within, latency_within)
    return {
        "schema_version": SCHEMA_VERSION,
        "scenario": prepared.name,
        "question": prepared.scenario.question,
        "against": _shown(outside.url),
        "seed": prepared.scenario.seed,
        "runs": runs,
        "requests": {"predicted": len(before), "measured": len(after), "held_back": all_.held_back},
        **figures,
        "overhead": overhead,
        "answers": _answers(prepared, all_),
        "meaningless": meaningless,
        "gates": gates,
        "met": all(each["met"] for each in gates),
        "notes": _notes(outside, all_),
    }


def _shown(url: str) -> str:
    """The address without what may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _answers(prepared: Prepared, all_: _Gathered) -> list[Figures]:
    """Of each status, what its answers say and which headers they have, predicted and measured."""
    reasons: dict[int, Counter[Reason | None]] = {}
    for each in all_.predicted:
        reasons.setdefault(each.status, Counter())[each.reason] += 1
    found = []
    for status in sorted({*reasons, *all_.seen}):
        seen = all_.seen.get(status)
        found.append(
            {
                "status": status,
                "predicted": _foretold(prepared, reasons.get(status)),
                "measured": None
                if seen is None
                else {
                    "count": seen.count,
                    "texts": [{"text": text, "count": count} for text, count in seen.texts.most_common(_TEXTS_SHOWN)],
                    "headers": seen.headers,
                },
            }
        )
    return found


def _foretold(prepared: Prepared, reasons: Mapping[Reason | None, int] | None) -> Figures | None:
    if not reasons:
        return None
    own = [(reason, count) for reason, count in reasons.items() if reason is not None and not is_passed_on(reason)]
    return {
        "count": sum(reasons.values()),
        "texts": [{"text": refusal_text(reason, prepared.service.name), "count": count} for reason, count in own],
        "headers": {name: "…" if name in ("date", "content-length", "x-ms-request-id") else value
                    for name, value in (router_headers("", 0, "") if own else ())},
    }  # fmt: skip


def _gates(
    figures: Figures, meaningless: str | None, refused_within: float | None, latency_within: float | None
) -> list[Figures]:
    found = []
    if refused_within is not None:
        apart = figures["refused"]["difference_points"]
        value = None if apart is None else abs(apart)
        found.append(_gate("refused_within", refused_within, value, meaningless))
    if latency_within is not None:
        offs = [figures["latency"][name]["off"] for name in ("p50", "p95")]
        value = None if None in offs else max(abs(each) for each in offs)
        found.append(_gate("latency_within", latency_within, value, meaningless))
    return found


def _gate(name: str, target: float, value: float | None, meaningless: str | None) -> Figures:
    return {
        "name": name,
        "target": target,
        "value": value,
        "met": meaningless is None and value is not None and value <= target,
    }


def _notes(outside: Outside, all_: _Gathered) -> list[str]:
    notes = ["Requests are not paired: the service draws its own service times, so only shares and quantiles compare."]
    if all_.held_back:
        notes.append(
            f"{all_.held_back} requests were not sent, because {outside.most} were under way (--most-at-once)."
        )
    late = sum(run.without_connection for run in all_.runs)
    if late:
        notes.append(f"{late} requests had to wait for a connection to be opened.")
    return notes


def evidence_rows(found: dict[str, Any]) -> Sequence[tuple[str, str, str]]:
    """What was measured, as figure, prediction and measurement."""
    rows = []
    for status, told in found["statuses"].items():
        rows.append((f"share of {status}" if status != "none" else "share without an answer",
                     _share(told["predicted"]), _share(told["measured"])))  # fmt: skip
    for name, told in found["latency"].items():
        rows.append((
            f"{name} of 200",
            _milliseconds(told["with_overhead"], None),
            _milliseconds(told["measured"], told["measured_interval"]),
        ))  # fmt: skip
    return rows


def _share(told: Figures) -> str:
    if told["value"] is None:
        return "-"
    low, high = told["interval"]
    return f"{100 * told['value']:.2f} % ({100 * low:.2f} to {100 * high:.2f})"


def _milliseconds(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    said = f"{1000 * value:.1f} ms"
    return said if not interval else f"{said} ({1000 * interval[0]:.1f} to {1000 * interval[1]:.1f})"


EVIDENCE_HEADING: Final = "| figure | predicted | measured | of requests | where |\n|---|---|---|---|---|\n"


def evidence(found: dict[str, Any]) -> str:
    """Rows of the table "Measured elsewhere" of the page on fidelity (Markdown)."""
    runs = f"{found['runs']} run{'s' if found['runs'] > 1 else ''}"
    where = f"{found['scenario']}, seed {found['seed']}, {runs}, against {found['against']}"
    if found["meaningless"] is not None:
        where += f"; tells nothing: {found['meaningless']}"
    number = found["requests"]["measured"]
    rows = (f"| {' | '.join((*row, str(number), where.replace('|', '/')))} |\n" for row in evidence_rows(found))
    return EVIDENCE_HEADING + "".join(rows)
