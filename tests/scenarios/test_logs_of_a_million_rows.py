"""Logs of 10^6 rows, of each shape: read in a process of their own, whose memory is measured."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 1_000_000
START = datetime(2026, 11, 16, tzinfo=UTC)
MEGABYTES = 400
"""What a file of 10^6 rows may take beyond what the program takes without one: a hundred bytes a row several times over; the
files themselves have up to 500 bytes a row, and as Python's objects would take more than a gigabyte."""
CHILD = """
import resource, sys
from pathlib import Path
from akstwin.scenarios.instants import read_instants
from akstwin.scenarios.logs.records import Reading
import pyarrow.parquet
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
found = read_instants(Path(sys.argv[1]), Reading("traffic[0].file"))
print(len(found.values), peak() - before, found.values[-1])
"""

pytestmark = pytest.mark.slow


def moment(number: int) -> datetime:
    """One request every 250 ms."""
    return START + timedelta(milliseconds=250 * number)


def csv_lines() -> Iterable[str]:
    """A plain log."""
    yield "timestamp,method,path,status,duration_ms,client,attempt\n"
    for number in range(ROWS):
        yield f"{moment(number).isoformat()},POST,/api/v1/service/fraud/score,200,92.9,c{number % 9},1\n"


def portal_lines() -> Iterable[str]:
    """The export of Application Insights."""
    yield '"timestamp [UTC]",id,name,resultCode,duration,itemType,customDimensions,operation_Id,itemId,itemCount\r\n'
    for number in range(ROWS):
        at = moment(number)
        when = f"{at.month}/{at.day}/{at.year}, {at.hour % 12 or 12}:{at:%M:%S}.{at.microsecond // 1000:03} {at:%p}"
        yield f'"{when}",{number:016x},POST /score,200,92.9,request,"{{""a"":""{"x" * 200}""}}",{number:032x},{number},1\r\n'


def json_lines() -> Iterable[str]:
    """An object a line."""
    for number in range(ROWS):
        row = {"timestamp": moment(number).isoformat(), "id": number, "status": 200, "request_id": f"{number:032x}"}
        yield json.dumps(row) + "\n"


def table_text() -> Iterable[str]:
    """The API's answer, all on one line."""
    columns = ",".join(f'{{"name":"{name}"}}' for name in ("timestamp", "resultCode", "operation_Id"))
    yield f'{{"tables":[{{"name":"PrimaryResult","columns":[{columns}],"rows":['
    for number in range(ROWS):
        yield f'{"," if number else ""}["{moment(number).isoformat()}","200","{number:032x}"]'
    yield "]}]}"


def access_lines() -> Iterable[str]:
    """The combined format with two times."""
    for number in range(ROWS):
        at = moment(number)
        yield (
            f'10.0.0.7 - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "POST /score HTTP/1.1" 200 31 "-" "python-requests/2.32" 0.100 0.099\n'
        )


def write(path: Path, lines: Iterable[str]) -> None:
    """A text file, compressed if it is called so."""
    with gzip.open(path, "wt", compresslevel=1) if path.suffix == ".gz" else path.open("w", newline="") as file:
        file.writelines(lines)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("log.csv", csv_lines),
        ("query_data.csv", portal_lines),
        ("log.jsonl", json_lines),
        ("answer.json", table_text),
        ("access.log.gz", access_lines),
        ("log.parquet", None),
    ],
)
def test_memory_is_bounded(tmp_path: Path, name: str, lines: object) -> None:
    """Every request is read, and the file is never held as a whole."""
    path = tmp_path / name
    if callable(lines):
        write(path, lines())
    else:
        whole = range(ROWS)
        columns = {
            "timestamp": pa.array(map(moment, whole), pa.timestamp("us", "UTC")),
            "path": pa.array(["/score"] * ROWS),
        }
        pq.write_table(pa.table(columns), path)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, timeout=800, check=True
    )
    read, megabytes, last = map(int, done.stdout.split())
    assert read == ROWS
    assert last == pytest.approx(250_000 * (ROWS - 1), abs=1_000_000)
    assert megabytes < MEGABYTES
