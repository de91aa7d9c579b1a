"""What a server's journal says, with questions and assertions for tests.

    from akstwin.testing.journal import Journal

    journal = Journal.fetch("http://127.0.0.1:8899")
    journal.where(service="fraud").assert_split(green=20, tolerance=3)
    journal.assert_no_retry_storm()

An assertion that fails shows the journal's tail.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from akstwin.clock import SECOND
from akstwin.domain.identity import TRIED_AGAIN
from akstwin.domain.units import parse_duration
from akstwin.errors import AksError, NotFound
from akstwin.testing.attempts import told_apart
from akstwin.testing.entry import Entry

__all__ = ["Entry", "Journal"]

_TAIL: Final = 12
_KNOWN: Final = frozenset(field.name for field in fields(Entry))


class Journal:
    """Entries of a server's journal, as they were at one moment.

    Args:
        entries: in the order of the answers.
        dropped: how many older ones the server has dropped.
        note: what was asked for, for messages.
    """

    def __init__(self, entries: Iterable[Entry], dropped: int = 0, note: str = "") -> None:
        self.entries = tuple(entries)
        self.dropped = dropped
        self._note = note

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Journal":
        """A journal from what `GET /_akstwin/journal` answers, or from `Control.journal.document()`."""
        rows = ({name: value for name, value in row.items() if name in _KNOWN} for row in document["entries"])
        return cls((Entry(**{**row, "faults": tuple(row.get("faults", ()))}) for row in rows), document["dropped"])

    @classmethod
    def fetch(cls, url: str, *, limit: int = 1_000_000, **wanted: Any) -> "Journal":
        """The journal of a server.

        Args:
            url: the server's.
            limit: at most so many entries, the latest.
            wanted: only these: service, version, status, reason, since (µs).

        Raises:
            AksError: no server answers there, or it refuses.
        """
        import httpx  # noqa: PLC0415 - not needed by who has the entries

        try:
            answer = httpx.get(f"{url.rstrip('/')}/_akstwin/journal", params={"limit": limit, **wanted}, timeout=60)
        except httpx.HTTPError as error:
            raise AksError(f"{url}: {error}") from None
        if not answer.is_success:
            raise (NotFound if answer.status_code == 404 else AksError)(f"{url}: {answer.text[:500]}")
        return cls.read(answer.json())

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __repr__(self) -> str:
        return f"<Journal of {len(self)} requests{self._note}>"

    # -- questions

    def where(self, condition: Callable[[Entry], bool] | None = None, /, **wanted: Any) -> "Journal":
        """Only some entries.

        Args:
            condition: that holds for them.
            wanted: what an entry's attributes are: `service="fraud"`, `status=503`; a set or a list means any of it.

        Raises:
            TypeError: entries have no such attribute.
        """
        for name in wanted:
            if name not in _KNOWN:
                raise TypeError(f"entries have no {name}; they have {', '.join(sorted(_KNOWN))}")

        def fits(entry: Entry) -> bool:
            for name, value in wanted.items():
                found = getattr(entry, name)
                if not (found in value if isinstance(value, set | frozenset | list | tuple) else found == value):
                    return False
            return condition is None or condition(entry)

        chosen = "".join(f" {name}={value!r}" for name, value in wanted.items())
        return Journal(filter(fits, self.entries), self.dropped, f"{self._note}{chosen}")

    def since(self, instant: int) -> "Journal":
        """Only what came in at this instant, µs, or later."""
        return Journal((entry for entry in self if entry.arrived >= instant), self.dropped, self._note)

    def statuses(self) -> dict[int, int]:
        """How many of each status."""
        return dict(sorted(Counter(entry.status for entry in self).items()))

    def reasons(self) -> dict[str, int]:
        """How many of each reason."""
        return dict(sorted(Counter(entry.reason for entry in self if entry.reason is not None).items()))

    def split(self) -> dict[str, float]:
        """The share of each version among the requests that were meant for one, percent."""
        counts = Counter(entry.version for entry in self if entry.version is not None)
        total = counts.total()
        return {version: 100 * count / total for version, count in sorted(counts.items())}

    def missed(self) -> "Journal":
        """Only requests that matched no service or no route; each says why in its `note`."""
        return self.where(lambda entry: entry.status in (404, 405) or entry.service is None)

    def tail(self, count: int = _TAIL) -> str:
        """The latest entries, a line each."""
        shown = [str(entry) for entry in self.entries[-count:]]
        more = len(self) - len(shown)
        head = [f"… {more} before these"] if more else []
        return "\n".join(head + shown) or "(nothing)"

    # -- assertions

    def assert_statuses(self, *allowed: int, counts: Mapping[int, int] | None = None) -> None:
        """Every answer has one of these statuses: `assert_statuses(200, 503)`.

        Args:
            allowed: statuses, any number of each.
            counts: exactly so many of each: `assert_statuses(200, counts={503: 2})`.

        Raises:
            AssertionError: it is not so, or there are no entries.
        """
        wanted = counts or {}
        found = self.statuses()
        strange = {status: count for status, count in found.items() if status not in (*allowed, *wanted)}
        if strange:
            self._fail(f"answers that were not expected: {_counted(strange)}; expected {_listed((*allowed, *wanted))}")
        wrong = {status: count for status, count in wanted.items() if found.get(status, 0) != count}
        if wrong:
            self._fail(
                f"expected {_counted(wrong)}; there are {_counted({each: found.get(each, 0) for each in wrong})}"
            )
        if not found and not wanted:
            self._fail("there are no requests")

    def assert_split(self, shares: Mapping[str, Any] | None = None, /, *, tolerance: float = 3.0, **more: Any) -> None:
        """Versions got these shares of the requests that were meant for any.

        Args:
            shares: percent by version; also by name: `assert_split(green=20, tolerance=3)`. A share may bring its own
                tolerance: `assert_split(green=pytest.approx(20, abs=3))`.
            tolerance: by how many percentage points a share that is a number may differ.
            more: see `shares`.

        Raises:
            AssertionError: one differs by more, or there are no such requests.
        """
        found = self.split()
        total = sum(entry.version is not None for entry in self)
        if not total:
            self._fail("no request was meant for any version")
        off = {
            version: share
            for version, share in {**(shares or {}), **more}.items()
            if _differs(found.get(version, 0.0), share, tolerance)
        }
        if off:
            told = "; ".join(
                f"{version} {found.get(version, 0.0):.1f} %, expected {_expected(share, tolerance)} "
                f"(chance alone: ± {_deviation(getattr(share, 'expected', share), total):.1f})"
                for version, share in off.items()
            )
            self._fail(f"of {total} requests {told}")

    def assert_no_retry_storm(
        self, *, attempts: int = 5, amplification: float = 2.0, window: str | float = "10s"
    ) -> None:
        """Clients that were refused do not make it worse.

        A storm is one request tried more than `attempts` times, or a window with refusals in which all attempts together are
        more than `amplification` times the requests that were tried. Attempts at one request share its
        `x-ms-client-request-id`; without one, its body and credential, where each comes after a refusal of the one before
        (`akstwin.testing.attempts`).

        Args:
            attempts: of one request at most.
            amplification: attempts over requests in a window at most.
            window: how long a window is: a duration.

        Raises:
            AssertionError: there was a storm; or requests were refused whose attempts cannot be told apart: it says what to send.
        """
        if not any(entry.status in TRIED_AGAIN for entry in self):
            return
        requests, unclear = told_apart(self)
        if unclear:
            alike = " with one body and one credential were under way at once" if unclear[0].fingerprint else ""
            self._fail(
                f"{len(unclear)} requests{alike}, and refusals among them: attempts cannot be told from new requests; let the "
                "client send an x-ms-client-request-id, the same in each attempt"
            )
        worst = max(requests.values(), key=len)
        if len(worst) > attempts:
            named = worst[0].client_request_id
            name = (
                f"request {named}"
                if named is not None
                else "a request without a name, told by its body and credential,"
            )
            self._fail(f"{name} was tried {len(worst)} times, more than {attempts}:\n{Journal(worst).tail()}")
        span = parse_duration(window)
        request_of = {entry.id: key for key, tried in requests.items() for entry in tried}
        for start, members in _windows(self, span).items():
            count = len({request_of[entry.id] for entry in members})
            stormy = any(entry.status in TRIED_AGAIN for entry in members)
            if stormy and len(members) > amplification * count:
                self._fail(
                    f"{len(members)} attempts at {count} requests in the {span / SECOND:g} s from "
                    f"{start / SECOND:g} s: {len(members) / count:.1f} each, more than {amplification:g}"
                )

    def _fail(self, text: str) -> None:
        gone = f"\n({self.dropped} older entries were dropped by the server)" if self.dropped else ""
        raise AssertionError(f"{text}{gone}\nthe journal's tail{self._note}:\n{self.tail()}")


def _windows(entries: Iterable[Entry], span: int) -> dict[int, list[Entry]]:
    found: dict[int, list[Entry]] = {}
    for entry in sorted(entries, key=lambda each: each.arrived):
        found.setdefault(entry.arrived // span * span, []).append(entry)
    return found


def _differs(found: float, share: Any, tolerance: float) -> bool:
    return abs(found - share) > tolerance if isinstance(share, int | float) else bool(found != share)


def _expected(share: Any, tolerance: float) -> str:
    return f"{share:g} ± {tolerance:g}" if isinstance(share, int | float) else str(share)


def _deviation(share: float, total: int) -> float:
    """The standard deviation of a share drawn by chance, percentage points."""
    part = min(max(share / 100, 0.0), 1.0)
    return 100 * float((part * (1 - part) / total) ** 0.5)


def _counted(counts: Mapping[int, int]) -> str:
    return ", ".join(f"{count} × {status or 'no answer'}" for status, count in sorted(counts.items()))


def _listed(statuses: Iterable[int]) -> str:
    return ", ".join(str(status) for status in sorted(set(statuses))) or "none"
