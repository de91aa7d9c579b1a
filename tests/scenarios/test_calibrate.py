"""Calibration: logs are made by the simulator from a known truth, and the truth is found in them again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from akstwin.errors import AksError
from akstwin.scenarios.calibrate import calibrate
from akstwin.scenarios.calibrate_command import calibrate as command
from akstwin.scenarios.calibrate_text import as_yaml
from akstwin.scenarios.fitting import fit
from akstwin.scenarios.load import prepare
from akstwin.scenarios.logs.records import Reading
from akstwin.scenarios.rate_steps import rate_steps
from akstwin.scenarios.run import run
from akstwin.scenarios.trace import TraceWriter

READING = Reading("", timed=True)
START = datetime(2026, 11, 16, 7, tzinfo=UTC)
RATES = [10, 30, 10]
TRUTH: dict[str, Any] = {
    "seed": 11,
    "duration": "30m",
    "cluster": {"nodes": 3, "vm_size": "Standard_D4s_v5"},
    "webservice": {
        "name": "fraud",
        "deploy": {"num_replicas": 3},
        "model": {"service_time": {"distribution": "lognormal", "mean": "80ms", "cv": 0.6}},
    },
    "traffic": [{"shape": "steps", "rate": RATES, "at": ["0s", "10m", "20m"]}],
}


def traced(folder: Path, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every request of a run."""
    writer = TraceWriter(folder / "t.parquet")
    run(prepare(document, folder / "truth.yaml"), recorder=writer.recorder)
    writer.close()
    return [row for row in pq.read_table(folder / "t.parquet").to_pylist() if row["kind"] == "request"]


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What became of each request of the truth."""
    return traced(tmp_path_factory.mktemp("truth"), TRUTH)


def logged(path: Path, requests: list[dict[str, Any]]) -> Path:
    """A log as a router would write it: when each came, how long it took with queue and overhead."""
    rows = "".join(
        f"{(START + timedelta(microseconds=row['arrived_us'])).isoformat(timespec='microseconds')},{row['status']},"
        f"{(row['at_us'] - row['arrived_us']) / 1000:.3f}\n"
        for row in requests
    )
    path.write_text(f"timestamp,status,duration_ms\n{rows}")
    return path


def test_the_truth_is_found_where_it_is_known_how_many_were_served_at_once(
    tmp_path: Path, requests: list[dict[str, Any]]
) -> None:
    """Family, mean, cv, rates; the time in the queue is taken out."""
    found = calibrate(logged(tmp_path / "a.csv", requests), READING, concurrency=3, overhead=3000)
    model = found["model"]["service_time"]
    assert model["distribution"] == "lognormal"
    about = found["service_time"]
    assert about["intervals"]["mean_ms"][0] <= 80 <= about["intervals"]["mean_ms"][1]
    assert about["intervals"]["cv"][0] <= 0.6 <= about["intervals"]["cv"][1]
    assert about["mean_ms"] == pytest.approx(80, rel=0.03)
    assert found["queue"]["way"] == "replay"
    waited = np.mean([row["dispatched_us"] - row["arrived_us"] for row in requests if row["status"] == 200]) / 1000
    assert waited > 5
    assert found["queue"]["mean_ms"] == pytest.approx(waited, rel=0.01)
    steps = found["traffic"][0]
    assert steps["rate"] == pytest.approx(RATES, rel=0.06)
    assert [float(at.removesuffix("s")) for at in steps["at"]] == pytest.approx([0, 600, 1200], abs=15)


def test_the_replay_gives_each_service_time_to_the_millisecond(tmp_path: Path, requests: list[dict[str, Any]]) -> None:
    """Not only on average: the very times that the simulator drew."""
    from akstwin.scenarios.logs.records import read_records  # noqa: PLC0415
    from akstwin.scenarios.service_times import service_times  # noqa: PLC0415

    records = read_records(logged(tmp_path / "a.csv", requests), READING)
    times = service_times(records, records.stamp, exact=True, concurrency=3, overhead=3000)
    answered = [row for row in requests if row["status"] == 200]
    drawn = np.array([row["at_us"] - 3000 - row["started_us"] for row in answered])
    assert np.max(np.abs(times.values - drawn)) <= 1000


def test_requests_that_came_to_nobody_speak_for_all(tmp_path: Path, requests: list[dict[str, Any]]) -> None:
    """Without knowing the replicas, the queue is taken out by looking where there was none."""
    found = calibrate(logged(tmp_path / "a.csv", requests), READING, overhead=3000)
    assert found["queue"]["way"] == "idle"
    assert found["service_time"]["mean_ms"] == pytest.approx(80, rel=0.05)
    assert found["service_time"]["distribution"] == "lognormal"
    naive = found["queue"]["duration_mean_ms"]
    assert naive > 88
    assert found["queue"]["mean_ms"] == pytest.approx(naive - 3 - 80, abs=4)


def test_a_busy_log_is_called_an_upper_bound(tmp_path: Path) -> None:
    """Where a queue always stands, nothing tells it from the model."""
    document = {**TRUTH, "traffic": [{"shape": "poisson", "rate": 35}], "duration": "1m"}
    found = calibrate(logged(tmp_path / "a.csv", traced(tmp_path, document)), READING)
    assert found["queue"]["way"] == "upper_bound"
    assert found["queue"]["mean_ms"] is None
    assert "so the service time is an upper bound: only " in found["queue"]["said"]
    assert "--concurrency says how many were served at once" in found["queue"]["said"]
    assert found["service_time"]["mean_ms"] > 100


def test_the_blocks_load_unchanged_and_answer_as_the_truth_does(tmp_path: Path, requests: list[dict[str, Any]]) -> None:
    """From the text as printed to a run of its own."""
    log = logged(tmp_path / "a.csv", requests)
    printed = CliRunner().invoke(command, [str(log), "--concurrency", "3", "--overhead", "3ms"]).output
    blocks = YAML(typ="safe", pure=True).load(printed)
    assert set(blocks) == {"model", "traffic"}
    document = {
        **TRUTH,
        "seed": 6,
        "webservice": {**TRUTH["webservice"], "model": blocks["model"]},
        "traffic": blocks["traffic"],
    }
    again = run(prepare(document, tmp_path / "again.yaml"))
    truth = run(prepare(TRUTH, tmp_path / "truth.yaml"))
    for name in ("p50", "p95", "p99"):
        assert again["latency_ms"][name] == pytest.approx(truth["latency_ms"][name], rel=0.08)
    assert again["requests"] == pytest.approx(truth["requests"], rel=0.04)


def test_a_log_of_nginx_says_what_the_server_behind_it_took(tmp_path: Path) -> None:
    """`$upstream_response_time`, of requests that were answered 200."""
    draws = np.random.Generator(np.random.Philox(3))
    lines = []
    for number in range(2000):
        when = START + timedelta(seconds=number)
        upstream = draws.gamma(4, 0.025)
        began = f'10.0.0.7 - - [{when:%d/%b/%Y:%H:%M:%S +0000}] "POST /score HTTP/1.1" 200 31 "-" "x"'
        lines.append(f"{began} {upstream + 0.04:.3f} {upstream:.3f}\n")
    (tmp_path / "access.log").write_text("".join(lines))
    found = calibrate(tmp_path / "access.log", READING)
    assert found["queue"]["way"] == "upstream"
    assert found["queue"]["mean_ms"] == pytest.approx(40, abs=0.5)
    assert found["model"]["service_time"]["distribution"] == "gamma"
    assert found["service_time"]["mean_ms"] == pytest.approx(100, rel=0.03)
    assert found["service_time"]["cv"] == pytest.approx(0.5, rel=0.05)


DRAWS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "exponential": lambda draws, n: draws.exponential(100, n),
    "lognormal": lambda draws, n: draws.lognormal(4.5, 0.6, n),
    "gamma": lambda draws, n: draws.gamma(3, 30, n),
    "weibull": lambda draws, n: 100 * draws.weibull(1.7, n),
    "constant": lambda draws, n: draws.normal(100, 1, n),
    "empirical": lambda draws, n: np.where(draws.random(n) < 0.8, draws.normal(50, 3, n), draws.normal(400, 10, n)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_family_is_found(name: str) -> None:
    """Nine times in ten and more, of 3000 values; two hills are no family."""
    hits = 0
    for seed in range(10):
        values = np.abs(DRAWS[name](np.random.Generator(np.random.Philox(seed)), 3000))
        hits += fit(values, seed).distribution == name
    assert hits >= 9


def test_intervals_hold_the_truth() -> None:
    """Of mean and cv, at 95 %: in 60 logs, all but about three."""
    inside = {"mean": 0, "cv": 0}
    for seed in range(60):
        found = fit(np.random.Generator(np.random.Philox(seed)).gamma(4, 25, 400), seed)
        inside["mean"] += found.mean_interval[0] <= 100 <= found.mean_interval[1]
        inside["cv"] += found.cv_interval[0] <= 0.5 <= found.cv_interval[1]
    assert inside["mean"] >= 53
    assert inside["cv"] >= 52


def test_a_steady_rate_has_one_step() -> None:
    """Chance is no change: in fifty logs hardly ever."""
    several = 0
    for seed in range(50):
        instants = np.cumsum(np.random.Generator(np.random.Philox(seed)).exponential(200_000, 20_000)).astype(np.int64)
        found = rate_steps(instants, np.ones(20_000, dtype=int), int(instants[-1]) + 1)
        several += len(found.rate) > 1
        assert found.dispersion == pytest.approx(1, abs=0.15)
    assert several <= 3


def test_bursts_are_said(tmp_path: Path) -> None:
    """Five at a time are no Poisson process."""
    draws = np.random.Generator(np.random.Philox(8))
    whole = np.repeat(np.cumsum(draws.exponential(1.0, 1000)), 5) + draws.random(5000) / 1000
    rows = "".join(f"{value:.6f},20\n" for value in np.sort(whole))
    (tmp_path / "a.csv").write_text(f"at_s,duration_ms\n{rows}")
    assert any("Requests come in bursts" in note for note in calibrate(tmp_path / "a.csv", READING)["notes"])


def _bimodal(path: Path) -> Path:
    draws = np.random.Generator(np.random.Philox(4))
    rows = "".join(f"{at},{value:.3f}\n" for at, value in enumerate(np.abs(DRAWS["empirical"](draws, 3000))))
    path.write_text(f"at_s,duration_ms\n{rows}")
    return path


def test_where_no_family_fits_the_rows_are_the_distribution(tmp_path: Path) -> None:
    """Written beside the scenario, they load in it; without a file for them it is said what is missing."""
    log = _bimodal(tmp_path / "a.csv")
    found = calibrate(log, READING)
    assert any("No family fits" in note and "--times FILE.csv writes" in note for note in found["notes"])
    done = CliRunner().invoke(command, [str(log), "--times", str(tmp_path / "times.csv")])
    assert done.exit_code == 0
    blocks = YAML(typ="safe", pure=True).load(done.output)
    assert blocks["model"]["service_time"] == {"distribution": "empirical", "file": "times.csv", "column": "service_ms"}
    document = {**TRUTH, "webservice": {**TRUTH["webservice"], "model": blocks["model"]}, "traffic": blocks["traffic"]}
    result = run(prepare({**document, "assumptions": {"router_overhead": "0s"}}, tmp_path / "s.yaml"))
    assert result["latency_ms"]["p50"] == pytest.approx(51, abs=2)
    assert result["latency_ms"]["p95"] == pytest.approx(405, abs=10)


def test_a_sampled_log_gives_its_rates(tmp_path: Path) -> None:
    """Each row counts for as many requests as it stands for; a queue cannot be told then."""
    rows = "".join(
        f"{(START + timedelta(seconds=at)).isoformat()},200,{50 + at % 7},request,{at},5\n" for at in range(600)
    )
    (tmp_path / "a.csv").write_text(f"timestamp,resultCode,duration,itemType,id,itemCount\n{rows}")
    found = calibrate(tmp_path / "a.csv", READING)
    assert found["requests"] == 3000
    assert found["traffic"][0]["rate"] == pytest.approx([5], rel=0.02)
    assert found["queue"]["way"] == "upper_bound"
    assert any("The log is sampled: its 600 rows stand for 3000 requests" in note for note in found["notes"])


def test_repeats_are_no_traffic_but_were_served(tmp_path: Path) -> None:
    """They are left out of the rates."""
    rows = "".join(f"{at},200,50,1\n{at + 0.2},200,50,2\n" for at in range(300))
    (tmp_path / "a.csv").write_text(f"at_s,status,duration_ms,attempt\n{rows}")
    found = calibrate(tmp_path / "a.csv", READING)
    assert found["requests"] == 300
    assert found["model"] == {"service_time": {"distribution": "constant", "mean": "50ms"}}
    assert found["service_time"]["rows"] == 600


HISTORY = (
    "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,Total Request Count,Total Failure Count,"
    "Total Median Response Time,Total Average Response Time\n"
)


def test_a_history_of_locust_gives_rates_and_an_upper_bound(tmp_path: Path) -> None:
    """It counts requests and lists none."""
    rows, count = [], 0
    for second in range(300):
        count += 40 if 100 <= second < 200 else 10
        rows.append(f"{1794812400 + second},3,POST,/score,9,0,5,{count},0,50,62.5\n")
        rows.append(f"{1794812400 + second},3,,Aggregated,9,0,5,{count},0,50,62.5\n")
    (tmp_path / "x_stats_history.csv").write_text(HISTORY + "".join(rows))
    found = calibrate(tmp_path / "x_stats_history.csv", READING)
    assert found["requests"] == 6000
    assert found["traffic"][0]["rate"] == pytest.approx([10, 40, 10], rel=0.05)
    assert found["model"]["service_time"] == {"distribution": "lognormal", "mean": "62.5ms", "cv": 0.75}
    assert any("upper bound" in note for note in found["notes"])
    assert "model:" in as_yaml(found)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("at_s,duration\n1,50\n", {}, "50 s? Name the column duration_ms or duration_s, or write --duration-unit ms or s"),
        ("at_s,duration_ms\n1,50\n", {}, "has 1 requests answered 200 with a duration; at least 20 tell a distribution"),
        ("at_s\n1\n", {"concurrency": 3}, "--concurrency: 3 is not usable with this log: it has no durations"),
        ("timestamp,duration_ms\n" + "2026-11-16T07:00:00Z,50\n" * 30, {"concurrency": 3},
         "--concurrency: 3 is not usable with this log: its instants are whole seconds, or it is sampled"),
        ("at_s,took\n1,50ms\n", {"reading": {"duration": "tock"}}, "--duration: 'tock' is not a column; did you mean took?"),
        (HISTORY + "1,1,,Aggregated,0,0,5,10,0,5\n", {}, "line 2: is cut off, or no row of a history"),
        (HISTORY + "1,1,,Aggregated,0,0,5,0,0,5,5\n", {}, "has counted no request in its rows Aggregated"),
        (HISTORY + "1,1,,Aggregated,0,0,5,9,0,5,5\n2,1,,Aggregated,0,0,5,3,0,5,5\n", {}, "line 3: goes back"),
        ("Type,Name,Request Count\nPOST,/,3\n", {}, "counts requests (Request Count) and does not list them"),
    ],
)  # fmt: skip
def test_what_cannot_be_calibrated(tmp_path: Path, text: str, options: dict[str, Any], said: str) -> None:
    """The option or the line, and what to do."""
    (tmp_path / "a.csv").write_text(text)
    given = dict(options)
    reading = Reading("", timed=True, **given.pop("reading", {}))
    with pytest.raises(AksError) as refused:
        calibrate(tmp_path / "a.csv", reading, **given)
    assert said in str(refused.value)


def test_without_durations_there_is_only_traffic(tmp_path: Path) -> None:
    """And it is said why."""
    (tmp_path / "a.csv").write_text("at_s\n" + "".join(f"{at}\n" for at in range(100)))
    done = CliRunner().invoke(command, [str(tmp_path / "a.csv"), "--json", "-"])
    found = json.loads(done.output)
    assert found["model"] is None
    assert any("The log has no durations" in note for note in found["notes"])
    assert "model:\n" not in as_yaml(found)


def test_the_command_answers_alike_each_time_and_refuses_in_words(tmp_path: Path) -> None:
    """Same log, same seed, same bytes."""
    log = _bimodal(tmp_path / "a.csv")
    first, second = (CliRunner().invoke(command, [str(log), "--json", "-"]).output for _ in range(2))
    assert first == second
    assert json.loads(first)["schema_version"] == 1
    refused = CliRunner().invoke(command, [str(log), "--only", "x"])
    assert str(refused.exception) == "--only: 'x' is not HEADING=TEXT, such as request=POST*"
    assert CliRunner().invoke(command, [str(log), "--only", "at_s=1*", "--json", "-"]).exit_code == 0
