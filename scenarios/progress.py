"""How work gets on, on standard error: a bar where that is a terminal, else a line now and then, or nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from akstwin.scenarios.tried import Tried, Values, Watcher

if TYPE_CHECKING:
    from rich.progress import Progress

SECONDS_BETWEEN: Final = 10.0
"""Between two lines where nobody watches."""


@contextmanager
def bar(name: str) -> Iterator[Callable[[float], None]]:
    """Gives a function that takes the share that is done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with _on_terminal() as shown:
        task = shown.add_task(name, total=1.0)
        yield lambda share: shown.update(task, completed=share)


@contextmanager
def plan_watcher() -> Iterator[Watcher]:
    """Shows how a plan gets on."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    with _on_terminal() as shown:
        yield _Bar(shown)


def _on_terminal() -> "Progress":
    from rich.console import Console  # noqa: PLC0415 - a pipe does without
    from rich.progress import Progress  # noqa: PLC0415

    return Progress(console=Console(stderr=True), transient=True)


class _Bar(Watcher):
    """A bar for the value that is looked at, above it a line for each that has been."""

    def __init__(self, shown: "Progress") -> None:
        self._shown = shown
        self._task: Any = shown.add_task("plan", total=None)

    def working(self, values: Values, done: float, asked: int) -> None:
        """Move the bar."""
        self._shown.update(self._task, description=_said(values), completed=done, total=asked)

    def tried(self, tried: Tried) -> None:
        """Add a line."""
        self._shown.console.print(_line(tried), highlight=False, markup=False)


class _Lines(Watcher):
    """A line every ten seconds."""

    def __init__(self) -> None:
        self._last = perf_counter()
        self._tried = 0

    def working(self, values: Values, done: float, asked: int) -> None:
        """Say it, if it is time."""
        if perf_counter() - self._last >= SECONDS_BETWEEN:
            self._last = perf_counter()
            sys.stderr.write(f"plan: {self._tried} tried, now {_said(values)}: {int(done)} of {asked} runs\n")
            sys.stderr.flush()

    def tried(self, tried: Tried) -> None:  # noqa: ARG002 - it is counted
        """Count it."""
        self._tried += 1


def _said(values: Values) -> str:
    return " with ".join(map(str, values))


def _line(tried: Tried) -> str:
    if tried.refused:
        return f"tried {_said(tried.values)}: cannot start"
    return f"tried {_said(tried.values)}: {tried.verdict.value}, {tried.replications} replications"
