"""What a test that failed tells beside its traceback: how to play it again, and the journal's tail."""

import shlex
from collections.abc import Iterable
from typing import Final

from akstwin.clock import SECOND
from akstwin.errors import AksError
from akstwin.testing.entry import Entry
from akstwin.testing.served import AksServer

_ROWS: Final = 20
_HEADS: Final = ("arrived s", "service", "version", "replica", "status", "latency ms", "waited ms", "attempt", "why")
_TO_THE_RIGHT: Final = frozenset({0, 3, 4, 5, 6, 7})


def replay(node: str, seed: int, marker: str = "") -> str:
    """The command that runs a test again with the same chance.

    Args:
        node: the test's id.
        seed: of its worlds.
        marker: what the id has in its brackets for the seed, if it was one of several.
    """
    if marker:
        for found, left in ((f"[{marker}]", ""), (f"[{marker}-", "["), (f"-{marker}", "")):
            if found in node:
                node = node.replace(found, left, 1)
                break
    return f"pytest {shlex.quote(node)} --aks-seed {seed}"


def told_of(server: AksServer) -> str:
    """The state of a server's workspace, and its latest requests."""
    try:
        journal, now = server.journal, server.clock.now()
    except AksError as error:
        return f"the server tells nothing more: {error}"
    shown = journal.entries[-_ROWS:]
    count = f"the last {len(shown)} of {len(journal) + journal.dropped}" if len(shown) < len(journal) else "all"
    head = f"server: {server.url}  clock: {server.clock.mode}, at {now / SECOND:.6f} s"
    if not shown:
        return f"{head}\njournal: no requests"
    return f"{head}\njournal, {count}:\n{table(shown)}"


def table(entries: Iterable[Entry]) -> str:
    """Rows of a journal as a table, aligned."""
    rows = [_HEADS, *(_row(entry) for entry in entries)]
    used = [at for at in range(len(_HEADS)) if any(row[at] for row in rows[1:])]
    widths = {at: max(len(row[at]) for row in rows) for at in used}
    return "\n".join(
        "  ".join(
            row[at].rjust(widths[at]) if at in _TO_THE_RIGHT else row[at].ljust(widths[at]) for at in used
        ).rstrip()
        for row in rows
    )


def _row(entry: Entry) -> tuple[str, ...]:
    why = [str(each) for each in (entry.reason, *entry.faults, entry.note) if each]
    return (
        f"{entry.arrived / SECOND:.6f}",
        entry.service or f"{entry.method} {entry.path}",
        entry.version or "",
        "" if entry.replica is None else str(entry.replica),
        str(entry.status or "none"),
        f"{entry.latency / 1000:.3f}",
        f"{entry.queue_wait / 1000:.3f}" if entry.queue_wait else "",
        "" if entry.attempt is None else str(entry.attempt),
        "  ".join(why),
    )
