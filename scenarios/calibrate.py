"""`akstwin calibrate`: what a log says of a model's service time and of its traffic, as blocks of a scenario."""

from math import sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np

from akstwin.errors import InvalidSetting, UnreadableFile
from akstwin.scenarios.fitting import Fit, enough, fit
from akstwin.scenarios.instants import arrivals, forms, remarks
from akstwin.scenarios.locust_history import is_history, read_history
from akstwin.scenarios.logs.attempts import first_attempts
from akstwin.scenarios.logs.records import UNKNOWN, Reading, Records, read_records
from akstwin.scenarios.outputs import text, write_whole
from akstwin.scenarios.rate_steps import RateSteps, rate_steps
from akstwin.scenarios.service_times import ENOUGH_IDLE, ServiceTimes, service_times

SCHEMA_VERSION: Final = 1
CRITERION: Final = (
    "least BIC; taken if its distribution function is nowhere further from the rows' than 0.03 + 1.63/sqrt(n) and its mean is "
    "within 5 % of theirs, else empirical; constant if the cv is at most 0.02"
)
_MOST_VALUES: Final = 10_000
"""Values of an empirical distribution: quantiles of the rows, where there are more."""
_BURSTY: Final = 1.5
_SECOND: Final = 1_000_000


def calibrate(
    path: Path,
    reading: Reading,
    *,
    concurrency: int | None = None,
    overhead: int = 0,
    times_file: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Read a log and say what a scenario needs of it.

    Args:
        path: the log.
        reading: how it is to be read; durations are needed.
        concurrency: requests that were served at once (replicas times their workers), if it is known.
        overhead: that durations hold beside queue and model, µs: the twin adds its own.
        times_file: where an empirical distribution's values go, if it is one.
        seed: of the resampling that intervals come from.

    Returns:
        A document: `log`, `requests`, `seconds`, `model` and `traffic` (blocks of a scenario; `model` is None without durations),
        `service_time`, `queue`, `rate`, `notes`.

    Raises:
        InvalidSetting: an option, and the log does not allow it.
        UnreadableFile: the log, or a line of it.
    """
    if is_history(path):
        return _from_history(path, concurrency)
    records = read_records(path, reading)
    arrived, notes = arrivals(records)
    kept = first_attempts(records, arrived, reading.repeats, reading.beside("repeats"))
    read_as = forms(records, reading) if records.times else [f"{records.fields.name} was read as spans from a start."]
    notes = [*read_as, *notes, *kept.notes, *remarks(records)]
    sampled = bool((records.items > 1).any())
    if sampled:
        total = int(records.items.sum())
        notes.append(f"The log is sampled: its {len(arrived)} rows stand for {total} requests, which the rates count.")
    first = int(arrived.min()) if records.times else 0
    requests = kept.first
    if kept.copies.any():
        once = ~kept.copies
        records, arrived, requests = records.chosen(once), arrived[once], requests[once]
    order = np.flatnonzero(requests)[np.argsort(arrived[requests], kind="stable")]
    instants, weights = arrived[order] - first, records.items[order]
    span = int(instants[-1]) + 1
    profile = rate_steps(instants, weights, span)
    if profile.dispersion is not None and profile.dispersion > _BURSTY:
        notes.append(
            f"Requests come in bursts: within steps their number varies {profile.dispersion:.1f} times as much as a Poisson "
            "process's. Steps are smoother than this log; shape: trace replays it."
        )
    times, fitted = _times(records, arrived, sampled=sampled, concurrency=concurrency, overhead=overhead, seed=seed)
    return {
        "schema_version": SCHEMA_VERSION,
        "log": path.name,
        "requests": int(weights.sum()),
        "seconds": _seconds(span),
        "model": _model(fitted, times, times_file, notes),
        "traffic": _traffic(profile),
        "service_time": _service_time(fitted, times),
        "queue": _queue(times, fitted, overhead),
        "rate": _rate(profile),
        "notes": notes,
    }


def _times(
    records: Records, arrived: Any, *, sampled: bool, concurrency: int | None, overhead: int, seed: int
) -> tuple[ServiceTimes | None, Fit | None]:
    if not (records.duration != UNKNOWN).any():
        if concurrency is not None:
            raise InvalidSetting("--concurrency", concurrency, "usable with this log: it has no durations")
        return None, None
    exact = not sampled and not (records.times and not (records.stamp % _SECOND).any())
    times = service_times(records, arrived, exact=exact, concurrency=concurrency, overhead=overhead)
    if not enough(times.values):
        raise UnreadableFile(
            records.where,
            f"has {len(times.values)} requests answered 200 with a duration; at least 20 tell a distribution",
        )
    return times, fit(times.values, seed)


def _seconds(span: int) -> float:
    return round(span / _SECOND, 3)


def _milliseconds(value: float) -> float:
    return float(f"{value / 1000:.4g}")


def _model(
    fitted: Fit | None, times: ServiceTimes | None, times_file: Path | None, notes: list[str]
) -> dict[str, Any] | None:
    if fitted is None or times is None:
        notes.append("The log has no durations, so it says nothing of the model; name their column with --duration.")
        return None
    mean, cv = f"{_milliseconds(fitted.mean):g}ms", float(f"{fitted.cv:.3g}")
    if fitted.distribution == "constant":
        return {"service_time": {"distribution": "constant", "mean": mean}}
    if fitted.distribution == "exponential":
        return {"service_time": {"distribution": "exponential", "mean": mean}}
    if fitted.distribution != "empirical":
        return {"service_time": {"distribution": fitted.distribution, "mean": mean, "cv": cv}}
    best = fitted.tried[0]
    if times_file is not None:
        _write_times(times.values, times_file)
        notes.append(
            f"No family fits ({best.name}, the best, is {best.distance:.3f} off): the rows' own times are in {times_file.name}."
        )
        return {"service_time": {"distribution": "empirical", "file": times_file.name, "column": "service_ms"}}
    notes.append(
        f"No family fits: {best.name}, the best, is {best.distance:.3f} off, where {fitted.limit:.3f} is taken. It is printed "
        "all the same, with the rows' mean and cv; --times FILE.csv writes the rows' own times for an empirical distribution."
    )
    return {
        "service_time": {"distribution": "gamma" if best.name == "exponential" else best.name, "mean": mean, "cv": cv}
    }


def _write_times(values: Any, path: Path) -> None:
    ordered = np.sort(values)
    if len(ordered) > _MOST_VALUES:
        ordered = np.quantile(ordered, (np.arange(_MOST_VALUES) + 0.5) / _MOST_VALUES)
    content = "service_ms\n" + "".join(f"{value / 1000:.3f}\n" for value in ordered)
    write_whole(path, text(content), "--times")


def _traffic(profile: RateSteps) -> list[dict[str, Any]]:
    return [{"shape": "steps", "rate": list(profile.rate), "at": [f"{at}s" for at in profile.at]}]


def _rate(profile: RateSteps) -> dict[str, Any]:
    return {
        "steps": len(profile.at),
        "largest": max(profile.rate),
        "counted_in_seconds": profile.width,
        "dispersion": None if profile.dispersion is None else round(profile.dispersion, 2),
    }


def _service_time(fitted: Fit | None, times: ServiceTimes | None) -> dict[str, Any] | None:
    if fitted is None or times is None:
        return None
    return {
        "distribution": fitted.distribution,
        "mean_ms": _milliseconds(fitted.mean),
        "cv": float(f"{fitted.cv:.3g}"),
        "intervals": {
            "mean_ms": [_milliseconds(end) for end in fitted.mean_interval],
            "cv": [float(f"{end:.3g}") for end in fitted.cv_interval],
        },
        "rows": len(times.values),
        "criterion": CRITERION,
        "limit": float(f"{fitted.limit:.3g}"),
        "tried": [
            {"distribution": each.name, "bic": round(each.bic, 1), "distance": float(f"{each.distance:.3g}")}
            for each in fitted.tried
        ],
    }


_WAYS: Final = {
    "upstream": (
        "Taken out: the log says how long the server behind the proxy took. A queue behind that server would still be in it."
    ),
    "replay": "Taken out: each request began when it came, or when one of the {places} places before it became free.",
    "idle": "Taken out: service times are those of the {idle} requests that came while no other was under way.",
    "upper_bound": "Not taken out, so the service time is an upper bound: {why}.",
}


def _queue(times: ServiceTimes | None, fitted: Fit | None, overhead: int) -> dict[str, Any] | None:
    if times is None or fitted is None:
        return None
    served = float(np.mean(times.values))
    waited = max(0.0, times.duration - overhead - served)
    why = "its instants are whole seconds, or it is sampled" if times.idle is None else (
        f"only {times.idle} requests came while no other was under way, and {ENOUGH_IDLE} are needed; --concurrency says how "
        "many were served at once"
    )  # fmt: skip
    said = _WAYS[times.way].format(places="known", idle=times.idle, why=why)
    return {
        "way": times.way,
        "said": said,
        "mean_ms": None if times.way == "upper_bound" else _milliseconds(waited),
        "duration_mean_ms": _milliseconds(times.duration),
        "overhead_ms": overhead / 1000,
    }


def _from_history(path: Path, concurrency: int | None) -> dict[str, Any]:
    """Rates from counts; of durations only their mean and median are known."""
    if concurrency is not None:
        raise InvalidSetting("--concurrency", concurrency, "usable with a history of locust: it has no single requests")
    history = read_history(path)
    profile = rate_steps(history.instants, history.weights, history.span)
    notes = ["This is a history of locust: it counts requests, repeats included, and does not list them."]
    model = None
    if history.mean_ms is not None and history.median_ms is not None:
        ratio = max(history.mean_ms / history.median_ms, 1.0)
        cv = float(f"{sqrt(ratio**2 - 1):.3g}")
        model = {"service_time": {"distribution": "lognormal", "mean": f"{history.mean_ms:.4g}ms", "cv": cv}}
        notes.append(
            "The service time is an upper bound, with the queue and the network in it: the lognormal distribution that has "
            "locust's mean and median, as nothing else is known of it."
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "log": path.name,
        "requests": int(history.weights.sum()),
        "seconds": _seconds(history.span),
        "model": model,
        "traffic": _traffic(profile),
        "service_time": None,
        "queue": None,
        "rate": {**_rate(profile), "dispersion": None},
        "notes": notes,
    }
