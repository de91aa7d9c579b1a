"""Requests and responses as a scoring script sees them, where Flask is not installed.

The subset of Flask's `Request` and `Response` that scripts with `@rawhttp` use. Where Flask is there (it comes with the real
`azureml-inference-server-http`), scripts get the real ones.
"""

import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .headers import Headers, Multi, query_pairs

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class Upload:
    """One file of a multipart form."""

    def __init__(self, name: str, filename: str, content_type: str, content: bytes) -> None:
        self.name, self.filename, self.content_type = name, filename, content_type
        self.mimetype = content_type.partition(";")[0].strip().lower()
        self.stream = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        """The content."""
        return self.stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go elsewhere in the content."""
        return self.stream.seek(offset, whence)

    def save(self, dst: Any) -> None:
        """Write the content to a path or a file."""
        if isinstance(dst, str | os.PathLike):
            with Path(dst).open("wb") as file:
                shutil.copyfileobj(self.stream, file)
        else:
            shutil.copyfileobj(self.stream, dst)


class AMLRequest:
    """What `run` gets when it asks for the raw request."""

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
        self.full_path = f"{path}?{query}"
        self.scheme, self.host = "http", self.headers.get("Host", "localhost")
        self.host_url = self.url_root = f"http://{self.host}/"
        self.base_url = f"http://{self.host}{path}"
        self.url = f"{self.base_url}?{query}" if query else self.base_url
        self.content_type: str | None = self.headers.get("Content-Type")
        self.mimetype = (self.content_type or "").partition(";")[0].strip().lower()
        self.content_length: int | None = self.headers.get("Content-Length", type=int)
        self.stream = io.BytesIO(body)
        self._fields: list[tuple[str, str]] | None = None
        self._files: list[tuple[str, Upload]] = []

    @property
    def data(self) -> bytes:
        """The body; nothing for a form, which is read into `form` and `files`."""
        return b"" if self.mimetype in FORMS else self._body

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:  # noqa: ARG002
        """The body, whatever it is."""
        body = self.data if parse_form_data else self._body
        return body.decode() if as_text else body

    @property
    def is_json(self) -> bool:
        """Whether the content type says so."""
        return self.mimetype == "application/json" or (
            self.mimetype.startswith("application/") and self.mimetype.endswith("+json")
        )

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: ARG002
        """The body as JSON."""
        if not force and not self.is_json:
            if silent:
                return None
            raise ValueError(
                "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."
            )
        try:
            return json.loads(self._body)
        except ValueError:
            if silent:
                return None
            raise

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return self.get_json()

    @property
    def form(self) -> Multi:
        """The fields of a form."""
        self._read_form()
        return Multi(self._fields or ())

    @property
    def files(self) -> Multi:
        """The files of a form."""
        self._read_form()
        return Multi(self._files)

    @property
    def values(self) -> Multi:
        """Query and form together."""
        pairs = [(name, value) for name in self.args for value in self.args.getlist(name)]
        return Multi([*pairs, *((name, value) for name in self.form for value in self.form.getlist(name))])

    def _read_form(self) -> None:
        if self._fields is not None:
            return
        self._fields = []
        if self.mimetype == FORMS[0]:
            self._fields = query_pairs(self._body.decode(errors="replace"))
        elif self.mimetype == FORMS[1]:
            for name, filename, content_type, content in _parts(self._body, _parameters(self.content_type or "")):
                if filename is None:
                    self._fields.append((name, content.decode(errors="replace")))
                else:
                    self._files.append((name, Upload(name, filename, content_type, content)))


class AMLResponse:
    """What `run` returns to answer with more than JSON.

    Args:
        message: text, bytes, or with `json_str` anything JSON can say; None is the empty object.
        status_code: the HTTP status.
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
        as_json = json_str or message is None
        self.headers = Headers([("Content-Type", "application/json" if as_json else "text/html; charset=utf-8")])
        self.set_data(json.dumps({} if message is None else message) if as_json else message)
        self.status_code = int(str(status_code).split()[0])
        more = dict(response_headers or {})
        if "Content-Type" in more:
            self.headers.remove("Content-Type")
        self.headers["x-ms-run-function-failed"] = run_function_failed
        for name, value in more.items():
            for part in value.split(","):
                self.headers.add(name, part.strip())

    def set_data(self, value: Any) -> None:
        """Replace the body by text, bytes, or an iterable of them."""
        pieces = [value] if isinstance(value, str | bytes | bytearray) else value
        self._body = b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)

    def get_data(self, as_text: bool = False) -> Any:
        """The body."""
        return self._body.decode() if as_text else self._body

    data = property(get_data, set_data)

    @property
    def mimetype(self) -> str:
        """The content type without its parameters."""
        return str(self.headers.get("Content-Type", "")).partition(";")[0].strip()


def _parameters(header: str) -> dict[str, str]:
    """`form-data; name="a"; filename="b"` as a mapping."""
    found = {}
    for part in header.split(";")[1:]:
        name, _, value = part.partition("=")
        found[name.strip().lower()] = value.strip().strip('"')
    return found


def _parts(body: bytes, parameters: Mapping[str, str]) -> Iterator[tuple[str, str | None, str, bytes]]:
    """Name, file name, content type and content of each part of a multipart body."""
    boundary = b"\r\n--" + parameters.get("boundary", "").encode()
    for part in (b"\r\n" + body).split(boundary)[1:-1]:
        head, separator, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not separator:
            continue
        lines = (line.partition(":") for line in head.decode(errors="replace").split("\r\n"))
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        said = _parameters(headers.get("content-disposition", ""))
        if "name" in said:
            yield said["name"], said.get("filename"), headers.get("content-type", ""), content
