"""Host and Origin check: a server that runs uploaded code must not be reached by a page in a browser (DNS rebinding)."""

import contextlib
import re
from collections.abc import Collection, Iterable
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import urlsplit

LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME: Final = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?", re.IGNORECASE)
_MOST_KNOWN: Final = 1024


class AllowedHosts:
    """The names by which a server may be called; requests with another Host or Origin are refused.

    Args:
        hosts: names and addresses that are ours, beside those of the loopback.
    """

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self._hosts = LOCAL | {host.lower() for host in hosts}
        self._known: set[bytes] = set()

    def refusal(self, headers: Iterable[tuple[bytes, bytes]], http_version: str) -> tuple[int, str] | None:
        """Status and reason of a refusal; None: the request may pass.

        Args:
            headers: of the request, names in lower case.
            http_version: `1.0` or `1.1`.
        """
        hosts = 0
        for name, value in headers:
            if name == b"host":
                hosts += 1
                if value not in self._known:
                    if not self._names_us(value.decode("latin-1")):
                        return 403, f"Host {value.decode('latin-1')!r} is not one of this server's names"
                    if len(self._known) < _MOST_KNOWN:  # there are as many as ports that one can write
                        self._known.add(value)
            elif name == b"origin" and not self._is_ours(value.decode("latin-1")):
                return 403, f"Origin {value.decode('latin-1')!r} is foreign"
        if hosts != 1 and (hosts > 1 or http_version != "1.0"):  # RFC 9112 §3.2
            return 400, f"there are {hosts} Host headers; expected one"
        return None

    def _names_us(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        return match is not None and (match[1] or match[2]).lower() in self._hosts

    def _is_ours(self, origin: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and self._names_us(parts.netloc)


def is_name(text: str) -> bool:
    """Whether a client could call a server so: a name or an address, without brackets or a port."""
    if ":" in text:
        with contextlib.suppress(ValueError):
            return bool(IPv6Address(text))
        return False
    return _NAME.fullmatch(text) is not None
