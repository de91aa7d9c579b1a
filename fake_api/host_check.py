"""Host and Origin check: a server that runs uploaded code must not be reached by a page in a browser.

A page on a foreign name that it has pointed at this machine (DNS rebinding) sends a foreign Host. A page of another program on
this machine sends one of our names as Host, and its own port as Origin. Programs that are no browsers send no Origin.
"""

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv6Address
from typing import Final

LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME: Final = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::([0-9]{1,5}))?", re.IGNORECASE)
_ORIGIN: Final = re.compile(r"(https?)://(.*)", re.IGNORECASE)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SAFE: Final = frozenset({"GET", "HEAD"})
"""Methods that a browser sends without an Origin for most pages anyway; no page of another origin can read the answers."""
_MOST_KNOWN: Final = 1024


class AllowedHosts:
    """The names and origins by which a server may be called; requests with another Host or Origin are refused.

    Args:
        hosts: names and addresses that are ours, beside those of the loopback.
        ports: scheme and port of each listener whose pages are ours, like `("https", 8900)`. A port that a container maps is
            known from the request's Host.
    """

    def __init__(self, hosts: Collection[str] = (), ports: Collection[tuple[str, int]] = ()) -> None:
        self._hosts = {_name(host) for host in (*LOCAL, *hosts)}
        self._ports = frozenset(ports)
        self._known: set[bytes] = set()

    def refusal(
        self, headers: Iterable[tuple[bytes, bytes]], http_version: str, method: str, scheme: str
    ) -> tuple[int, str] | None:
        """Status and reason of a refusal; None: the request may pass.

        Args:
            headers: of the request, names in lower case.
            http_version: `1.0` or `1.1`.
            method: of the request, in capitals.
            scheme: `http` or `https`, as the connection is.
        """
        hosts: list[str] = []
        origins: list[str] = []
        for name, value in headers:
            if name == b"host":
                host = value.decode("latin-1")
                hosts.append(host)
                if value not in self._known:
                    if self._ours(host) is None:
                        return 403, f"Host {host!r} is not one of this server's names"
                    if len(self._known) < _MOST_KNOWN:  # there are as many as ports that one can write
                        self._known.add(value)
            elif name == b"origin":
                origins.append(value.decode("latin-1"))
        for origin in origins:
            if not self._is_ours(origin, hosts, method, scheme):
                own = " or ".join(f"{scheme}://{host}" for host in hosts)
                return 403, f"Origin {origin!r} is foreign; expected {own or 'one of this server'}, or no Origin"
        if len(hosts) != 1 and (hosts or http_version != "1.0"):  # RFC 9112 §3.2
            return 400, f"there are {len(hosts)} Host headers; expected one"
        return None

    def _is_ours(self, origin: str, hosts: Iterable[str], method: str, scheme: str) -> bool:
        """Whether a page of this server has sent the request (RFC 6454 §4, §6.2)."""
        match = _ORIGIN.fullmatch(origin)
        if match is None:
            return False
        claimed = match[1].lower()
        place = self._ours(match[2])
        if place is None:
            return False
        if method in _SAFE:
            return True
        name, port = place
        if port is None:
            port = _DEFAULT_PORTS[claimed]
        return (claimed, port) in self._ports or (claimed == scheme and (name, port) in self._called(hosts, scheme))

    def _called(self, hosts: Iterable[str], scheme: str) -> Iterator[tuple[str, int]]:
        """The names and ports by which the request called us."""
        for host in hosts:
            place = self._ours(host)
            if place is not None:
                name, port = place
                yield name, _DEFAULT_PORTS[scheme] if port is None else port

    def _ours(self, host: str) -> tuple[str, int | None] | None:
        """The name, and the port if there is one, of an authority that has one of our names; None: it has another."""
        match = _HOST.fullmatch(host)
        if match is None:
            return None
        name = _name(match[1] or match[2])
        port = None if match[3] is None else int(match[3])
        return None if name not in self._hosts or (port or 0) > 65535 else (name, port)


def _name(text: str) -> str:
    """A name or an address in the one way in which it is compared: small letters, IPv6 in its shortest form."""
    if ":" in text:
        with contextlib.suppress(ValueError):
            return str(IPv6Address(text))
    return text.lower()


def is_name(text: str) -> bool:
    """Whether a client could call a server so: a name or an address, without brackets or a port."""
    if ":" in text:
        with contextlib.suppress(ValueError):
            return bool(IPv6Address(text))
        return False
    return _NAME.fullmatch(text) is not None
