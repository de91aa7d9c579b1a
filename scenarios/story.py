"""The story of one request, from a trace: when it came, where it waited, what each replica was doing, why it was answered so."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from akstwin.errors import InvalidSetting, UnreadableFile
from akstwin.scenarios.trace import REPLICA, REQUEST, SCHEMA
from akstwin.scenarios.wording import MEANINGS

Row = dict[str, Any]
_REPLICAS_NAMED: Final = 3
_LOOK_BACK: Final = 300_000_000
"""µs before a request in which an event may have to do with it."""
_EVENTS_NAMED: Final = 3
_ROUTINE: Final = ("pod_created", "pod_scheduled", "container_started")
_READY: Final = "Ready"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which request.

    Attributes:
        replication: it is of.
        number: of the request within its traffic entry; None: the first that was answered with `status`.
        entry: of the traffic.
        attempt: which of its attempts, from 1.
        status: see above.
        service: of several, the one that it came to; None: there is one.
    """

    replication: int = 1
    number: int | None = None
    entry: int = 0
    attempt: int = 1
    status: int | None = None
    service: str | None = None

    def is_it(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of a trace is the attempt that is asked for."""
        if self.service is not None and row["service"] != self.service:
            return False
        if self.number is None:
            return bool(row["status"] == self.status)
        return bool((row["number"], row["entry"], row["attempt"]) == (self.number, self.entry, self.attempt - 1))


@dataclass(slots=True)
class _Scene:
    """What a trace holds around one attempt.

    Attributes:
        attempt: its row.
        others: the other attempts of its request.
        around: attempts for its version that were there while it was.
        replicas: the state of each replica of its version when it was decided.
        events: of the cluster or the service, up to its answer.
    """

    attempt: Row
    others: list[Row] = field(default_factory=list)
    around: list[Row] = field(default_factory=list)
    replicas: dict[int, str] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)


def tell(path: Path, asked: Asked) -> list[str]:
    """The story, in ten lines at most.

    Args:
        path: a trace that `akstwin run --trace` wrote.
        asked: which request.

    Raises:
        InvalidSetting: the trace has no such request.
        UnreadableFile: the file is no trace, or one without all that the story needs.
    """
    _check(path)
    attempt = _find(path, asked)
    return _lines(_scene(path, asked.replication, attempt), asked.replication)


# -- reading


def _check(path: Path) -> None:
    try:
        names = pq.read_schema(path).names
    except (OSError, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a Parquet file"
        raise UnreadableFile(str(path), f"cannot be read: {reason}") from None
    missing = [name for name in SCHEMA.names if name not in names]
    if missing:
        raise UnreadableFile(
            str(path), f"is no trace of this version: it has no column {missing[0]}; akstwin run --trace writes one"
        )


def _rows(path: Path, replication: int) -> Iterator[list[Row]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            yield [row for row in batch.to_pylist() if row["replication"] == replication]


def _find(path: Path, asked: Asked) -> Row:
    largest = -1
    found: Row | None = None
    services: dict[str, None] = {}  # in the order of their first requests
    for rows in _rows(path, asked.replication):
        for row in rows:
            if row["kind"] != REQUEST:
                continue
            services.setdefault(row["service"])
            if found is None and asked.is_it(row):
                found = row
            if row["entry"] == asked.entry and asked.service in (None, row["service"]):
                largest = max(largest, row["number"])
        if found is not None and asked.service is not None:
            return found
    check_service(asked, list(services))
    if found is not None:
        return found
    if asked.number is None:
        raise InvalidSetting("--first", asked.status, f"the status of any answer in replication {asked.replication}")
    if largest >= asked.number and asked.attempt > 1:
        raise InvalidSetting("--attempt", asked.attempt, f"an attempt that request {asked.number} had")
    there = f"its requests are 0 to {largest}" if largest >= 0 else "it has none"
    where = f"traffic[{asked.entry}] in replication {asked.replication}"
    raise InvalidSetting("--request", asked.number, f"a request of {where}: {there}")


def check_service(asked: Asked, services: Sequence[str]) -> None:
    """Refuse a request of several services that does not say which, or one that is not there.

    Raises:
        InvalidSetting: naming `--service`.
    """
    if asked.service is None and len(services) > 1:
        raise InvalidSetting("--service", None, f"one of {', '.join(services)}: each has requests of its own")
    if asked.service is not None and asked.service not in services:
        there = ", ".join(services) or "there is none"
        raise InvalidSetting("--service", asked.service, f"a service with requests: {there}")


def _scene(path: Path, replication: int, attempt: Row) -> _Scene:
    found = _Scene(attempt)
    came, decided, settled = attempt["arrived_us"], _decided(attempt), attempt["settled_us"]
    for rows in _rows(path, replication):
        for row in rows:
            if row["service"] not in (None, attempt["service"]):
                continue
            if row["kind"] == REQUEST:
                _add_request(found, row, came, decided)
            elif row["kind"] == REPLICA:
                if row["subject"] == attempt["subject"] and row["at_us"] <= decided:
                    found.replicas[row["replica"]] = row["detail"]
            elif row["at_us"] <= settled and row["kind"] not in _ROUTINE:
                found.events.append(row)
    return found


def _add_request(found: _Scene, row: Row, came: int, decided: int) -> None:
    attempt = found.attempt
    if (row["entry"], row["number"]) == (attempt["entry"], attempt["number"]):
        if row["attempt"] != attempt["attempt"]:
            found.others.append(row)
    elif row["subject"] == attempt["subject"] and row["arrived_us"] <= decided and row["settled_us"] >= came:
        found.around.append(row)


def _decided(attempt: Row) -> int:
    """When it was sent to a replica, or refused."""
    dispatched = attempt["dispatched_us"]
    return int(attempt["settled_us"] if dispatched is None else dispatched)


# -- telling


def _lines(scene: _Scene, replication: int) -> list[str]:
    return [
        _coming(scene, replication),
        *_company(scene),
        _waiting(scene),
        *_replicas(scene),
        _answer(scene.attempt),
        *_events(scene),
        *_again(scene),
    ]


def at(instant: int) -> str:
    """An instant of the scenario."""
    return f"{instant / 1e6:.6f}".rstrip("0").rstrip(".") + " s"


def _for(span: int) -> str:
    return f"{span / 1000:.3f}".rstrip("0").rstrip(".") + " ms"


def _coming(scene: _Scene, replication: int) -> str:
    row = scene.attempt
    attempts = len(scene.others) + 1
    which = f"attempt {row['attempt'] + 1} of {attempts}" if attempts > 1 else "its only attempt"
    meant = f"for version {row['subject']}" if row["subject"] else "for no version: it was refused before that"
    place = f"traffic[{row['entry']}], replication {replication}"
    return f"Request {row['number']} of {place}, {which}, came at {at(row['arrived_us'])} {meant}."


def _holds(row: Row, instant: int) -> bool:
    """Whether an attempt has a place on a replica just before an instant."""
    return row["dispatched_us"] is not None and row["dispatched_us"] < instant <= row["settled_us"]


def _company(scene: _Scene) -> list[str]:
    if scene.attempt["subject"] is None:
        return []
    came = scene.attempt["arrived_us"]
    waiting = sum(row["arrived_us"] < came < _decided(row) for row in scene.around)
    under_way = sum(_holds(row, came) for row in scene.around)
    ready = sum("seen ready" in state for state in scene.replicas.values())
    said = f"Then {_many(waiting, 'request')} waited before it and {under_way} were under way"
    return [f"{said}; when it was sent or refused, the router saw {_many(ready, 'ready replica')}."]


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _waiting(scene: _Scene) -> str:
    row = scene.attempt
    waited = _decided(row) - row["arrived_us"]
    if row["dispatched_us"] is None:
        if waited == 0:
            return "It did not wait: it was refused at once."
        return f"It waited {_for(waited)} in the queue, to {at(_decided(row))}, and no place became free for it."
    name = _name(row["subject"], row["replica"])
    if waited == 0:
        return f"It did not wait: {name} had a free place and got it at once."
    freed = [
        each
        for each in scene.around
        if each["replica"] == row["replica"] and each["settled_us"] == row["dispatched_us"]
    ]
    why = f", where request {freed[0]['number']} had ended" if freed else ", when it could take one more"
    return f"It waited {_for(waited)} in the queue, to {at(row['dispatched_us'])}; then {name} got it{why}."


def _name(version: str, replica: int) -> str:
    return f"replica {version}-{replica}"


def _replicas(scene: _Scene) -> list[str]:
    """What each was doing just before the request was sent or refused; many that did the same stand together."""
    version, instant = scene.attempt["subject"], _decided(scene.attempt)
    if version is None:
        return []
    lost = _lost_nodes(scene.events, instant)
    held: dict[int, list[Row]] = {}
    for row in scene.around:
        if _holds(row, instant):
            held.setdefault(row["replica"], []).append(row)
    known = {number: state for number, state in scene.replicas.items() if not state.startswith("Gone")}
    numbers = sorted({*known, *held}, key=lambda number: (number != scene.attempt["replica"], number))
    if not numbers:
        return [f"No replica of {version} was there at {at(instant)}."]
    doings = {number: _doing(known.get(number, ""), held.get(number, []), instant, lost) for number in numbers}
    named = numbers if len(numbers) <= _REPLICAS_NAMED + 1 else numbers[:_REPLICAS_NAMED]
    lines = [f"At {at(instant)} {_name(version, number)} {doings[number][1]}." for number in named]
    rest = Counter(doings[number][0] for number in numbers[len(named) :])
    if rest:
        lines.append(
            "Of the other replicas " + ", ".join(f"{count} {what}" for what, count in rest.most_common()) + "."
        )
    return lines


def _lost_nodes(events: Sequence[Row], instant: int) -> set[str]:
    lost: set[str] = set()
    for row in events:
        if row["at_us"] > instant:
            continue
        if row["kind"] == "node_lost":
            lost.add(row["subject"])
        elif row["kind"] == "node_back":
            lost.discard(row["subject"])
    return lost


def _doing(state: str, held: list[Row], instant: int, lost: set[str]) -> tuple[str, str]:
    """In short, to be counted, and as a sentence's end."""
    words = state.split(", ")
    node = next((word for word in words if word.startswith("node ")), "")
    place = f" (on {node})" if node else ""
    if node in lost:
        return "were silent: their node was lost", f"{place.strip()} was silent: {node} was lost{_with(held)}"
    if words[0] == _READY and "seen ready" not in words:
        return (
            "were ready, unknown to the router",
            f"{place.strip()} was ready, which the router did not know yet{_with(held)}",
        )
    if words[0] not in (_READY, ""):
        return f"were {words[0]}", f"{place.strip()} was {words[0]}{_with(held)}"
    if not held:
        return "had a free place", f"{place.strip()} had no request".strip()
    if all(row["started_us"] is None or row["started_us"] >= instant for row in held):
        return "held requests that no worker had begun", f"{place.strip()} held {_named(held)} that no worker had begun"
    return "ran requests", f"{place.strip()} ran {_named(held)}".strip()


def _with(held: list[Row]) -> str:
    return f", and held {_named(held)}" if held else ""


def _named(held: list[Row]) -> str:
    first = min(held, key=lambda row: row["dispatched_us"])
    said = f"request {first['number']} from {at(first['dispatched_us'])} to {at(first['settled_us'])}"
    return f"{said} and {len(held) - 1} more" if len(held) > 1 else said


def _answer(row: Row) -> str:
    whole = row["at_us"] - row["arrived_us"]
    said = f"It was answered {row['status']} at {at(row['at_us'])}, after {_for(whole)}"
    if row["reason"] is not None:
        return f"{said}: {row['reason']}, {MEANINGS.get(row['reason'], 'as it is called')}."
    parts = [f"{_for(row['dispatched_us'] - row['arrived_us'])} in the queue"]
    if row["started_us"] is not None:
        if row["started_us"] > row["dispatched_us"]:
            parts.append(f"{_for(row['started_us'] - row['dispatched_us'])} until a worker began")
        parts.append(f"{_for(row['settled_us'] - row['started_us'])} in the model")
    if row["at_us"] > row["settled_us"]:
        parts.append(f"{_for(row['at_us'] - row['settled_us'])} of the router's")
    return f"{said}: {', '.join(parts)}."


def _events(scene: _Scene) -> list[str]:
    row = scene.attempt
    near = [each for each in scene.events if each["at_us"] >= row["arrived_us"] - _LOOK_BACK]
    if not near:
        return []
    told = [
        f"{each['kind']} {each['subject']}{' ' + each['detail'] if each['detail'] else ''} at {at(each['at_us'])}"
        for each in near[-_EVENTS_NAMED:]
    ]
    return [f"What had happened last: {'; '.join(told)}."]


def _again(scene: _Scene) -> list[str]:
    row = scene.attempt
    later = sorted(
        (each for each in scene.others if each["attempt"] > row["attempt"]), key=lambda each: each["attempt"]
    )
    if later:
        last = later[-1]
        return [
            f"Its client tried again {_times(len(later))}, the last time at {at(last['arrived_us'])}, and got {last['status']}."
        ]
    return [] if row["status"] == 200 else ["Its client did not try again."]


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
