"""What policies read off an observation: answers since an earlier look, and whether a version is changing its size."""

from collections.abc import Mapping
from typing import Any

from akstwin.domain.observation import AnswerCounts, Observation, VersionObservation
from akstwin.policies.statistics import Counts

Totals = Mapping[str, int]
"""Answers of a version since the service began, as state keeps them: `judged`, `failed`, `slow`."""
NOTHING: Totals = {"judged": 0, "failed": 0, "slow": 0}


def totals_of(observation: Observation, version: str, slower_than: int | None = None) -> Totals:
    """A version's answers to first attempts since the service began, the router's own refusals aside.

    Args:
        observation: of any window.
        version: its name; one that is not there has none.
        slower_than: µs; an answer that takes longer is slow, and so is every failure: one that never came was not quick.
    """
    seen = observation.versions.get(version)
    if seen is None:
        return NOTHING
    counts = seen.total
    return {
        "judged": counts.first.judged,
        "failed": counts.first.failures,
        "slow": 0 if slower_than is None else counts.first.failures + _above(counts, slower_than),
    }


def since(now: Totals, before: Totals) -> Totals:
    """What has come since; a version that was created anew has begun at nothing."""
    if now["judged"] < before["judged"]:
        return now
    return {name: max(0, now[name] - before[name]) for name in now}


def counts(block: Totals, metric: str) -> Counts:
    """A block's answers by a metric: `failed` or `slow`."""
    return Counts(block["judged"], block[metric])


def is_scaling(observation: Observation, version: str) -> bool:
    """Whether replicas of the version are on their way: those that answer are not all, and not typical."""
    seen = observation.versions.get(version)
    return seen is not None and (seen.starting > 0 or seen.ready != seen.desired)


def is_ready(observation: Observation, version: str) -> bool:
    """Whether all replicas that are asked for are ready."""
    seen = observation.versions.get(version)
    return seen is not None and seen.ready > 0 and seen.ready >= seen.desired and not seen.starting


def share_of(observation: Observation, version: str) -> float:
    """The version's effective share of the traffic, per cent; 0 of one that is not there."""
    return observation.versions.get(version, VersionObservation()).traffic_share


def inputs_of(observation: Observation) -> dict[str, Any]:
    """What a decision was taken on, in short: what the journal keeps."""
    return {
        "at": observation.at,
        "age": observation.age,
        "missing": observation.missing,
        "default": observation.default,
        "versions": {
            name: {
                "share": seen.traffic_share,
                "ready": seen.ready,
                "starting": seen.starting,
                "desired": seen.desired,
                "judged": seen.window.first.judged,
                "failed": seen.window.first.failures,
                "refused": sum(seen.window.first.refused.values()),
                "retries": seen.window.retries.requests,
                "judged_in_all": seen.total.first.judged,
                "failed_in_all": seen.total.first.failures,
                "p99_ms": seen.latency_ms.get("p99"),
                "utilisation": seen.utilisation,
            }
            for name, seen in observation.versions.items()
        },
    }


def _above(counts: AnswerCounts, limit: int) -> int:
    """Answers 200 to first attempts that took longer; a bucket counts by its mean."""
    return sum(count for _, count, total in counts.first_latency if total > limit * count)
