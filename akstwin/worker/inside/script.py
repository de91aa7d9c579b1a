"""The user's entry script: found, imported, looked at, and called."""

import importlib.util
import inspect
import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from .collector import Collection
from .headers import query_pairs
from .http import AMLRequest
from .offered import raw_requested

log = logging.getLogger("azmlinfsrv.user_script")


class ScriptError(Exception):
    """The script is not one that the server can run."""


class BadInput(Exception):
    """The request's body does not fit the script: 400."""


class UnsupportedInput(Exception):
    """Its content type does not: 415."""


class MethodNotTaken(Exception):
    """GET and POST only."""


class Overdue(Exception):
    """`SCORING_TIMEOUT_MS` is over, or the script raised a `TimeoutError` of its own: the server can't tell them apart."""


class Script:
    """An entry script after its import.

    Args:
        path: the file.

    Raises:
        ScriptError: no `init` or `run`, or parameters of `run` that can't be filled.
        BaseException: whatever the import raised.
    """

    def __init__(self, path: str) -> None:
        module = _import(path)
        for name in ("init", "run"):
            if not hasattr(module, name):
                raise ScriptError(f"{path} has no {name}()")
        self.init: Callable[[], Any] = module.init
        self.run: Callable[..., Any] = module.run
        log.info("Found user script at %s", path)
        parameters = list(inspect.signature(self.run).parameters.values())
        if any(item.kind not in {item.KEYWORD_ONLY, item.POSITIONAL_OR_KEYWORD} for item in parameters):
            raise ScriptError("run() can't take *args, **kwargs or positional-only parameters")
        self._wants_headers = any(item.name == "request_headers" for item in parameters)
        self._parameters = [item for item in parameters if item.name != "request_headers"]
        if not self._parameters:
            raise ScriptError("run() needs a parameter for the input data")
        self.raw = raw_requested()
        self.decorated = _schema_decorated(self.run)
        self._meets_flask = self.raw or "flask" in sys.modules
        if self.raw and self.decorated:
            raise ScriptError("run() is decorated with both @rawhttp and @input_schema")
        kind = "in JSON string" if not self.decorated else ", ".join(item.name for item in self._parameters)
        log.info("run() gets its input %s", "as the raw request" if self.raw else kind)

    @contextmanager
    def received(self, request: AMLRequest) -> Iterator[Any]:
        """The request as `@rawhttp` hands it on, while it is answered; None where nothing of the script looks at it."""
        if not self._meets_flask:
            yield None
            return
        from .web import received  # noqa: PLC0415 - werkzeug, for scripts that ask for it

        with received(request.environ()) as raw:
            yield raw

    def arguments(self, request: AMLRequest, raw: Any) -> dict[str, Any]:
        """What `run` is to be called with.

        Args:
            request: the request.
            raw: what `received` gave.

        Raises:
            BadInput, UnsupportedInput, MethodNotTaken: it is not to be called.
        """
        arguments = {self._parameters[0].name: raw} if self.raw else self._arguments(request)
        if self._wants_headers:
            arguments["request_headers"] = request.header_values()
        return arguments

    def score(self, arguments: dict[str, Any], request_id: str, limit_ms: int) -> Any:
        """Call `run`.

        Args:
            arguments: its arguments.
            request_id: for collected data.
            limit_ms: how long it may take.

        Raises:
            Overdue: it was stopped.
            BaseException: whatever it raised.
        """
        Collection.request_id = request_id
        try:
            with _alarm(limit_ms):
                return self.run(**arguments)
        except TimeoutError as error:
            raise Overdue(limit_ms) from error

    def _arguments(self, request: AMLRequest) -> dict[str, Any]:
        if not self.decorated:
            return {self._parameters[0].name: _text(request)}
        _check_method(request)
        return self._pick(_query(request) if request.method == "GET" else _json(request))

    def _pick(self, values: dict[str, Any]) -> dict[str, Any]:
        picked = {}
        for item in self._parameters:
            picked[item.name] = values.get(item.name, item.default)
            if picked[item.name] is inspect.Parameter.empty:
                raise BadInput(f"A value is not provided for the {item.name!r} parameter.")
        return picked


class Function:
    """A function of the caller's in place of a script: called in this very process, without a time limit.

    Args:
        function: gets the request's body as text.
        reads: whether it gets it; else nothing is read, and nothing can be wrong with it.
    """

    raw = False

    def __init__(self, function: Callable[[str], Any], *, reads: bool = True) -> None:
        self._function = function
        self._reads = reads

    def received(self, request: AMLRequest) -> AbstractContextManager[None]:  # noqa: ARG002 - as `Script`
        """Nothing: a function gets the body."""
        return nullcontext()

    def arguments(self, request: AMLRequest, raw: Any) -> dict[str, Any]:  # noqa: ARG002 - as `Script`
        """The body as text."""
        _check_method(request)
        return {"body": _text(request) if self._reads else ""}

    def score(self, arguments: dict[str, Any], request_id: str, limit_ms: int) -> Any:  # noqa: ARG002 - as `Script`
        """Call it."""
        try:
            return self._function(arguments["body"])
        except TimeoutError as error:
            raise Overdue(limit_ms) from error


def _check_method(request: AMLRequest) -> None:
    if request.method not in {"GET", "POST"}:
        raise MethodNotTaken


def _text(request: AMLRequest) -> str:
    """What `run(data)` gets."""
    _check_method(request)
    if request.method == "GET":
        return json.dumps(_query(request))
    try:
        return str(request.data, "utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"Input cannot be decoded as UTF-8: {error}") from None


def _import(path: str) -> ModuleType:
    # Under the server's name and, like there, not in sys.modules: schemas and pickles are keyed by it.
    spec = importlib.util.spec_from_file_location("entry_module", path)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{Path(path).name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _schema_decorated(run: Callable[..., Any]) -> bool:
    util = sys.modules.get("inference_schema.schema_util")  # there if the script uses it
    return util is not None and bool(util.is_schema_decorated(run))


def _query(request: AMLRequest) -> dict[str, Any]:
    """`a=1&a=x&b=[2]` as `{"a": [1, "x"], "b": [2]}`."""
    values: dict[str, list[Any]] = {}
    for name, text in query_pairs(request.query_string.decode()):
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        values.setdefault(name, []).append(value)
    return {name: several if len(several) > 1 else several[0] for name, several in values.items()}


def _json(request: AMLRequest) -> dict[str, Any]:
    if not request.is_json:
        raise UnsupportedInput("Expects Content-Type to be application/json")
    body = request.get_data()
    if not body:
        raise BadInput("POST body is empty. Expecting a JSON dictionary.")
    try:
        value = json.loads(body)
    except json.JSONDecodeError as error:
        raise BadInput(f"POST body could not be decoded as JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInput("POST body should be a JSON dictionary.")
    return value


@contextmanager
def _alarm(limit_ms: int) -> Iterator[None]:
    """`TimeoutError` in the main thread when the time is over, as in the server."""

    def ring(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_ms / 1000)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
