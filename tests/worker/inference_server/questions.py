# ruff: noqa: E501 - one table row after the other
"""Entry scripts and requests for them, generated: what scripts read of a request, and what they answer with."""

import random  # noqa: TID251 - chooses tests
from typing import NamedTuple

_FORM = (
    b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nhel\xc3\xa9\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a b.csv"\r\nContent-Type: text/csv; charset=utf-8\r\n\r\n'
    b"a,b\r\n1,2\r\n3,4\r\n"
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="../second.bin"\r\n\r\n\x00\x01\xff\r\n'
    b'--x\r\nContent-Disposition: form-data; name="empty"; filename=""\r\n\r\n\r\n--x--\r\n'
)


class Question(NamedTuple):
    """A request."""

    method: str = "POST"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


_JSON = ("Content-Type", "application/json")
QUESTIONS = (
    Question(headers=(_JSON,), body=b'{"a": [1, "\xc3\xa9"], "file": 3}'),
    Question(headers=(_JSON,), body=b'{"a": '),
    Question(
        headers=(("content-type", "application/vnd.shop+json; charset=utf-8"), ("x-FOO", "1"), ("X-Foo", "2")),
        body=b"[]",
    ),
    Question(headers=(("Content-Type", "application/octet-stream"), ("X_Under", "u")), body=b"\x00\xff\x80abc"),
    Question(headers=(("Content-Type", "text/plain; charset=latin-1"),), body=b"caf\xe9"),
    Question(headers=(("Content-Type", "application/x-www-form-urlencoded"),), body=b"note=a+b&note=%C3%A9&x=%ff"),
    Question(headers=(("Content-Type", "multipart/form-data; boundary=x"),), body=_FORM),
    Question(headers=(("Content-Type", "multipart/form-data; boundary=x"),), body=_FORM[:150]),
    Question("GET", "a=1&a=x&b=[2]&note=%C3%A9+y&empty="),
    Question("GET", headers=(("Cookie", 'sid=1; theme="dark blue"; sid=2'), ("Authorization", "Basic dTpwOmE="))),
    Question(
        "GET",
        headers=(
            ("Authorization", "Bearer abc.def"),
            ("User-Agent", "curl/8"),
            ("Accept", "text/html;q=0.8, application/json"),
            ("Accept-Language", "de, en;q=0.5"),
            ("X-Forwarded-For", "10.1.2.3, 10.0.0.1"),
            ("If-None-Match", '"abc"'),
            ("Range", "bytes=0-3"),
            ("Referer", "http://shop/"),
            ("Origin", "http://shop"),
        ),
    ),
    Question("OPTIONS", headers=(("Access-Control-Request-Method", "POST"),)),
    Question("HEAD", "a=1"),
    Question(headers=(("X-Request-Id", "given"),)),
)

READS = (
    "sorted(dict(request.headers).items())", "request.headers.get('x-foo')", "request.headers['X-Nothing']",
    "list(request.headers.keys()) == [name for name, _ in request.headers]", "request.headers.getlist('x-foo')",
    "request.headers.get('X-Foo', type=int)", "request.method, request.path, request.full_path, request.query_string",
    "request.url, request.base_url, request.url_root, request.host_url, request.root_url", "request.host, request.scheme",
    "request.args.to_dict(), request.args.to_dict(flat=False)", "request.args.get('a', type=int), request.args.getlist('a')",
    "request.args['b']", "'a' in request.args, len(request.args), list(request.args)", "request.values.to_dict(flat=False)",
    "request.get_data()", "request.data, request.get_data()", "request.get_data(as_text=True)", "request.get_data(parse_form_data=True)",
    "request.stream.read()", "request.stream.read(3), request.stream.read()", "request.get_data(cache=False), request.get_data()",
    "request.is_json, request.get_json()", "request.json", "request.get_json(force=True)", "request.get_json(silent=True)",
    "request.form.to_dict(flat=False), sorted(request.files)", "request.form['note']", "request.files['file'].read()",
    "[(f.name, f.filename, f.content_type, f.mimetype, f.content_length) for f in request.files.values()]",
    "[f.readline() for f in request.files.values()]", "[list(f) for f in request.files.getlist('file')]",
    "(lambda f: (f.seek(2), f.tell(), f.read(1), f.tell(), f.seek(0), f.readlines()))(request.files['file'])",
    "[sorted(f.headers.items()) for f in request.files.getlist('file')]", "sorted(request.files['file'].mimetype_params.items())",
    "list(csv.reader(io.TextIOWrapper(request.files['file'], 'utf-8')))", "saved(request.files['file'])",
    "bool(request.files.get('empty')), bool(request.files.get('file'))", "closed(request.files['file'])",
    "request.cookies.to_dict(), request.cookies.get('theme')", "request.remote_addr, list(request.access_route)", "request.is_secure",
    "request.authorization and (request.authorization.type, request.authorization.parameters, request.authorization.token)",
    "request.authorization.username", "request.user_agent.string, str(request.user_agent)", "request.content_type, request.mimetype",
    "request.content_length, request.mimetype_params", "request.accept_mimetypes.best, list(request.accept_mimetypes.values())",
    "request.accept_languages.best_match(['en', 'de'])", "request.if_none_match.to_header(), request.range and request.range.ranges",
    "request.referrer, request.origin, request.date, request.max_forwards", "request.endpoint, request.view_args, request.blueprint",
    "request.environ['REQUEST_METHOD'], request.environ['QUERY_STRING'], request.environ['RAW_URI']",
    "sorted(name for name in request.environ if name.startswith(('HTTP_', 'CONTENT_')))", "request.environ.get('HTTP_X_FOO')",
    "request.environ['wsgi.input'].read()", "request.environ['wsgi.url_scheme'], request.environ['SERVER_PROTOCOL']",
    "request.want_form_data_parsed, request.is_multithread, request.is_run_once", "request.nonsense", "request.get_json(), request.form",
    "request.max_content_length, request.max_form_memory_size, request.max_form_parts", "request.trace_id", "hash(request) == hash(request)",
)  # fmt: skip
"""Expressions over a request. What they raise is an answer, too."""

ANSWERS = (
    "read", "AMLResponse(json.dumps(read), 200)", "AMLResponse(read, 200, json_str=True)", "AMLResponse(None, 202)",
    "AMLResponse(b'\\x89PNG', 200, {'Content-Type': 'image/png'})", "AMLResponse('x', '201 CREATED')", "AMLResponse('x', '418')",
    "AMLResponse('x', 201, {'Content-Type': 'text/csv'}, json_str=True)", "AMLResponse('', 204)", "AMLResponse('x', 304)",
    "AMLResponse('x', 200, {'X-Many': 'a, b,c', 'Cache-Control': 'no-store'})", "AMLResponse('x', 500)", "AMLResponse({'a': 1}, 503, {}, True)",
    "AMLResponse('x', 200, run_function_failed=True)", "AMLResponse(['a', b'b', 'c'], 200)",
    "AMLResponse((word for word in ('a', 'b')), 200)", "AMLResponse(7, 200)", "AMLResponse('x', None)", "AMLResponse('x', 200, {'A': 1})",
    "changed(mimetype='image/png')", "changed(content_type='text/plain; charset=latin-1')", "changed(status='299 Fine')",
    "changed(status_code=404)", "changed(data='new')", "changed(content_length=1)", "changed(location='/élan?a b')",
    "changed(content_language=['de', 'en'])", "changed(last_modified=0)", "changed(retry_after=7)", "changed(content_encoding='gzip')",
    "told('set_cookie', 'sid', '1')", "told('set_cookie', 'sid', 'a b;é', max_age=60, httponly=True, samesite='Lax', path='/score')",
    "told('delete_cookie', 'sid')", "told('set_data', b'new')", "told('add_etag')", "told('set_etag', 'abc', weak=True)",
    "told('make_conditional', request)", "told('freeze')", "told('get_json')", "told('nothing')",
    "headers('update', {'Cache-Control': 'no-store', 'X-A': '1'})", "headers('add', 'X-A', '2')", "headers('set', 'X-A', 'b', q=3)",
    "headers('add_header', 'Content-Disposition', 'attachment', filename='a b.csv')", "headers('extend', [('X-A', '1'), ('X-A', '2')])",
    "headers('remove', 'Content-Type')", "headers('clear')", "headers('setdefault', 'Content-Type', 'text/x')", "headers('add', 'A', 'b\\nC: d')",
    "headers('setlist', 'X-A', ['1', '2'])", "headers('add', 'X-Number', 7)", "headers('add', 'X-É', '1')", "headers('add', 'X-A', 'é')", "headers('add', 'X-A', '☃')",
    "headers('add', 'X A', '1')", "headers('add', 'X-A', '\x01')", "headers('add', 'Connection', 'x')", "headers('add', 'Server', 'mine')",
    "werkzeug.Response('x')", "werkzeug.exceptions.NotFound()", "abort(418)",
)  # fmt: skip
"""Expressions that `run` returns."""

FLASK = (
    ("", "data", "jsonify({'got': data})"), ("", "data", "jsonify(data), 201"), ("", "data", "Response(data, mimetype='text/csv')"),
    ("", "data", "make_response(data, 404)"), ("", "data", "[request.method, request.endpoint, request.args.to_dict(), data]"),
    ("", "data", "Response(stream_with_context(word for word in ('a', request.path)))"), ("", "data", "abort(404)"),
    ("", "data", "[current_app.name != '', isinstance(AMLResponse('x', 200), Response)]"), ("", "data", "redirect('/there')"),
    ("@rawhttp", "asked", "jsonify(asked is request, asked.get_json(silent=True))"),
    ("@rawhttp", "asked", "send_file(io.BytesIO(asked.get_data()), mimetype='image/png')"),
)  # fmt: skip
"""Decorator, parameter and answer of `run` in scripts that import Flask."""

_FLASK_SCRIPT = """
import io
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
from flask import Response, abort, current_app, jsonify, make_response, redirect, request, send_file, stream_with_context

def init(): pass

{decorator}
def run({parameter}): return {answer}
"""

_SCRIPT = """
import csv, io, json, os, tempfile
import werkzeug, werkzeug.exceptions
from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

def init(): pass

def plain(value):
    if isinstance(value, dict): return {{str(key): plain(item) for key, item in value.items()}}
    if isinstance(value, (list, tuple, set)): return [plain(item) for item in value]
    return value if isinstance(value, (str, int, float, type(None))) else repr(value)

def saved(file):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kept")
        file.save(path)
        with open(path, "rb") as kept: return kept.read()

def closed(file):
    with file as opened: first = opened.read(1)
    return first, file.closed

def changed(**attributes):
    answer = AMLResponse(b"body", 200)
    for name, value in attributes.items(): setattr(answer, name, value)
    return answer

def told(method, *arguments, **more):
    answer = AMLResponse(b'{{"a": "body"}}', 200)
    getattr(answer, method)(*arguments, **more)
    return answer

def headers(method, *arguments, **more):
    answer = AMLResponse(b"body", 200)
    getattr(answer.headers, method)(*arguments, **more)
    return answer

def abort(code): raise werkzeug.exceptions.HTTPException(str(code))

@rawhttp
def run(request{more}):
    try: read = plain([{reads}])
    except Exception as error: read = [type(error).__name__, str(error)]
    return {answer}
"""


def scripts(seed: int, combined: int) -> dict[str, str]:
    """Scripts by their names: one for each way to read a request and to answer it, and combinations of both.

    Args:
        seed: of the combinations.
        combined: how many of them.
    """
    made = {
        f"flask{at:02d}": _FLASK_SCRIPT.format(decorator=decorator, parameter=parameter, answer=answer)
        for at, (decorator, parameter, answer) in enumerate(FLASK)
    }
    draw = random.Random(seed)  # noqa: S311 - not the product's
    made |= {f"read{at:02d}": _SCRIPT.format(reads=read, answer="read", more="") for at, read in enumerate(READS)}
    made |= {f"answer{at:02d}": _SCRIPT.format(reads="", answer=answer, more="") for at, answer in enumerate(ANSWERS)}
    for at in range(combined):
        reads = ", ".join(f"({read})" for read in draw.sample(READS, 3))
        more = draw.choice(["", ", request_headers"])
        made[f"both{at:02d}"] = _SCRIPT.format(reads=reads, answer=draw.choice(ANSWERS), more=more)
    return made
