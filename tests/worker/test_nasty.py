"""Scripts that misbehave: each its own clear outcome, nothing left behind (fixture `mark`), and the next worker works.

What concerns processes runs in a namespace of processes and, as on systems that grant none, without one.
"""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akstwin.worker import Hung, InitFailed, Limits, Ready, ReplicaLost, Reply, Worker

INTERNAL = {"message": "An unexpected internal error occurred. Check the logs for more info."}


@pytest.fixture
def nasty(worker: Callable[..., Worker]) -> Callable[..., Worker]:
    """A worker whose run() does this, unless it is asked for `ok`."""

    def make(body: str, top: str = "", **more: Any) -> Worker:
        script = "import ctypes, json, os, resource, signal, subprocess, sys, threading, time\n"
        script += textwrap.dedent(top) + "\ndef init(): pass\ndef run(data):\n    if data == 'ok': return 'ok'\n"
        return worker(script + textwrap.indent(textwrap.dedent(body), "    "), **more)

    return make


def _may_mount() -> bool:
    status = Path("/proc/self/status").read_text("ascii")
    capabilities = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(capabilities, 16) >> 21 & 1)  # CAP_SYS_ADMIN


in_both_ways = pytest.mark.parametrize("namespace", [True, False], ids=["namespace", "group"])


def recovers(replica: Worker, ask: Any, at: Any) -> bool:
    """Whether the worker, or the next one in its place, answers."""
    if not replica.running:
        assert isinstance(replica.start(at), Ready)
    return bool(ask(replica, b"ok").body == b'"ok"')


@in_both_ways
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("os._exit(7)", "exited with code 7"),
        ("os._exit(0)", "exited with code 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "killed by SIGTERM"),
        ("os.abort()", "killed by SIGABRT"),
        ("ctypes.string_at(0)", "killed by SIGSEGV"),
        ("os.killpg(os.getpgrp(), signal.SIGKILL)", "killed by SIGKILL"),
        ("os.kill(0, signal.SIGKILL)", "killed by SIGKILL"),
        ("os.execv('/bin/sleep', ['sleep', '60'])", "closed its server's channel"),
        ("os.closerange(3, 4096); return 1", "exited with code 1"),
        # The parent ends, a child lives on with everything it has inherited, the channel included.
        ("if os.fork(): os._exit(5)\ntime.sleep(60)", "exited with code 5"),
    ],
)
def test_a_worker_that_ends_itself_is_lost_and_says_how(
    nasty: Any, ask: Any, at: Any, body: str, reason: str, namespace: bool
) -> None:
    """No reply, which is R13; what it printed before is kept."""
    replica = nasty("print('last words')\nsys.stdout.write('and more\\n')\n" + body, namespace=namespace)
    outcome = ask(replica)
    assert isinstance(outcome, ReplicaLost)
    assert outcome.reason == reason
    assert "last words\nand more\n" in outcome.logs
    assert not replica.running
    assert recovers(replica, ask, at)


HUNG = [
    "while True: pass",
    "time.sleep(600)",
    "os.kill(os.getpid(), signal.SIGSTOP)",
    "while True:\n    try: time.sleep(600)\n    except BaseException: pass",
    "for number in set(signal.Signals) - {9, 19}: signal.signal(number, signal.SIG_IGN)\ntime.sleep(600)",
    "while True: print('x' * 1000)",
    "while True: os.write(2, b'x' * 100_000)",
    "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "subprocess.run(['sleep', '600'])",
]


@pytest.mark.parametrize(("body", "namespace"), [*((body, True) for body in HUNG), (HUNG[2], False), (HUNG[-1], False)])
def test_a_run_without_end_is_hung_and_killed(nasty: Any, ask: Any, at: Any, body: str, namespace: bool) -> None:
    """At the real-time limit, whatever it holds, ignores or prints."""
    replica = nasty(body, limits=Limits(run_seconds=0.5, log_bytes=10_000), namespace=namespace)
    outcome = ask(replica)
    assert isinstance(outcome, Hung)
    assert outcome.after_seconds == 0.5
    assert len(outcome.logs) < 11_000
    assert not replica.running
    assert isinstance(replica.start(at), Ready)


def test_a_body_that_is_never_read_does_not_block_the_caller(nasty: Any, ask: Any, at: Any) -> None:
    """A worker that stopped itself takes nothing more: sending is under the limit, too."""
    stopping = "threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGSTOP)).start(); return 1"
    replica = nasty(stopping, limits=Limits(run_seconds=1.5))
    outcome = ask(replica)
    while isinstance(outcome, Reply):
        outcome = ask(replica, b"ok".ljust(5_000_000))
    assert isinstance(outcome, Hung)
    assert recovers(replica, ask, at)


@pytest.mark.parametrize(
    "body",
    [
        "for fd in range(3, 300):\n    try: os.write(fd, b'junk' * 100)\n    except OSError: pass\nreturn 1",
        "for fd in range(3, 300):\n    try: os.write(fd, b'a')\n    except OSError: pass\nreturn 1",
        # Well-made messages that nobody has asked for.
        'message(b\'{"kind": "ready"}\')',
        'message(b\'{"kind": "reply", "number": 77}\')',
        'message(b\'{"kind": "reply", "number": 1, "status": "200"}\')',
        "message(FORGED.replace(b'1,', b'2,'))",
        "message(FORGED + b'}')",
        "message(b'[1]')",
        "message(b'', body=1 << 60)",
    ],
)
def test_junk_on_the_channel_loses_the_worker_and_not_the_caller(nasty: Any, ask: Any, at: Any, body: str) -> None:
    """A script that has found the descriptor can write to it what it likes."""
    top = """
        import struct
        FORGED = b'{"kind": "reply", "number": 1, "status": 200, "headers": [], "failed": false, "seconds": 0}'
        def message(head, body=0):
            for fd in range(3, 300):
                try: os.write(fd, struct.pack("!4sIQ", b"akw1", len(head), body) + head)
                except OSError: pass
            time.sleep(60)
    """
    replica = nasty(body, top)
    outcome = ask(replica)
    assert isinstance(outcome, ReplicaLost)
    assert outcome.reason.startswith("wrote junk to its server's channel")
    assert recovers(replica, ask, at)


DAEMON = """
    if not os.fork():
        os.setsid()
        if os.fork(): os._exit(0)
        os.closerange(0, 300)
        time.sleep(600)
    return 'one'
"""


@in_both_ways
@pytest.mark.parametrize(
    "body",
    [
        "os.fork()\nreturn 'one'",
        "if not os.fork(): sys.exit(3)\nreturn 'one'",
        "for _ in range(40):\n    if not os.fork(): time.sleep(600)\nreturn 'one'",
        "subprocess.Popen(['sleep', '600'], start_new_session=True)\nreturn 'one'",
        DAEMON,  # by the book: no parent, group, session or stream of ours
        "threading.Thread(target=time.sleep, args=(600,)).start()\nreturn 'one'",
    ],
)
def test_what_a_script_leaves_running_ends_with_its_worker(
    nasty: Any, ask: Any, at: Any, mark: str, alive: Any, body: str, namespace: bool
) -> None:
    """One reply each, and after `close` nothing that came of it is alive."""
    replica = nasty(body, namespace=namespace)
    for _ in range(2):
        outcome = ask(replica)
        assert isinstance(outcome, Reply)
        assert outcome.body == b'"one"'
    assert recovers(replica, ask, at)
    assert alive(mark)
    replica.close()
    assert alive(mark) == []


REPLACES_JSON = """
    http = __import__('_akstwin_inside.http').http
    json.dumps = json.loads = json.JSONEncoder = None
    return http.AMLResponse('one', 200)
"""


@pytest.mark.parametrize(
    "body",
    [
        "def loud():\n    while True: print('y' * 100)\nthreading.Thread(target=loud).start()\nreturn 'one'",
        "def busy():\n    while True: pass\nthreading.Thread(target=busy, daemon=True).start()\nreturn 'one'",
        "sys.stdout = sys.stderr = None; print('lost')\nreturn 'one'",
        "os.closerange(1, 3)\nreturn 'one'",
        REPLACES_JSON,
        "signal.signal(signal.SIGALRM, signal.SIG_IGN)\nreturn 'one'",
        "os.chdir('/'); os.environ.clear()\nreturn 'one'",
        "import atexit; atexit.register(time.sleep, 600)\nreturn 'one'",
        "sys.setswitchinterval(100)\nreturn 'one'",
        "sys.modules.pop('logging', 0), sys.modules.pop('json', 0)\nreturn 'one'",
    ],
)
def test_what_a_script_does_to_its_own_process_stays_there(nasty: Any, ask: Any, body: str) -> None:
    """It still answers, twice."""
    replica = nasty(body)
    for _ in range(2):
        outcome = ask(replica)
        assert isinstance(outcome, Reply), outcome
        assert outcome.body.strip(b'"') == b"one"


def test_closed_streams_are_the_scripts_own_error(nasty: Any, ask: Any, at: Any) -> None:
    """The server's lines still come."""
    replica = nasty("sys.stdout.close(); sys.stderr.close(); return 'one'")
    assert ask(replica).body == b'"one"'
    again = ask(replica, b"ok")
    assert again.body == b'"ok"'
    assert "POST /score 200" in again.logs
    assert recovers(replica, ask, at)


@in_both_ways
def test_killing_ones_parent_does_not_reach_the_caller(nasty: Any, ask: Any, at: Any, namespace: bool) -> None:
    """It is the keeper, or the namespace's first process, which can't be killed from within."""
    body = "first = os.getppid() == 1\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(0.2)\nreturn first"
    replica = nasty(body, namespace=namespace)
    outcome = ask(replica)
    if isinstance(outcome, Reply):
        assert namespace
        assert outcome.body == b"true"
    else:
        assert isinstance(outcome, ReplicaLost)
    assert recovers(replica, ask, at)


@pytest.mark.skipif(not _may_mount(), reason="a namespace's own /proc needs the right to mount it")
def test_a_script_sees_only_its_own_processes(nasty: Any, ask: Any) -> None:
    """So that `/proc` and psutil agree with `os.getpid()`, and nothing of the caller's can be read there."""
    replica = nasty(
        "return os.readlink('/proc/self') == str(os.getpid()), sum(name.isdigit() for name in os.listdir('/proc'))"
    )
    assert ask(replica).body == b"[true, 2]"


def test_killing_everybody_reaches_only_the_namespace(nasty: Any, ask: Any, at: Any) -> None:
    """Tried only where it is certain that "everybody" is not everybody on this machine."""
    body = "first = os.getppid() == 1 and os.getpid() < 5\nif first: os.kill(-1, signal.SIGKILL)\nreturn first"
    replica = nasty(body)
    assert isinstance(ask(replica), Reply)
    assert recovers(replica, ask, at)


def test_reading_stdin_finds_nothing(nasty: Any, ask: Any, at: Any) -> None:
    """The channel is not there."""
    replica = nasty("return sys.stdin.read() if data == 'read' else input()")
    assert ask(replica, b"read").body == b'""'
    reply = ask(replica, b"input")
    assert reply.run_failed
    assert "EOFError" in reply.logs


def test_megabytes_of_prints_are_bounded(nasty: Any, ask: Any, at: Any) -> None:
    """Beginning and end are kept; how much is missing stands between."""
    replica = nasty(
        "print('first')\nfor _ in range(300): print('x' * 9_999)\nprint('last')", limits=Limits(log_bytes=20_000)
    )
    reply = ask(replica)
    for text in (reply.logs, replica.logs()):
        assert len(text) < 21_000
        assert "bytes dropped ...]" in text
    assert reply.logs.startswith("2026-07-01 09:00:00,000 I [1] azmlinfsrv.print - first\n")
    assert "azmlinfsrv.print - last\n" in reply.logs[-200:]
    assert "bytes dropped" not in ask(replica, b"ok").logs
    assert recovers(replica, ask, at)


def test_huge_outputs_are_refused_by_size(nasty: Any, ask: Any, at: Any) -> None:
    """Bodies and headers over the limit are the server's failure; at the limit they pass."""
    top = "from azureml.contrib.services.aml_response import AMLResponse"
    body = "size = int(data)\nreturn AMLResponse(b'x' * size, 200) if size > 0 else AMLResponse('', 200, {'A': 'b' * -size})"
    replica = nasty(body, top, limits=Limits(body_bytes=3_000_000))
    assert len(ask(replica, b"3000000").body) == 3_000_000
    for size in (b"3000001", b"50000000", b"-3000000"):
        reply = ask(replica, size)
        assert (reply.status, json.loads(reply.body), reply.run_failed) == (500, INTERNAL, False)
    assert recovers(replica, ask, at)


def test_a_forged_reply_is_a_reply(nasty: Any, ask: Any, at: Any) -> None:
    """The script decides what the reply is in any case; the real one is then one that nobody has asked for."""
    forge = """
        head = b'{"kind": "reply", "number": 1, "status": 299, "headers": [["A", "b"]], "failed": false, "seconds": 0}'
        import struct
        for fd in range(3, 300):
            try: os.write(fd, struct.pack("!4sIQ", b"akw1", len(head), 2) + head + b"hi")
            except OSError: pass
    """
    replica = nasty(forge)
    outcome = ask(replica)
    assert replica.running is isinstance(outcome, Reply)
    if isinstance(outcome, Reply):  # else both came together
        assert (outcome.status, outcome.headers, outcome.body) == (299, (("A", "b"),), b"hi")
        outcome = ask(replica)
    assert isinstance(outcome, ReplicaLost)
    assert recovers(replica, ask, at)


def test_errors_that_cannot_be_shown_are_errors(nasty: Any, ask: Any, at: Any) -> None:
    """Exceptions whose text raises, and exceptions that are no exceptions."""
    top = """
        class Shy(Exception):
            def __str__(self): raise RuntimeError
            __repr__ = __str__
        class Base(BaseException): pass
    """
    replica = nasty("raise {'shy': Shy, 'base': Base, 'exit': SystemExit, 'gen': GeneratorExit}[data]", top)
    assert ask(replica, b"shy").run_failed
    for name in (b"base", b"exit", b"gen"):
        reply = ask(replica, name)
        assert (reply.status, reply.header("content-type")) == (500, "text/html")
    assert recovers(replica, ask, at)


def test_a_memory_limit_is_an_error_in_the_script(nasty: Any, ask: Any, at: Any) -> None:
    """`MemoryError`, and the caller's memory is its own."""
    replica = nasty("return len(bytearray(1 << 32))", limits=Limits(memory_bytes=1 << 30))
    assert ask(replica).run_failed
    assert recovers(replica, ask, at)


WRITES_TO_ALL = """
    import os
    def init():
        for fd in range(3, 99):
            try: os.write(fd, b"?")
            except OSError: pass
    def run(data): pass
"""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("def init(): raise ValueError('no model')\ndef run(data): pass", "ValueError: no model"),
        ("import sys\ndef init(): sys.exit(0)\ndef run(data): pass", "SystemExit: 0"),
        ("def run(data): pass", "has no init()"),
        ("def init(): pass", "has no run()"),
        ("def init(:", "SyntaxError: "),
        ("\0", "SyntaxError: "),
        ("import not_installed", "ModuleNotFoundError: No module named 'not_installed'"),
        ("raise KeyError('at import')", "KeyError: 'at import'"),
        ("import os\nos._exit(0)", "exited with code 0"),
        ("import os\ndef init(): os._exit(9)\ndef run(data): pass", "exited with code 9"),
        ("import os, signal\ndef init(): os.kill(os.getpid(), 9)\ndef run(data): pass", "killed by SIGKILL"),
        (WRITES_TO_ALL, "wrote junk"),
        (
            "import os\ndef init():\n    if not os.fork(): raise ValueError\n    raise KeyError\ndef run(data): pass",
            "KeyError",
        ),
        ("def init(): pass\ndef run(): pass", "run() needs a parameter"),
        ("def init(): pass\ndef run(request_headers): pass", "run() needs a parameter"),
        ("def init(): pass\ndef run(*data): pass", "run() can't take *args"),
        ("def init(x): pass\ndef run(data): pass", "TypeError: init() missing"),
        ("init = 1\ndef run(data): pass", "TypeError: 'int' object is not callable"),
    ],
)
def test_an_init_that_fails_is_exit_code_3(worker: Any, at: Any, script: str, reason: str) -> None:
    """Whatever way it fails, and the container's log says why."""
    replica = worker(script, start=False)
    outcome = replica.start(at)
    assert isinstance(outcome, InitFailed)
    assert reason in outcome.reason
    assert outcome.exit_code == 3
    assert not outcome.hung
    assert not replica.running
    if "Error" in reason:
        assert reason.partition(":")[0] in replica.logs()
        assert "Encountered Exception" in replica.logs()


@in_both_ways
def test_a_failed_init_can_be_tried_again(worker: Any, at: Any, tmp_path: Any, namespace: bool) -> None:
    """A crash loop that ends when the cause does."""
    script = "import os\ndef init():\n    if not os.path.exists('there'): raise OSError('not yet')\ndef run(data): pass"
    replica = worker(script, start=False, namespace=namespace)
    assert isinstance(replica.start(at), InitFailed)
    assert isinstance(replica.start(at), InitFailed)
    (tmp_path / "app" / "there").touch()
    assert isinstance(replica.start(at), Ready)
    assert replica.logs().count("OSError: not yet") == 2


def test_an_init_without_end_fails(worker: Any, ask: Any, at: Any) -> None:
    """It says that it was still going, and what it had printed."""
    slow = worker(
        "import time\nprint('loading')\ndef init(): time.sleep(600)\ndef run(data): pass",
        start=False,
        limits=Limits(init_seconds=0.5),
    )
    outcome = slow.start(at)
    assert isinstance(outcome, InitFailed)
    assert outcome.hung
    assert outcome.reason == "still going after 0.5 s of real time"
    assert "azmlinfsrv.print - loading" in outcome.logs


def test_decorated_twice_is_refused(worker: Any, at: Any) -> None:
    """@rawhttp and @input_schema contradict each other."""
    script = """
        from inference_schema.schema_decorators import input_schema
        from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
        from azureml.contrib.services.aml_request import rawhttp
        def init(): pass
        @rawhttp
        @input_schema("a", StandardPythonParameterType(1))
        def run(a): return a
    """
    outcome = worker(script, start=False).start(at)
    assert isinstance(outcome, InitFailed)
    assert "both @rawhttp and @input_schema" in outcome.reason
