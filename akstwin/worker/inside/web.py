"""Requests, responses and uploads as entry scripts see them: Flask's own where Flask is installed, else werkzeug's.

The inference server hands scripts Flask's classes, which are werkzeug's with few additions; those that a script can meet are
made here. The first script that imports a module of them loads this one (`offered`); a script that takes text does not.
"""

import contextlib
import importlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

_flask: Any = importlib.import_module("flask") if importlib.util.find_spec("flask") is not None else None

if TYPE_CHECKING or _flask is None:

    class Request(WerkzeugRequest):
        """werkzeug's request with what Flask adds for the route of the inference server."""

        endpoint, blueprint, blueprints = "main.handle_score", "main", ("main",)
        view_args: Mapping[str, Any] = {}

        def on_json_loading_failed(self, e: ValueError | None) -> Any:
            """Raise an error that does not quote the body, as Flask does outside of its debug mode."""
            try:
                return super().on_json_loading_failed(e)
            except BadRequest as error:
                raise BadRequest from error

    class Response(WerkzeugResponse):
        """werkzeug's response with Flask's defaults."""

        default_mimetype = "text/html"
        autocorrect_location_header = False

else:
    Request, Response = _flask.Request, _flask.Response


class AMLRequest(Request):
    """The name that scripts use in annotations. What `run` gets is a `Request`, as in the inference server."""


class AMLResponse(Response):
    """What `run` returns to answer with more than JSON.

    Args:
        message: text, bytes or an iterable of them; with `json_str` anything JSON can say; None is the empty object.
        status_code: the HTTP status: a number, or a text such as `201 CREATED`.
        response_headers: more headers; a comma within a value makes several lines.
        json_str: whether `message` is to be written as JSON.
        run_function_failed: what the header `x-ms-run-function-failed` says.
    """

    def __init__(
        self,
        message: Any,
        status_code: Any,
        response_headers: Mapping[str, str] | None = None,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        more = response_headers or {}
        if json_str or message is None:
            text = json.dumps({} if message is None else message)
            super().__init__(text, status=status_code, mimetype="application/json")
        else:
            super().__init__(message, status=status_code)
            if "Content-Type" in more:
                self.headers.remove("Content-Type")
        self.headers["x-ms-run-function-failed"] = str(run_function_failed)
        for name, value in more.items():
            for part in value.split(","):
                self.headers.add(name, part.strip())


@contextlib.contextmanager
def received(environ: dict[str, Any]) -> Iterator[Any]:
    """The request for `run`. Where Flask is installed, `flask.request`, `jsonify` and the like work meanwhile."""
    if _flask is None:
        with Request(environ) as request:  # closes the files of a form
            yield request
    else:
        with _application().request_context(environ):
            yield _flask.request


_made: list[Any] = []


def _application() -> Any:
    if not _made:
        app = _flask.Flask(__name__)
        main = _flask.Blueprint("main", __name__)
        methods = ["GET", "POST", "OPTIONS"]
        main.add_url_rule("/score", "handle_score", lambda: "", methods=methods, provide_automatic_options=False)
        app.register_blueprint(main)
        _made.append(app)
    return _made[0]
