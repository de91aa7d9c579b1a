"""The real azureml-inference-server-http behind HAProxy with `maxconn` and a queue time-out, as a service that is not ours."""

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from akstwin.scenarios.load import load
from akstwin.scenarios.outside import Outside, compare_outside, evidence

ENVIRONMENT = Path(__file__).parents[2] / ".venv-inference-server"
WORKERS = 2
SECONDS = 300
SCORE = "import time\n\ndef init():\n    pass\n\ndef run(data):\n    time.sleep(0.2)\n    return {'score': 1}\n"
PROXY = """\
global
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout queue 500ms
frontend score
    bind 127.0.0.1:{front}
    default_backend server
backend server
    server one 127.0.0.1:{back} maxconn {workers}
"""
SCENARIO = """\
question: Does the inference server behind HAProxy refuse as the twin does?
seed: 8
duration: 20s
webservice:
  name: fraud
  deploy: {num_replicas: 2}
  model: {service_time: 200ms}
traffic: [{shape: poisson, rate: 12}]
assumptions: {router_overhead: 0s}
"""

pytestmark = [
    pytest.mark.inference_server,
    pytest.mark.slow,
    pytest.mark.skipif(not (ENVIRONMENT / ".ready").exists(), reason="make setup-inference-server"),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="make setup-haproxy"),
]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def answers(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait for a first answer."""
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        assert process.poll() is None, "it has ended"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("POST", "/score", b"{}", {"Content-Type": "application/json"})
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        select_pause()
    raise AssertionError("no answer")


def select_pause() -> None:
    """A moment, until the server may be there."""
    time.sleep(0.2)  # noqa: TID251 - a real server has its own clock


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    """The server with two workers, and HAProxy before it."""
    (tmp_path / "score.py").write_text(SCORE)
    front, back = free_port(), free_port()
    (tmp_path / "haproxy.cfg").write_text(PROXY.format(front=front, back=back, workers=WORKERS))
    environment = {
        "PATH": os.environ["PATH"], "AZUREML_ENTRY_SCRIPT": "score.py", "AML_APP_ROOT": str(tmp_path), "TZ": "UTC",
    }  # fmt: skip
    command = [
        ENVIRONMENT / "bin" / "python", "-m", "gunicorn", "--bind", f"127.0.0.1:{back}", "--workers", str(WORKERS),
        "--no-control-socket", "azureml_inference_server_http.server.entry:app",
    ]  # fmt: skip
    log = (tmp_path / "log").open("wb")
    server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    proxy = subprocess.Popen(["haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")], stdout=log, stderr=log)
    try:
        answers(back, server)
        answers(front, proxy)
        yield f"http://127.0.0.1:{front}/score"
    finally:
        for process in (proxy, server):
            process.terminate()
            process.wait(60)
        log.close()


def test_shares_and_quantiles_beside_the_prediction(tmp_path: Path, service: str) -> None:
    """Two places of 200 ms, twelve requests a second: a sixth or so is refused, by HAProxy as by the twin."""
    (tmp_path / "s.yaml").write_text(SCENARIO)
    found = compare_outside(load(tmp_path / "s.yaml"), Outside(service))
    assert {"200", "503"} <= set(found["statuses"])
    refused = next(each for each in found["answers"] if each["status"] == 503)
    assert "No server is available to handle this request" in refused["measured"]["texts"][0]["text"]
    assert refused["measured"]["headers"]["content-type"] == "text/html"
    answered = next(each for each in found["answers"] if each["status"] == 200)
    assert answered["measured"]["headers"]["server"] == "gunicorn"
    assert answered["measured"]["texts"][0]["text"] == '{"score": 1}'
    assert found["refused"]["predicted"] > 0.05
    assert found["refused"]["measured"] > 0.05
    assert found["latency"]["p95"]["measured"] > 0.4
    if found["meaningless"] is None and found["overhead"] < 0.05:
        assert abs(found["refused"]["difference_points"]) < 20
    assert "| share of 503 |" in evidence(found)
