"""HTTP to one server: JSON in, JSON out, refusals as errors; nothing secret in what is said of a call."""

import json
import ssl
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import httpx

from akstwin.errors import AksError, InvalidSetting, NotFound, UnreadableFile
from akstwin.remote.refusals import refusal, shown

CONNECT_SECONDS: Final = 10.0
"""How long a connection may take to come about."""
ANSWER_SECONDS: Final = 300.0
"""How long a server may be silent, where it is not asked to wait for something."""
KEPT_SECONDS: Final = 2.0
"""How long an idle connection is kept: less than servers keep theirs, so that none closes as it is used again."""
JSON_PATCH: Final = "application/json-patch+json"

_IDEMPOTENT: Final = frozenset({"GET", "HEAD"})
DEFAULT_PORT: Final = 8899
"""Where `akstwin serve` listens by default."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_WITHOUT_END: Final = httpx.Timeout(None, connect=CONNECT_SECONDS)

STAND_IN: Final = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJha3N0d2luIn0.eA"
"""A token in form, for servers that look at nothing else: who signs it is `akstwin`, with `none`. No secret."""

Token = str | Callable[[], str]
"""A bearer token, or what gives one that is still valid."""


def segment(what: str, name: object, safe: str = "") -> str:
    """A name as one segment of a path.

    Raises:
        NotFound: nothing can have that name.
    """
    if not isinstance(name, str) or name in ("", ".", ".."):
        raise NotFound(f"{what} {name!r} is not there")
    return quote(name, safe=safe)


class Caller:
    """Sends requests to a server, and to what it names as its own.

    A call whose connection breaks is tried once more if it is a GET or a HEAD; nothing else is sent twice.

    Args:
        url: the server's.
        token: for management calls to it and to what it names; none.
        ca: a file with the authorities to trust beside the usual ones.
        transport: in place of the network, for tests.

    Attributes:
        url: as given, without a slash at its end.
        token: as given.
        alone: whether all addresses that the server gives are its own: then they are called by the way that it is reached
            by, and its own authority need not be trusted, nor its idea of its name.
        client: holds the connections.

    Raises:
        InvalidSetting: the URL is none of http or https, or has a user in it.
        UnreadableFile: the authorities.
    """

    def __init__(
        self, url: str, token: Token | None = None, ca: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = _checked(url)
        self.token = token
        self.alone = False
        self._trusted = {_origin(urlsplit(self.url))}
        local = urlsplit(self.url).hostname in _LOOPBACK
        self._context = _context(ca)
        self.client = httpx.Client(
            transport=transport,
            verify=self._context,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(keepalive_expiry=KEPT_SECONDS),
            trust_env=not local,
        )
        self._finalizer = weakref.finalize(self, self.client.close)

    def __repr__(self) -> str:
        return f"Caller({self.url!r})"

    def close(self) -> None:
        """Close its connections, as happens by itself when nobody has it any more."""
        self._finalizer()

    def move(self, url: str) -> None:
        """The workspace has an address of its own at the same server."""
        self.url = _checked(url)
        self._trusted = {_origin(urlsplit(self.url))}

    def trust(self, urls: Iterable[str]) -> None:
        """The token may go to these, too: the server has named them as its parts."""
        self._trusted |= {_origin(urlsplit(self.own(url))) for url in urls}

    def own(self, url: str) -> str:
        """An address that the server gave, as it is called from here: without a user in it (wire §4.1)."""
        parts = urlsplit(url)
        if self.alone:
            here = urlsplit(self.url)
            return urlunsplit(parts._replace(scheme=here.scheme, netloc=here.netloc))
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def concurrent(self) -> httpx.AsyncClient:
        """Another client for the same way, for requests that go side by side, as many as there are."""
        unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEPT_SECONDS)
        return httpx.AsyncClient(verify=self._context, limits=unlimited, trust_env=self.client.trust_env)

    def json(self, method: str, url: str, body: Any = None, **given: Any) -> Any:
        """What the answer's JSON says.

        Raises:
            AksError: a refusal, no answer, or an answer that is no JSON.
        """
        response = self.call(method, url, body, **given)
        try:
            return response.json()
        except ValueError:
            raise AksError(f"{method} {shown(url)}: the answer is no JSON: {response.text[:200]!r}") from None

    def call(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        more: Mapping[str, str] | None = None,
        waits: bool = False,
    ) -> httpx.Response:
        """The answer to a management call.

        Args:
            method: the HTTP verb.
            url: absolute.
            body: sent as JSON; None: nothing is sent.
            params: the query; what is None is left out.
            content_type: of the body.
            more: further headers.
            waits: whether the server may take as long as it likes.

        Raises:
            AksError: a refusal, or no answer.
            InvalidSetting: JSON cannot carry the body.
        """
        headers = {"Accept": "application/json", **(more or {})}
        if self.token is not None and _origin(urlsplit(url)) in self._trusted:
            headers["Authorization"] = f"Bearer {self.token if isinstance(self.token, str) else self.token()}"
        content = None
        if body is not None:
            headers["Content-Type"] = content_type
            content = _encoded(body)
        query = {name: value for name, value in (params or {}).items() if value is not None}
        request = self.request(method, url, params=query or None, content=content, headers=headers, waits=waits)
        response = self.send(request)
        if not response.is_success:
            raise refusal(method, url, response)
        return response

    def request(self, method: str, url: str, *, waits: bool = False, **given: Any) -> httpx.Request:
        """A request, without headers of the client's own.

        Raises:
            AksError: the address is none.
        """
        timeout = _WITHOUT_END if waits else self.client.timeout
        try:
            return httpx.Request(method, url, extensions={"timeout": timeout.as_dict()}, **given)
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise AksError(f"{method} {shown(url)}: cannot be sent: {error}") from None

    def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """The answer, whatever it says.

        Raises:
            AksError: there is none; names the address.
        """
        tries = 2 if request.method in _IDEMPOTENT else 1
        while True:
            tries -= 1
            try:
                return self.client.send(request, stream=stream)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                broke = isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError)
                if not (tries and broke):
                    raise unanswered(request, error) from None


def unanswered(request: httpx.Request, error: Exception) -> AksError:
    """What is raised where no answer came."""
    why = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
    return AksError(f"{request.method} {shown(request.url)}: {why}{_how_to_start(request.url, error)}")


def _how_to_start(url: httpx.URL, error: Exception) -> str:
    """What to do where nothing listens at an address of this machine; elsewhere others know."""
    if not isinstance(error, httpx.ConnectError) or url.host not in _LOOPBACK:
        return ""
    port = "" if url.port in (None, DEFAULT_PORT) else f" --port {url.port}"
    return f"; start a server there: akstwin serve{port}"


def _checked(url: str) -> str:
    parts = urlsplit(url) if isinstance(url, str) else None
    try:
        good = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
        port = parts.port if parts else None  # ValueError: no number
    except ValueError:
        good, port = False, None
    if not good or parts is None or port == 0:
        raise InvalidSetting("url", url, "an address such as http://127.0.0.1:8899")
    if "@" in parts.netloc:
        raise InvalidSetting("url", shown(url), "taken with a user before its host")
    if parts.query or parts.fragment:
        raise InvalidSetting("url", shown(url), "taken with a query or a fragment")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _context(ca: str | None) -> ssl.SSLContext | bool:
    if ca is None:
        return True
    context = httpx.create_ssl_context()
    try:
        context.load_verify_locations(ca)
    except OSError as error:  # ssl.SSLError is one
        raise UnreadableFile(str(ca), str(error)) from None
    return context


def _origin(parts: SplitResult) -> str:
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def _encoded(body: Any) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSetting("body", type(body).__name__, f"JSON: {error}") from None
