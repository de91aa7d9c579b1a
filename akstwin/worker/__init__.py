"""Runs a deployment's real entry script in a process that can neither hang its caller nor take it down.

    with Worker(WorkerSpec(folder, "score.py", model_dir=models)) as worker:
        started = worker.start(at)                          # Ready | InitFailed
        outcome = worker.run(Request(at, b'{"data": [1]}')) # Reply | ReplicaLost | Hung
        worker.logs()

What it holds: each call returns within its real-time limit (`Limits`) plus the time the system takes to end what was killed;
the script's processes end with the worker, and the worker with its caller; what is kept of output is bounded; and what a
script does to its own process is one of the outcomes above. What it is not: a sandbox against malice. The script runs with
the caller's rights on files and network, and a fork bomb is stopped at the limit, not before.

The layers, and what another driver reuses of them:

- `inside`: what runs in the new process (the keeper, the server's behaviour of semantics §3, the packages it offers).
- `inside.framing`: `encode` and `Decoder`, pure functions over bytes, shared by both sides.
- `talk.Talk`: the caller's half of the conversation without I/O.
- `process.Process`: starting and ending; three non-blocking descriptors.
- `client.Worker`: the driver that waits.
- `replies`: many containers of one content, with fewer processes or none (`ScriptReplies`, `FixedReply`, `CallableReply`,
  `NoReply`).
- `pool.PoolRules`: which of these containers have a process; `async_pool.AsyncScriptReplies`: the same on an event loop.
- `rules.RuleReply`: the same by what is asked, from a document (`akstwin.domain.replying`).
- `unpack.unpack`: the folder and the spec, from what the wire says of a deployment.

A driver on asyncio is the loop of `client` as callbacks: `loop.add_reader` on `process.channel` (`talk.received`, or
`talk.ended` at its end), on `process.output` (`talk.written`) and on `process.link` (`talk.report`, `talk.ended` at its end);
`loop.sock_sendall(process.channel, talk.ask(request))`; `loop.call_later(talk.limit, …)` for `talk.overdue`. When
`talk.settled`, take `talk.ran()`; when `talk.over`, wait up to `talk.grace` for the link's end, call `process.order_end()`,
which doesn't wait, and after the link's end `process.end(0)` and `process.close()`. `tests/worker/test_worker.py` has it.
"""

from typing import TYPE_CHECKING, Any

from akstwin.worker.client import Worker
from akstwin.worker.outcomes import Hung, InitFailed, Ran, Ready, ReplicaLost, Reply, Started
from akstwin.worker.process import Process
from akstwin.worker.replies import CallableReply, FixedReply, NoReply, Replies, ScriptReplies
from akstwin.worker.spec import DataCollection, Limits, Request, WorkerSpec
from akstwin.worker.talk import Talk

if TYPE_CHECKING:
    from akstwin.worker.inside.web import AMLResponse

__all__ = [
    "AMLResponse",
    "CallableReply",
    "DataCollection",
    "FixedReply",
    "Hung",
    "InitFailed",
    "Limits",
    "NoReply",
    "Process",
    "Ran",
    "Ready",
    "ReplicaLost",
    "Replies",
    "Reply",
    "Request",
    "ScriptReplies",
    "Started",
    "Talk",
    "Worker",
    "WorkerSpec",
]


def __getattr__(name: str) -> Any:
    """`AMLResponse`, loaded with werkzeug when it is first asked for."""
    if name != "AMLResponse":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from akstwin.worker.inside.web import AMLResponse  # noqa: PLC0415

    return AMLResponse
