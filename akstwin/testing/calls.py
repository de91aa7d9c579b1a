"""Calls of a server's control side, `/_akstwin`, with the standard library only: azureml-core's environment has no httpx."""

import json
from http.client import HTTPConnection, HTTPException
from threading import local
from typing import Any, Final
from urllib.parse import urlsplit

from akstwin.errors import AksError, Conflict, InvalidSetting, NotFound

OURS: Final = local()
"""`calling` while the thread makes a call of ours: it is none of the SDK's."""
_KINDS: Final = {404: NotFound, 409: Conflict}


class Calls:
    """The control side of one workspace of a server. Each call has a connection of its own, past any proxy.

    Args:
        url: the workspace's http URL, such as `http://127.0.0.1:8899`.

    Attributes:
        url: without a slash at its end.

    Raises:
        InvalidSetting: it is none of http.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url) if isinstance(url, str) else None
        try:
            fits = parts is not None and parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number
            fits = False
        if not fits or parts is None:
            raise InvalidSetting("server", url, "the http URL of a server, such as http://127.0.0.1:8899")
        self.url = f"http://{parts.netloc}{parts.path.rstrip('/')}"
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._below = parts.path.rstrip("/")

    def get(self, path: str, seconds: float = 60.0) -> Any:
        """What a GET below `/_akstwin` answers; see `call`."""
        return self.call("GET", f"/_akstwin/{path}", seconds=seconds)

    def post(self, path: str, body: Any, seconds: float | None = 60.0) -> Any:
        """What a POST below `/_akstwin` answers; see `call`."""
        return self.call("POST", f"/_akstwin/{path}", body, seconds)

    def call(self, method: str, path: str, body: Any = None, seconds: float | None = 60.0) -> Any:
        """The answer's JSON.

        Args:
            method: the HTTP verb.
            path: below the URL.
            body: sent as JSON; None: nothing is.
            seconds: how long the server may be silent; None: as long as it likes.

        Raises:
            AksError: no server answers there, or it refuses; of the kind that the status means.
        """
        connection = HTTPConnection(self._host, self._port, timeout=seconds)
        headers = {"Content-Type": "application/json", "Connection": "close"} if body is not None else {}
        OURS.calling = True
        try:
            connection.request(method, self._below + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, HTTPException) as error:
            raise AksError(f"{method} {self.url}{path}: {error or type(error).__name__}") from None
        finally:
            OURS.calling = False
            connection.close()
        try:
            told = json.loads(content)
        except ValueError:
            told = None
        if not 200 <= status < 300:
            text = told.get("message") if isinstance(told, dict) else None
            shown = text or content[:200].decode(errors="replace") or f"status {status}"
            raise _KINDS.get(status, AksError)(f"{method} {self.url}{path}: {shown}")
        if told is None:
            raise AksError(f"{method} {self.url}{path}: the answer is no JSON: {content[:200]!r}")
        return told
