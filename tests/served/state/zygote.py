"""Forks, as often as it is told, a process that writes to a state file until it is killed. All that takes time is imported once.

A line on standard input is a JSON list: the kind of process and its arguments. On standard output: `pid N`; what the process
says; `ended STATUS`.
"""

import asyncio
import importlib.util
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

import akstwin.fake_api.control.app
import akstwin.fake_api.management.app
import akstwin.fake_api.tls
import akstwin.router.fast_path  # noqa: F401 - so that forks have it
from akstwin.cli import main
from akstwin.fake_api.persistence import StatePersistence
from akstwin.sim.backend import EPOCH, SimulatedBackend

assert uvicorn
assert uvloop
_SPEC = importlib.util.spec_from_file_location("story", Path(__file__).with_name("story.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
story: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(story)


def say(line: str) -> None:
    """One write: it is there whole, or not at all."""
    os.write(1, f"{line}\n".encode())


async def write(path: str, seed: int, first: int, count: int) -> None:
    """Give a story's commands, and say of each when it is in the file."""
    persistence = StatePersistence(Path(path), None, {}, None)
    kept = persistence.workspace(story.IDENTITY, None, None, EPOCH)
    backend = SimulatedBackend(seed=kept.record.seed, identity=story.IDENTITY, kept=kept.begin("manual"))
    backend.files.watch()
    kept.follow(backend.clock.now, backend.files.unforced)
    backend.restore()
    await persistence.settle(noted=True)
    say("begun")
    for index in range(first, first + count):
        story.perform(backend, *story.drawn(seed, index))
        await persistence.settle(noted=True)
        say(f"done {index}")


def become(kind: str, *arguments: Any) -> None:
    """What a fork does until it is killed."""
    if kind == "write":
        asyncio.run(write(*arguments))
    else:
        sys.argv = ["akstwin", "serve", *arguments]
        main()


def serve_forks() -> None:
    """Fork until there is nothing to read."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                os.close(0)
                become(*json.loads(line))
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                sys.stdout.flush()
                os._exit(0)
        say(f"pid {pid}")
        _, status = os.waitpid(pid, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the tests' own end it
    serve_forks()
