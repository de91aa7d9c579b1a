"""The logs of other programs: Application Insights, nginx and ingress-nginx; and files that are damaged or odd."""

import gzip
import json
from collections.abc import Iterable
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

START = datetime(2026, 11, 16, 7, 0, 0, 827_000, tzinfo=UTC)
OFFSETS = (0, 39_676_000, 42_000_000)
TIMES = [START + timedelta(microseconds=offset) for offset in OFFSETS]

INSIGHTS = (
    "timestamp", "id", "source", "name", "url", "success", "resultCode", "duration", "performanceBucket", "itemType",
    "customDimensions", "operation_Name", "operation_Id", "operation_ParentId", "cloud_RoleName", "itemId", "itemCount",
)  # fmt: skip
Cells = dict[str, Any]


def read(path: Path, content: str | bytes, **options: Any) -> Column:
    """What is read of a file with that content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_instants(path, Reading("traffic[0].file", **options))


def refused(path: Path, content: str | bytes, **options: Any) -> str:
    """Why a file is refused."""
    with pytest.raises(AksError) as error:
        read(path, content, **options)
    return str(error.value)


def request(number: int, when: datetime, **changes: Any) -> Cells:
    """A row of Application Insights' table `requests`."""
    row = {
        "timestamp": when.isoformat().replace("+00:00", "Z"), "id": f"|{number:016x}.", "source": "",
        "name": "POST /api/v1/service/fraud/score", "url": "http://fraud/api/v1/service/fraud/score?v=1", "success": "True",
        "resultCode": "200", "duration": 92.9, "performanceBucket": "<250ms", "itemType": "request",
        "customDimensions": '{"Container Id":"a, b"}', "operation_Name": "POST /score", "operation_Id": f"{number:032x}",
        "operation_ParentId": f"{number:032x}", "cloud_RoleName": "fraud", "itemId": f"item-{number}", "itemCount": 1,
    }  # fmt: skip
    return {**row, **changes}


def portal(rows: Iterable[Cells]) -> str:
    """What the portal exports: a BOM, CRLF, quoted cells, `[UTC]` beside the time, twelve hours."""
    lines = [",".join('"timestamp [UTC]"' if name == "timestamp" else name for name in INSIGHTS)]
    for row in rows:
        when = datetime.fromisoformat(row["timestamp"])
        text = f"{when.month}/{when.day}/{when.year}, {when.hour % 12 or 12}:{when:%M:%S}.{when.microsecond // 1000:03} {when:%p}"
        cells = [text if name == "timestamp" else str(row[name]).replace('"', '""') for name in INSIGHTS]
        lines.append(",".join(f'"{cell}"' for cell in cells))
    return "\ufeff" + "\r\n".join(lines) + "\r\n"


def table(rows: Iterable[Cells], *, indent: int | None = None) -> str:
    """What the API answers a query with."""
    columns = [{"name": name, "type": "string"} for name in INSIGHTS]
    cells = [[row[name] for name in INSIGHTS] for row in rows]
    return json.dumps({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": cells}]}, indent=indent)


def objects(rows: Iterable[Cells]) -> str:
    """One object a line."""
    return "\n".join(map(json.dumps, rows)) + "\n"


ROWS = [request(number, when) for number, when in enumerate(TIMES)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("query_data.csv", portal(ROWS)),
        ("answer.json", table(ROWS)),
        ("indented.json", table(ROWS, indent=2)),
        ("rows.jsonl", objects(ROWS)),
        ("array.json", json.dumps(ROWS)),
        ("records.json", json.dumps({"records": ROWS})),
    ],
)
def test_exports_of_application_insights_are_read_alike(tmp_path: Path, name: str, text: str) -> None:
    """From the portal, from the API, by rows."""
    found = read(tmp_path / name, text)
    assert found.values == OFFSETS
    assert "t = 0 is 2026-11-16T07:00:00.827000Z" in found.note


def test_the_table_of_a_workspace_is_read_too(tmp_path: Path) -> None:
    """Its columns have other names: `AppRequests`."""
    rows = [
        {"TimeGenerated": each.isoformat(), "Id": str(number), "ResultCode": "200", "DurationMs": 9.1, "Type": "AppRequests",
         "OperationId": str(number), "ItemCount": 1}
        for number, each in enumerate(TIMES)
    ]  # fmt: skip
    rows.append({**rows[0], "Id": "x", "Type": "AppDependencies"})
    found = read(tmp_path / "rows.jsonl", objects(rows))
    assert found.values == OFFSETS
    assert "1 rows are of something else, and were passed over" in found.note


@pytest.mark.parametrize("write", [portal, table, objects])
def test_a_repeat_is_known_by_the_operation_that_it_shares(tmp_path: Path, write: Any) -> None:
    """Its predecessor failed and had ended; a call after a success is one of its own."""
    failed = request(1, TIMES[0], resultCode="503", success="False", duration=501.2)
    again = request(2, TIMES[1], operation_Id=failed["operation_Id"])
    more = request(3, TIMES[2], operation_Id=failed["operation_Id"])
    name = {portal: "log.csv", table: "log.json", objects: "log.jsonl"}[write]
    found = read(tmp_path / name, write([more, failed, again]))
    assert found.values == (OFFSETS[0], OFFSETS[2])
    assert "1 repeated attempts were left out" in found.note
    assert len(read(tmp_path / name, write([more, failed, again]), repeats="keep").values) == 3
    assert len(read(tmp_path / name, write([more, failed, again]), repeats="leave_out").values) == 1


def test_an_operation_within_another_is_refused(tmp_path: Path) -> None:
    """A front end and what it calls share an operation: to count both would double the load."""
    outer = request(1, TIMES[0], duration=60_000, cloud_RoleName="shop")
    inner = request(2, TIMES[1], operation_Id=outer["operation_Id"])
    said = refused(tmp_path / "log.json", table([outer, inner]))
    assert "row 2: has the operation_Id of row 1, and came before that was answered, so is no repeated attempt" in said
    assert "write traffic[0].repeats: keep" in said
    assert read(tmp_path / "log.json", table([outer, inner]), only={"cloud_RoleName": "fraud"}).values == (0,)


def test_shared_ids_without_answers_are_refused(tmp_path: Path) -> None:
    """Nothing tells a repeat from a second call."""
    text = f"timestamp,request_id\n{TIMES[0].isoformat()},a\n{TIMES[1].isoformat()},a\n"
    said = refused(tmp_path / "log.csv", text)
    assert (
        "line 3: has the request_id of line 2, and no column of answers tells whether that is a repeated attempt"
        in said
    )


def test_rows_without_an_id_share_none(tmp_path: Path) -> None:
    """An empty cell is no id."""
    rows = "".join(f"{each.isoformat()},{mark},503\n" for each, mark in zip(TIMES, ("", "-", ""), strict=True))
    assert read(tmp_path / "log.csv", f"timestamp,request_id,status\n{rows}").values == OFFSETS


def test_a_sampled_export_is_refused(tmp_path: Path) -> None:
    """One row for ten requests is not the load."""
    rows = [ROWS[0], request(1, TIMES[1], itemCount=10)]
    assert "row 2: stands for 10 requests (sampling; 2 rows for 11" in refused(tmp_path / "a.json", table(rows))


def test_rows_of_other_tables_are_passed_over(tmp_path: Path) -> None:
    """`union requests, dependencies` exports both."""
    rows = [*ROWS, request(7, TIMES[1], itemType="dependency")]
    assert read(tmp_path / "log.csv", portal(rows)).values == OFFSETS


def test_rows_that_were_exported_twice_count_once(tmp_path: Path) -> None:
    """Two exports that overlap, one after the other."""
    found = read(tmp_path / "log.jsonl", objects([*ROWS, ROWS[1]]))
    assert found.values == OFFSETS
    assert "1 rows that stand in it twice were left out" in found.note


def test_equal_rows_without_ids_count_and_are_named(tmp_path: Path) -> None:
    """Two requests may well look the same."""
    rows = "".join(f"{each.isoformat()},200\n" for each in (TIMES[0], TIMES[0], TIMES[1]))
    found = read(tmp_path / "log.csv", f"timestamp,status\n{rows}")
    assert found.values == (0, 0, OFFSETS[1])
    assert "1 rows are the same as another, and count" in found.note


def test_local_time_of_the_portal_needs_a_zone(tmp_path: Path) -> None:
    """The heading says that it is not UTC, and not what else."""
    text = portal(ROWS).replace("[UTC]", "[Local Time]")
    assert "column timestamp [Local Time] is in a zone of its own; write traffic[0].zone," in refused(
        tmp_path / "a.csv", text
    )
    assert read(tmp_path / "a.csv", text, zone="Europe/Berlin").values == OFFSETS
    said = refused(tmp_path / "a.csv", portal(ROWS), zone="Europe/Berlin")
    assert "traffic[0].zone: 'Europe/Berlin' is not UTC, as the column's heading says: timestamp [UTC]" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (table(ROWS)[:-60], "row 3: not JSON; the file is cut off or damaged here"),
        (table(ROWS)[:-4], "row 4: the file is cut off before its rows end"),
        ('{"tables": [{"name": "PrimaryResult"}]}', 'is no answer of a query: its table has no "rows"'),
        ('{"tables": [{"rows": [[1]], "columns": []}]}', "its table has no columns before its rows"),
        ('{"tables": [{"columns": [{"name": "timestamp"}], "rows": [[1, 2]]}]}', "row 1: expected a list of 1 cells"),
        ('{"tables": [{"columns": [{"name": "timestamp"}], "rows": []}]}', "has no values; expected one a line"),
        ("[1, 2]", "row 1: expected a JSON object"),
        ("[]", "has no values; expected one a line"),
        (objects(ROWS)[:-40], "line 3: expected a JSON object"),
        ("[" * 100_000, "row 1: not JSON"),
    ],
)
def test_damaged_json_is_refused_by_row(tmp_path: Path, text: str, said: str) -> None:
    """A file that was cut off is no log of a quiet hour."""
    assert said in refused(tmp_path / "log.json", text)


def test_an_attempt_that_only_later_rows_number_counts(tmp_path: Path) -> None:
    """A JSON log may name it from the second attempt on."""
    rows = [
        {"time": TIMES[0].isoformat()},
        {"time": TIMES[1].isoformat(), "attempt": 2},
        {"time": TIMES[2].isoformat()},
    ]
    assert read(tmp_path / "log.jsonl", objects(rows)).values == (OFFSETS[0], OFFSETS[2])


# -- nginx


def line(when: datetime, added: str = "", *, path: str = "/score", status: int = 200) -> str:
    """A line of the combined format."""
    return (
        f'10.0.0.7 - - [{when:%d/%b/%Y:%H:%M:%S %z}] "POST {path}?x=1 HTTP/1.1" {status} 31 "-" '
        f'"python-requests/2.32 [x] \\"y\\""{" " if added else ""}{added}\n'
    )


def ingress(when: datetime, took: str, upstream: str, number: int = 0) -> str:
    """A line of ingress-nginx."""
    rest = f"512 {took} [aml-fraud-80] [] 10.0.0.4:5001 31 {upstream} 200 {number:032x}"
    return line(when, rest)


SECONDS = [START.replace(microsecond=0) + timedelta(seconds=each) for each in (1, 40, 43)]


@pytest.mark.parametrize(
    "added",
    [
        "0.250 0.248", '0.250 "0.248"', '"-" 0.250 0.248', '"1.2.3.4, 5.6.7.8" 0.250 0.248', 'rt=0.250 uct="0.000" urt="0.248"',
        "request_time=0.250 upstream_response_time=0.248", "0.250 -", "0.250", "0.250 0.100, 0.148", "0.250 0.001 0.002 0.248 .",
    ],
)  # fmt: skip
def test_nginx_stamps_the_end_of_a_request(tmp_path: Path, added: str) -> None:
    """With its time added, instants are those at which requests came."""
    text = line(SECONDS[0], added) + line(SECONDS[1], added.replace("0.250", "1.000")) + line(SECONDS[2], added)
    found = read(tmp_path / "access.log", text)
    assert found.values == (0, 38_250_000, 42_000_000)
    assert "Requests came request_time before the times of their answers." in found.note


def test_ingress_nginx_is_read(tmp_path: Path) -> None:
    """The router of many clusters; its last column is the request's id."""
    text = ingress(SECONDS[0], "0.250", "0.248", 1) + ingress(SECONDS[1], "1.000", "0.500, 0.400", 2)
    found = read(tmp_path / "access.log.gz", gzip.compress(text.encode()))
    assert found.values == (0, 38_250_000)


def test_a_combined_log_says_that_its_times_are_those_of_answers(tmp_path: Path) -> None:
    """Without additions nothing tells how long a request took."""
    text = "".join(map(line, SECONDS))
    found = read(tmp_path / "access.log", text)
    assert found.values == (0, 39_000_000, 42_000_000)
    assert "These are the times of the answers" in found.note


def test_whole_seconds_are_no_bursts(tmp_path: Path) -> None:
    """A thousand requests of one second did not come at once; the same log gives the same instants."""
    text = line(SECONDS[0], path="/a") * 1000 + line(SECONDS[1])
    found = read(tmp_path / "access.log", text)
    assert found == read(tmp_path / "access.log", text)
    assert len(set(found.values)) > 900
    assert all(value < 1_000_000 for value in found.values[:1000])
    assert 400_000 < sorted(found.values[:1000])[500] < 600_000
    assert "the 1000 rows that share one with others were spread over it by chance" in found.note


def test_json_logs_of_nginx_end_with_the_answer_too(tmp_path: Path) -> None:
    """`msec` is in seconds, `request_time` as well."""
    rows = [{"msec": f"{each.timestamp():.3f}", "request_time": "0.250", "status": "200"} for each in TIMES]
    rows[1]["request_time"] = "1.250"
    assert read(tmp_path / "log.jsonl", objects(rows)).values == (0, 38_676_000, 42_000_000)


def test_only_chooses_rows_and_several_paths_are_named(tmp_path: Path) -> None:
    """Probes and pages are no scoring requests."""
    text = line(SECONDS[0]) + line(SECONDS[1], path="/healthz") + line(SECONDS[2])
    found = read(tmp_path / "access.log", text)
    assert len(found.values) == 3
    assert "It names more than one request: POST /score (2), POST /healthz (1); only: chooses." in found.note
    chosen = read(tmp_path / "access.log", text, only={"request": "POST /sco*"})
    assert chosen.values == (0, 42_000_000)
    assert "1 rows are of something else" in chosen.note
    assert "has no row that is meant (3 others)" in refused(tmp_path / "access.log", text, only={"request": "GET /"})
    said = refused(tmp_path / "access.log", text, only={"path": "GET /"})
    assert "traffic[0].only: 'path' is not a column of the log: there are time_local, request, status" in said


@pytest.mark.parametrize(
    "damaged",
    [
        line(SECONDS[1], "0.250 0.248")[:60],
        line(SECONDS[1], "0.250 0.248")[:-3],
        line(SECONDS[1], "0.250 0.248")[:-30],
        "what?\n",
    ],
)
def test_a_damaged_access_log_is_refused_by_line(tmp_path: Path, damaged: str) -> None:
    """Cut off in the middle of a write."""
    text = line(SECONDS[0], "0.250 0.248") * 2 + damaged
    assert "line 3: is not a line of an access log like the first one" in refused(tmp_path / "access.log", text)


# -- odd and damaged files


CSV = "timestamp,status\n" + "".join(f"{each.isoformat()},200\n" for each in TIMES)


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(), CSV.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + CSV.encode(), CSV.encode("utf-16"),
        CSV.replace(",", ";").encode(), CSV.replace(",", "\t").encode(), b"sep=;\r\n" + CSV.replace(",", ";").encode(),
        CSV.rstrip("\n").encode(), gzip.compress(CSV.encode()), CSV.replace("timestamp,status", "Zeitstempel,Ergebnis").encode(),
        CSV.replace("timestamp,status", "时间,状态").encode(), CSV.removeprefix("timestamp,status\n").encode(),
        "".join(f"POST,{each.isoformat()},200\n" for each in TIMES).encode(), ("\n\n" + CSV).encode(),
        b",timestamp\n" + "".join(f"{n},{each.isoformat()}\n" for n, each in enumerate(TIMES)).encode(),
        CSV.replace("\n", "\r").encode(),
    ],
    ids=[
        "plain", "crlf", "bom", "utf-16", "semicolon", "tab", "excel", "no-last-newline", "gzip", "german", "chinese",
        "no-heading", "no-heading-time-second", "blank-lines", "pandas-index", "cr",
    ],
)  # fmt: skip
def test_the_same_log_in_every_wrapping(tmp_path: Path, content: bytes) -> None:
    """Byte-order marks, line endings, separators, headings: the instants are the same."""
    assert read(tmp_path / "log.csv", content).values == OFFSETS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CSV[:-7].encode(), "line 4: has 1 cell, and the headings 2: the line is cut off"),
        (CSV.encode() + b"2026-11-16T07:01:00Z,200,x\n", "line 5: has 3 cells, and the headings 2: a cell with ',' in it"),
        (CSV.encode() + b'"2026-11-16T07:01', "line 5: not CSV: a quoted cell does not end"),
        (CSV.encode()[:40] + b"\0" + CSV.encode()[40:], "line 2: holds a NUL"),
        (CSV.encode() + b"\xff,1\n", "line 5: is not UTF-8 text; save the file as UTF-8"),
        (gzip.compress(CSV.encode() * 300)[:-30], "the compressed file is cut off or damaged about here"),
        (b"\x1f\x8b", "line 1: the compressed file is cut off"),
        (b"", "has no values; expected one a line"),
        (b"\n\n", "has no values; expected one a line"),
        (b"\xef\xbb\xbf", "has no values; expected one a line"),
        (b"timestamp,status\n", "has no values; expected one a line"),
        (b"timestamp,status\n2026-11-16T07:00:00Z,200\n2026-11-16T07:00:00,200\n",
         "line 3: some times say their zone (line 2) and some do not (line 3); write traffic[0].zone:"),
        (b"begin,finish\n2026-11-16T07:00:00Z,2026-11-16T07:00:01Z\n", "has several columns of times (begin, finish)"),
        (b"timestamp,timestamp\n2026-11-16T07:00:00Z,2026-11-16T07:00:00Z\n", "has more than one column timestamp"),
        (b"timestamp\n1794812400\n1794812400827\n", "line 3: '1794812400827' is not counted in s since 1970"),
        (b"date,time\n2026-11-16,07:00:00\n", "line 2: '07:00:00' is not a time such as"),
        (b"timestamp\n16/11/2026 07:00:00\n", "line 2: '16/11/2026 07:00:00' is not a time such as"),
        (b'timestamp\n"16/11/2026, 7:00:00 AM"\n', "8:00:00.5+01:00, or seconds since 1970 (month/day/year)"),
        (b"timestamp,status\n2026-11-16T07:00:00Z,12345\n", "line 2: '12345' is not the status of an answer"),
    ],
)  # fmt: skip
def test_damage_is_refused_by_file_and_line(tmp_path: Path, content: bytes, said: str) -> None:
    """Nothing is passed over in silence."""
    found = refused(tmp_path / "log.csv", content)
    assert found.startswith(f"traffic[0].file: {tmp_path / 'log.csv'}: ")
    assert said in found


def test_a_parquet_file_that_is_cut_off(tmp_path: Path) -> None:
    """Its end says what is in it."""
    pq.write_table(pa.table({"timestamp": pa.array(TIMES, pa.timestamp("ns", "UTC"))}), tmp_path / "log.parquet")
    assert read_instants(tmp_path / "log.parquet", Reading("traffic[0].file")).values == OFFSETS
    cut = (tmp_path / "log.parquet").read_bytes()[:-20]
    assert "cannot be read: not a Parquet file" in refused(tmp_path / "log.parquet", cut)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("2026-10-25 02:30:00", "comes twice in Europe/Berlin"),
        ("2026-03-29 02:30:00", "does not exist in Europe/Berlin"),
    ],
)
def test_an_hour_in_which_clocks_are_changed_is_refused(tmp_path: Path, when: str, said: str) -> None:
    """An hour off is more than most questions forgive."""
    text = f"timestamp\n2026-03-01 00:00:00\n{when}\n"
    assert f"line 3: '{when}' {said}" in refused(tmp_path / "log.csv", text, zone="Europe/Berlin")
    assert len(read(tmp_path / "log.csv", text).values) == 2


def test_failures_that_nothing_tells_apart_are_named(tmp_path: Path) -> None:
    """A client may have tried again: the note says so."""
    text = CSV.replace("200\n", "503\n", 1)
    assert (
        "1 of its rows were answered 429 or 5xx, and no column tells repeated" in read(tmp_path / "log.csv", text).note
    )


@pytest.mark.parametrize(
    "heading",
    [
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,Total Request Count",
        "Type,Name,Request Count,Failure Count",
    ],
)
def test_tables_that_only_count_are_no_traces(tmp_path: Path, heading: str) -> None:
    """Locust's files have a row a second, not one a request."""
    text = f"{heading}\n{','.join('1794812400' for _ in heading.split(','))}\n"
    assert "and does not list them, so no instants can be read from it" in refused(tmp_path / "log.csv", text)


def test_a_scenario_takes_the_new_settings(tmp_path: Path) -> None:
    """As the file says them."""
    (tmp_path / "access.log").write_text(line(SECONDS[0]) + line(SECONDS[1], path="/healthz"))
    document = {
        "duration": "1m",
        "webservice": {"name": "fraud", "deploy": {"num_replicas": 2}},
        "traffic": {"shape": "trace", "file": "access.log", "only": {"request": "POST /score"}, "repeats": "keep"},
    }
    prepared = prepare(document, tmp_path / "s.yaml")
    assert prepared.scenario.traffic[0].instants == (0,)  # type: ignore[union-attr]
