"""Logs in the forms that other tools write, and tables that look like logs and are none: read rightly or refused by name."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from akstwin.errors import AksError
from akstwin.scenarios.calibrate import calibrate
from akstwin.scenarios.columns import Column
from akstwin.scenarios.instants import read_instants
from akstwin.scenarios.logs.records import Reading

START = datetime(2026, 11, 16, 8, 0, 0, 500_000, tzinfo=UTC)
EVERY_SECOND = tuple(range(0, 30_000_000, 1_000_000))
ISO = [(START + timedelta(microseconds=at)).isoformat() for at in EVERY_SECOND]
READING = Reading("", timed=True)


def read(path: Path, content: str | bytes) -> Column:
    """The instants of a file with that content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_instants(path, Reading("traffic[0].file"))


def refused(path: Path, content: str | bytes) -> str:
    """Why it is refused, in a scenario and by `akstwin calibrate` alike."""
    with pytest.raises(AksError) as error:
        read(path, content)
    with pytest.raises(AksError) as again:
        calibrate(path, READING)
    reason = str(error.value).partition(f"{path}: ")[2]
    assert str(again.value).partition(f"{path}: ")[2].replace("--zone", "traffic[0].zone") == reason
    return reason


@pytest.mark.parametrize(
    "form",
    [
        "2026-11-16 08:00:{:02}.5 UTC",
        "2026-11-16 08:00:{:02}.5 GMT",
        "2026-11-16 08:00:{:02}.5 +0000 UTC",
        "2026-11-16 09:00:{:02}.5 +0100",
        "2026-11-16 02:30:{:02}.5 -05:30",
        "16.11.2026 08:00:{:02}.5",
        '"16.11.2026, 08:00:{:02},500"',
        '"2026-11-16 08:00:{:02},500"',
    ],
    ids=["UTC", "GMT", "Go", "spaced", "west", "dots", "dots and comma", "comma"],
)
def test_times_of_other_programs_are_the_same_instants(tmp_path: Path, form: str) -> None:
    """Whatever stands before a zone, and with dots the day first."""
    found = read(tmp_path / "log.csv", "timestamp\n" + "".join(form.format(at) + "\n" for at in range(30)))
    assert found.values == EVERY_SECOND
    assert "t = 0 is 2026-11-16T08:00:00.500000Z" in found.note


def test_times_of_http_headers_are_read(tmp_path: Path) -> None:
    """RFC 9110's, to the second."""
    text = "".join(f'"Mon, 16 Nov 2026 08:00:{at:02} GMT"\n' for at in range(30))
    assert read(tmp_path / "log.csv", f"date\n{text}").values == EVERY_SECOND


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("11/16/2026 18:00:{:02}", "day and month could stand either way round; write dates as 2026-11-16"),
        ("16/11/26 18:00:{:02}", "day and month could stand either way round"),
        ("2026-11-16 08:00:{:02} CET", "a zone's abbreviation can mean several; write its offset"),
        ("08:00:{:02}", "it has no date; expected both in one column"),
        ("1.7948160005{:02}e+18", "is written with an exponent, and has lost the digits that tell requests apart"),
        ("2026-11-{:02}", "is a date without a time of day; the log does not hold the instants"),
    ],
)
def test_times_that_cannot_be_read_say_why(tmp_path: Path, form: str, said: str) -> None:
    """And what to write instead."""
    text = "timestamp,status\n" + "".join(f"{form.format(at)},200\n" for at in range(10, 30))
    assert said in refused(tmp_path / "log.csv", text)


@pytest.mark.parametrize("heading", ["end_time", "finished_at", "completedAt", "EndTimestamp", "end_time_utc"])
def test_times_of_answers_are_known_by_their_name(tmp_path: Path, heading: str) -> None:
    """Each request came as long before as it took; a heading of which that is not known is taken for requests'."""
    rows = "".join(f"{at},{900 - number}\n" for number, at in enumerate(ISO))
    found = read(tmp_path / "log.csv", f"{heading},duration_ms\n{rows}")
    if heading == "end_time_utc":
        assert found.values == EVERY_SECOND
        return
    assert found.values == tuple(at + 1000 * number for number, at in enumerate(EVERY_SECOND))
    assert "Requests came duration_ms before the times of their answers." in found.note


@pytest.mark.parametrize(
    "form", ["2026-11-16 08:{:02}", "16.11.2026 08:{:02}", "2026-11-16T08:{:02}:00Z", '"11/16/2026, 8:{:02} AM"']
)
def test_times_to_the_minute_are_spread_over_it(tmp_path: Path, form: str) -> None:
    """As a spreadsheet leaves them: twenty requests a minute are no burst of twenty at its start."""
    found = read(tmp_path / "log.csv", "timestamp\n" + "".join(form.format(at // 20) + "\n" for at in range(600)))
    seconds = [value / 1e6 for value in found.values]
    assert "Its times are whole minutes: the 600 rows that share one with others were spread over it" in found.note
    assert 1750 < seconds[-1] < 1800
    busiest = max(sum(at <= each < at + 5 for each in seconds) for at in range(0, 1800, 5))
    assert busiest <= 10  # of 1.7 on average; all twenty if they came within the minute's first second


def test_a_log_of_one_minute_that_has_seconds_is_not_taken_to_the_minute(tmp_path: Path) -> None:
    """Nothing says that its one time was rounded to more than a second."""
    found = read(tmp_path / "log.csv", "timestamp\n" + "2026-11-16T08:00:00Z\n" * 20)
    assert "whole seconds" in found.note
    assert max(found.values) < 1_000_000


def test_times_to_the_hour_are_no_instants(tmp_path: Path) -> None:
    """They would make a burst of each hour."""
    text = "timestamp,status\n" + "".join(f"2026-11-16 {at // 10:02}:00:00,200\n" for at in range(40))
    assert "its times are whole hours or days" in refused(tmp_path / "log.csv", text)


@pytest.mark.parametrize("heading", ["count", "rps", "hits", "Value", "sum(rate(requests[1m]))", "Requests/s"])
def test_a_table_of_counts_is_no_log(tmp_path: Path, heading: str) -> None:
    """A row that counts sixty requests is not one request."""
    text = f"Time,{heading}\n" + "".join(f"{at},60\n" for at in ISO)
    assert f"counts requests ({heading}) and does not list them" in refused(tmp_path / "log.csv", text)


@pytest.mark.parametrize("other", ["status", "duration_ms", "path", "request_id"])
def test_a_count_beside_what_requests_have_is_no_such_table(tmp_path: Path, other: str) -> None:
    """It may be the number of rows in a request's body."""
    text = f"timestamp,count,{other}\n" + "".join(f"{at},60,{200 + number}\n" for number, at in enumerate(ISO))
    assert read(tmp_path / "log.csv", text).values == EVERY_SECOND


@pytest.mark.parametrize("headings", ["duration_ms,status", "status,path", "response-time,offset"])
def test_a_column_that_is_known_for_something_else_is_no_column_of_times(tmp_path: Path, headings: str) -> None:
    """Not even where nothing else could be it."""
    text = f"{headings}\n" + "".join(f"{100 + at},200\n" for at in range(30))
    assert (
        f"has no column of times, as far as its headings and its first row say ({headings.replace(',', ', ')})"
        in refused(tmp_path / "log.csv", text)
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04\x14\0\0", "is a zip archive or an Excel workbook: unpack it, or save the sheet as CSV"),
        (b"\x28\xb5\x2f\xfd\0\0", "is compressed by zstd: unpack it"),
        (b"BZh91AY&SY", "is compressed by bzip2: unpack it"),
        (b"\xfd7zXZ\0", "is compressed by xz: unpack it"),
        (b"SQLite format 3\0", "is a database of SQLite: export the table as CSV"),
        (b"#Software: Microsoft Internet Information Services 10.0\n#Fields: date time\n", "line 1: begins with #"),
        (b"2026-11-16 08:00:00,123 INFO root score took 12 ms\n", "line 1: is a line of text, with no columns"),
    ],
)
def test_files_that_are_no_logs_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    """Not: line 1 holds a NUL."""
    assert said in refused(tmp_path / "log.csv", content)


# -- load generators


K6 = (
    "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,status,url,extra_tags,"
    "metadata\n"
)


def test_k6_has_several_rows_a_request(tmp_path: Path) -> None:
    """One of them counts, that of its duration, and it is stamped when the answer was there."""
    rows = "".join(
        f"{name},{round((START.timestamp() + at) * 1000)},{value},,,,true,,POST,score,200,http://x/score,,\n"
        for at in range(30)
        for name, value in (("http_reqs", 1), ("http_req_duration", 400 + at), ("http_req_waiting", 3), ("vus", 5))
    )
    found = read(tmp_path / "k6.csv", K6 + rows)
    assert found.values == tuple(at - at // 1000 for at in EVERY_SECOND)
    assert "Requests came metric_value before the times of their answers." in found.note
    assert "90 rows are of something else" in found.note
    calibrated = calibrate(tmp_path / "k6.csv", READING)
    assert calibrated["requests"] == 30
    assert calibrated["service_time"]["mean_ms"] == pytest.approx(414.5)


def test_json_of_k6_is_refused_by_name(tmp_path: Path) -> None:
    """Its values stand within objects of their own."""
    row = {"type": "Point", "metric": "http_reqs", "data": {"time": ISO[0], "value": 1, "tags": {"status": "200"}}}
    assert "write what k6 does with --out csv=FILE" in refused(tmp_path / "k6.json", json.dumps(row) + "\n")


def test_vegeta_counts_in_nanoseconds(tmp_path: Path) -> None:
    """Its rows have no unit."""
    rows = [
        {"seq": at, "code": 200, "timestamp": each, "latency": 92_900_000 + 1000 * at, "bytes_out": 1, "bytes_in": 2}
        for at, each in enumerate(ISO)
    ]
    assert read(tmp_path / "v.json", "".join(json.dumps(row) + "\n" for row in rows)).values == EVERY_SECOND
    assert calibrate(tmp_path / "v.json", READING)["model"]["service_time"]["mean"] == "92.91ms"


def test_jmeter_counts_in_milliseconds(tmp_path: Path) -> None:
    """`elapsed` beside `timeStamp` and `label`."""
    rows = "".join(f"{1794816000500 + at * 1000},{100 + at},score,200,true\n" for at in range(30))
    text = f"timeStamp,elapsed,label,responseCode,success\n{rows}"
    assert read(tmp_path / "run.jtl", text).values == EVERY_SECOND
    assert calibrate(tmp_path / "run.jtl", READING)["service_time"]["mean_ms"] == 114.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Method,Name,Error,Occurrences\nPOST,/score,503,12\n",
            "lists the failures of a load test of locust, not its requests",
        ),
        (
            "Count,Message,Traceback,Nodes\n3,boom,tb,local\n",
            "lists the failures of a load test of locust, not its requests",
        ),
        ("Type,Name,Request Count,Failure Count\nPOST,/score,100,0\n", "a history of locust (…_stats_history.csv)"),
    ],
    ids=["failures", "exceptions", "stats"],
)
def test_locust_s_other_files_name_the_one_that_helps(tmp_path: Path, text: str, said: str) -> None:
    """None of them holds an instant."""
    assert said in refused(tmp_path / "locust.csv", text)


# -- durations and answers


@pytest.mark.parametrize(
    ("heading", "cell"),
    [
        ("duration", "0:00:00.{:03}000"),
        ("duration", "0 days 00:00:00.{:03}000"),
        ("latency_micros", "{}000"),
        ("duration_s", "0.{:03}"),
        ("Duration_ns", "{}000000"),
        ("latency_milliseconds", "{}"),
        ("duration_microseconds", "{}000"),
        ("Elapsed Time (ms)", "{}"),
        ("duration", "0.{:03}s"),
        ("took", "{} ms"),
    ],
)
def test_durations_as_they_come(tmp_path: Path, heading: str, cell: str) -> None:
    """One that is missing is nobody's."""
    rows = "".join(f"{at},{cell.format(100 + number)},200 OK\n" for number, at in enumerate(ISO))
    more = "".join(
        f"{at},{missing},200 OK\n" for at, missing in zip(ISO, ("", "-", "NaN", "null", "N/A"), strict=False)
    )
    path = tmp_path / "log.csv"
    path.write_text(f"timestamp,{heading},status\n{rows}{more}")
    found = calibrate(path, READING)
    assert found["service_time"]["mean_ms"] == 114.5
    assert found["service_time"]["rows"] == 30
    assert found["requests"] == 35


def test_words_beside_a_status_do_not_make_it_a_failure(tmp_path: Path) -> None:
    """`200 OK` is 200."""
    rows = "".join(
        f"{at},{'HTTP/1.1 503 Service Unavailable' if number < 3 else '200 OK'}\n" for number, at in enumerate(ISO)
    )
    assert "3 of its rows were answered 429 or 5xx" in read(tmp_path / "log.csv", f"timestamp,status\n{rows}").note


def test_rows_that_were_exported_twice_count_once_for_the_model_too(tmp_path: Path) -> None:
    """Else its interval would be too narrow."""
    rows = "".join(f"{number},{at},{100 + number}\n" for number, at in enumerate(ISO))
    (tmp_path / "once.csv").write_text(f"id,timestamp,duration_ms\n{rows}")
    (tmp_path / "twice.csv").write_text(f"id,timestamp,duration_ms\n{rows}{rows}")
    once, twice = (calibrate(tmp_path / name, READING) for name in ("once.csv", "twice.csv"))
    assert once["service_time"] == twice["service_time"]
    assert once["rate"] == twice["rate"]
    assert any("30 rows that stand in it twice were left out" in note for note in twice["notes"])


@pytest.mark.parametrize(
    ("times", "durations"),
    [
        (pa.array([START + timedelta(microseconds=at) for at in EVERY_SECOND], pa.timestamp("ns", "Europe/Berlin")),
         pa.array([timedelta(milliseconds=100 + at) for at in range(30)], pa.duration("ns"))),
        (pa.array([at.replace("T", " ") for at in ISO]).dictionary_encode(), pa.array([f"{100 + at}ms" for at in range(30)])),
        (pa.array([round(START.timestamp() * 1e9) + at * 1000 for at in EVERY_SECOND]),
         pa.array([0.1 + at / 1000 for at in range(30)], pa.float32())),
    ],
    ids=["own types", "dictionary", "numbers"],
)  # fmt: skip
def test_parquet_is_calibrated(tmp_path: Path, times: Any, durations: Any) -> None:
    """Columns in each of the types that tools give them."""
    heading = "duration_s" if durations.type == pa.float32() else "duration"
    pq.write_table(pa.table({"timestamp": times, heading: durations}), tmp_path / "log.parquet")
    found = calibrate(tmp_path / "log.parquet", READING)
    assert found["requests"] == 30
    assert found["service_time"]["mean_ms"] == 114.5
    assert "whole seconds" not in str(found["notes"])


def test_dates_of_parquet_are_no_instants(tmp_path: Path) -> None:
    """A day's requests did not come in one second."""
    pq.write_table(pa.table({"date": pa.array([date(2026, 11, 16)] * 30)}), tmp_path / "log.parquet")
    assert "is a date without a time of day" in refused(
        tmp_path / "log.parquet", (tmp_path / "log.parquet").read_bytes()
    )


def test_spans_from_a_start_are_not_called_times_of_day(tmp_path: Path) -> None:
    """The note said both."""
    (tmp_path / "log.csv").write_text("at_s,duration_ms\n" + "".join(f"{at},100\n" for at in range(30)))
    notes = " ".join(calibrate(tmp_path / "log.csv", READING)["notes"])
    assert "column at_s was read as spans from a start." in notes
    assert "since 1970" not in notes


# -- files that the tools' own libraries have made (made/make.py: polars 2.1.0, locust 2.47.0)


MADE = Path(__file__).parent / "made"


@pytest.mark.parametrize("name", ["polars.parquet", "polars.csv", "polars.ndjson", "polars_epoch.csv"])
def test_data_frames_of_polars_are_read_alike(name: str) -> None:
    """Each form in which it writes the same frame."""
    assert read_instants(MADE / name, Reading("traffic[0].file")).values == tuple(range(0, 60_000_000, 1_000_000))
    found = calibrate(MADE / name, READING)
    assert found["service_time"]["mean_ms"] == 129.5
    assert found["service_time"]["rows"] == 60


def test_a_load_test_of_locust_gives_its_rates(tmp_path: Path) -> None:
    """By its history; the total is that of its statistics, and its other files are refused by name."""
    totals = (MADE / "locust_stats.csv").read_text().splitlines()[-1].split(",")
    found = calibrate(MADE / "locust_stats_history.csv", READING)
    assert totals[1] == "Aggregated"
    assert found["requests"] == int(totals[2])
    assert found["requests"] / found["seconds"] == pytest.approx(float(totals[9]), rel=0.15)
    mean = found["model"]["service_time"]["mean"]
    assert float(mean.removesuffix("ms")) == pytest.approx(float(totals[5]), rel=0.001)
    for name, said in (("locust_stats.csv", "counts requests"), ("locust_failures.csv", "lists the failures")):
        assert said in refused(tmp_path / name, (MADE / name).read_bytes())
