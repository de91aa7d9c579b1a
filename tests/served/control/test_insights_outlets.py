"""Application Insights rows of a server: appended to a file, and sent as spans to an OpenTelemetry collector."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from akstwin import AksCompute, AksWebservice, ComputeTarget, Environment, InferenceConfig, Model, Workspace
from akstwin.backend import WorkspaceIdentity
from akstwin.errors import AksError, InvalidSetting
from akstwin.fake_api.insights_outlets import Collector, RowFile
from akstwin.fake_api.server import Settings
from akstwin.fake_api.thread import ServerThread

SCRIPT = """
import json


def init():
    pass


def run(raw):
    print("got", raw)
    if json.loads(raw)["data"] < 0:
        raise ValueError("below zero")
    return 1
"""


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector's address, and what it has been sent."""
    sent: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            sent.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """No line a request."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(**given: Any) -> Iterator[str]:
    """A server's address; its clock stands still but for who waits."""
    with ServerThread(Settings(port=0, tls_port=0, clock="jump", **given)) as server:
        yield server.open(WorkspaceIdentity()).http


def deploy(ws: Workspace, folder: Path) -> tuple[str, str]:
    """A service that reports; its URL and key."""
    (folder / "score.py").write_text(SCRIPT)
    cluster = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
    cluster.wait_for_completion()
    inference = InferenceConfig("score.py", source_directory=str(folder), environment=Environment("plain"))
    configuration = AksWebservice.deploy_configuration(num_replicas=1, enable_app_insights=True)
    service = Model.deploy(ws, "fraud", [], inference, configuration, cluster)
    service.wait_for_deployment()
    assert isinstance(service, AksWebservice)
    return str(service.scoring_uri), service.get_keys()[0]


def ask(url: str, key: str, data: object, **more: object) -> httpx.Response:
    """One request."""
    return httpx.post(url, json={"data": data, **more}, headers={"Authorization": f"Bearer {key}"}, timeout=600)


def attributes(given: Any) -> dict[str, Any]:
    """Attributes of a span, an event or a resource."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in given}


def test_rows_are_appended_and_sent_with_the_journals_ids(tmp_path: Path) -> None:
    """A span a request; its prints and failures are the span's events. No credential is in either. A reset changes nothing."""
    file = tmp_path / "rows.jsonl"
    file.write_text('{"here": "before"}\n')
    with collector() as (address, sent), serving(insights=file, otlp=address) as server:
        url, key = deploy(Workspace.connect(server), tmp_path)
        assert ask(url, key, 1, secret=key).status_code == 200
        assert ask(url, key, -1).status_code == 502
        journal = httpx.get(f"{server}/_akstwin/journal").json()["entries"]
        httpx.post(f"{server}/_akstwin/reset").raise_for_status()
        url, again = deploy(Workspace.connect(server), tmp_path)
        assert ask(url, again, 2).status_code == 200
    before, *rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert before == {"here": "before"}
    assert [row["itemType"] for row in rows] == [
        "trace",
        "request",
        "trace",
        "exception",
        "request",
        "trace",
        "request",
    ]
    requests = [row for row in rows if row["itemType"] == "request"]
    assert [row["operation_Id"] for row in requests[:2]] == [each["request_id"].replace("-", "") for each in journal]
    spans = [span for each in sent for of in each.resource_spans for scope in of.scope_spans for span in scope.spans]
    assert [span.trace_id.hex() for span in spans] == [row["operation_Id"] for row in requests]
    assert [span.span_id.hex() for span in spans] == [row["id"] for row in requests]
    assert [attributes(span.attributes)["http.response.status_code"] for span in spans] == [200, 500, 200]
    assert [span.status.code for span in spans] == [0, 2, 0]
    printed, raised = spans[1].events
    assert printed.name == 'got {"data":-1}'
    assert raised.name == "exception"
    assert attributes(raised.attributes)["exception.type"] == "ValueError"
    took = (spans[0].end_time_unix_nano - spans[0].start_time_unix_nano) / 1e6
    assert took == pytest.approx(requests[0]["duration"], abs=0.001)
    (resource,) = {json.dumps(attributes(of.resource.attributes)) for each in sent for of in each.resource_spans}
    assert json.loads(resource) == {"service.name": "fraud", "service.instance.id": "fraud-1"}
    everything = file.read_text(encoding="utf-8") + "".join(map(str, sent))
    assert key not in everything
    assert again not in everything


def test_a_collector_that_is_not_there_stops_nothing(tmp_path: Path) -> None:
    """Requests are answered as ever; what could not be sent is OpenTelemetry's to report."""
    with collector() as (address, _):
        pass
    with serving(otlp=address) as server:
        url, key = deploy(Workspace.connect(server), tmp_path)
        assert ask(url, key, 1).status_code == 200


def test_a_file_that_cannot_be_written_is_named_at_start(tmp_path: Path) -> None:
    """Before anything listens."""
    with pytest.raises(InvalidSetting, match=r"--insights: '.*/nowhere/rows.jsonl' is not a file that can be written"):
        ServerThread(Settings(port=0, tls_port=0, insights=tmp_path / "nowhere" / "rows.jsonl"))


def test_a_full_disk_ends_the_file_and_is_said_at_the_end() -> None:
    """What was written before is whole; the server goes on."""
    rows = RowFile(Path("/dev/full"))
    rows.take({"itemType": "request"})
    rows.take({"itemType": "request"})
    with pytest.raises(
        AksError, match="--insights /dev/full: No space left on device; it ends with the rows written before"
    ):
        rows.close()


def test_an_address_that_is_none() -> None:
    """Refused with an example."""
    with pytest.raises(InvalidSetting, match="--otlp: 'localhost:4318' is not the URL of a collector, such as http://"):
        Collector("localhost:4318")
