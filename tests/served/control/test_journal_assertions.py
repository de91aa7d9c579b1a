"""Questions to a journal, and assertions that say what is wrong."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from akstwin.errors import AksError
from akstwin.testing.journal import Entry, Journal

Town = Any


def journal(*entries: Entry, dropped: int = 0) -> Journal:
    """A journal of these."""
    return Journal(entries, dropped)


def of_versions(**counts: int) -> Journal:
    """So many requests of each version."""
    return journal(*(Entry(at, "svc", version, status=200) for version, count in counts.items() for at in range(count)))


def tries(name: str | None, count: int, status: int = 503, at: int = 0) -> list[Entry]:
    """A request tried so often, every 0.1 s."""
    return [
        Entry(at, "svc", arrived=at + 100_000 * n, status=status, client_request_id=name, attempt=n + 1)
        for n in range(count)
    ]


def alike(fingerprint: str, statuses: list[int], at: int = 0) -> list[Entry]:
    """Requests with one body and one credential, one after another, every 0.1 s."""
    return [
        Entry(
            at + n,
            "svc",
            arrived=at + 100_000 * n,
            answered=at + 100_000 * n + 50,
            status=status,
            fingerprint=fingerprint,
        )
        for n, status in enumerate(statuses)
    ]


class TestQuestions:
    """Choosing and counting."""

    def test_where(self) -> None:
        """By attributes, by any of several values, by a condition."""
        mixed = journal(
            Entry(1, "a", status=200), Entry(2, "b", status=503, reason="queue_full"), Entry(3, "a", status=502)
        )
        assert len(mixed.where(service="a")) == 2
        assert [entry.id for entry in mixed.where(status={502, 503})] == [2, 3]
        assert [entry.id for entry in mixed.where(lambda entry: entry.id > 1, service="a")] == [3]
        assert mixed.statuses() == {200: 1, 502: 1, 503: 1}
        assert mixed.reasons() == {"queue_full": 1}
        with pytest.raises(TypeError, match="no colour"):
            mixed.where(colour="red")

    def test_since(self) -> None:
        """By arrival."""
        assert [entry.id for entry in journal(Entry(1, arrived=5), Entry(2, arrived=9)).since(6)] == [2]

    def test_split(self) -> None:
        """Of what was meant for a version."""
        assert of_versions(blue=3, green=1).split() == {"blue": 75.0, "green": 25.0}
        assert journal(Entry(1, status=404)).split() == {}

    def test_a_journal_reads_what_a_newer_server_says(self) -> None:
        """What it does not know, it passes over."""
        read = Journal.read({"entries": [{"id": 1, "status": 200, "colour": "red", "faults": ["f1"]}], "dropped": 2})
        assert read.entries == (Entry(1, status=200, faults=("f1",)),)
        assert read.dropped == 2

    def test_no_server(self) -> None:
        """Said with its address."""
        with pytest.raises(AksError, match=r"127\.0\.0\.1:9"):
            Journal.fetch("http://127.0.0.1:9")


class TestSplit:
    """`assert_split`."""

    def test_holds(self) -> None:
        """Within the tolerance, by name or by mapping."""
        of_versions(blue=79, green=21).assert_split(green=20, tolerance=3)
        of_versions(blue=79, green=21).assert_split({"green": 18, "blue": 82})
        of_versions(blue=5).assert_split(blue=100, green=0)

    def test_a_share_may_bring_its_own_tolerance(self) -> None:
        """As pytest says it."""
        found = of_versions(blue=79, green=21)
        found.assert_split(green=pytest.approx(20, abs=2), tolerance=0)
        with pytest.raises(AssertionError, match=r"green 21\.0 %, expected 20 ± 0\.5.* \(chance alone: ± 4\.0\)"):
            found.assert_split(green=pytest.approx(20, abs=0.5))

    def test_does_not(self) -> None:
        """The message has what was found, how many there were, what chance alone does, and the tail."""
        with pytest.raises(AssertionError) as caught:
            of_versions(blue=60, green=40).assert_split(green=20, tolerance=3)
        text = str(caught.value)
        assert "of 100 requests green 40.0 %, expected 20 ± 3 (chance alone: ± 4.0)" in text
        assert "… 88 before these" in text
        assert text.count("\n") == 14

    def test_of_nothing(self) -> None:
        """No requests are no proof."""
        with pytest.raises(AssertionError, match="no request was meant for any version"):
            journal(Entry(1, status=404)).assert_split(green=20)


class TestStatuses:
    """`assert_statuses`."""

    def test_holds(self) -> None:
        """Allowed, or counted."""
        mixed = journal(Entry(1, status=200), Entry(2, status=200), Entry(3, status=503))
        mixed.assert_statuses(200, 503)
        mixed.assert_statuses(200, counts={503: 1})
        mixed.assert_statuses(counts={200: 2, 503: 1})
        journal().assert_statuses(counts={503: 0})

    @pytest.mark.parametrize(
        ("allowed", "counts", "told"),
        [
            ((200,), None, "not expected: 1 × 503; expected 200"),
            ((), {200: 2}, "not expected: 1 × 503"),
            ((200,), {503: 2}, "expected 2 × 503; there are 1 × 503"),
        ],
    )
    def test_does_not(self, allowed: tuple[int, ...], counts: dict[int, int] | None, told: str) -> None:
        """It says which."""
        mixed = journal(
            Entry(1, status=200), Entry(2, status=200), Entry(3, status=503, reason="queue_full"), dropped=4
        )
        with pytest.raises(AssertionError) as caught:
            mixed.assert_statuses(*allowed, counts=counts)
        assert told in str(caught.value)
        assert "4 older entries were dropped" in str(caught.value)
        assert "queue_full" in str(caught.value)

    def test_of_nothing(self) -> None:
        """No requests are no proof."""
        with pytest.raises(AssertionError, match="there are no requests"):
            journal().assert_statuses(200)


class TestRetryStorms:
    """`assert_no_retry_storm`."""

    def test_holds(self) -> None:
        """Where nothing was refused; where few were tried again."""
        journal().assert_no_retry_storm()
        journal(*tries(None, 50, 200)).assert_no_retry_storm()
        quiet = [each for at in range(20) for each in tries(f"q{at}", 1, 200, at * 1000)]
        journal(*tries("a", 3), *quiet).assert_no_retry_storm()

    def test_one_request_too_often(self) -> None:
        """It is shown."""
        with pytest.raises(AssertionError, match="request a was tried 9 times, more than 5"):
            journal(*tries("a", 9)).assert_no_retry_storm()
        journal(*tries("a", 9), *(Entry(at, "svc", status=200, client_request_id=f"b{at}") for at in range(20))).where(
            client_request_id={"a", *(f"b{at}" for at in range(20))}
        ).assert_no_retry_storm(attempts=9)

    def test_all_together(self) -> None:
        """Each within its limit, and still too much."""
        with pytest.raises(
            AssertionError, match=r"40 attempts at 10 requests in the 10 s from 0 s: 4\.0 each, more than 2"
        ):
            journal(*(each for at in range(10) for each in tries(f"r{at}", 4, at=at))).assert_no_retry_storm()

    def test_connections_that_ended(self) -> None:
        """A client that got no answer tries again, too."""
        with pytest.raises(AssertionError, match="tried 6 times"):
            journal(*tries("a", 6, 0)).assert_no_retry_storm()

    def test_attempts_without_a_name_are_told_by_body_and_credential(self) -> None:
        """Each comes after a refusal of the one before; after an answer that was none, the next is another request."""
        with pytest.raises(AssertionError, match="told by its body and credential, was tried 6 times, more than 5"):
            journal(*alike("f", [503] * 6)).assert_no_retry_storm()
        journal(*alike("f", [503, 200] * 6)).assert_no_retry_storm()
        journal(*alike("f", [503] * 5), *alike("g", [503] * 5, at=9)).assert_no_retry_storm(amplification=5)
        with pytest.raises(AssertionError, match=r"10 attempts at 2 requests .* 5\.0 each"):
            journal(*alike("f", [503] * 5), *alike("g", [503] * 5, at=9)).assert_no_retry_storm()

    def test_a_name_for_some_hides_no_storm_of_the_others(self) -> None:
        """Both kinds are counted."""
        named = [
            Entry(number, "svc", arrived=number, status=200, client_request_id=f"n{number}") for number in range(30)
        ]
        with pytest.raises(AssertionError, match="was tried 9 times"):
            journal(*named, *alike("f", [503] * 9)).assert_no_retry_storm()

    def test_requests_alike_at_once_prove_nothing(self) -> None:
        """Attempts cannot be told from new requests: it says what to send."""
        at_once = [Entry(number, "svc", arrived=0, answered=50, status=503, fingerprint="f") for number in range(2)]
        with pytest.raises(
            AssertionError, match=r"2 requests with one body .* let the client send an x-ms-client-request-id"
        ):
            journal(*at_once).assert_no_retry_storm()
        answered = [replace(entry, status=200, id=entry.id + 10) for entry in at_once]
        journal(*answered, *alike("g", [503, 200])).assert_no_retry_storm()

    def test_refused_requests_without_any_mark_prove_nothing(self) -> None:
        """As on a server before fingerprints."""
        with pytest.raises(AssertionError, match="let the client send an x-ms-client-request-id"):
            journal(*tries(None, 2)).assert_no_retry_storm()


def test_a_server_tells_attempts_apart_without_a_header(serve: Callable[..., None]) -> None:
    """Bodies that differ are other requests; nothing of the body or the key is in the journal."""

    async def scene(town: Town) -> None:
        town.deploy("svc", version_name="blue", traffic_percentile=100)
        await town.call("POST", "faults", {"kind": "drop_connection", "count": 6, "before": True})
        for number in range(6):
            with pytest.raises(httpx.TransportError):
                await town.score(body=json.dumps({"data": number % 2}).encode())
        held = Journal.read(town.control.journal.document())
        assert held.statuses() == {0: 6}
        assert len({entry.fingerprint for entry in held}) == 2
        with pytest.raises(AssertionError, match="6 attempts at 2 requests"):
            held.assert_no_retry_storm()
        held.assert_no_retry_storm(amplification=3)

    serve(scene)


def test_over_http(serve: Callable[..., None]) -> None:
    """Fetched, it is what the server has."""

    async def scene(town: Town) -> None:
        town.deploy("svc", version_name="blue", traffic_percentile=100)
        for number in range(4):
            await town.score(x_ms_client_request_id=f"r{number}")
        fetched = await asyncio.to_thread(Journal.fetch, town.server.first.http)
        local = Journal.read(town.control.journal.document())
        assert fetched.entries == local.entries
        fetched.assert_split(blue=100)
        fetched.assert_statuses(200)
        fetched.assert_no_retry_storm()
        assert "attempt 1" in fetched.tail()
        assert len(await asyncio.to_thread(Journal.fetch, town.server.first.http, status=503)) == 0
        assert repr(fetched.where(status=200)) == "<Journal of 4 requests status=200>"

    serve(scene)
