"""The worker as an object, its processes, and the same conversation held by an event loop."""

import asyncio
import datetime as dt
import gc
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from akstwin.clock import Micros
from akstwin.errors import Conflict, InvalidSetting, UnreadableFile
from akstwin.worker import (
    Hung,
    InitFailed,
    Limits,
    Process,
    Ran,
    Ready,
    ReplicaLost,
    Reply,
    Request,
    Talk,
    Worker,
    WorkerSpec,
)
from akstwin.worker.log import BoundedLog

ECHO = "import os\ndef init(): print('up')\ndef run(data):\n    if data == 'die': os._exit(1)\n    return data\n"


def descriptors() -> set[str]:
    """Our own open ones."""
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_fifty_workers_leave_no_descriptor_and_no_process(spec: Any, ask: Any, at: Any, mark: str, alive: Any) -> None:
    """Closed, lost or failed: what each took, it gives back."""
    good, bad = spec(ECHO), spec("def init(): 1 / 0\ndef run(data): pass", entry_script="bad.py")
    with Worker(good) as first:
        first.start(at)
    gc.collect()
    before = descriptors()
    for number in range(50):
        with Worker(bad if number % 5 == 4 else good) as replica:
            started = replica.start(at)
            assert isinstance(started, InitFailed if number % 5 == 4 else Ready)
            if number % 5 == 3:
                assert isinstance(ask(replica, b"die"), ReplicaLost)
    assert descriptors() == before
    assert alive(mark) == []


def test_the_log_goes_on_after_a_restart_and_stays_after_the_end(worker: Any, ask: Any, at: Any) -> None:
    """One container, several processes."""
    replica = worker(ECHO)
    ask(replica, b"die")
    assert isinstance(replica.start(at), Ready)
    ask(replica, b"x")
    replica.close()
    replica.close()
    assert replica.logs().count("azmlinfsrv.print - up") == 2
    assert "POST /score 200" in replica.logs()


def test_a_worker_is_used_in_order(spec: Any, at: Any) -> None:
    """Run before start, start twice, and bodies over the limit are the caller's mistakes, and change nothing."""
    with Worker(spec(ECHO, limits=Limits(body_bytes=1000))) as replica:
        with pytest.raises(Conflict):
            replica.run(Request(at))
        assert replica.logs() == ""
        assert isinstance(replica.start(at), Ready)
        with pytest.raises(Conflict):
            replica.start(at)
        with pytest.raises(InvalidSetting, match="1001 bytes"):
            replica.run(Request(at, b"x" * 1001))
        reply = replica.run(Request(at, b"x" * 998))
        assert isinstance(reply, Reply)
        assert len(reply.body) == 1000
    with pytest.raises(Conflict):
        replica.run(Request(at))


def test_output_without_end_is_read_as_far_as_a_pipe_holds(spec: Any) -> None:
    """A thread of the script may write faster than we read: what was written before the reply is what counts."""

    class Loud:
        output = Path("/dev/zero").open("rb", buffering=0)  # noqa: SIM115

    with Loud.output:
        replica = Worker(spec(ECHO))
        replica._drain(Loud())  # type: ignore[arg-type]
    assert replica._log.written == 1 << 16


@pytest.mark.parametrize("more", [{"python": "/no/such/python"}, {"folder": Path("/no/such/folder")}])
def test_a_worker_that_cannot_be_started_says_which_path_is_wrong(spec: Any, at: Any, more: dict[str, Any]) -> None:
    """And can be closed."""
    made = spec(ECHO)
    broken = WorkerSpec(**{"folder": made.folder, "entry_script": "score.py"} | more)
    before = descriptors()
    with Worker(broken) as replica, pytest.raises(UnreadableFile, match="/no/such"):
        replica.start(at)
    assert descriptors() == before


def test_a_script_that_is_not_there_fails_like_the_container(spec: Any, at: Any) -> None:
    """Exit code 3, and the path in the log."""
    made = spec(ECHO)
    (made.folder / "score.py").unlink()
    with Worker(made) as replica:
        outcome = replica.start(at)
    assert isinstance(outcome, InitFailed)
    assert "No such file" in outcome.reason
    assert "score.py" in outcome.logs


@pytest.mark.parametrize(
    "wrong",
    [
        {"entry_script": "/etc/passwd"},
        {"entry_script": "../score.py"},
        {"source_directory": "a/../.."},
        {"environment": {"A=B": "c"}},
        {"environment": {"": "c"}},
        {"environment": {"A": "\0"}},
    ],
)
def test_specs_are_checked(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Paths lead into the folder; variables are variables."""
    with pytest.raises(InvalidSetting):
        WorkerSpec(**{"folder": tmp_path, "entry_script": "score.py"} | wrong)


@pytest.mark.parametrize(
    "name", ["init_seconds", "run_seconds", "end_seconds", "log_bytes", "body_bytes", "memory_bytes"]
)
def test_limits_are_checked(name: str) -> None:
    """Nothing works in no time or no space."""
    with pytest.raises(InvalidSetting, match=name):
        Limits(**{name: 0})


def test_a_worker_outlives_the_thread_that_started_it(worker: Any, ask: Any, at: Any) -> None:
    """Simulations start workers in threads that end (a parent-death signal would follow the thread)."""
    replica = worker(ECHO, start=False)
    started: list[Any] = []
    thread = threading.Thread(target=lambda: started.append(replica.start(at)))
    thread.start()
    thread.join()
    assert isinstance(started[0], Ready)
    assert ask(replica, b"x").body == b'"x"'


@pytest.mark.parametrize("namespace", [True, False])
def test_a_worker_dies_with_its_caller(spec: Any, mark: str, alive: Any, namespace: bool) -> None:
    """Even when the caller is killed, and even a child that made itself independent."""
    text = """
        import subprocess
        def init(): subprocess.Popen(["sleep", "600"], start_new_session=True)
        def run(data): return data
    """
    made = spec(text)
    caller = f"""
import datetime, sys
from pathlib import Path
from akstwin.worker import Worker, WorkerSpec
spec = WorkerSpec(Path({str(made.folder)!r}), "score.py", environment={dict(made.environment)!r}, namespace={namespace})
worker = Worker(spec)
worker.start(datetime.datetime(2026, 7, 1))
print("up", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", caller], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert len(alive(mark)) >= 3
        process.send_signal(signal.SIGKILL)
    tries = 0
    while alive(mark) and tries < 2_000:
        tries += 1
    assert alive(mark) == []


def test_the_real_run_time_is_told(worker: Any, ask: Any) -> None:
    """For worlds in which it counts; the header says what the caller wants it to."""
    replica = worker("import time\ndef init(): pass\ndef run(data): time.sleep(0.02)\n")
    reply = ask(replica)
    assert reply.seconds >= 0.02
    assert float(reply.header("x-ms-run-fn-exec-ms")) >= 20
    assert ask(replica, takes=Micros(80_000)).header("x-ms-run-fn-exec-ms") == "80.000"


class Driver:
    """The loop of `client.Worker` as callbacks of an event loop, as the package's docstring describes it."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.process = Process(spec)
        self.talk = Talk(spec, BoundedLog(10_000))
        self.loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()
        self.gone = asyncio.Event()
        self.loop.add_reader(self.process.channel, self._channel)
        self.loop.add_reader(self.process.output, self._output)
        self.loop.add_reader(self.process.link, self._link)

    async def ask(self, message: bytes) -> None:
        """Send a message and wait until the talk is settled."""
        alarm = self.loop.call_later(self.talk.limit, lambda: (self.talk.overdue(), self.changed.set()))
        await self.loop.sock_sendall(self.process.channel, message)
        while not self.talk.settled:
            self.changed.clear()
            await self.changed.wait()
        alarm.cancel()
        if self.talk.over:
            grace = self.loop.call_later(self.talk.grace, self.process.order_end)
            await self.gone.wait()
            grace.cancel()

    async def close(self) -> None:
        """End the process."""
        self.process.order_end()
        await self.gone.wait()
        self.loop.remove_reader(self.process.output)
        self.process.end(1)
        self.process.close()

    def _channel(self) -> None:
        data = self.process.channel.recv(65536)
        if data:
            self.talk.received(data)
        else:
            self.loop.remove_reader(self.process.channel)
            self.talk.ended()
        self.changed.set()

    def _output(self) -> None:
        self.talk.written(os.read(self.process.output.fileno(), 65536))

    def _link(self) -> None:
        data = self.process.link.recv(65536)
        if data:
            self.talk.report(data)
            return
        self.loop.remove_reader(self.process.link)
        self.talk.ended()
        self.changed.set()
        self.gone.set()


def test_an_event_loop_drives_the_same_conversation(spec: Any, at: dt.datetime) -> None:
    """Several at once; a hung one keeps nobody waiting."""

    async def life(body: bytes, text: str, entry: str) -> Ran:
        driver = Driver(spec(text, entry_script=entry, limits=Limits(run_seconds=1)))
        await driver.ask(driver.talk.start(at))
        assert isinstance(driver.talk.started(), Ready)
        await driver.ask(driver.talk.ask(Request(at, body)))
        await driver.close()
        return driver.talk.ran()

    async def main() -> list[Ran]:
        hanging = "def init(): pass\ndef run(data):\n    while True: pass\n"
        lives = [life(b"x", ECHO, "a.py"), life(b"die", ECHO, "b.py"), life(b"", hanging, "c.py")]
        return await asyncio.gather(*lives)

    replied, lost, hung = asyncio.run(main())
    assert isinstance(replied, Reply)
    assert replied.body == b'"x"'
    assert isinstance(lost, ReplicaLost)
    assert lost.reason == "exited with code 1"
    assert isinstance(hung, Hung)
