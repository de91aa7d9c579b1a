"""Many containers of one script in few processes: when one is started, which is put away, and what becomes of the lost."""

import datetime as dt
import json
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from akstwin.clock import Micros
from akstwin.errors import Conflict, InvalidSetting, UnreadableFile
from akstwin.worker import Hung, InitFailed, Limits, Ready, ReplicaLost, Reply, Request, ScriptReplies, WorkerSpec
from akstwin.worker.log import SharedLog

AT = dt.datetime(2026, 7, 1, 9, tzinfo=dt.UTC)
COUNTING = """
import os, time
def init():
    global served
    served = 0
    if os.path.exists("broken"): raise RuntimeError("no weights")
    if os.path.exists("slow"): time.sleep(600)
    print("up")
def run(data):
    global served
    served += 1
    if data == "die": os.kill(os.getpid(), 9)
    if data == "hang": time.sleep(600)
    if data == "shout": print("x" * 100_000)
    print("got", data)
    return served
"""


@pytest.fixture
def replies(spec: Callable[..., WorkerSpec]) -> Iterator[Callable[..., ScriptReplies]]:
    """The containers of a script, ended when the test is."""
    with ExitStack() as stack:

        def make(text: str = COUNTING, alive: int = 4, **more: Any) -> ScriptReplies:
            return stack.enter_context(ScriptReplies(spec(text, **more), alive))

        yield make


@pytest.fixture
def ask() -> Callable[..., Any]:
    """One request to a container."""

    def send(to: ScriptReplies, container: int, body: bytes = b"x", **more: Any) -> Any:
        return to.run(container, Request(more.pop("at", AT), body, **more))

    return send


def folder(made: ScriptReplies) -> Path:
    """Where its script lies."""
    return made._rules._spec.folder


def keepers(made: ScriptReplies) -> list[int]:
    """The containers that have a process."""
    return sorted(container for container, worker in made._workers.items() if worker.running)


def test_only_the_first_container_is_started_at_once(replies: Any, ask: Any, alive: Any, mark: str) -> None:
    """The others at their first request: hundreds of idle containers cost nothing."""
    made = replies(alive=2)
    first = made.init(0, AT)
    assert isinstance(first, Ready)
    assert "azmlinfsrv.print - up" in first.logs
    processes = len(alive(mark))
    for container in range(1, 300):
        assert made.init(container, AT) == Ready("")
    assert len(alive(mark)) == processes
    assert ask(made, 250).body == b"1"
    assert keepers(made) == [0, 250]
    assert "container 250: starts <==" in made.logs()


def test_each_container_has_its_own_memory(replies: Any, ask: Any) -> None:
    """As long as its process lives."""
    made = replies()
    made.init(0, AT)
    made.init(1, AT)
    assert [ask(made, container).body for container in (0, 0, 1, 0, 1)] == [b"1", b"2", b"1", b"3", b"2"]


def test_the_least_recently_used_process_is_put_away(replies: Any, ask: Any) -> None:
    """And started anew when a request reaches its container, which has forgotten what it knew."""
    made = replies(alive=2)
    for container in range(3):
        made.init(container, AT)
    assert [ask(made, container).body for container in (0, 1, 0)] == [b"1", b"1", b"2"]
    assert ask(made, 2).body == b"1"
    assert keepers(made) == [0, 2]
    assert ask(made, 0).body == b"3"
    assert ask(made, 1, at=AT + dt.timedelta(hours=1)).body == b"1"
    assert keepers(made) == [0, 1]
    started = [line for line in made.logs().splitlines() if "starts" in line]
    assert started == [
        "==> container 0: starts <==",
        "==> container 1: starts <==",
        "==> container 2: starts <==",
        "==> container 1: starts again, after its process was given to others <==",
    ]
    assert "2026-07-01 10:00:00,000 I [1] azmlinfsrv.print - up" in made.logs()


def test_one_process_can_serve_all(replies: Any, ask: Any) -> None:
    """Slowly."""
    made = replies(alive=1)
    for container in range(3):
        made.init(container, AT)
    assert [ask(made, container).body for container in (0, 1, 2, 2, 0)] == [b"1", b"1", b"1", b"2", b"1"]
    assert keepers(made) == [0]


@pytest.mark.parametrize(("body", "lost"), [(b"die", ReplicaLost), (b"hang", Hung)])
def test_a_lost_container_comes_back_by_init_alone(replies: Any, ask: Any, body: bytes, lost: type) -> None:
    """The others go on; the next init, after a failure, is a real one."""
    made = replies(limits=Limits(run_seconds=1))
    made.init(0, AT)
    made.init(1, AT)
    ask(made, 1)
    ran = ask(made, 0, body)
    assert isinstance(ran, lost)
    with pytest.raises(Conflict, match="container 0 is not running"):
        ask(made, 0)
    assert keepers(made) == [1]
    assert ask(made, 1).body == b"2"
    again = made.init(0, AT)
    assert isinstance(again, Ready)
    assert "up" in again.logs
    assert ask(made, 0).body == b"1"
    reason = "killed by SIGKILL" if body == b"die" else "killed: run() was still going after 1 s"
    assert f"==> container 0: {reason} <==" in made.logs()


def test_an_init_that_fails_goes_on_failing_until_it_is_mended(replies: Any, ask: Any) -> None:
    """Each try is a real one, with its traceback in the log; then containers are taken at their word again."""
    made = replies()
    (folder(made) / "broken").touch()
    for container in (0, 0, 1):
        failed = made.init(container, AT)
        assert isinstance(failed, InitFailed)
        assert failed.reason == "RuntimeError: no weights"
        with pytest.raises(Conflict):
            ask(made, container)
    assert made.logs().count("raise RuntimeError") == 3
    assert made.logs().count("container 0: init() failed: RuntimeError: no weights <==") == 2
    (folder(made) / "broken").unlink()
    assert "up" in made.init(1, AT).logs
    assert made.init(0, AT) == Ready("")
    assert ask(made, 0).status == 200


def test_an_init_that_hangs_fails_at_its_limit(replies: Any) -> None:
    """And leaves nothing behind."""
    made = replies(limits=Limits(init_seconds=0.3))
    (folder(made) / "slow").touch()
    failed = made.init(0, AT)
    assert isinstance(failed, InitFailed)
    assert failed.hung
    assert keepers(made) == []


@pytest.mark.parametrize("obstacle", ["broken", "slow"])
def test_a_late_start_that_fails_loses_the_container(replies: Any, ask: Any, obstacle: str) -> None:
    """Its init was taken to succeed, and did not."""
    made = replies(limits=Limits(init_seconds=2 if obstacle == "slow" else 60))
    made.init(0, AT)
    made.init(1, AT)
    (folder(made) / obstacle).touch()
    ran = ask(made, 1)
    assert isinstance(ran, ReplicaLost)
    assert ran.reason.startswith("init() failed: ")
    assert ("no weights" in ran.logs) is (obstacle == "broken")
    with pytest.raises(Conflict):
        ask(made, 1)
    assert ask(made, 0).body == b"1"
    assert isinstance(made.init(1, AT), InitFailed)


def test_stopped_containers_have_no_process(replies: Any, ask: Any, alive: Any, mark: str) -> None:
    """Stopping what is gone, or was never there, is no mistake; using it is."""
    made = replies()
    made.init(0, AT)
    made.init(1, AT)
    ask(made, 1)
    made.stop(0)
    made.stop(0)
    made.stop(99)
    assert keepers(made) == [1]
    with pytest.raises(Conflict, match="container 0 is not running"):
        ask(made, 0)
    with pytest.raises(Conflict, match="container 1 is running"):
        made.init(1, AT)
    assert made.init(0, AT) == Ready("")
    made.close()
    made.close()
    assert alive(mark) == []
    with pytest.raises(Conflict):
        ask(made, 1)
    assert "azmlinfsrv.print - got x" in made.logs()


def test_a_body_over_the_limit_changes_nothing(replies: Any, ask: Any) -> None:
    """The caller's mistake."""
    made = replies(limits=Limits(body_bytes=100))
    made.init(0, AT)
    ask(made, 0)
    with pytest.raises(InvalidSetting, match="101 bytes"):
        ask(made, 0, b"x" * 101)
    assert ask(made, 0).body == b"2"


def test_a_process_that_ends_between_requests_is_a_lost_container(
    replies: Any, ask: Any, alive: Any, mark: str
) -> None:
    """Seen at the next request, as the router does."""
    text = """
        import os, threading
        def init(): pass
        def run(data):
            if data == "later": threading.Timer(0.3, os._exit, [7]).start()
            return data
    """
    made = replies(text)
    made.init(0, AT)
    assert isinstance(ask(made, 0, b"later"), Reply)
    tries = 0
    while alive(mark) and tries < 2_000:
        tries += 1
    assert ask(made, 0) == ReplicaLost("exited with code 7", "")
    assert isinstance(made.init(0, AT), Ready)


def test_health_and_description_come_from_the_script_too(replies: Any, ask: Any) -> None:
    """By the same way as scores; a container that has not started does so for them."""
    made = replies(service_name="fraud", path_prefix="/api/v1/service/fraud")
    made.init(0, AT)
    made.init(1, AT)
    assert ask(made, 1, b"", method="GET", path="/").body == b"Healthy"
    description = json.loads(ask(made, 0, b"", method="GET", path="/swagger.json").body)
    assert "/api/v1/service/fraud/score" in description["paths"]


def test_the_run_time_is_the_callers(replies: Any, ask: Any) -> None:
    """As with one worker."""
    made = replies()
    made.init(0, AT)
    assert ask(made, 0, takes=Micros(80_000)).header("x-ms-run-fn-exec-ms") == "80.000"


def test_request_ids_differ_between_containers(replies: Any, ask: Any) -> None:
    """At the same instant, too; and are the same in each run."""
    made = replies()
    made.init(0, AT)
    made.init(1, AT)
    assert len({ask(made, container).header("x-request-id") for container in (0, 0, 1, 1)}) == 4


def test_the_same_calls_give_the_same_log(spec: Any, ask: Any) -> None:
    """Whoever was put away or lost meanwhile."""
    texts = []
    for _ in range(2):
        with ScriptReplies(spec(COUNTING), alive=2) as made:
            for container in range(4):
                made.init(container, AT)
            for container in (0, 1, 2, 0, 3, 1):
                ask(made, container, takes=Micros(1000))
            ask(made, 1, b"die")
            made.init(1, AT)
            ask(made, 1, takes=Micros(1000))
            texts.append(made.logs())
    assert texts[0] == texts[1]
    assert texts[0].count("starts") >= 6


def test_the_log_says_whose_it_is_and_is_bounded(replies: Any, ask: Any) -> None:
    """One limit for all containers, and the last lines on demand."""
    made = replies(limits=Limits(log_bytes=2000))
    made.init(0, AT)
    made.init(1, AT)
    ask(made, 0)
    ask(made, 1)
    lines = [line.split(" - ")[0] for line in made.logs().splitlines()]
    assert lines.index("==> container 0: starts <==") < lines.index("==> container 1: starts <==")
    assert "got x" in made.logs(2)
    assert made.logs(2).count("\n") == 2
    assert made.logs(0) == ""
    assert made.logs(10_000) == made.logs()
    with pytest.raises(InvalidSetting, match="lines: -1"):
        made.logs(-1)
    ask(made, 0, b"shout")
    assert len(made.logs()) < 2100
    assert "bytes dropped" in made.logs()


def test_what_a_thread_writes_between_requests_is_in_the_log(replies: Any) -> None:
    """Read when the log is."""
    text = """
        import sys, threading
        def init(): threading.Timer(0.01, lambda: print("from behind", file=sys.stderr, flush=True)).start()
        def run(data): return data
    """
    made = replies(text)
    made.init(0, AT)
    tries = 0
    while "from behind" not in made.logs() and tries < 100_000:
        tries += 1
    assert "from behind" in made.logs()


def test_an_interrupted_request_leaves_no_process(replies: Any, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the caller: the container is lost, and can be started again."""
    made = replies()
    made.init(0, AT)

    def interrupt() -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the patch is part of it
        patch.setattr(made._workers[0]._talk.__class__, "limit", property(lambda _: interrupt()))
        ask(made, 0)
    made.stop(0)
    assert isinstance(made.init(0, AT), Ready)


@pytest.mark.parametrize("alive", [0, -1])
def test_nothing_works_in_no_process(spec: Any, alive: int) -> None:
    """One is the least."""
    with pytest.raises(InvalidSetting, match="alive"):
        ScriptReplies(spec(COUNTING), alive)


def test_a_folder_that_is_gone_is_named(replies: Any) -> None:
    """It is the caller's; no container failed."""
    made = replies(python="/no/such/python")
    with pytest.raises(UnreadableFile, match="/no/such/python"):
        made.init(0, AT)
    with pytest.raises(Conflict):
        made.run(0, Request(AT))


def test_a_shared_log_begins_new_lines_for_others() -> None:
    """Whoever did not end theirs."""
    log = SharedLog(1000)
    one, two = log.of(1), log.of(2)
    for part, text in ((one, b"a"), (one, b"b\n"), (two, b""), (one, b"c"), (two, b"d\n"), (one, b"e")):
        part.write(text)
    log.note(1, "lost")
    log.note(2, "starts")
    two.write(b"f\n")
    expected = """\
        ==> container 1 <==
        ab
        c
        ==> container 2 <==
        d
        ==> container 1 <==
        e
        ==> container 1: lost <==
        ==> container 2: starts <==
        f
        """
    assert log.text() == one.text() == textwrap.dedent(expected)
    assert log.text(1) == "f\n"
