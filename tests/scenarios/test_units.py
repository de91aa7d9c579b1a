"""How numbers without a unit are read, and that the result says so."""

from pathlib import Path
from typing import Any

import pytest

from akstwin.scenarios.columns import read_column
from akstwin.scenarios.load import prepare
from akstwin.scenarios.logs.values import unit_of
from akstwin.scenarios.run import run

SERVICE = {"name": "fraud", "deploy": {"num_replicas": 2}}


def notes(tmp_path: Path, **settings: Any) -> list[str]:
    """What is said of how the scenario was read."""
    document = {"duration": "10s", "webservice": SERVICE, "traffic": {"shape": "poisson", "rate": 5}, **settings}
    return list(prepare(document, tmp_path / "s.yaml").notes)


def test_where_every_span_has_a_unit_nothing_is_said(tmp_path: Path) -> None:
    """Counts, rates and settings whose name says the unit are no spans."""
    deploy = {"num_replicas": 2, "initial_delay_seconds": 30, "scoring_timeout_ms": 1000}
    model = {"service_time": {"distribution": "lognormal", "mean": "80ms", "cv": 0.5}, "workers": 2}
    service = {"name": "fraud", "deploy": deploy, "model": model}
    assert notes(tmp_path, webservice=service, seed=3, replications=2) == []


def test_plain_numbers_are_seconds_and_the_note_says_so(tmp_path: Path) -> None:
    """Spans of the scenario and model times, however deep they stand."""
    service = {"name": "fraud", "model": {"service_time": 0.08, "init_time": {"distribution": "constant", "mean": "8"}}}
    said = notes(
        tmp_path,
        duration=90,
        webservice=service,
        traffic={"shape": "steps", "rate": [5, 6], "at": ["0s", 30.5]},
        faults=[{"kind": "replica_kill", "at": "5s"}, {"kind": "replica_hang", "at": 6, "lasts": 7}],
    )
    assert said == [
        (
            "Written without a unit, and read as seconds: duration (90 s), webservice.model.service_time (0.08 s), "
            "webservice.model.init_time.mean (8 s), traffic[0].at[1] (30.5 s), faults[1].at (6 s), faults[1].lasts (7 s)."
        )
    ]


def test_many_plain_numbers_take_one_note(tmp_path: Path) -> None:
    """Beyond six only their number is said."""
    faults = [{"kind": "replica_kill", "at": at} for at in range(9)]
    assert notes(tmp_path, faults=faults)[0].endswith("faults[5].at (5 s) and 3 more.")


def test_the_note_stands_in_the_result(tmp_path: Path) -> None:
    """Where a reader of the figures finds it."""
    result = run(prepare({"duration": 3, "webservice": SERVICE}, tmp_path / "s.yaml"))
    assert "Written without a unit, and read as seconds: duration (3 s)." in result["notes"]


@pytest.mark.parametrize(
    ("heading", "unit"),
    [
        ("duration_ms", "ms"), ("DURATION_MS", "ms"), ("durationMs", "ms"), ("elapsed [milliseconds]", "ms"), ("ms", "ms"),
        ("at_s", "s"), ("arrived (s)", "s"), ("Time/s", "s"), ("seconds", "s"), ("at_us", "us"), ("took µs", "us"),
        ("ts_ns", "ns"), ("at", None), ("t", None), ("status", None), ("times", None), ("requests", None), ("ms_total", None),
    ],
)  # fmt: skip
def test_a_heading_tells_the_unit(heading: str, unit: str | None) -> None:
    """By its last word, and only by a whole word."""
    assert unit_of(heading) == unit


@pytest.mark.parametrize(
    ("content", "options", "micros", "said"),
    [
        ("duration_ms\n92.9\n313.9\n", {}, (92_900, 313_900), "column duration_ms of d.csv was read in milliseconds."),
        ("at_us\n5\n7\n", {}, (5, 7), "column at_us of d.csv was read in microseconds."),
        ("at_ns\n1500\n2500\n", {}, (2, 2), "column at_ns of d.csv was read in nanoseconds."),
        ("0.4\n1\n", {"unit": "s"}, (400_000, 1_000_000), "the first column of d.csv was read in seconds."),
        ("at\n4\n", {"unit": "ms"}, (4000,), "column at of d.csv was read in milliseconds."),
        ("80ms\n2s\n", {}, (80_000, 2_000_000), "the first column of d.csv says its unit in each value."),
        ("a,b_ms\n9,1\n9,2\n", {"column": "b_ms"}, (1000, 2000), "column b_ms of d.csv was read in milliseconds."),
    ],
)
def test_the_unit_of_a_column(
    tmp_path: Path, content: str, options: dict[str, str], micros: tuple[int, ...], said: str
) -> None:
    """From the heading, from the setting or from beside each value; the note says which was read."""
    path = tmp_path / "d.csv"
    path.write_text(content, encoding="utf-8")
    found = read_column(path, "traffic[0].file", **options)  # type: ignore[arg-type]
    assert found.values == micros
    assert found.note == f"traffic[0].file: {said}"


def test_files_are_noted_in_the_result(tmp_path: Path) -> None:
    """Those of the traffic and those of the model."""
    (tmp_path / "calls.csv").write_text("at_ms\n100\n200\n", encoding="utf-8")
    (tmp_path / "times.csv").write_text("duration_ms\n80\n90\n", encoding="utf-8")
    document = {
        "duration": "3s",
        "webservice": {**SERVICE, "model": {"service_time": {"distribution": "empirical", "file": "times.csv"}}},
        "traffic": {"shape": "trace", "file": "calls.csv"},
    }
    result = run(prepare(document, tmp_path / "s.yaml"))
    assert result["requests"] == 2
    assert result["notes"][:2] == [
        "traffic[0].file: column at_ms of calls.csv was read in milliseconds.",
        "webservice.model.service_time.file: column duration_ms of times.csv was read in milliseconds.",
    ]
