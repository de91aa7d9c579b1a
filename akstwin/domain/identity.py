"""What a request is known by, and chance that depends on nothing else: not on the order in which threads come to run."""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

CLIENT_IDS: Final = ("x-ms-client-request-id", "x-request-id")
"""Headers by which a client names a request, the same in each attempt; the first goes before the second."""
TRIED_AGAIN: Final = frozenset({0, 429, 502, 503, 504})
"""Statuses after which clients try again; 0: the connection ended without an answer."""
_CREDENTIAL: Final = "authorization"
_LENGTHS: Final = frozenset(map(len, CLIENT_IDS))
LONGEST_ID: Final = 128
"""Longer names of requests are cut."""
_KEPT: Final = 10_000
"""So many names are remembered, the latest, for counting their attempts."""


def client_id(headers: Iterable[tuple[str, str]], longest: int | None = LONGEST_ID) -> str | None:
    """What the client calls the request, cut at `longest` characters; None: it does not say."""
    found: str | None = None
    for name, value in headers:
        if len(name) in _LENGTHS and (lowered := name.lower()) in CLIENT_IDS:
            if lowered == CLIENT_IDS[0]:
                return value[:longest]
            found = value[:longest]
    return found


def fingerprint(headers: Iterable[tuple[str, str]], body: bytes) -> str:
    """What attempts at one request share though its client does not name it: a hash of its body and its credential together."""
    digest = blake2b(body, digest_size=8)
    for name, value in headers:
        if len(name) == len(_CREDENTIAL) and name.lower() == _CREDENTIAL:
            digest.update(value.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


class Identities:
    """Tells requests apart: by the client's name and the attempt; one without a name by its number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._attempts: OrderedDict[tuple[str, str], int] = OrderedDict()

    def next(self, place: str, called: str | None) -> str:
        """One more request.

        Args:
            place: where numbers and names are counted apart, such as a service.
            called: the client's name of it; None: it has none.

        Returns:
            What it is, unlike any other in the same place.
        """
        number = self._numbers[place] = self._numbers.get(place, 0) + 1
        return f"number {number}" if called is None else f"called {called} {self._attempt((place, called))}"

    def _attempt(self, key: tuple[str, str]) -> int:
        count = self._attempts.pop(key, 0) + 1
        self._attempts[key] = count
        if len(self._attempts) > _KEPT:
            self._attempts.popitem(last=False)
        return count


def drawn(share: float, *words: object) -> bool:
    """Whether something belongs to a share of all.

    Args:
        share: from 0 to 1.
        words: what it is, with the seed: the same words always give the same answer.
    """
    if share >= 1:
        return True
    text = "\0".join(map(str, words))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") < share * (1 << 64)
