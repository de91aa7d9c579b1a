"""Entry scripts on an event loop: the same containers as those that a caller waits for, and nobody holds up the loop."""

import asyncio
import contextlib
import datetime as dt
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from akstwin.clock import Micros
from akstwin.worker import InitFailed, Limits, Ready, ReplicaLost, Reply, Request, ScriptReplies, WorkerSpec
from akstwin.worker.async_pool import AsyncScriptReplies
from akstwin.worker.content import ScriptContent

AT = dt.datetime(2026, 7, 1, 9, tzinfo=dt.UTC)
COUNTING = """
import os, time
def init():
    global served
    served = 0
    if os.path.exists("broken"): raise RuntimeError("no weights")
    if os.path.exists("slow"): open("starting", "w"); time.sleep(600)
    print("up")
def run(data):
    global served
    served += 1
    if data == "die": os.kill(os.getpid(), 9)
    if data == "hang": open("hanging", "w"); time.sleep(600)
    print("got", data)
    return served
"""


class Pool:
    """Containers of a script, and the outcome of each call as something to wait for."""

    def __init__(self, spec: WorkerSpec, threads: ThreadPoolExecutor, alive: int) -> None:
        self.folder = spec.folder
        self.real = 0
        self.replies = AsyncScriptReplies(
            ScriptContent.of(spec),
            threads,
            threads,
            contextlib.nullcontext,
            self._real_work,
            real_time=lambda: True,
            alive=alive,
        )

    @contextlib.contextmanager
    def _real_work(self) -> Iterator[None]:
        self.real += 1
        try:
            yield
        finally:
            self.real -= 1

    def init(self, container: int) -> "asyncio.Future[Any]":
        """What `init()` comes to."""
        done = asyncio.get_running_loop().create_future()
        self.replies.begin_init(container, AT, done.set_result)  # raises if it is called twice
        return done

    def run(self, container: int, body: bytes = b"x") -> "asyncio.Future[Any]":
        """What a request comes to."""
        done = asyncio.get_running_loop().create_future()
        self.replies.begin_run(container, Request(AT, body, takes=Micros(1000)), done.set_result)
        return done

    async def seen(self, name: str) -> None:
        """Wait until the script has made a file."""
        while not (self.folder / name).exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.005)

    def processes(self) -> list[int]:
        """The containers that have a process."""
        return sorted(self.replies._processes)


Story = Callable[[Pool], Awaitable[None]]


@pytest.fixture
def told(spec: Callable[..., WorkerSpec]) -> Callable[..., None]:
    """Play a story on an event loop, with a pool that is closed at its end; no process may outlive it."""

    def play(story: Story, *, text: str = COUNTING, alive: int = 16, **more: Any) -> None:
        async def main() -> None:
            with ThreadPoolExecutor(8) as threads:
                pool = Pool(spec(text, **more), threads, alive)
                try:
                    await story(pool)
                finally:
                    pool.replies.close()

        asyncio.run(main())

    return play


def test_three_containers_at_one_instant_have_three_request_ids(told: Any, spec: Any) -> None:
    """The same as where the caller waits for each."""
    served: list[str] = []

    async def story(pool: Pool) -> None:
        for container in range(3):
            assert isinstance(await pool.init(container), Ready)
        replies = await asyncio.gather(*(pool.run(container) for container in range(3)))
        served.extend(reply.header("x-ms-request-id") for reply in replies)

    told(story)
    simulated = []
    with ScriptReplies(spec(COUNTING)) as waited:
        for container in range(3):
            waited.init(container, AT)
        for container in range(3):
            reply = waited.run(container, Request(AT, b"x", takes=Micros(1000)))
            assert isinstance(reply, Reply)
            simulated.append(reply.header("x-ms-request-id"))
    assert len(set(served)) == 3
    assert served == simulated


def test_only_the_first_container_is_started_at_once(told: Any) -> None:
    """Later ones at their first request; a failure makes the next init a real one."""

    async def story(pool: Pool) -> None:
        first = await pool.init(0)
        assert "azmlinfsrv.print - up" in first.logs
        assert [await pool.init(container) for container in (1, 2, 3)] == [Ready("")] * 3
        assert pool.processes() == [0]
        assert (await pool.run(2)).body == b"1"
        assert pool.processes() == [0, 2]
        lost = await pool.run(2, b"die")
        assert lost.reason == "killed by SIGKILL"
        assert pool.processes() == [0]
        assert "up" in (await pool.init(2)).logs
        assert pool.real == 0

    told(story)


def test_a_late_start_that_fails_loses_the_container(told: Any) -> None:
    """Its init was taken to succeed, and did not; the next one is a real one."""

    async def story(pool: Pool) -> None:
        await pool.init(0)
        await pool.init(1)
        (pool.folder / "broken").touch()
        ran = await pool.run(1)
        assert isinstance(ran, ReplicaLost)
        assert ran.reason == "init() failed: RuntimeError: no weights"
        failed = await pool.init(1)
        assert isinstance(failed, InitFailed)
        assert failed.reason == "RuntimeError: no weights"
        assert (await pool.run(0)).body == b"1"
        assert pool.processes() == [0]

    told(story)


def test_the_least_recently_used_at_rest_is_put_away(told: Any) -> None:
    """And says so when it starts again."""

    async def story(pool: Pool) -> None:
        for container in range(3):
            await pool.init(container)
        assert [(await pool.run(container)).body for container in (0, 1, 0, 2)] == [b"1", b"1", b"2", b"1"]
        assert pool.processes() == [0, 2]
        assert (await pool.run(1)).body == b"1"
        assert pool.processes() == [1, 2]
        again = "==> container 1: starts again, after its process was given to others <=="
        assert [line for line in pool.replies.logs().splitlines() if "starts again" in line] == [again]

    told(story, alive=2)


def test_a_container_that_is_at_work_keeps_its_process(told: Any) -> None:
    """Others have to make room, or nobody."""

    async def story(pool: Pool) -> None:
        for container in range(3):
            await pool.init(container)
        hanging = pool.run(0, b"hang")
        await pool.seen("hanging")
        assert (await pool.run(1)).body == b"1"
        assert (await pool.run(2)).body == b"1"
        assert pool.processes() == [0, 2]
        pool.replies.stop(0)
        assert isinstance(await hanging, ReplicaLost)

    told(story, alive=2)


def test_requests_of_one_container_are_answered_in_order(told: Any) -> None:
    """One process, one request at a time."""

    async def story(pool: Pool) -> None:
        await pool.init(0)
        replies = await asyncio.gather(*(pool.run(0) for _ in range(5)))
        assert [reply.body for reply in replies] == [b"1", b"2", b"3", b"4", b"5"]

    told(story)


def test_a_container_that_is_stopped_at_work_ends_at_once(told: Any) -> None:
    """Its request is lost, and so are those that waited behind it; no process is started for them."""

    async def story(pool: Pool) -> None:
        await pool.init(0)
        hanging, behind = pool.run(0, b"hang"), pool.run(0)
        await pool.seen("hanging")
        pool.replies.stop(0)
        assert isinstance(await hanging, ReplicaLost)
        assert await behind == ReplicaLost("container 0 is not running", "")
        assert (pool.processes(), pool.real) == ([], 0)
        assert isinstance(await pool.init(0), Ready)
        assert (await pool.run(0)).body == b"1"

    told(story)


def test_a_container_that_is_stopped_while_it_starts_ends_at_once(told: Any) -> None:
    """Nothing is left of it."""

    async def story(pool: Pool) -> None:
        await pool.init(0)
        await pool.init(1)
        (pool.folder / "slow").touch()
        ran = pool.run(1)
        await pool.seen("starting")
        pool.replies.stop(1)
        assert isinstance(await ran, ReplicaLost)
        assert pool.processes() == [0]

    told(story)


def test_one_that_is_closed_at_work_leaves_no_process(told: Any) -> None:
    """Nor a thread that waits for one."""

    async def story(pool: Pool) -> None:
        await pool.init(0)
        await pool.init(1)
        pool.run(0, b"hang")
        await pool.seen("hanging")
        pool.replies.close()

    told(story)
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]


def test_a_body_over_the_limit_changes_nothing(told: Any) -> None:
    """The container goes on."""

    async def story(pool: Pool) -> None:
        await pool.init(0)
        await pool.run(0)
        assert "101 bytes" in (await pool.run(0, b"x" * 101)).reason
        assert (await pool.run(0)).body == b"2"

    told(story, limits=Limits(body_bytes=100))


def test_an_interpreter_that_is_not_there_is_a_failed_init(told: Any) -> None:
    """With its name: the loop goes on, and the replica says why it does not start."""

    async def story(pool: Pool) -> None:
        failed = await pool.init(0)
        assert isinstance(failed, InitFailed)
        assert "/no/such/python" in failed.reason
        assert "/no/such/python" in pool.replies.logs()
        assert pool.processes() == []

    told(story, python="/no/such/python")
