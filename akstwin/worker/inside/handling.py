"""Routes and status codes: what the inference server answers (semantics §3), for one request at a time."""

import datetime as dt
import hashlib
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from .headers import Headers
from .http import AMLRequest, AMLResponse
from .journal import Moment, moment, told
from .packages import remedy
from .script import BadInput, Function, MethodNotTaken, Overdue, Script, UnsupportedInput
from .swagger import Swagger, UnknownVersion

FAILED_HEADER = "x-ms-run-function-failed"
RUN_TIME_HEADER = "x-ms-run-fn-exec-ms"
ID_HEADERS = frozenset({"x-request-id", "x-ms-request-id", "x-ms-client-request-id", "traceid"})
"""In lower case: what a request names itself by, and gets back."""
_SERVER_VERSION = "azmlinfsrv/1.5.1"
_ID_LIMIT = 100
_ROUTES = {"/": ("GET", "HEAD", "OPTIONS"), "/score": ("GET", "HEAD", "POST", "OPTIONS")}
_ROUTES["/swagger.json"] = _ROUTES["/"]
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOT_FOUND = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)
_BARE_ERROR = (
    b"<html>\n  <head>\n    <title>Internal Server Error</title>\n  </head>\n  <body>\n"
    b"    <h1><p>Internal Server Error</p></h1>\n    \n  </body>\n</html>\n"
)
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OF_CONNECTIONS = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "te", "trailers", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that gunicorn takes away."""
_VALUE = re.compile(r"[ \t\x21-\x7e\x80-\xff]*")
INTERNAL = "An unexpected internal error occurred. Check the logs for more info."
RUN_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."


class Answer(NamedTuple):
    """What goes back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float = 0.0
    """How long `run` took; nothing if it was not called or did not return."""

    @property
    def failed(self) -> bool:
        """Whether `run` did, for the router (R12)."""
        return any(name.lower() == FAILED_HEADER and value == "True" for name, value in self.headers)


class Place(NamedTuple):
    """Where a server runs; as it stands here, in a worker process."""

    name: str
    """Unlike that of any other place: made-up request ids come from it."""
    environ: Mapping[str, str] = os.environ
    moment: Moment = moment
    log: logging.Logger = logging.getLogger("azmlinfsrv")
    unhandled_log: logging.Logger = logging.getLogger("gunicorn.error")
    survives: tuple[type[BaseException], ...] = (BaseException,)
    """What a script may raise without ending more than its request: `sys.exit` included."""


class Server:
    """The script and its routes.

    Args:
        script: after `init()`.
        swagger: its description.
        place: where it runs.
    """

    def __init__(self, script: Script | Function, swagger: Swagger, place: Place) -> None:
        self._script, self._swagger, self._place = script, swagger, place
        self._limit_ms = int(place.environ.get("SCORING_TIMEOUT_MS", "3600000"))
        self._names_version = place.environ.get("SERVER_VERSION_LOG_RESPONSE_ENABLED", "true").lower() == "true"
        self._served = 0

    def handle(self, request: AMLRequest, exec_ms: float | None = None) -> Answer:
        """Answer a request.

        Args:
            request: the request.
            exec_ms: the run time that the header is to report; None: the real one.
        """
        self._served += 1
        if request.path not in _ROUTES:
            return self._finish(request, said(404, _NOT_FOUND))
        if request.method not in _ROUTES[request.path]:
            return self._finish(request, said(405, "The method is not allowed for the requested URL."))
        ids, problem = self._ids(request)
        if problem is not None:
            return self._finish(request, self._named(request, said(431, problem), ids))
        if request.path != "/score":
            response = self._named(request, self._plain(request), ids)
            if request.path != "/":
                self._log_request(request, response, 0.0 if exec_ms is None else exec_ms)
            return self._finish(request, response)
        try:
            with self._script.received(request) as raw:
                response, seconds = self._score(request, raw, ids["x-request-id"], exec_ms)
                self._named(request, response, ids)
                self._log_request(request, response, seconds * 1000 if exec_ms is None else exec_ms)
                sent = response if isinstance(response, AMLResponse) else _Started(response, request)
            return self._finish(request, sent, seconds)
        except self._place.survives as error:
            self._log_unhandled(request, error)
            headers = [("Content-Type", "text/html"), ("Content-Length", str(len(_BARE_ERROR)))]
            return Answer(500, headers, b"" if request.method == "HEAD" else _BARE_ERROR)

    def _named(self, request: AMLRequest, response: Any, ids: Mapping[str, str]) -> Any:
        """The response with the headers that name the server and the request."""
        if self._names_version:
            response.headers.add("x-ms-server-version", _SERVER_VERSION)
        for name, value in ids.items():
            response.headers[name] = value
        if "TraceId" in request.headers:
            response.headers.add("TraceId", request.headers["TraceId"])
        return response

    def _log_request(self, request: AMLRequest, response: Any, took_ms: float) -> None:
        query = request.query_string.decode()
        path = f"{request.path}?{query}" if query else request.path
        if isinstance(response, AMLResponse):
            length: int | str = len(response.get_data())
        else:
            length = "N/A" if response.is_streamed else response.calculate_content_length()
        self._place.log.info("%s %s %d %.3fms %s", request.method, path, response.status_code, took_ms, length)

    def new_id(self) -> str:
        """The id of one more request, which is answered elsewhere."""
        self._served += 1
        return self._id()

    def _id(self) -> str:
        """A GUID from what tells the request apart: where, when, the how-manieth."""
        name = f"{self._place.name}/{self._place.moment.at.isoformat()}/{self._served}"
        made = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
        return f"{made[:8]}-{made[8:12]}-5{made[13:16]}-a{made[17:20]}-{made[20:32]}"  # as `uuid.uuid5`, which takes longer

    def _ids(self, request: AMLRequest) -> tuple[dict[str, str], str | None]:
        """The identifying headers of the reply, and what is wrong with those of the request."""
        own = request.headers.get("x-request-id")
        if own is None:
            own = self._id()
        if len(own) > _ID_LIMIT:
            return {}, f"x-request-id must not exceed {_ID_LIMIT} characters"
        old = request.headers.get("x-ms-request-id", "")
        client = request.headers.get("x-ms-client-request-id", "") or old
        if max(len(old), len(client)) > _ID_LIMIT:
            return {
                "x-request-id": own
            }, f"x-ms-request-id and x-ms-client-request-id must not exceed {_ID_LIMIT} characters"
        ids = {"x-request-id": own, "x-ms-request-id": old or client or own}
        return ids | ({"x-ms-client-request-id": client} if client else {}), None

    def _plain(self, request: AMLRequest) -> Any:
        if request.method == "OPTIONS":
            response = _text("")
            response.headers.add("Allow", "OPTIONS, GET, HEAD")
            return response
        if request.path == "/":
            return _text("Healthy")
        try:
            return AMLResponse(self._swagger.get(request.args.get("version", "2")), 200, json_str=True)
        except UnknownVersion as error:
            return said(404, str(error))

    def _score(self, request: AMLRequest, raw: Any, request_id: str, exec_ms: float | None) -> tuple[Any, float]:
        if request.method == "HEAD" and not self._script.raw:
            return said(405, "Method not allowed"), 0.0
        try:
            arguments = self._script.arguments(request, raw)
        except BadInput as error:
            return said(400, str(error)), 0.0
        except UnsupportedInput as error:
            return said(415, str(error)), 0.0
        except MethodNotTaken:  # OPTIONS; nothing else comes here
            return AMLResponse("", 200), 0.0
        except Exception as error:  # noqa: BLE001 - JSON that is not UTF-8, or nested too deeply: the server's own failure
            return self._internal(error), 0.0
        response = None
        started = time.perf_counter()
        try:
            returned = self._script.score(arguments, request_id, self._limit_ms)
        except Overdue as error:
            response = said(500, f"Scoring timeout after {self._limit_ms} ms", failed=True)
            self._log_traceback(error)
        except Exception as error:  # noqa: BLE001 - whatever a script raises
            response = said(500, RUN_FAILED, failed=True)
            self._log_traceback(error)
        seconds = time.perf_counter() - started
        if response is None:
            try:
                response = _respond(returned)
                response.headers.add(RUN_TIME_HEADER, f"{seconds * 1000 if exec_ms is None else exec_ms:.3f}")
            except Exception as error:  # noqa: BLE001 - JSON can't say it
                response = self._internal(error)
        return response, seconds

    def _internal(self, error: BaseException) -> AMLResponse:
        self._log_traceback(error)
        return said(500, INTERNAL)

    def _log_traceback(self, error: BaseException) -> None:
        what = remedy(error)
        self._place.log.error("Encountered Exception: %s%s", told(error), f"\n{what}" if what else "")

    def _log_unhandled(self, request: AMLRequest, error: BaseException) -> None:
        what = f"{request.method} {request.path}"
        self._place.unhandled_log.error("Error handling request %s\n%s", what, told(error))

    def _finish(self, request: AMLRequest, response: Any, seconds: float = 0.0) -> Answer:
        bodiless = response.status_code in {204, 304}
        body = b"" if bodiless else response.get_data()
        named = [("Server", "gunicorn"), ("Date", http_date(self._place.moment.at.astimezone(dt.UTC)))]
        if not bodiless and not (request.method == "HEAD" and isinstance(response, _Started)):
            if (length := response.headers.get("Content-Length", type=int)) is not None:
                body = body[:length]  # as gunicorn does; that there is less than was said, no client could read
            response.headers["Content-Length"] = len(body)
        headers = [(str(name), str(value)) for name, value in response.headers.items()]
        return Answer(response.status_code, [*named, *headers], b"" if request.method == "HEAD" else body, seconds)


def said(status: int, message: str, *, failed: bool = False) -> AMLResponse:
    """A sentence of the server's own, as JSON."""
    return AMLResponse({"message": message}, status, json_str=True, run_function_failed=failed)


def _text(text: str) -> AMLResponse:
    response = AMLResponse(text, 200)
    response.headers.remove(FAILED_HEADER)  # only scoring says it
    return response


def http_date(at: dt.datetime) -> str:
    """A time as headers have it.

    Args:
        at: in UTC.
    """
    # Not `email.utils`, which costs a tenth of a worker's start, nor %a and %b, which follow the script's locale.
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at:%d} {month} {at:%Y %H:%M:%S} GMT"


def _respond(returned: Any) -> Any:
    """What `run` returned as a response."""
    web = sys.modules.get(f"{__package__}.web")  # there if the script uses it
    if not isinstance(returned, AMLResponse if web is None else (AMLResponse, web.Response)):
        return AMLResponse(returned, 200, json_str=True)
    if not 200 <= returned.status_code < 600:
        raise ValueError(f"{returned.status_code} is not an HTTP status")
    if returned.status_code >= 500:
        returned.headers[FAILED_HEADER] = "True"
    return returned


class _Started:
    """A response of werkzeug's as gunicorn sends it: its head at once, its body when it is read.

    Args:
        response: what `run` returned.
        request: what it answers.
    """

    def __init__(self, response: Any, request: AMLRequest) -> None:
        self._pieces, status, headers = response.get_wsgi_response(request.environ())
        for name, value in headers:
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"{name}: {value} is not a header that HTTP allows")
        self._response = response
        self.status_code = int(status.split()[0])
        self.headers = Headers((name, value) for name, value in headers if name.lower() not in _OF_CONNECTIONS)

    def get_data(self) -> bytes:
        """The body. A generator of the script's runs here.

        Raises:
            BaseException: whatever the generator raises.
        """
        body = b""
        try:
            for piece in self._pieces:
                if not isinstance(piece, bytes):
                    raise TypeError(f"{piece!r} is not a byte")
                body += piece
        finally:
            self._response.close()
        return body
