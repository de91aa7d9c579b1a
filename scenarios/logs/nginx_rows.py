"""Rows of an nginx access log: the combined format with what is commonly added to it, and that of ingress-nginx.

nginx writes a line when the request has ended: `$time_local` is the time of the answer, to the second. Behind the user agent
stand additions, by name (`rt=0.093 urt="0.091"`) or bare. Of bare numbers with three decimals the first is taken for
`$request_time` and, where there are just two, the second for `$upstream_response_time`, the usual order.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.rows import Row, Rows
from akstwin.scenarios.logs.text import Text

HEADINGS: Final = (
    "time_local",
    "request",
    "status",
    "request_time",
    "upstream_response_time",
    "request_id",
)
"""Named as nginx's variables are; the request is its method and path, without query and protocol."""
_ALWAYS: Final = ("time_local", "status", "request_time", "upstream_response_time")
"""What every line has if the first one has it, though an upstream's time may be `-`."""
_UNLIKE: Final = "is not a line of an access log like the first one: it is cut off, or of another format"
_LINE: Final = re.compile(
    r'[^\[]*\[(?P<time>\d{1,2}/[A-Za-z]{3}/\d{4}:[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" '
    r"(?P<status>\d{3}) (?:\d+|-)(?P<rest>.*)$"
)
_INGRESS: Final = re.compile(
    r' "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*" \d+ (?P<total>\d+\.\d+|-) \[[^\]]*\] \[[^\]]*\] \S+(?:, \S+)* '
    r"(?:\d+|-)(?:, (?:\d+|-))* (?P<upstream>[\d.]+(?:, [\d.-]+)*|-) (?:\d{3}|-)(?:, (?:\d{3}|-))* (?P<id>[0-9a-f]{32})\s*$"
)
"""What ingress-nginx writes behind the number of bytes."""
_TIMES: Final = r"\d+\.\d{3}(?:\s*[,:]\s*(?:\d+\.\d{3}|-))*"
_NAMED: Final = re.compile(rf'([A-Za-z_]+)[=:]\s*"?({_TIMES}|-)"?')
_BARE: Final = re.compile(rf'(?<=\s)(?:"({_TIMES})"|({_TIMES}|-))(?=\s|$)')
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_TOTAL: Final = ("rt", "request_time", "req_time")
_UPSTREAM: Final = ("urt", "upstream_response_time", "upstream_time", "ut")
_ID: Final = re.compile(
    r"\b(?:request_id|req_id|rid|id)[=:]\"?([0-9A-Za-z-]{8,})|(?<![\w-])\"?([0-9a-f]{32})\"?(?=\s|$)"
)


def is_nginx(head: str) -> bool:
    """Whether a text that begins so is an access log."""
    first = next((line for line in head.split("\n") if line.strip()), "")
    return _LINE.match(first) is not None


def nginx_rows(text: Text, where: str) -> Rows:
    """The rows, with the columns of `HEADINGS` that the first line has.

    Raises:
        UnreadableFile: a line is of another form than the first; while they are read.
    """
    found = _parsed(text, where)
    first = next(found)
    columns = [at for at, cell in enumerate(first[1]) if cell]

    def each() -> Iterator[Row]:
        for number, cells in chain([first], found):
            if not all(cells[at] for at in columns if HEADINGS[at] in _ALWAYS):
                raise UnreadableFile(where, f"line {number}: {_UNLIKE}")
            yield number, [cells[at] for at in columns]

    return Rows([HEADINGS[at] for at in columns], each(), "line", "nginx")


def _parsed(text: Text, where: str) -> Iterator[Row]:
    for number, line in enumerate(text.lines(), start=1):
        if not line.strip():
            continue
        found = _LINE.match(line)
        additions = None if found is None else _additions(found["rest"])
        if found is None or additions is None:
            raise UnreadableFile(where, f"line {number}: {_UNLIKE}")
        method, _, path = found["request"].partition(" ")
        path = path.partition(" ")[0].partition("?")[0]
        yield number, [found["time"], f"{method} {path}".strip(), found["status"], *additions]


def _additions(rest: str) -> list[str] | None:
    """Request time, upstream's time and id, each empty if it is not there; None: the line is cut off."""
    ingress = _INGRESS.match(rest)
    if ingress:
        return [ingress["total"], _sum(ingress["upstream"]), ingress["id"]]
    if rest.count('"') % 2:
        return None
    quoted = list(_QUOTED.finditer(rest))
    if len(quoted) >= 2 and not rest[: quoted[0].start()].strip():
        rest = rest[quoted[1].end() :]  # behind referer and user agent
    named = {name.lower(): value for name, value in _NAMED.findall(rest)}
    total = next((named[name] for name in _TOTAL if name in named), "")
    upstream = next((named[name] for name in _UPSTREAM if name in named), "")
    if not named:
        bare = [quoted or plain for quoted, plain in _BARE.findall(rest)]
        while bare and bare[0] == "-":  # something else: a request always takes some time
            del bare[0]
        total = bare[0] if bare else ""
        upstream = bare[1] if len(bare) == 2 else ""
    known = _ID.search(rest)
    return ["" if total == "-" else total, _sum(upstream), (known[1] or known[2]) if known else ""]


def _sum(times: str) -> str:
    """Of several upstreams that were asked one after the other: all together. `-`: none was asked."""
    if times in ("", "-"):
        return times
    known = [float(each) for each in re.split(r"[,:\s]+", times) if each not in ("-", "")]
    return f"{sum(known):.3f}" if known else "-"
