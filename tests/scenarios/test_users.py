"""Scenarios with users who wait: what the answer says of them, in text, JSON, report and trace."""

import itertools
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from akstwin.errors import InvalidSetting
from akstwin.scenarios.compare import check
from akstwin.scenarios.load import BadScenario, prepare
from akstwin.scenarios.over import parse_over
from akstwin.scenarios.plan import Stopping, plan
from akstwin.scenarios.report import html_report as report_of
from akstwin.scenarios.run import run
from akstwin.scenarios.summary import users_table
from akstwin.scenarios.trace import TraceWriter
from akstwin.scenarios.users import waiting_entries


def _document(**changes: Any) -> dict[str, Any]:
    """A load test: 200 users who wait for the answer and think, on four replicas of a 0.1 s model."""
    return {
        "seed": 1,
        "duration": "3m",
        "warm_up": "1m",
        "webservice": {
            "name": "reco",
            "deploy": {"num_replicas": 4, "cpu_cores": 1, "memory_gb": 1},
            "model": {"service_time": {"distribution": "lognormal", "mean": "100ms", "cv": 0.3}},
        },
        "traffic": [{"shape": "users", "users": 200, "think_time": "1.5s"}],
        "objectives": {"p95": "1s", "success_rate": 0.99},
        **changes,
    }


def _run(**changes: Any) -> dict[str, Any]:
    return run(prepare(_document(**changes), Path("load_test.yaml")))


def test_a_load_test_gets_an_answer() -> None:
    """200 users ask about 98 times a second; four replicas answer 40 of that. All users wait or think."""
    result = _run()
    (users,) = result["users"]
    assert (users["entry"], users["users"], users["active"], users["retries"]) == (0, 200, 200, 0)
    assert (users["rate"], users["rate_answered"]) == (pytest.approx(98, rel=0.01), pytest.approx(40, rel=0.01))
    assert users["rate"] * 120 == pytest.approx(result["requests"], abs=0.01)
    assert users["rate_answered"] * 120 == pytest.approx(result["status"]["200"], abs=0.01)
    assert users["rate_without_waiting"] == pytest.approx(200 / 1.5)
    assert users["waiting"] + users["rate"] * 1.5 == pytest.approx(200, rel=0.005)
    assert {each["name"]: each["met"] for each in result["objectives"]} == {"p95": True, "success_rate": False}


def test_the_note_says_what_waiting_does() -> None:
    """A reader learns that users who wait ask less often the slower they are answered."""
    (note,) = [note for note in _run()["notes"] if note.startswith("traffic[0]")]
    assert re.match(
        r"traffic\[0\]: 200 users who wait for their answers sent 98\.\d requests a second; answered at once, they would send "
        r"133\. ",
        note,
    )
    assert not [note for note in _run(traffic=[{"shape": "poisson", "rate": 3}])["notes"] if "traffic[0]" in note]


def test_the_timeline_has_active_and_waiting_users() -> None:
    """With a spawn rate users become more; what the points say adds up to what the window says."""
    result = _run(traffic=[{"shape": "users", "users": 200, "think_time": "1.5s", "spawn_rate": 2}], warm_up=0)
    points = result["timeline"]
    assert [point["active_users"] for point in points[:3]] == pytest.approx([3, 7, 11], abs=0.5)
    assert points[-1]["active_users"] == 200
    for name in ("active", "waiting"):
        mean = sum(point[f"{name}_users"] for point in points) / len(points)
        assert mean == pytest.approx(result["users"][0][name], abs=0.01)
    assert "waiting_users" not in _run(traffic=[{"shape": "poisson", "rate": 3}])["timeline"][0]
    assert _run(traffic=[{"shape": "poisson", "rate": 3}])["users"] == []


def test_users_who_begin_too_late_are_told() -> None:
    """Two a second are 360 within three minutes."""
    result = _run(traffic=[{"shape": "users", "users": 400, "think_time": "1.5s", "spawn_rate": 2}])
    assert "traffic[0]: 40 of 400 users begin after the end of the duration." in result["notes"]


def test_replications_have_intervals() -> None:
    """Rate, answered rate and waiting users, each around its mean."""
    result = _run(replications=3)
    for name in ("rate", "rate_answered", "waiting"):
        low, high = result["intervals"][f"users.0.{name}"]
        assert low < result["users"][0][name] < high


def test_waits_between_attempts_count_as_waiting() -> None:
    """A user who will try again in ten seconds has not got rid of the request."""
    clients = {"retry": {"statuses": [503], "attempts": 2, "backoff": "10s"}}
    result = _run(traffic=[{"shape": "users", "users": 200, "think_time": "1.5s", "clients": clients}], duration="10m")
    (users,) = result["users"]
    assert users["retries"] == result["retries"] > 0
    turns = users["rate"] - users["retries"] / 540
    assert users["waiting"] + turns * 1.5 == pytest.approx(200, rel=0.01)


def test_text_and_report_show_the_users() -> None:
    """A table in both, curves in the report; nothing without users who wait."""
    result = _run(replications=2)
    table = users_table(result)
    assert table is not None
    assert table.rows[0][:2] == ("traffic[0]", "200")
    page = report_of(result)
    assert page.count("Users who wait for their answers") >= 2
    assert "waiting_users" not in page
    assert users_table(_run(traffic=[{"shape": "poisson", "rate": 3}])) is None


def test_a_trace_names_user_and_turn(tmp_path: Path) -> None:
    """So that a user's story can be read; open arrivals have neither."""
    prepared = prepare(
        _document(
            traffic=[{"shape": "users", "users": 40, "think_time": "1.5s"}, {"shape": "poisson", "rate": 3}],
            duration="90s",
        ),
        Path("load_test.yaml"),
    )
    writer = TraceWriter(tmp_path / "t.parquet", waiting_entries(prepared))
    run(prepared, recorder=writer.recorder)
    writer.close()
    rows = [row for row in pq.read_table(tmp_path / "t.parquet").to_pylist() if row["kind"] == "request"]
    assert {row["user"] for row in rows if row["entry"] == 0} == set(range(40))
    assert {(row["user"], row["turn"]) for row in rows if row["entry"] == 1} == {(None, None)}
    of_one = sorted((row for row in rows if row["user"] == 7), key=lambda row: row["arrived_us"])
    assert [row["turn"] for row in of_one] == list(range(len(of_one)))
    assert {later["arrived_us"] - row["at_us"] for row, later in itertools.pairwise(of_one)} == {1_500_000}


def test_plan_finds_how_many_users_are_served() -> None:
    """With `--prefer high` the largest number of users whose answers come.

    Four replicas answer 40 a second, and nobody's turn takes longer than 1.5 s of thinking, 0.5 s of waiting and 0.1 s of
    service, so no more than 84 are served.
    """
    found = plan(
        _document(duration="1m", warm_up="10s"), Path("load_test.yaml"), parse_over("traffic.0.users=40..100"),
        prefer="high", stopping=Stopping(4, 4), jobs=1,
    )  # fmt: skip
    assert found["answer"] in ("found", "cannot tell")
    assert 50 < found["enough"] <= 84


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"users": 0, "think_time": "1s"}, "traffic[0].users: 0 is not at least 1"),
        ({"users": 100_001, "think_time": "1s"}, "traffic[0].users: 100001 is not at most 100000"),
        ({"users": 2.5, "think_time": "1s"}, "traffic[0].users: 2.5 is not a whole number"),
        ({"users": 5}, "traffic[0].think_time: is missing"),
        ({"users": 5, "think_time": 0}, "traffic[0].think_time: 0 is not at least 1ms on average"),
        ({"users": 5, "think_time": "1s", "spawn_rate": 0}, "traffic[0].spawn_rate: 0 is not greater than 0"),
        ({"users": 5, "think_time": "1s", "rate": 5}, "traffic[0].rate: no such setting"),
        ({"users": 5, "think_time": "1s", "clients": {"retry": "x"}}, "traffic[0].clients.retry: 'x' is not"),
    ],
)
def test_bad_users_are_refused_by_name(entry: dict[str, Any], told: str) -> None:
    """The setting, the value, what was expected."""
    with pytest.raises(BadScenario, match=re.escape(told)):
        prepare(_document(traffic=[{"shape": "users", **entry}]), Path("load_test.yaml"))


def test_measured_think_times_come_from_a_file(tmp_path: Path) -> None:
    """As service times do; a file of zeros is refused like a think time of nothing."""
    think = {"distribution": "empirical", "file": "think.csv"}
    (tmp_path / "think.csv").write_text("think_ms\n1500\n500\n", encoding="utf-8")
    entry = {"shape": "users", "users": 5, "think_time": think}
    prepared = prepare(_document(traffic=[entry]), tmp_path / "load_test.yaml")
    assert run(prepared)["users"][0]["rate_without_waiting"] == pytest.approx(5)
    (tmp_path / "think.csv").write_text("think_ms\n0\n0\n", encoding="utf-8")
    with pytest.raises(BadScenario, match=r"traffic\[0\]\.think_time: '?0s'? is not at least 1ms on average"):
        prepare(_document(traffic=[entry]), tmp_path / "load_test.yaml")


def test_compare_refuses_them_by_name() -> None:
    """When they ask depends on the answers: there are no instants to repeat elsewhere."""
    with pytest.raises(InvalidSetting, match=r"traffic\[0\]\.shape: 'users' is not constant, poisson, steps or trace"):
        check(prepare(_document(), Path("load_test.yaml")))
