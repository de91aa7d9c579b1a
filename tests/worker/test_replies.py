"""What the container answers: every row of semantics §3 that a scoring script can meet.

The expected replies were recorded from azureml-inference-server-http 1.5.1; `test_inference_server` asks it again.
"""

import io
import json
import pickle
import uuid
import zipfile
from typing import Any

import pytest

from akstwin.worker import Reply

ECHO = "def init(): pass\ndef run(data): return data\n"
RUN_FAILED = {"message": "An unexpected error occurred in scoring script. Check the logs for more info."}
INTERNAL = {"message": "An unexpected internal error occurred. Check the logs for more info."}


def zipped(name: str, content: bytes) -> bytes:
    """An archive with one file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr(name, content)
    return archive.getvalue()


EVAL = """
    import json, sys, os
    from azureml.contrib.services.aml_response import AMLResponse
    def init(): pass
    def run(data): return eval(data)
"""


@pytest.mark.parametrize(
    ("body", "content_type", "status", "answer"),
    [
        (b"hi", "application/json", 200, "hi"),
        (b"hi", None, 200, "hi"),
        ("é☃".encode(), "text/plain", 200, "é☃"),
        (b"", "application/json", 200, ""),
        (b"a=1", "application/x-www-form-urlencoded", 200, ""),
        (b"a=1", "Application/X-WWW-Form-Urlencoded; charset=utf-8", 200, ""),
        (b"--b\r\n\r\n--b--", "multipart/form-data; boundary=b", 200, ""),
        (b"\xff\x00", "application/octet-stream", 400, None),
    ],
)
def test_an_undecorated_run_gets_the_body_as_text(
    shared: Any, ask: Any, body: bytes, content_type: str | None, status: int, answer: str | None
) -> None:
    """Bad UTF-8 is 400; a form arrives empty, curl's default content type included."""
    reply = ask(shared(ECHO), body, content_type)
    assert reply.status == status
    assert not reply.run_failed
    if answer is None:
        assert json.loads(reply.body)["message"].startswith(
            "Input cannot be decoded as UTF-8: 'utf-8' codec can't decode"
        )
    else:
        assert json.loads(reply.body) == answer


def test_a_get_arrives_as_the_json_of_its_query(shared: Any, ask: Any) -> None:
    """Values that are JSON are JSON; a name given twice is a list; what is not UTF-8 stays as it was written."""
    reply = ask(shared(ECHO), method="GET", query="a=1&b=[1,2]&c=x&d=null&e=&a=3&f=%2B+%ff")
    expected = {"a": [1, 3], "b": [1, 2], "c": "x", "d": None, "e": "", "f": "+ %FF"}
    assert json.loads(json.loads(reply.body)) == expected


def test_run_may_take_the_headers(worker: Any, ask: Any) -> None:
    """A parameter called `request_headers` gets them, whatever its place."""
    script = "def init(): pass\ndef run(request_headers, data): return [request_headers, data]\n"
    reply = ask(worker(script), b"x", headers=(("x-FOO-bar", "1"),))
    assert json.loads(reply.body) == [
        {"Content-Type": "application/json", "X-Foo-Bar": "1", "Content-Length": "1"},
        "x",
    ]


@pytest.mark.parametrize(
    ("expression", "status", "content_type", "body", "failed"),
    [
        ("None", 200, "application/json", b"{}", False),
        ("'x'", 200, "application/json", b'"x"', False),
        ("'é☃'", 200, "application/json", b'"\\u00e9\\u2603"', False),
        ("(1, 2)", 200, "application/json", b"[1, 2]", False),
        ("{1: 2}", 200, "application/json", b'{"1": 2}', False),
        ("[float('nan'), float('inf')]", 200, "application/json", b"[NaN, Infinity]", False),
        ("AMLResponse('tea', 418, {'Content-Type': 'text/x'})", 418, "text/x", b"tea", False),
        ("AMLResponse(b'\\x00\\xff', 200, {'Content-Type': 'image/png'})", 200, "image/png", b"\x00\xff", False),
        ("AMLResponse('hi', 200)", 200, "text/html; charset=utf-8", b"hi", False),
        ("AMLResponse({'a': 1}, 200, {}, json_str=True)", 200, "application/json", b'{"a": 1}', False),
        ("AMLResponse({'a': 1}, 200)", 200, "text/html; charset=utf-8", b"a", False),
        ("AMLResponse(None, 201)", 201, "application/json", b"{}", False),
        ("AMLResponse('gone', 204)", 204, "text/html; charset=utf-8", b"", False),
        ("AMLResponse({'a': 1}, 503, {}, json_str=True)", 503, "application/json", b'{"a": 1}', True),
        ("AMLResponse('x', 599)", 599, "text/html; charset=utf-8", b"x", True),
    ],
)
def test_what_run_returns_becomes_the_reply(
    shared: Any, ask: Any, expression: str, status: int, content_type: str, body: bytes, failed: bool
) -> None:
    """JSON with 200, or an AMLResponse as it is; one of 500 and more counts as a failed run."""
    reply = ask(shared(EVAL), expression.encode())
    assert (reply.status, reply.header("content-type"), reply.body) == (status, content_type, body)
    assert reply.run_failed is failed
    assert reply.header("x-ms-run-function-failed") == str(failed)
    assert reply.header("content-length") == (None if status == 204 else str(len(body)))
    assert float(reply.header("x-ms-run-fn-exec-ms")) >= 0


@pytest.mark.parametrize(
    "expression",
    [
        "object()",
        "{1, 2}",
        "b'x'",
        "1j",
        "run",
        "(lambda a: a.append(a) or a)([])",
        "__import__('functools').reduce(lambda a, _: [a], range(100_000), [])",
        "AMLResponse('x', 99)",
        "AMLResponse('x', 1000)",
    ],
)
def test_what_json_cannot_say_is_the_servers_failure_and_not_runs(shared: Any, ask: Any, expression: str) -> None:
    """500 with failed: False, so that the router passes it on as it is (R12)."""
    reply = ask(shared(EVAL), expression.encode())
    assert (reply.status, json.loads(reply.body), reply.run_failed) == (500, INTERNAL, False)
    assert reply.header("x-ms-run-fn-exec-ms") is None
    assert "azmlinfsrv - Encountered Exception" in reply.logs


@pytest.mark.parametrize(
    "expression",
    [
        "1 / 0",
        "undefined",
        "open('/nonexistent')",
        "(_ for _ in ()).throw(MemoryError())",
        "AMLResponse('x', 200, {'A': 'b\\nC: d'})",
    ],
)
def test_an_exception_in_run_is_a_failed_run(shared: Any, ask: Any, expression: str) -> None:
    """500 with failed: True, which the router makes 502 of (R12); the traceback stands in the log, the script's frames only."""
    reply = ask(shared(EVAL), expression.encode())
    assert (reply.status, json.loads(reply.body), reply.run_failed) == (500, RUN_FAILED, True)
    assert reply.header("x-ms-run-fn-exec-ms") is None
    assert "Encountered Exception: Traceback" in reply.logs
    assert "in run" in reply.logs
    assert "akstwin/worker/inside/script.py" not in reply.logs


def test_sys_exit_in_run_ends_the_request_and_not_the_worker(worker: Any, ask: Any) -> None:
    """A bare page from gunicorn, and the next request is served by the same process."""
    script = """
        import sys
        def init(): global asked; asked = 0
        def run(data):
            global asked
            asked += 1
            if data == "exit": sys.exit(4)
            if data == "interrupt": raise KeyboardInterrupt
            return asked
    """
    replica = worker(script)
    for word in (b"exit", b"interrupt"):
        reply = ask(replica, word)
        assert (reply.status, reply.header("content-type"), reply.run_failed) == (500, "text/html", False)
        assert b"<h1><p>Internal Server Error</p></h1>" in reply.body
        assert reply.header("x-ms-request-id") is None
    assert ask(replica, b"").body == b"3"


@pytest.mark.parametrize("how", ["__import__('time').sleep(30)", "(_ for _ in ()).throw(TimeoutError('mine'))"])
def test_the_servers_own_time_limit(worker: Any, ask: Any, how: str) -> None:
    """SCORING_TIMEOUT_MS interrupts run(); the server takes a TimeoutError of the script's for the same."""
    reply = ask(worker(EVAL, environment={"SCORING_TIMEOUT_MS": "100"}), how.encode())
    assert (reply.status, json.loads(reply.body)) == (500, {"message": "Scoring timeout after 100 ms"})
    assert reply.run_failed


SCHEMA = """
    from inference_schema.schema_decorators import input_schema, output_schema
    from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
    def init(): pass
    @input_schema("a", StandardPythonParameterType(1))
    @input_schema("b", StandardPythonParameterType([1.5]))
    @output_schema(StandardPythonParameterType({"s": 1.0}))
    def run(a, b, c=7): return {"s": a + sum(b) + c}
"""


@pytest.mark.parametrize(
    ("body", "content_type", "status", "answer"),
    [
        (b'{"a":1,"b":[1,2]}', "application/json", 200, {"s": 11}),
        (b'{"a":1,"b":[1,2],"c":1,"more":3}', "application/json", 200, {"s": 5}),
        (b'{"a":1,"b":[1,2]}', "application/vnd.x+json; charset=utf-8", 200, {"s": 11}),
        (b'{"a":1}', "application/json", 400, "A value is not provided for the 'b' parameter."),
        (b"[1]", "application/json", 400, "POST body should be a JSON dictionary."),
        (b"", "application/json", 400, "POST body is empty. Expecting a JSON dictionary."),
        (b"{", "application/json", 400, "POST body could not be decoded as JSON: Expecting property name"),
        (b'{"a":1,"b":[1,2]}', None, 415, "Expects Content-Type to be application/json"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "Expects Content-Type to be application/json"),
        (b'{"a":1,"b":5}', "application/json", 500, RUN_FAILED["message"]),
        (b'"\xff"', "application/json", 500, INTERNAL["message"]),
        (b"[" * 100_000, "application/json", 500, INTERNAL["message"]),
    ],
)
def test_a_run_with_input_schema(
    shared: Any, ask: Any, body: bytes, content_type: str | None, status: int, answer: Any
) -> None:
    """JSON, a dictionary, every parameter that has no default; then the decorators convert."""
    reply = ask(shared(SCHEMA), body, content_type)
    assert reply.status == status
    assert reply.run_failed is (answer == RUN_FAILED["message"])
    said = json.loads(reply.body)
    assert said == answer if status == 200 else said["message"].startswith(answer)


def test_a_run_with_input_schema_takes_its_parameters_from_a_query(shared: Any, ask: Any) -> None:
    """As from a body."""
    assert ask(shared(SCHEMA), method="GET", query="a=1&b=[2]").body == b'{"s": 10}'


RAW = """
    from {package}.aml_request import AMLRequest, rawhttp
    from {package}.aml_response import AMLResponse
    def init(): pass
    @rawhttp
    def run(request):
        if request.method == "OPTIONS": return AMLResponse("opt", 200)
        files = {{name: [file.filename, file.read().decode()] for name, file in request.files.items()}}
        return [request.method, request.get_data().decode("latin1"), request.args.to_dict(flat=False), request.path,
                request.full_path, request.headers["x-FOO"], request.content_type, request.form.to_dict(), files,
                request.json if request.is_json else None]
"""


@pytest.mark.parametrize("package", ["azureml.contrib.services", "azureml_inference_server_http.api"])
def test_rawhttp_gets_the_request_as_it_is(shared: Any, ask: Any, package: str) -> None:
    """Any of GET, POST and OPTIONS; binary bodies, forms and files; both names the classes go by."""
    replica = shared(RAW.format(package=package))
    foo = (("X-Foo", "bar"),)
    assert ask(replica, method="OPTIONS").body == b"opt"
    posted = ask(replica, b"\x00\xff", None, headers=foo, query="x=1&x=2")
    assert json.loads(posted.body) == [
        "POST",
        "\x00ÿ",
        {"x": ["1", "2"]},
        "/score",
        "/score?x=1&x=2",
        "bar",
        None,
        {},
        {},
        None,
    ]
    got = ask(replica, method="GET", content_type=None, headers=foo)
    assert json.loads(got.body)[:5] == ["GET", "", {}, "/score", "/score?"]
    assert json.loads(ask(replica, b'{"a": 1}', headers=foo).body)[-1] == {"a": 1}
    form = ask(replica, b"a=1&b=%20", "application/x-www-form-urlencoded", headers=foo)
    assert json.loads(form.body)[7] == {"a": "1", "b": " "}
    multipart = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhel\r\nlo\r\n'
        b'--b\r\nContent-Disposition: form-data; name="g"\r\n\r\nv\r\n--b--\r\n'
    )
    uploaded = ask(replica, multipart, "multipart/form-data; boundary=b", headers=foo)
    assert json.loads(uploaded.body)[7:9] == [{"g": "v"}, {"f": ["a.txt", "hel\r\nlo"]}]


UPLOADS = """
    import csv, io, json, pickle, shutil, tempfile, zipfile
    from azureml.contrib.services.aml_request import rawhttp
    def init(): pass
    def copied(file):
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(file, kept)
            return kept.tell()
    @rawhttp
    def run(request):
        file = request.files["file"]
        return eval(request.form["ask"])
"""


@pytest.mark.parametrize(
    ("expression", "content", "answer"),
    [
        (
            "[file.filename, file.name, file.content_type, file.mimetype]",
            b"",
            ["a.bin", "file", "text/x; a=b", "text/x"],
        ),
        ("[file.read(2), file.tell(), file.seek(0), file.readline()] and file.read().decode()", b"a\nb\nc", "b\nc"),
        ("[line.decode() for line in file]", b"a\nb", ["a\n", "b"]),
        ("[file.seekable(), file.readable(), file.read().decode()]", b"x", [True, True, "x"]),
        ("[opened.read().decode() for opened in [file.__enter__()]]", b"x", ["x"]),
        ("pickle.load(file)", pickle.dumps({"a": [1]}), {"a": [1]}),
        ("zipfile.ZipFile(file).read('in').decode()", zipped("in", b"packed"), "packed"),
        ("json.load(file)", b'{"a": 1}', {"a": 1}),
        ("list(csv.reader(io.TextIOWrapper(file, 'utf-8')))", b"a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
        ("copied(file)", b"12345", 5),
    ],
)
def test_an_uploaded_file_is_a_file(shared: Any, ask: Any, expression: str, content: bytes, answer: Any) -> None:
    """It can be read by whatever reads files."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: text/x; a=b\r\n\r\n'
        + content
        + b'\r\n--b\r\nContent-Disposition: form-data; name="ask"\r\n\r\n'
        + expression.encode()
        + b"\r\n--b--\r\n"
    )
    reply = ask(shared(UPLOADS), body, "multipart/form-data; boundary=b")
    assert (reply.status, json.loads(reply.body)) == (200, answer), reply.logs


def test_a_script_that_takes_text_does_not_wait_for_werkzeug(shared: Any, ask: Any) -> None:
    """Its import takes longer than all else at a worker's start; only a script that asks for its classes pays for it."""
    script = "import sys\ndef init(): pass\ndef run(data): return 'werkzeug' in sys.modules\n"
    assert ask(shared(script), b"").body == b"false"
    asks = "from azureml.contrib.services.aml_response import AMLResponse\n"
    assert ask(shared(asks + script), b"").body == b"true"


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/", 200, b"Healthy"),
        ("HEAD", "/", 200, b""),
        ("OPTIONS", "/score", 200, b""),
        ("PUT", "/score", 405, b'{"message": "The method is not allowed for the requested URL."}'),
        ("POST", "/", 405, b'{"message": "The method is not allowed for the requested URL."}'),
        ("HEAD", "/score", 405, b""),
        ("GET", "/nope", 404, None),
        ("POST", "/score/", 404, None),
    ],
)
def test_other_methods_and_paths(
    shared: Any, ask: Any, method: str, path: str, status: int, body: bytes | None
) -> None:
    """Health; 405 and 404 in JSON, without the identifying headers where no route was found."""
    reply = ask(shared(ECHO), method=method, path=path)
    assert reply.status == status
    if body is None:
        assert json.loads(reply.body)["message"].startswith("The requested URL was not found")
    else:
        assert reply.body == body
    named = status == 200 or (method, path) == ("HEAD", "/score")
    assert (reply.header("x-request-id") is not None) is named
    assert reply.header("x-ms-server-version") == ("azmlinfsrv/1.5.1" if named else None)


def test_ids_are_echoed(shared: Any, ask: Any) -> None:
    """The request's own id, the client's, and the old name for both; over 100 characters is 431."""
    replica = shared(ECHO)

    def ids(**headers: str) -> list[str | None]:
        reply = ask(replica, b"x", headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()))
        names = ("x-request-id", "x-ms-request-id", "x-ms-client-request-id", "TraceId")
        return [reply.status, *(reply.header(name) for name in names)]

    assert ids(x_request_id="r") == [200, "r", "r", None, None]
    assert ids(x_request_id="r", x_ms_client_request_id="c", TraceId="t") == [200, "r", "c", "c", "t"]
    assert ids(x_request_id="r", x_ms_request_id="old") == [200, "r", "old", "old", None]
    assert ids(x_request_id="a" * 101) == [431, None, None, None, None]
    assert ids(x_request_id="r", x_ms_client_request_id="c" * 101) == [431, "r", None, None, None]
    made = ids()
    assert uuid.UUID(made[1])
    assert made[1] == made[2]
    assert ids()[1] != made[1]


def test_the_same_requests_give_the_same_bytes(worker: Any, ask: Any) -> None:
    """Time, run time and ids are the caller's or derived, and sets are walked in one order: replays agree."""
    script = "def init(): print('up')\ndef run(data):\n    print(data)\n    return list({'a', 'b', 'c', 'd', data})\n"

    def life() -> list[Any]:
        replica = worker(script)
        replies = [ask(replica, word, takes=1_500) for word in (b"x", b"y")]
        replica.close()
        return [[(reply.status, reply.headers, reply.body, reply.logs) for reply in replies], replica.logs()]

    first = life()
    assert first == life()
    assert dict(first[0][0][1])["x-ms-run-fn-exec-ms"] == "1.500"
    assert dict(first[0][0][1])["Date"] == "Wed, 01 Jul 2026 09:00:00 GMT"
    assert "2026-07-01 09:00:00,000 I [1] azmlinfsrv - POST /score 200 1.500ms 25" in first[1]


@pytest.mark.parametrize(
    ("version", "key", "says"), [("2", "swagger", "2.0"), ("3", "openapi", "3.0.3"), ("3.1", "openapi", "3.1.0")]
)
def test_swagger_comes_from_the_decorators(worker: Any, ask: Any, version: str, key: str, says: str) -> None:
    """Input and output as the schemas say; name, version and prefix as the platform does."""
    replica = worker(SCHEMA, service_name="fraud", service_version="7", path_prefix="api/v1/service/fraud")
    reply = ask(replica, method="GET", path="/swagger.json", query=f"version={version}")
    document = json.loads(reply.body)
    assert document[key] == says
    assert (document["info"]["title"], document["info"]["version"]) == ("fraud", "7")
    assert set(document["paths"]) == {f"/api/v1/service/fraud/{name}" for name in ("", "score", "swagger.json")}
    schemas = document["definitions"] if version == "2" else document["components"]["schemas"]
    assert schemas["ServiceInput"]["example"] == {"a": 1, "b": [1.5], "c": ""}
    assert schemas["ServiceOutput"]["properties"]["s"]["type"] == "number"


def test_swagger_without_decorators_and_of_the_users_own(worker: Any, shared: Any, ask: Any, tmp_path: Any) -> None:
    """A plain description; a file of the user's own instead; 404 for a version that there is not."""
    replica = shared(ECHO)
    plain = json.loads(ask(replica, method="GET", path="/swagger.json").body)
    assert plain["definitions"]["ServiceInput"] == {"type": "object", "example": {}}
    assert plain["info"]["title"] == "ML service"
    unknown = ask(replica, method="GET", path="/swagger.json", query="version=9")
    assert unknown.status == 404
    assert json.loads(unknown.body) == {"message": "Swagger version [9] is not valid. Supported versions: [2, 3, 3.1]."}
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "swagger.json").write_text('{"mine": true}')
    assert json.loads(ask(worker(ECHO), method="GET", path="/swagger.json").body) == {"mine": True}


def test_the_environment_is_the_containers(worker: Any, ask: Any, tmp_path: Any, monkeypatch: Any) -> None:
    """What semantics §3 lists, the user's own variables below it, and nothing of the caller's secrets."""
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "s3cret")
    script = "import os\ndef init(): pass\ndef run(data): return dict(os.environ)\n"
    replica = worker(
        script,
        entry_script="source/score.py",
        source_directory="source",
        model_dir=tmp_path / "models",
        service_name="fraud",
        service_version="3",
        path_prefix="api/v1/service/fraud",
        workspace_name="ws",
        environment={"MINE": "1", "SERVICE_NAME": "overridden"},
    )
    seen = json.loads(ask(replica, b"").body)
    expected = {
        "AML_APP_ROOT": str(tmp_path / "app"),
        "AZUREML_ENTRY_SCRIPT": "source/score.py",
        "AZUREML_MODEL_DIR": str(tmp_path / "models"),
        "AZUREML_SOURCE_DIRECTORY": "source",
        "SERVICE_NAME": "fraud",
        "SERVICE_PATH_PREFIX": "api/v1/service/fraud",
        "SERVICE_VERSION": "3",
        "WORKSPACE_NAME": "ws",
        "MINE": "1",
    }
    assert expected.items() <= seen.items()
    assert "s3cret" not in seen.values()


def test_modules_of_the_source_directory_are_importable_and_its_folder_stays_clean(
    worker: Any, ask: Any, tmp_path: Any
) -> None:
    """Beside the script and beside its folder, as in the container; no byte code is left there."""
    source = tmp_path / "app" / "source"
    source.mkdir(parents=True)
    (source / "helper.py").write_text("from above import N\n")
    (tmp_path / "app" / "above.py").write_text("N = 5\n")
    script = "import helper, os\ndef init(): pass\ndef run(data): return [helper.N, os.getcwd(), __name__]\n"
    replica = worker(script, entry_script="source/score.py", source_directory="source")
    assert json.loads(ask(replica, b"").body) == [5, str(tmp_path / "app"), "entry_module"]
    assert not list(tmp_path.rglob("__pycache__"))


def test_nothing_of_ours_stands_in_the_scripts_way(worker: Any, ask: Any, tmp_path: Any) -> None:
    """Scripts have modules called `http`, `framing` or `worker`; the private name of our package is the only one taken."""
    for name in ("framing", "serve", "handling", "script", "keeper", "worker"):
        (tmp_path / "app").mkdir(exist_ok=True)
        (tmp_path / "app" / f"{name}.py").write_text("MINE = 1\n")
    script = """
        import framing, serve, handling, script, keeper, worker, sys
        def init(): pass
        def run(data):
            mine = [module.MINE for module in (framing, serve, handling, script, keeper, worker)]
            return mine, [name for name in sys.modules if name.startswith("akstwin") or name in ("numpy", "pydantic")]
    """
    assert json.loads(ask(worker(script), b"").body) == [[1] * 6, []]


def test_prints_become_log_lines(worker: Any, ask: Any) -> None:
    """As in the container: `print` and the logger, and what goes to the streams directly stays as it is."""
    script = """
        import sys, logging, os
        def init(): print("init", "here", sep="-")
        def run(data):
            print("to", "out"); print("to err", file=sys.stderr); sys.stdout.write("raw\\n")
            logging.getLogger("azmlinfsrv").info("logged"); logging.warning("root"); os.write(1, b"fd\\n")
            print("bad \\udcff"); sys.stdout.write("no line end"); sys.stderr.write("nor here")
    """
    replica = worker(script)
    reply = ask(replica, b"")
    assert isinstance(reply, Reply)
    assert reply.logs.splitlines()[:7] == [
        "2026-07-01 09:00:00,000 I [1] azmlinfsrv.print - to out",
        "to err",
        "raw",
        "2026-07-01 09:00:00,000 I [1] azmlinfsrv - logged",
        "WARNING:root:root",
        "fd",
        "2026-07-01 09:00:00,000 I [1] azmlinfsrv.print - bad \\udcff",
    ]
    assert "azmlinfsrv.print - init-here" in replica.logs()
    assert "no line end" in reply.logs
    assert reply.logs.endswith("nor here")
    assert replica.logs().endswith(reply.logs)
