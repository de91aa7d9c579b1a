"""Try the promises on a backend, one by one."""

import io
import linecache
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Final

from akstwin import scratch
from akstwin.backend import Backend
from akstwin.domain.words import nearest
from akstwin.errors import InvalidSetting
from akstwin.testing.families import (
    access,
    autoscaler,
    failed_deployments,
    failures,
    lifecycle,
    models,
    observation,
    probes,
    queueing,
    refusals,
    repeats,
    split,
)
from akstwin.testing.promise import Promise, Unkept
from akstwin.testing.report import Finding, Report
from akstwin.testing.trial import Trial

_FAMILIES: Final[tuple[ModuleType, ...]] = (
    lifecycle, failed_deployments, refusals, repeats, split, queueing, failures, autoscaler, probes, access, models, observation,
)  # fmt: skip


def promises() -> tuple[Promise, ...]:
    """All promises, family by family."""
    return tuple(each for family in _FAMILIES for each in vars(family).values() if isinstance(each, Promise))


def check_backend(make_backend: Callable[[], Backend], *, only: Sequence[str] = ()) -> Report:
    """Try every promise on a backend of its own.

    Limits come from the backend's assumptions (`unschedulable_after`, `router_lag`, `token_lifetime`, …): a world in real
    time keeps its promises in seconds where these are seconds. Nothing is raised for a promise that is broken:
    `Report.raise_if_broken` does that. In a world in real time, try one promise after another, with `only` and the names
    of `promises()`: as the cases of a test, they show how far it is.

    Args:
        make_backend: makes a fresh workspace; it is closed afterwards, if it has a `close`. The cluster that is deployed to
            is its first compute target; where there is none, one is made. Entry scripts run in it, some of which hang:
            let `script_seconds` of a simulated workspace be small.
        only: names of promises or of families; all.

    Returns:
        What was found of each promise.

    Raises:
        InvalidSetting: a name in `only` is not known; or what `make_backend` returns lacks methods of a `Backend`.
    """
    return Report(tuple(_tried(each, make_backend) for each in _chosen(only)))


def _chosen(only: Sequence[str]) -> list[Promise]:
    every = promises()
    only = (only,) if isinstance(only, str) else only
    known = {each.name for each in every} | {each.family for each in every}
    for name in only:
        if name not in known:
            raise InvalidSetting("only", name, f"a promise or a family of them{nearest(name, sorted(known))}")
    return [each for each in every if not only or each.name in only or each.family in only]


def _tried(promise: Promise, make_backend: Callable[[], Backend]) -> Finding:
    backend = make_backend()
    try:
        with scratch.temporary() as folder:
            trial = Trial(backend, Path(folder))
            with redirect_stdout(io.StringIO()):  # some of the SDK's calls print
                broken = _broken(promise, trial)
    finally:
        close = getattr(backend, "close", None)
        if close is not None:
            close()
    if broken is None:
        return Finding(promise, kept=True, conditions=_conditions(backend, trial))
    return Finding(promise, False, broken.call, broken.saw, broken.promised, _conditions(backend, trial))


def _broken(promise: Promise, trial: Trial) -> Unkept | None:
    try:
        promise.keep(trial)
    except Unkept as unkept:
        return unkept
    except Exception as error:  # noqa: BLE001 - whatever a backend does wrong is a finding
        return Unkept(_line_of(promise, error), _told(error), "an answer")
    return None


def _line_of(promise: Promise, error: Exception) -> str:
    """The line of the promise that an exception came out of."""
    own = promise.keep.__code__.co_filename
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return linecache.getline(own, lines[-1] or 0).strip() if lines else promise.name


def _told(error: Exception) -> str:
    message = " ".join(str(getattr(error, "message", error)).split())
    return f"{type(error).__name__}: {message[:300]}"


def _conditions(backend: Backend, trial: Trial) -> dict[str, str]:
    seed = getattr(backend, "seed", None)
    return {**({} if seed is None else {"seed": str(seed)}), **trial.limits}
