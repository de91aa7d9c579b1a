"""Observations made by hand, or drawn: what a policy would see, without a world."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from akstwin.clock import MINUTE, Micros
from akstwin.domain.observation import AnswerCounts, AttemptCounts, Observation, VersionObservation
from akstwin.policies import Decision, Policy, Promote, RollBack, SetTraffic, limiting


@dataclass
class Version:
    """What is seen of one version, in the window and in all."""

    replicas: dict[str, int] = field(default_factory=lambda: {"Ready": 1})
    desired: int = 1
    share: float = 0.0
    ok: int = 0
    failed: int = 0
    slow: int = 0
    refused: int = 0
    retries: int = 0
    total: AnswerCounts = field(default_factory=AnswerCounts)

    def answered(self, *, ok: int = 0, failed: int = 0, slow: int = 0, refused: int = 0, retries: int = 0) -> None:
        """What a window brings: `slow` are answers 200 that took two seconds; `retries` all failed."""
        self.ok, self.failed, self.slow, self.refused, self.retries = ok, failed, slow, refused, retries

    def seen(self) -> VersionObservation:
        """The window, added to what came before."""
        window = _counts(self.ok, self.slow, self.failed, self.refused, self.retries)
        self.total = _added(self.total, window)
        return VersionObservation(
            answers={200: self.ok + self.slow, 502: self.failed + self.retries, 503: self.refused},
            replicas=dict(self.replicas),
            desired=self.desired,
            traffic_share=self.share,
            window=window,
            total=self.total,
        )


def observation(
    at: int, versions: Mapping[str, Version], *, default: str = "blue", missing: str | None = None
) -> Observation:
    """All versions, as they are."""
    if missing is not None:
        return Observation(at=at, missing=missing)
    return Observation({name: each.seen() for name, each in versions.items()}, window=MINUTE, at=at, default=default)


def _counts(ok: int, slow: int, failed: int, refused: int, retries: int) -> AnswerCounts:
    answers = {200: ok + slow, 502: failed, 503: refused}
    latency = ((1, ok, ok * 50_000), (2, slow, slow * 2_000_000))
    return AnswerCounts(
        AttemptCounts(answers, {"queue_deadline": refused}), AttemptCounts({502: retries}), latency, latency
    )


def _added(one: AnswerCounts, other: AnswerCounts) -> AnswerCounts:
    def attempts(a: AttemptCounts, b: AttemptCounts) -> AttemptCounts:
        return AttemptCounts(_sum(a.answers, b.answers), _sum(a.refused, b.refused))

    rows = tuple(
        (key, sum(row[1] for row in (*one.first_latency, *other.first_latency) if row[0] == key),
         sum(row[2] for row in (*one.first_latency, *other.first_latency) if row[0] == key))
        for key in (1, 2)
    )  # fmt: skip
    return AnswerCounts(attempts(one.first, other.first), attempts(one.retries, other.retries), rows, rows)


def _sum(one: Mapping[Any, int], other: Mapping[Any, int]) -> dict[Any, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {*one, *other}}


@dataclass(frozen=True)
class Ended:
    """How a policy's run came out."""

    kind: str
    minutes: int
    failed: int


def drawn(
    policy: Policy,
    rng: np.random.Generator,
    *,
    rate: float = 40.0,
    bad: float = 0.005,
    control: float | Callable[[int], float] = 0.005,
    extra: Callable[[int], float] = lambda _: 0.0,
    minutes: int = 60,
) -> Ended:
    """A policy before answers that fail by chance, each on its own, a look each minute.

    That is the law of the simulator where nobody waits and `failure_rate` is all that goes wrong.

    Args:
        policy: of version green, beside blue.
        rng: draws.
        rate: requests per second.
        bad: share of green's requests that fail.
        control: the same of blue's, or by the minute.
        extra: added to both, by the minute: what they share.
        minutes: how long.
    """
    blue, green = Version(share=100.0), Version()
    state: Mapping[str, Any] = {}
    failed = 0
    for minute in range(minutes + 1):
        if minute:
            sent = rng.poisson(rate * 60 * green.share / 100), rng.poisson(rate * 60 * blue.share / 100)
            base = control(minute) if callable(control) else control
            lost = rng.binomial(sent[0], bad + extra(minute)), rng.binomial(sent[1], base + extra(minute))
            for version, number, bad_ones in zip((green, blue), sent, lost, strict=True):
                version.answered(ok=int(number - bad_ones), failed=int(bad_ones))
            failed += int(lost[0])
        seen = observation(minute * MINUTE, {"blue": blue, "green": green})
        decision = limiting.decide(policy, state, seen, Micros(minute * MINUTE))
        for action in decision.actions:
            match action:
                case SetTraffic(shares):
                    green.share = shares["green"]
                case Promote():
                    return Ended("promoted", minute, failed)
                case RollBack():
                    return Ended("rolled back", minute, failed)
        blue.share = 100.0 - green.share
        if decision.state is None:
            return Ended("ended", minute, failed)
        state = decision.state
    return Ended("undecided", minutes, failed)


def decided(policy: Policy, windows: Iterator[Observation]) -> list[Decision]:
    """What a policy decides on these observations, within its limits, until it has done its work."""
    state: Mapping[str, Any] = {}
    made = []
    for seen in windows:
        made.append(limiting.decide(policy, state, seen, Micros(seen.at)))
        if made[-1].state is None:
            break
        state = made[-1].state
    return made
