"""Logs as they come: CSV, Parquet and JSON lines, times in every usual form, repeated attempts left out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from akstwin.errors import AksError
from akstwin.scenarios.columns import Column
from akstwin.scenarios.instants import read_instants
from akstwin.scenarios.load import prepare
from akstwin.scenarios.logs.records import Reading
from akstwin.scenarios.run import run

START = datetime(2026, 11, 16, 7, 0, 0, 827_000, tzinfo=UTC)
OFFSETS = (0, 39_676_000, 42_000_001)
TIMES = [START + timedelta(microseconds=offset) for offset in OFFSETS]
EPOCH = 1_794_812_400_827_000


def read(path: Path, text: str | None = None, **options: Any) -> Column:
    """What is read of a file, with a text in it."""
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return read_instants(path, Reading("traffic[0].file", **options))


def lines(*cells: str, heading: str = "timestamp") -> str:
    """A CSV file of one column."""
    return "\n".join((heading, *cells)) + "\n"


def test_the_epoch_is_the_starts() -> None:
    """What the other tests rest on."""
    assert timedelta(microseconds=EPOCH) == START - datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "cells",
    [
        [each.isoformat() for each in TIMES],
        [each.isoformat().replace("+00:00", "Z") for each in TIMES],
        [each.replace(tzinfo=None).isoformat(sep=" ") for each in TIMES],
        [(each + timedelta(hours=1)).replace(tzinfo=None).isoformat() + "+01:00" for each in TIMES],
        [f"{EPOCH + offset}" for offset in OFFSETS],
        [f"{EPOCH + offset}000" for offset in OFFSETS],
        [f"{(EPOCH + offset) / 1e6:.6f}" for offset in OFFSETS],
        [f"{(EPOCH + offset) // 1000}.{(EPOCH + offset) % 1000:03}" for offset in OFFSETS],
    ],
    ids=["iso", "iso-z", "iso-bare", "iso-zone", "epoch-us", "epoch-ns", "epoch-s", "epoch-ms"],
)
def test_times_in_every_form_are_the_same_instants(tmp_path: Path, cells: list[str]) -> None:
    """The first is t = 0, to the microsecond."""
    found = read(tmp_path / "log.csv", lines(*cells))
    assert found.values == OFFSETS
    assert "column timestamp of log.csv was read as times; t = 0 is 2026-11-16T07:00:00.827000Z." in found.note


@pytest.mark.parametrize(
    ("cell", "unit"),
    [("1794812400", "seconds"), ("1794812400827", "milliseconds"), ("1794812400827000", "microseconds"),
     ("1794812400827000000", "nanoseconds")],
)  # fmt: skip
def test_the_note_says_what_numbers_since_1970_were_read_as(tmp_path: Path, cell: str, unit: str) -> None:
    """By their size, unless the heading says it."""
    assert f"Numbers are {unit} since 1970." in read(tmp_path / "log.csv", lines(cell)).note


def test_a_zone_counts_where_clocks_change(tmp_path: Path) -> None:
    """On 25 October 2026 the hour from 2 to 3 comes twice in Berlin: from 1:30 to 3:30 are three hours."""
    text = lines("2026-10-25 01:30:00", "2026-10-25 03:30:00")
    assert read(tmp_path / "log.csv", text).values == (0, 2 * 3600 * 10**6)
    berlin = read(tmp_path / "log.csv", text, zone="Europe/Berlin")
    assert berlin.values == (0, 3 * 3600 * 10**6)
    assert "Times without a zone are in Europe/Berlin." in berlin.note


def test_a_log_is_written_when_answers_are_given(tmp_path: Path) -> None:
    """So its requests are put into the order in which they came."""
    cells = [each.isoformat() for each in (TIMES[1], TIMES[0], TIMES[2])]
    assert read(tmp_path / "log.csv", lines(*cells)).values == OFFSETS


@pytest.mark.parametrize("heading", ["timestamp", "timestamp [UTC]", "@timestamp", "Time", "ts", "datetime"])
def test_the_column_of_times_is_found(tmp_path: Path, heading: str) -> None:
    """By what it is called, wherever it stands."""
    text = f"status,{heading},took_ms\n" + "".join(f"200,{each.isoformat()},5\n" for each in TIMES)
    assert read(tmp_path / "log.csv", text).values == OFFSETS


def test_the_column_of_times_can_be_named(tmp_path: Path) -> None:
    """Where two could be meant."""
    text = f"timestamp,received\n2020-01-01T00:00:00Z,{TIMES[0].isoformat()}\n2020-01-01T00:00:00Z,{TIMES[1].isoformat()}\n"
    assert read(tmp_path / "log.csv", text, column="received").values == OFFSETS[:2]


@pytest.mark.parametrize(
    ("heading", "first", "again"), [("attempt", "1", "2"), ("retry_count", "0", "1"), ("retry", "false", "true")]
)
def test_repeats_are_left_out_and_counted(tmp_path: Path, heading: str, first: str, again: str) -> None:
    """They are answers to refusals of then; clients make those of now."""
    rows = [(TIMES[0], first), (TIMES[1], again), (TIMES[2], first)]
    text = f"timestamp,{heading}\n" + "".join(f"{each.isoformat()},{number}\n" for each, number in rows)
    found = read(tmp_path / "log.csv", text)
    assert found.values == (OFFSETS[0], OFFSETS[2])
    assert "1 repeated attempts were left out" in found.note


def test_json_lines_and_parquet_are_read_alike(tmp_path: Path) -> None:
    """Text, numbers and times of the format's own."""
    rows = [{"id": number, "timestamp": each.isoformat(), "attempt": 1} for number, each in enumerate(TIMES)]
    assert read(tmp_path / "log.jsonl", "\n\n".join(map(json.dumps, rows)) + "\n").values == OFFSETS
    for name, column in (
        ("text", pa.array([each.isoformat() for each in TIMES])),
        ("us", pa.array(TIMES, pa.timestamp("us", "UTC"))),
        ("epoch", pa.array([EPOCH + offset for offset in OFFSETS])),
    ):
        pq.write_table(pa.table({"id": [1, 2, 3], "timestamp": column}), tmp_path / f"{name}.parquet")
        assert read(tmp_path / f"{name}.parquet").values == OFFSETS


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        ("log.csv", lines("2026-11-16T07:00:00Z", "soon"), {}, "line 3: 'soon' is not a time such as 2026-11-16T08"),
        ("log.csv", lines("2026-11-16T07:00:00Z", "5"), {}, "line 3: '5' is neither a date nor a time since 1970"),
        ("log.csv", lines("5", "7"), {}, "line 2: '5' has no unit: 5 ms or 5 s? Name the column timestamp_ms or timestamp_s"),
        ("log.csv", lines("1", "2"), {"zone": "Mars/Base"}, "traffic[0].zone: 'Mars/Base' is not a time zone such as UTC"),
        ("log.csv", "timestamp,attempt\n2026-11-16,x\n", {}, "line 2: 'x' is not the number of an attempt"),
        ("log.jsonl", '{"timestamp": "1s"}\n[2]\n', {}, "line 2: expected a JSON object"),
        ("log.jsonl", "timestamp\n", {}, "line 1: expected a JSON object"),
        ("log.jsonl", "", {}, "has no values; expected one a line"),
        ("log.parquet", "no", {}, "cannot be read: not a Parquet file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path: Path, name: str, text: str, options: dict[str, str], said: str) -> None:
    """The file, the line, what stood there."""
    with pytest.raises(AksError) as refused:
        read(tmp_path / name, text, **options)
    assert said in str(refused.value)


def test_a_log_is_replayed_with_its_own_durations(tmp_path: Path) -> None:
    """One file gives the arrivals and the service times, each from its column."""
    rows = "".join(
        f"{each.isoformat()},POST,200,{took}\n" for each, took in zip(TIMES, (92.9, 91.8, 66.1), strict=True)
    )
    (tmp_path / "access.csv").write_text(f"timestamp,method,status,duration_ms\n{rows}", encoding="utf-8")
    times = {"distribution": "empirical", "file": "access.csv", "column": "duration_ms"}
    document = {
        "duration": "1m",
        "webservice": {"name": "fraud", "deploy": {"num_replicas": 2}, "model": {"service_time": times}},
        "traffic": {"shape": "trace", "file": "access.csv"},
        "assumptions": {"router_overhead": "0s"},
    }
    result = run(prepare(document, tmp_path / "s.yaml"))
    assert result["requests"] == 3
    assert result["latency_ms"]["max"] in (92.9, 91.8, 66.1)
    assert any("column duration_ms of access.csv was read in milliseconds" in note for note in result["notes"])
