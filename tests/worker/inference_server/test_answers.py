"""Entry scripts meet the same requests, and clients the same answers, as with the real azureml-inference-server-http."""

import contextlib
import datetime as dt
import http.client
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from akstwin.worker import Ready, Reply, Request, Worker, WorkerSpec

pytestmark = [pytest.mark.inference_server, pytest.mark.slow]

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parents[2] / ".venv-inference-server"
AT = dt.datetime(2026, 7, 1, 9, tzinfo=dt.UTC)
PASSING = {"Date", "Server", "Connection", "Transfer-Encoding", "x-ms-run-fn-exec-ms", "x-ms-server-version"}
"""Headers that say when, by what and over which connection."""
HOST = "shop.example:5001"


def load(name: str) -> Any:
    """A module of this folder."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


questions = load("questions")
SCRIPTS: dict[str, str] = questions.scripts(seed=1, combined=20)


def lines(question: Any) -> tuple[tuple[str, str], ...]:
    """The request's headers."""
    given = (("Host", HOST), ("Connection", "close"), *question.headers)
    if not any(name == "X-Request-Id" for name, _ in given):
        given += (("x-request-id", "asked"),)
    return (*given, ("Content-Length", str(len(question.body)))) if question.body else given


@contextlib.contextmanager
def real_server(folder: Path) -> Iterator[Callable[[str, Any], Any]]:
    """The real server with the scripts of a folder."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        command = [
            ENVIRONMENT / "bin" / "python",
            "-m",
            "gunicorn",
            "--bind",
            f"fd://{listener.fileno()}",
            "--pythonpath",
            HERE,
        ]
        errors = (folder / "gunicorn.log").open("w+")
        server = subprocess.Popen(
            [*command, "--no-control-socket", "gateway:app"],
            cwd=folder,
            env={"AML_APP_ROOT": str(folder), "PATH": os.environ["PATH"], "TZ": "UTC", "PYTHONHASHSEED": "0"},
            pass_fds=[listener.fileno()],
            stdout=errors,
            stderr=errors,
        )

    def ask(script: str, question: Any) -> Any:
        head = [f"{question.method} /score{'?' * bool(question.query)}{question.query} HTTP/1.1", f"X-Script: {script}"]
        head += [f"{name}: {value}" for name, value in lines(question)]
        with socket.create_connection(address, 60) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + question.body)
            answer = http.client.HTTPResponse(connection, method=question.method)
            try:
                answer.begin()
                headers, body = answer.getheaders(), answer.read()
                if answer.chunked and question.method != "HEAD":
                    headers.append(("Content-Length", str(len(body))))  # ours come at once
                return answer.status, sent(headers), body
            except http.client.HTTPException as error:
                errors.seek(0)
                return repr(error), [], errors.read()[-3000:].encode()

    try:
        yield ask
    finally:
        server.terminate()
        server.wait()
        errors.close()


@contextlib.contextmanager
def worker(folder: Path, script: str, python: str) -> Iterator[Callable[[Any], Any]]:
    """Our worker with the same script."""
    with Worker(WorkerSpec(folder, f"{script}.py", python=python)) as made:
        assert isinstance(started := made.start(AT), Ready), started

        def ask(question: Any) -> Any:
            reply = made.run(Request(AT, question.body, lines(question), question.method, "/score", question.query))
            assert isinstance(reply, Reply), reply
            return reply.status, sent(reply.headers), reply.body

        yield ask


def sent(headers: Any) -> list[tuple[str, str]]:
    """The headers that a script has a say in."""
    return sorted((name, value) for name, value in headers if name not in PASSING)


@pytest.mark.parametrize(
    ("kind", "python"),
    [("read", "ours"), ("answer", "ours"), ("both", "ours"), ("both", "with Flask"), ("flask", "with Flask")],
)
def test_scripts_and_clients_meet_the_same(tmp_path: Path, kind: str, python: str) -> None:
    """Status, headers and body of each request to each script; werkzeug alone, and with Flask as in the containers."""
    if not (ENVIRONMENT / ".ready").exists():
        pytest.skip(
            "there is no inference server to compare with: `make setup-inference-server` makes .venv-inference-server"
        )
    chosen = {name: text for name, text in SCRIPTS.items() if name.startswith(kind)}
    for name, text in chosen.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    interpreter = sys.executable if python == "ours" else str(ENVIRONMENT / "bin" / "python")
    differences = []
    with real_server(tmp_path) as real:
        for name, text in chosen.items():
            with worker(tmp_path, name, interpreter) as ours:
                for question in questions.QUESTIONS:
                    expected, found = real(name, question), ours(question)
                    if expected != found:
                        differences.append(f"{text[-400:]}\n{question}\nreal: {expected}\nours: {found}\n")
    assert not differences, f"{len(differences)} differences:\n" + "\n".join(differences[:20])


def test_there_are_enough_scripts() -> None:
    """The comparison says little about a handful."""
    assert len(SCRIPTS) >= 60
