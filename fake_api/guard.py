"""Who may call: uploaded code runs here, so a page in a browser must not reach it by another name (DNS rebinding)."""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from akstwin.router.asgi import Scope

LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Guard:
    """Refuses requests whose Host or Origin is foreign.

    Args:
        hosts: names and addresses that are ours, beside those of the loopback.
    """

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self._hosts = LOCAL | {host.lower() for host in hosts}
        self._known: set[bytes] = set()

    def refusal(self, scope: Scope) -> str | None:
        """Why a request is refused; None: it is not."""
        for name, value in scope["headers"]:
            if name == b"host" and value not in self._known:
                if not self._ours(f"//{value.decode('latin-1')}"):
                    return f"Host {value.decode('latin-1')!r} is not one of this server's names"
                self._known.add(value)
            elif name == b"origin" and not self._ours(value.decode("latin-1")):
                return f"Origin {value.decode('latin-1')!r} is foreign"
        return None

    def _ours(self, url: str) -> bool:
        try:
            return (urlsplit(url).hostname or "").lower() in self._hosts
        except ValueError:
            return False
