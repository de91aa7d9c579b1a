"""Requests and responses as the server itself handles them: the standard library is enough for a script that takes text.

Scripts that ask for requests and responses get werkzeug's (`web`).
"""

import json
import sys
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from .headers import Headers, Multi, query_pairs

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


_VARIABLES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
"""Headers that WSGI names without `HTTP_`."""


class AMLRequest:
    """A request to the container.

    Args:
        method: the HTTP method.
        path: without the query.
        query: what stands behind the question mark.
        headers: names and values, as the client sent them.
        body: the bytes.
    """

    def __init__(
        self,
        method: str = "POST",
        path: str = "/score",
        query: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        self.method, self.path, self._query, self._body = method, path, query, body
        self.headers = Headers(headers)
        self.query_string = query.encode()
        self.args = Multi(query_pairs(query))
        self.content_type: str | None = self.headers.get("Content-Type")
        self.mimetype = (self.content_type or "").partition(";")[0].strip().lower()

    @property
    def data(self) -> bytes:
        """The body; nothing for a form, which Flask reads apart."""
        return b"" if self.mimetype in FORMS else self._body

    def get_data(self) -> bytes:
        """The body, whatever it is."""
        return self._body

    @property
    def is_json(self) -> bool:
        """Whether the content type says so."""
        return self.mimetype == "application/json" or (
            self.mimetype.startswith("application/") and self.mimetype.endswith("+json")
        )

    def environ(self) -> dict[str, Any]:
        """The request as a WSGI application gets it from gunicorn."""
        host, _, port = str(self.headers.get("Host", "localhost")).partition(":")
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",  # TLS ends at the router
            "wsgi.input": BytesIO(self._body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            "SERVER_SOFTWARE": "gunicorn",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": host,
            "SERVER_PORT": port or "80",
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": "0",
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path,
            "QUERY_STRING": self._query,
            "RAW_URI": f"{self.path}?{self._query}" if self._query else self.path,
        }
        for name, value in self.headers.items():
            variable = _VARIABLES.get(name.lower())
            if variable is not None:
                environ[variable] = value
            elif "_" not in name:  # `X_A` could pass for `X-A`: gunicorn drops it
                variable = "HTTP_" + name.upper().replace("-", "_")
                environ[variable] = f"{environ[variable]},{value}" if variable in environ else value
        if self._body:
            environ.setdefault("CONTENT_LENGTH", str(len(self._body)))
        return environ

    def header_values(self) -> dict[str, str]:
        """The headers by their names as WSGI servers write them: `Content-Type`, `X-Ms-Request-Id`."""
        found = {}
        for variable, value in self.environ().items():
            if variable.startswith("HTTP_") or variable in _VARIABLES.values():
                found[variable.removeprefix("HTTP_").replace("_", "-").title()] = value
        return found


class AMLResponse:
    """An answer of the server's own.

    Args:
        message: text, bytes, or with `json_str` anything JSON can say; None is the empty object.
        status_code: the HTTP status.
        json_str: whether `message` is to be written as JSON.
        run_function_failed: what the header `x-ms-run-function-failed` says.
    """

    def __init__(
        self, message: Any, status_code: int, json_str: bool = False, run_function_failed: bool = False
    ) -> None:
        as_json = json_str or message is None
        self.headers = Headers([("Content-Type", "application/json" if as_json else "text/html; charset=utf-8")])
        self.set_data(json.dumps({} if message is None else message) if as_json else message)
        self.status_code = status_code
        self.headers["x-ms-run-function-failed"] = run_function_failed

    def set_data(self, value: str | bytes) -> None:
        """Replace the body."""
        self._body = value.encode() if isinstance(value, str) else value

    def get_data(self) -> bytes:
        """The body."""
        return self._body
