"""Properties of histories: what a policy must never do, and what must come of it. The same on every world.

A checker says which moments break it, and whether the history put it to the test at all: one that nothing put to the test has
proved nothing (`properties.scenario_property` refuses such a pass).
"""

# ruff: noqa: ARG001, ARG005 - conditions take a moment and its history, whichever they need
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import comb, inf, sqrt
from typing import Literal

from akstwin.clock import SECOND
from akstwin.domain.observation import Observation, VersionObservation
from akstwin.domain.units import read_duration
from akstwin.policies.actions import Action, Hold, Promote, RemoveVersion, RollBack, SetBounds, SetReplicas, SetTraffic
from akstwin.policies.figures import is_ready, is_scaling, share_of
from akstwin.policies.policy import Verdict
from akstwin.testing.histories import History, Moment, Span


@dataclass(frozen=True, slots=True)
class Checked:
    """What a checker found.

    Attributes:
        broken: one line for each moment that breaks it.
        exercised: whether anything put it to the test.
    """

    broken: tuple[str, ...] = ()
    exercised: bool = True


@dataclass(frozen=True, slots=True)
class Checker:
    """A property.

    Attributes:
        name: what it promises.
        phase: safe: at every moment, also while something is broken; afterwards: what must come of it.
        check: judges a history.
        only_exercises: whether it cannot break, and says only whether something happened (`sometimes`).
    """

    name: str
    phase: Literal["safe", "afterwards"]
    check: Callable[[History], Checked]
    only_exercises: bool = False


Seen = Callable[[Moment, History], bool]
"""A condition on a moment."""


def always(condition: Seen, name: str) -> Checker:
    """The condition holds at every moment."""
    return _at_each(name, lambda moment, history: True, condition)


def never_more_than(share: float, *, to: str) -> Checker:
    """A version never has more of the traffic than that, per cent."""
    return _at_each(
        f"never more than {share:g} % to {to}",
        lambda moment, history: share_of(moment.truth, to) > 0,
        lambda moment, history: share_of(moment.truth, to) <= share,
    )


def eventually_within(span: Span, condition: Seen, name: str) -> Checker:
    """The condition holds at some moment, no later than that."""
    limit = read_duration("eventually_within", span)

    def check(history: History) -> Checked:
        in_time = [moment for moment in history.moments if moment.at <= limit]
        if any(condition(moment, history) for moment in in_time):
            return Checked()
        if not history.moments or (history.moments[-1].at < limit and history.ended_at is None):
            return Checked(exercised=False)
        return Checked((f"not within {limit / SECOND:g} s",))

    return Checker(f"{name} within {limit / SECOND:g} s", "afterwards", check)


def scaling(moment: Moment, history: History) -> bool:
    """Replicas of the version, or of its control, are on their way."""
    names = [history.version, *([] if history.control is None else [history.control])]
    return any(is_scaling(moment.truth, name) for name in names)


def metrics_missing(moment: Moment, history: History) -> bool:
    """There are no figures."""
    return moment.observation.missing is not None


def no_change_while(condition: Seen) -> Checker:
    """The version gets no more traffic while the condition holds; it may lose it."""
    return _at_each(
        f"no more traffic while {condition.__name__.replace('_', ' ')}",
        lambda moment, history: moment.decision is not None and condition(moment, history),
        lambda moment, history: not _gives_more(moment, history),
    )


def at_most_n_changes_per(count: int, span: Span) -> Checker:
    """The traffic is changed no more often than that in any such span."""
    width = read_duration("at_most_n_changes_per", span)

    def check(history: History) -> Checked:
        changes = [moment.at for moment in history.decided if any(map(_moves_traffic, _actions(moment)))]
        broken = [
            f"{count + 1} changes from {first / SECOND:g} s to {last / SECOND:g} s"
            for first, last in zip(changes, changes[count:], strict=False)
            if last - first < width
        ]
        return Checked(tuple(broken), exercised=bool(changes))

    return Checker(f"at most {count} changes per {width / SECOND:g} s", "safe", check)


def total_share_100() -> Checker:
    """All versions together always have all of the traffic, and nothing that was asked for was refused."""

    def check(history: History) -> Checked:
        broken = [] if history.refused is None else [f"refused: {history.refused}"]
        for moment in history.moments:
            total = sum(each.traffic_share for each in moment.truth.versions.values())
            if abs(total - 100) > 1e-6:
                broken.append(f"{total:g} % in all at {moment.at / SECOND:g} s")
        return Checked(tuple(broken), exercised=bool(history.moments))

    return Checker("shares add up to 100", "safe", check)


def ends_by(span: Span) -> Checker:
    """The policy has done its work by then."""
    limit = read_duration("ends_by", span)

    def check(history: History) -> Checked:
        if history.ended_at is not None:
            late = history.ended_at > limit
            return Checked((f"ended after {history.ended_at / SECOND:g} s",) if late else ())
        last = history.moments[-1].at if history.moments else 0
        return Checked((f"not ended after {last / SECOND:g} s",)) if last >= limit else Checked(exercised=False)

    return Checker(f"ends by {limit / SECOND:g} s", "afterwards", check)


def rollback_leaves_no_traffic() -> Checker:
    """Once the policy has judged the version to fail, or has rolled it back, the version gets nothing any more."""

    def check(history: History) -> Checked:
        back = [moment.at for moment in history.decided if _is_rollback(moment)]
        if not back:
            return Checked(exercised=False)
        later = [moment for moment in history.moments if moment.at > back[0]]
        broken = [
            f"{share_of(moment.truth, history.version):g} % at {moment.at / SECOND:g} s, rolled back at {back[0] / SECOND:g} s"
            for moment in later
            if share_of(moment.truth, history.version) > 0
        ]
        return Checked(tuple(broken), exercised=bool(later))

    return Checker("rollback leaves no traffic", "afterwards", check)


def sometimes(condition: Seen, name: str) -> Checker:
    """The condition holds at some moment of some history: what a property must have met to have proved anything."""

    def check(history: History) -> Checked:
        return Checked(exercised=any(condition(moment, history) for moment in history.moments))

    return Checker(f"sometimes {name}", "safe", check, only_exercises=True)


def rarely(
    histories: Sequence[History], condition: Callable[[History], bool], share: float, name: str, doubt: float = 0.01
) -> Checked:
    """A condition on histories holds in no more than a share of them: what error rates promise.

    Args:
        histories: of worlds of different seeds.
        condition: what must be rare.
        share: how often it may happen.
        name: what it is, for the line that says it is broken.
        doubt: how likely so many must be at that share, if the property is not to be called broken.
    """
    hits, count = sum(map(condition, histories)), len(histories)
    at_least = sum(comb(count, each) * share**each * (1 - share) ** (count - each) for each in range(hits, count + 1))
    if at_least >= doubt:
        return Checked(exercised=count > 0)
    return Checked((f"{name}: in {hits} of {count} worlds, {100 * share:g} % are allowed",))


def rolled_back(history: History) -> bool:
    """Whether the version was judged to fail, or was rolled back."""
    return any(_is_rollback(moment) for moment in history.decided)


# -- what rollouts owe


def rollback_needs_evidence(least: int = 3, slower_than: Span | None = None) -> Checker:
    """Who is judged to fail has failed, and more often than its control, over all the time of the rollout.

    What counts are first attempts that the router itself did not refuse.

    Args:
        least: how many.
        slower_than: an answer that takes longer has failed too.
    """
    limit = None if slower_than is None else int(read_duration("slower_than", slower_than))

    def holds(moment: Moment, history: History) -> bool:
        mine = _bad_since_begin(history, moment, history.version, limit)
        control = _bad_since_begin(history, moment, history.control, limit)
        return mine[0] >= least and mine[0] * control[1] > control[0] * mine[1]

    return _at_each(f"rolled back on {least} failures at least, more than the control's", _fails_it, holds)


def promotion_needs_sample(least: int = 100) -> Checker:
    """Who is promoted has had so many answers."""
    return _at_each(
        f"promoted on {least} answers at least",
        _promotes,
        lambda moment, history: _bad_since_begin(history, moment, history.version)[1] >= least,
    )


def promotion_needs_as_good(margin: float = 0.01, slower_than: Span | None = None) -> Checker:
    """Who is promoted has not been worse than its control by more than the margin, over all the time of the rollout.

    Args:
        margin: of the share of first attempts that failed, or were slow.
        slower_than: an answer that takes longer is slow.
    """
    limit = None if slower_than is None else int(read_duration("slower_than", slower_than))

    def holds(moment: Moment, history: History) -> bool:
        mine = _bad_since_begin(history, moment, history.version, limit)
        control = _bad_since_begin(history, moment, history.control, limit)
        return _part(mine) <= _part(control) + margin

    words = "failed" if limit is None else f"failed, or over {limit / SECOND:g} s,"
    return _at_each(f"promoted while {words} at most {100 * margin:g} points more", _promotes, holds)


def acts_on_failures(within: Span, least: int = 10) -> Checker:
    """Once the version has failed so many requests more than its control would have, it loses its traffic in time.

    So many that it is no matter of chance: four standard errors of the difference, besides.
    """
    span = read_duration("acts_on_failures", within)

    def check(history: History) -> Checked:
        begun: int | None = None
        for moment in history.moments:
            mine = _bad_since_begin(history, moment, history.version)
            control = _bad_since_begin(history, moment, history.control)
            worse = mine[0] - mine[1] * _part(control) >= max(least, 4 * _spread(mine, control))
            if begun is None and worse:
                begun = moment.at
            if begun is not None and share_of(moment.truth, history.version) == 0:
                return Checked()
            if begun is not None and moment.at - begun > span:
                return Checked((f"{mine[0]} failed, and it still has traffic at {moment.at / SECOND:g} s",))
        return Checked(exercised=False)

    return Checker(f"failures act within {span / SECOND:g} s", "afterwards", check)


def removal_needs_a_ready_heir() -> Checker:
    """A version is removed only when another one has all traffic, and all of its replicas."""

    def holds(moment: Moment, history: History) -> bool:
        gone = {action.version for action in _actions(moment) if isinstance(action, RemoveVersion)}
        heirs = [name for name in moment.truth.versions if name not in gone and share_of(moment.truth, name) >= 99.99]
        return any(is_ready(moment.truth, heir) for heir in heirs)

    return _at_each("removes only what nothing needs", lambda moment, history: _has(moment, RemoveVersion), holds)


def no_scale_down_under_traffic() -> Checker:
    """A version that still has traffic does not lose replicas in the same look that takes it, or before."""

    def exercised(moment: Moment, history: History) -> bool:
        return _has(moment, SetReplicas) or _has(moment, SetBounds)

    def holds(moment: Moment, history: History) -> bool:
        for action in _actions(moment):
            if isinstance(action, SetReplicas | SetBounds):
                name = action.version or history.version
                most = action.replicas if isinstance(action, SetReplicas) else action.maximum
                desired = moment.truth.versions.get(name, VersionObservation()).desired
                if most < desired and share_of(moment.truth, name) > 0:
                    return False
        return True

    return _at_each("no replicas are taken from who has traffic", exercised, holds)


def traffic_is_its_own() -> Checker:
    """The version has the share that the policy gave it last: nobody else moves it."""

    def check(history: History) -> Checked:
        wanted: float | None = None
        broken: list[str] = []
        exercised = False
        for moment in history.decided:
            share = share_of(moment.truth, history.version)
            if wanted is not None:
                exercised = True
                if abs(share - wanted) > 1e-6:
                    broken.append(f"{share:g} % instead of {wanted:g} % at {moment.at / SECOND:g} s")
            for action in _actions(moment):
                if isinstance(action, SetTraffic) and history.version in action.shares:
                    wanted = action.shares[history.version]
                elif isinstance(action, RollBack | Promote) and action.version == history.version:
                    wanted = 100.0 if isinstance(action, Promote) else 0.0
        return Checked(tuple(broken), exercised)

    return Checker("nobody else moves its traffic", "safe", check)


def no_action_twice() -> Checker:
    """What was done is not done again: a step after a restart is the next one."""

    def check(history: History) -> Checked:
        done = [
            (moment.at, action)
            for moment in history.decided
            for action in _actions(moment)
            if not isinstance(action, Hold)
        ]
        broken = [
            f"{action} at {at / SECOND:g} s and again at {later / SECOND:g} s"
            for (at, action), (later, again) in pairwise(done)
            if action == again
        ]
        return Checked(tuple(broken), exercised=len(done) > 1)

    return Checker("nothing is done twice", "safe", check)


def rollout(slower_than: Span | None = None) -> tuple[Checker, ...]:
    """What every rollout owes, whatever its other settings; when it ends, its settings say.

    Args:
        slower_than: what it was told, if it judges latencies.
    """
    return (
        total_share_100(),
        no_change_while(scaling),
        no_change_while(metrics_missing),
        at_most_n_changes_per(8, "1h"),
        rollback_leaves_no_traffic(),
        rollback_needs_evidence(slower_than=slower_than),
        promotion_needs_sample(),
        promotion_needs_as_good(),
        traffic_is_its_own(),
        no_action_twice(),
        acts_on_failures("10m"),
    )


def check(history: History, checkers: tuple[Checker, ...]) -> list[str]:
    """One line for each moment that breaks a property, with its name."""
    return [f"{checker.name}: {line}" for checker in checkers for line in checker.check(history).broken]


# -- parts


def _at_each(name: str, tested: Seen, holds: Seen) -> Checker:
    def check(history: History) -> Checked:
        put = [moment for moment in history.moments if tested(moment, history)]
        broken = [f"broken at {moment.at / SECOND:g} s{_said(moment)}" for moment in put if not holds(moment, history)]
        return Checked(tuple(broken), exercised=bool(put))

    return Checker(name, "safe", check)


def _said(moment: Moment) -> str:
    return (
        ""
        if moment.decision is None
        else f" ({', '.join(map(str, moment.decision.actions))}: {moment.decision.reason})"
    )


def _actions(moment: Moment) -> Iterator[Action]:
    if moment.decision is not None:
        yield from moment.decision.actions


def _has(moment: Moment, kind: type[Action]) -> bool:
    return any(isinstance(action, kind) for action in _actions(moment))


def _moves_traffic(action: Action) -> bool:
    return isinstance(action, SetTraffic | Promote | RollBack)


def _gives_more(moment: Moment, history: History) -> bool:
    share = share_of(moment.truth, history.version)
    return any(
        (isinstance(action, Promote) and action.version == history.version)
        or (isinstance(action, SetTraffic) and action.shares.get(history.version, 0.0) > share)
        for action in _actions(moment)
    )


def _promotes(moment: Moment, history: History) -> bool:
    return any(
        (isinstance(action, Promote) and action.version == history.version)
        or (isinstance(action, SetTraffic) and action.shares.get(history.version, 0.0) >= 100)
        for action in _actions(moment)
    )


def _is_rollback(moment: Moment) -> bool:
    return _has(moment, RollBack) or (moment.decision is not None and moment.decision.verdict is Verdict.FAIL)


def _fails_it(moment: Moment, history: History) -> bool:
    return moment.decision is not None and moment.decision.verdict is Verdict.FAIL and _is_rollback(moment)


def _bad_since_begin(
    history: History, moment: Moment, version: str | None, slower_than: int | None = None
) -> tuple[int, int]:
    """First attempts that failed (or were slow), and all of them, from the begin of the run to a moment."""
    first = history.moments[0].truth

    def counts(observation: Observation) -> tuple[int, int]:
        seen = observation.versions.get(version or "", VersionObservation()).total
        slow = 0 if slower_than is None else sum(n for _, n, total in seen.first_latency if total > slower_than * n)
        return seen.first.failures + slow, seen.first.judged

    before, now = counts(first), counts(moment.truth)
    return now[0] - before[0], now[1] - before[1]


def _spread(mine: tuple[int, int], control: tuple[int, int]) -> float:
    """The standard error of the failures that a version has more than its control would have."""
    if not mine[1] or not control[1]:
        return inf
    pooled = (mine[0] + control[0]) / (mine[1] + control[1])
    return mine[1] * sqrt(pooled * (1 - pooled) * (1 / mine[1] + 1 / control[1]))


def _part(counts: tuple[int, int]) -> float:
    return counts[0] / counts[1] if counts[1] else 0.0
