"""Workers on real scripts, and a search for what they leave behind."""

import contextlib
import datetime as dt
import functools
import itertools
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from akstwin.worker import Limits, Ready, Request, Worker, WorkerSpec

AT = dt.datetime(2026, 7, 1, 9, tzinfo=dt.UTC)
_MARK = "AKSTWIN_TEST_MARK"
_numbers = itertools.count()


def processes(mark: str) -> list[int]:
    """Living processes that have inherited the mark, whatever group, session or namespace they went to."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # gone meanwhile
                if f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
    return found


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    """A word in the environment of every process of the test; none may outlive it."""
    word = f"{tmp_path}/{next(_numbers)}"
    yield word
    assert processes(word) == []


@pytest.fixture
def alive() -> Callable[[str], list[int]]:
    """The processes that carry a mark."""
    return processes


@pytest.fixture
def spec(tmp_path: Path, mark: str) -> Callable[..., WorkerSpec]:
    """A spec for a script's text."""

    def make(text: str, *, run_seconds: float = 60, **more: Any) -> WorkerSpec:
        folder = tmp_path / "app"
        path = folder / more.setdefault("entry_script", "score.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")
        environment = {_MARK: mark} | more.pop("environment", {})
        more.setdefault("limits", Limits(run_seconds=run_seconds))
        return WorkerSpec(folder, environment=environment, **more)

    return make


@pytest.fixture
def worker(spec: Callable[..., WorkerSpec]) -> Iterator[Callable[..., Worker]]:
    """A worker for a script's text, started unless the test wants to see that."""
    with contextlib.ExitStack() as stack:

        def make(text: str, *, start: bool = True, **more: Any) -> Worker:
            made = stack.enter_context(Worker(spec(text, **more)))
            if start:
                started = made.start(AT)
                assert isinstance(started, Ready), started
            return made

        yield make


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Worker]]:
    """A worker for a script's text that other tests of the module have used before: for scripts that keep nothing."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def make(text: str) -> Worker:
            folder = tmp_path_factory.mktemp("shared")
            (folder / "score.py").write_text(textwrap.dedent(text), "utf-8")
            made = stack.enter_context(Worker(WorkerSpec(folder, "score.py")))
            assert isinstance(made.start(AT), Ready)
            return made

        yield make


@pytest.fixture
def ask() -> Callable[..., Any]:
    """One request: by default JSON, posted to /score at nine o'clock on the first of July."""

    def send(to: Worker, body: bytes = b"", content_type: str | None = "application/json", **more: Any) -> Any:
        headers = (("Content-Type", content_type),) if content_type else ()
        headers += more.pop("headers", ())
        return to.run(Request(more.pop("at", AT), body, headers, **more))

    return send


@pytest.fixture
def at() -> dt.datetime:
    """Nine o'clock on the first of July."""
    return AT
