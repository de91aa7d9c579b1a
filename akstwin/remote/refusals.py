"""What a server refuses, as the errors that a world in this process raises."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from akstwin.errors import AksError, Conflict, InUse, InvalidSetting, NotFound

_KINDS: Final[dict[int, type[AksError]]] = {404: NotFound, 409: Conflict, 412: InUse}
_MISSING: Final = re.compile(r"(?P<setting>\S.*?): is missing; expected (?P<expected>.+)", re.DOTALL)
_WRONG: Final = re.compile(r"(?P<setting>\S.*?): (?P<value>.+?) is not (?P<expected>.+)", re.DOTALL)
_LONGEST: Final = 500
"""Characters of an answer that are shown where it is no error of the management service."""


class ServerError(AksError):
    """A server answers with a status that no verb knows.

    Args:
        call: the method and the address.
        status: of the answer.
        said: what stood in it.
        code: the error's name on the wire, if it had one.
    """

    def __init__(self, call: str, status: int, said: str, code: str | None = None) -> None:
        super().__init__(call, status, said)
        self.status_hint = status
        self.code = code or ("ServerError" if status >= 500 else "BadRequest")

    def __str__(self) -> str:
        call, status, said = self.args
        return f"{call}: the server answered {status}{f': {said}' if said else ''}"


class _Shown(str):
    """A value of which only the text that shows it is known."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def shown(url: str | httpx.URL) -> str:
    """An address without what may be secret in it: who asks, and the query, which signs addresses of files."""
    parts = urlsplit(str(url))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def refusal(method: str, url: str | httpx.URL, response: httpx.Response) -> AksError:
    """The error that an answer stands for: by its status, with the server's own words."""
    call, status = f"{method} {shown(url)}", response.status_code
    message, told, exact = _told(response)
    kind = _KINDS.get(status)
    if not told or not (kind or status == 400):
        if kind is None:
            return ServerError(call, status, message, _code(response) if told else None)
        return kind(f"{call}: {status} {message}".rstrip())
    return _named(kind, message, exact)


def objection(error: Mapping[str, Any]) -> AksError:
    """The error that a validation answers with: it stands in the body of a 200 (wire §7.1)."""
    status = error.get("statusCode")
    kind = _KINDS.get(status) if isinstance(status, int) else None
    return _named(kind, str(error.get("message")), _exact(error))


def _named(kind: type[AksError] | None, message: str, exact: str | None) -> AksError:
    if kind:
        return kind(message)
    return AksError(message) if exact == AksError.__name__ else _bad_request(message)


def _exact(error: Mapping[str, Any]) -> str | None:
    """Which of our errors it was where it came from."""
    match error.get("details"):
        case [{"code": str(code)}, *_]:
            return code
    return None


def _told(response: httpx.Response) -> tuple[str, bool, str | None]:
    """What an answer says; whether it is an error of Azure's services; which one of ours it was where it came from."""
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    error = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return error["message"], True, _exact(error)
    text = response.text.strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…", False, None


def _code(response: httpx.Response) -> str | None:
    """The error's name on the wire."""
    body = response.json()
    code = body.get("error", body).get("code")
    return code if isinstance(code, str) else None


def _bad_request(message: str) -> AksError:
    """An `InvalidSetting` says which setting it was; anything else is kept as it is."""
    if found := _MISSING.fullmatch(message):
        return InvalidSetting(found["setting"], None, found["expected"])
    if found := _WRONG.fullmatch(message):
        return InvalidSetting(found["setting"], _Shown(found["value"]), found["expected"])
    return AksError(message)
