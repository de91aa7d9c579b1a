"""Credentials are taken out of texts that clients have chosen, before anybody else reads these texts.

A credential is known because a service has it, had it or issued it, because a request presented it where credentials are
presented, or by convention: what stands behind names such as `key`, `code` or `password`, in front of `@` in a URL, behind
`Bearer`, and what has the form of a JSON Web Token or of a key. Credentials that are known are remembered in a filter of constant
size (a Bloom filter), not as texts: it forgets none, and takes something else for one with a chance of less than one in a million
as long as there are fewer than 50,000.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final
from urllib.parse import unquote

REDACTED: Final = "[redacted]"
_BITS: Final = 1 << 21
_SHORTEST: Final = 8
"""Shorter ones are looked for as whole words: a key `a` would be found in every text."""
_LONGEST: Final = 4096
_ALL: Final = 1 << 14
"""So many texts that have been looked at are remembered."""
_DECODINGS: Final = 3
_JOINT: Final = re.compile("[-_/+]")
_JOINTS: Final = 32

_WORD: Final = (
    r"(?:(?:(?<![a-z])|(?<=[-_.])|(?<=api)|(?<=access)|(?<=account)|(?<=shared)|(?<=primary)|(?<=secondary)|(?<=subscription)"
    r"|(?<=client)|(?<=auth)|(?<=refresh)|(?<=id)|(?<=function)|(?<=functions)|(?<=service)|(?<=storage))"
    r"(?:key|keys|keyvalue|token|secret|passwd|password|passphrase|pwd|pass|credential|credentials|signature|sig|code|authorization"
    r"|instrumentationkey|connectionstring|cookie))"
)
_NAMED: Final = re.compile(
    rf"""({_WORD}(?:[-_.\d][-_.\w]*)?["']?\s*(?:=|:|/)\s*["']?)(?!//)([^&;,\s"'#?]+)""", re.IGNORECASE
)
_SCHEME: Final = re.compile(r"""\b((?:bearer|basic|sharedkey|digest)[\s:/+_-]+)([^\s&;,"'?#]{4,})""", re.IGNORECASE)
_USER: Final = re.compile(r"([a-z][a-z0-9+.-]*:/{1,2})[^/\s@]+@", re.IGNORECASE)
_TOKEN: Final = re.compile(r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?")
_FORMS: Final = (
    re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{42,}={1,2}"),
    re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*[0-9])(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{32}(?![A-Za-z0-9])"),
)
_CONVENTIONS: Final = (
    (_NAMED, rf"\1{REDACTED}"),
    (_SCHEME, rf"\1{REDACTED}"),
    (_USER, rf"\1{REDACTED}@"),
    (_TOKEN, REDACTED),
)
_BARE: Final = re.compile(r"[A-Za-z0-9_-]*")
_WORDS: Final = re.compile(r"[^\W_]+(?:[^\w\s/?&=;,]+[^\W_]+)*|[^\W_]+")
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_CARRIERS: Final = re.compile(rf"{_WORD}|cookie", re.IGNORECASE)


class Redaction:
    """Takes credentials out of texts. It learns them as they come."""

    def __init__(self) -> None:
        self._filter = bytearray(_BITS // 8)
        self._lengths: set[int] = set()
        self._seen: dict[str, str] = {}

    def learn(self, credential: str | None) -> None:
        """Know one from now on, and the last part of one that is a token."""
        if not credential or len(credential) > _LONGEST:
            return
        parts = [credential]
        if credential.count(".") == 2 and credential.startswith("eyJ"):
            parts += [part for part in credential.split(".")[1:] if len(part) >= _SHORTEST]
        for part in parts:
            if self._has(part) and len(part) in self._lengths:
                continue
            self._lengths.add(len(part))
            self._seen.clear()
            for at in _places(part):
                self._filter[at >> 3] |= 1 << (at & 7)

    def presented(self, headers: Iterable[tuple[str, str]]) -> None:
        """Know what a request presents as its credentials, right or wrong."""
        for name, value in headers:
            if _CARRIERS.search(name) is None:
                continue
            scheme, space, rest = value.partition(" ")
            credential = rest.strip() if space else scheme
            self.learn(credential if len(credential) >= _SHORTEST else None)
            if scheme.lower() == "basic":
                for part in (_decoded(credential) or "").split(":", 1):
                    self.learn(part if len(part) >= _SHORTEST else None)

    def absorb(self, other: "Redaction") -> None:
        """Know what another one knows, too."""
        known, lengths = other._filter, other._lengths  # noqa: SLF001 - one class
        both = int.from_bytes(self._filter, "little") | int.from_bytes(known, "little")
        self._filter = bytearray(both.to_bytes(_BITS // 8, "little"))
        self._lengths |= lengths
        self._seen.clear()

    def text(self, text: str, longest: int | None = None) -> str:
        """The text without credentials.

        Args:
            text: as a client has chosen it.
            longest: characters that are kept; cut after the credentials have gone, not through one.
        """
        shown = self._seen.get(text)
        if shown is None:
            shown = self._redacted(text)
            if len(self._seen) >= _ALL:
                self._seen.clear()
            self._seen[text] = shown
        return shown if longest is None else shown[:longest]

    def _redacted(self, text: str) -> str:
        shown = self._redacted_plain(text)
        for form in _FORMS:
            shown = form.sub(REDACTED, shown)
        shown = _ENCODED.sub(lambda match: self._without_encoded(match[0]), shown)
        plain = shown
        for _ in range(_DECODINGS):
            decoded = unquote(plain)
            if decoded == plain:
                return shown
            if (redacted := self._redacted_plain(decoded)) != decoded:
                return redacted
            plain = decoded
        return shown

    def _redacted_plain(self, text: str) -> str:
        shown = self._without_known(text)
        if _BARE.fullmatch(shown) is None:  # no name and no scheme stands in front of anything
            for pattern, instead in _CONVENTIONS:
                shown = pattern.sub(instead, shown)
        return shown

    def _without_encoded(self, run: str) -> str:
        """A run of letters of base64, whose beginning may be something else."""
        starts = [0, *(found.end() for found in _JOINT.finditer(run))][:_JOINTS]
        for start in starts:
            for end in (len(run), run.find("/", start)):
                if end - start >= _SHORTEST and self._hides(run[start:end]):
                    return f"{run[:start]}{REDACTED}{run[end:]}"
        return run

    def _hides(self, run: str) -> bool:
        """Whether it is a credential in base64."""
        decoded = _decoded(run)
        return decoded is not None and self._without_known(decoded) != decoded

    def _without_known(self, text: str) -> str:
        for begin, end in reversed(_merged(sorted(self._found(text)))):
            text = f"{text[:begin]}{REDACTED}{text[end:]}"
        return text

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        short = False
        for length in self._lengths:
            if length < _SHORTEST:
                short = True
            else:
                for begin in range(len(text) - length + 1):
                    if self._has(text[begin : begin + length]):
                        yield begin, begin + length
        if short:
            if self._is_short(text):
                yield 0, len(text)
            for word in _WORDS.finditer(text):
                if self._is_short(word[0]):
                    yield word.span()

    def _is_short(self, text: str) -> bool:
        return len(text) < _SHORTEST and len(text) in self._lengths and self._has(text)

    def _has(self, text: str) -> bool:
        return all(self._filter[at >> 3] >> (at & 7) & 1 for at in _places(text))


def _places(text: str) -> Iterator[int]:
    first = hash(("credential", text))
    yield first % _BITS
    yield (first >> 24) % _BITS
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    for at in range(0, 16, 4):
        yield int.from_bytes(digest[at : at + 4], "big") % _BITS


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in spans:
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(
            text + "=" * (-len(text) % 4), altchars=b"-_" if {"-", "_"} & set(text) else None
        ).decode()
    except (binascii.Error, ValueError):
        return None
