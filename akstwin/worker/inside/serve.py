"""The worker's main loop: start the script, then one request after the other, until the channel ends."""

import contextlib
import datetime as dt
import faulthandler
import fcntl
import io
import logging
import os
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import keeper
from .collector import Collection
from .framing import Decoder, Message, ProtocolError, encode
from .handling import INTERNAL, Answer, Place, Server, said
from .http import AMLRequest
from .journal import moment, open_journal, told
from .offered import offer
from .packages import remedy
from .script import Script
from .swagger import Swagger

log = logging.getLogger("azmlinfsrv")
FAILED_TO_BOOT = 3
"""The exit code that the inference server has made of a failing `init()`."""
_CHANNEL_AT = 64
"""The channel moves up here: low numbers are what careless scripts close and write to."""


def main(link: int, channel: int, *, namespace: bool) -> None:
    """Start: the keeper, and below it the worker."""
    keeper.keep(link, channel, lambda: work(channel), namespace=namespace)


def work(channel: int) -> None:
    """The worker. Never returns: nothing of what the script registered to run at exit runs in virtual time."""
    code = 1
    try:
        moved = fcntl.fcntl(channel, fcntl.F_DUPFD_CLOEXEC, _CHANNEL_AT)
        os.close(channel)
        code = _serve(socket.socket(fileno=moved))
    except (OSError, ProtocolError):
        pass  # the channel is gone, and with it whoever could be told
    finally:
        os._exit(code)


def _serve(channel: socket.socket) -> int:
    messages = _messages(channel)
    start = next(messages)
    settings = start.head
    _limit(settings)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what a killed script printed is kept
    moment.at = dt.datetime.fromisoformat(settings["at"])
    open_journal()
    offer()
    faulthandler.enable()
    Collection.folder = settings["collect_to"]
    Collection.workspace, Collection.service = settings["workspace"], settings["service"]
    Collection.models = settings["models"]
    server = _boot(settings)
    if isinstance(server, str):
        channel.sendall(encode({"kind": "failed", "why": server}))
        return FAILED_TO_BOOT
    channel.sendall(encode({"kind": "ready"}))
    own = os.getpid()
    for message in messages:
        answer = _answer(server, message, settings["body_bytes"])
        if os.getpid() != own:
            os._exit(0)  # run() forked and the child came back too
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        channel.sendall(_frame(answer, message.head["number"]))
    return 0


def _boot(settings: dict[str, Any]) -> Server | str:
    """The running server, or why there is none."""
    sys.dont_write_bytecode = True  # from here on: ours may be compiled for good, the user's folder stays as it is
    folder, source = settings["folder"], settings["source_directory"]
    sys.path.append(folder)
    if source:
        sys.path.append(str(Path(folder, source)))
    path = str(Path(folder, settings["entry_script"]))
    sys.argv = [path]
    own = os.getpid()
    try:
        script = Script(path)
        log.info("Invoking user's init function")
        script.init()
        log.info("Users's init has completed successfully")
        server = Server(script, Swagger(folder, script.run), Place(f"{Collection.service}/{settings['container']}"))
    except BaseException as error:  # noqa: BLE001 - sys.exit included
        if os.getpid() != own:
            os._exit(0)
        what = remedy(error)
        log.error("User's init function failed\nEncountered Exception %s%s", told(error), f"\n{what}" if what else "")  # noqa: TRY400
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return f"{reason}. {what}" if what else reason
    if os.getpid() != own:
        os._exit(0)
    log.info("Worker ready for serving traffic")
    return server


def _answer(server: Server, message: Message, body_limit: int) -> Answer:
    head = message.head
    moment.at = dt.datetime.fromisoformat(head["at"])
    request = AMLRequest(head["method"], head["path"], head["query"], head["headers"], message.body)
    answer = server.handle(request, head["exec_ms"])
    if len(answer.body) <= body_limit:
        return answer
    log.error("The reply has %d bytes; this server sends up to %d", len(answer.body), body_limit)
    return _failure(answer)


def _failure(answer: Answer) -> Answer:
    response = said(500, INTERNAL)
    return Answer(500, response.headers.items(), response.get_data(), answer.seconds)


def _frame(answer: Answer, number: int) -> bytes:
    def framed(answer: Answer) -> bytes:
        reply = {"kind": "reply", "number": number, "status": answer.status, "headers": answer.headers}
        return encode(reply | {"failed": answer.failed, "seconds": answer.seconds}, answer.body)

    try:
        return framed(answer)
    except ProtocolError as error:
        log.error("The reply's headers are too long: %s", error)  # noqa: TRY400
        return framed(_failure(answer))


def _messages(channel: socket.socket) -> Iterator[Message]:
    decoder = Decoder(1 << 62)  # the caller limits what it sends
    while data := channel.recv(1 << 18):
        yield from decoder.feed(data)


def _limit(settings: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if settings["memory_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_AS, (settings["memory_bytes"],) * 2)
