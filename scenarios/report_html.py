"""The report's page: its frame, its looks, and how a table becomes HTML. All text that comes in is escaped here."""

from html import escape
from string import Template
from typing import Final

from akstwin.scenarios.answer import Objective, Verdict
from akstwin.scenarios.summary import Table

_STYLE: Final = """
:root {
  color-scheme: light dark;
  --ink: #1d2733; --soft: #566270; --page: #ffffff; --card: #f5f7f9; --line: #dce1e6;
  --accent: #1f6a9e; --good: #21734a; --bad: #b3263a; --open: #8a5a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6eaee; --soft: #a3adb8; --page: #14181d; --card: #1c2229; --line: #333c46;
    --accent: #6cb2e2; --good: #66c28f; --bad: #f0808f; --open: #e0b050;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 70rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: clamp(1.45rem, 1rem + 2vw, 2.1rem); line-height: 1.22; margin: .3rem 0 .6rem; max-width: 54rem;
  letter-spacing: -.012em; text-wrap: balance; }
h2 { font-size: 1.2rem; margin: 3rem 0 .9rem; padding-bottom: .35rem; border-bottom: 1px solid var(--line); }
p { margin: .4rem 0; max-width: 46rem; }
.over { color: var(--accent); font-size: .82rem; font-weight: 600; letter-spacing: .06em; }
.soft, .remark, figcaption { color: var(--soft); font-size: .88rem; }
.answer { margin: 1.8rem 0 0; padding: 1.2rem 1.4rem 1.3rem; background: var(--card);
  border-left: 4px solid var(--tone, var(--soft)); border-radius: 4px; }
.answer > p:first-child { font-size: 1.15rem; font-weight: 600; margin: 0; }
.good { --tone: var(--good); } .bad { --tone: var(--bad); } .open { --tone: var(--open); }
.objectives { list-style: none; display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin: 1rem 0 .2rem; padding: 0; }
.objectives .name { color: var(--soft); font-size: .88rem; }
.objectives .value { font-size: 1.7rem; line-height: 1.25; font-weight: 600; font-variant-numeric: tabular-nums; }
.badge { color: var(--tone); border: 1px solid currentColor; border-radius: 3px; padding: 0 .4em; margin-left: .5em;
  font-size: .8rem; font-weight: 600; white-space: nowrap; }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 2rem 3rem;
  align-items: start; }
.tables > * { min-width: 0; }
.tables table { width: 100%; }
.table { overflow-x: auto; }
.table + .table, .table + .tables { margin-top: 2rem; }
table { border-collapse: collapse; min-width: min(100%, 30rem); font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .32rem 1.1rem .32rem 0; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
thead th, thead td { color: var(--soft); font-weight: 500; font-size: .84rem; vertical-align: bottom; }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
.part th { padding-left: 1.1rem; font-weight: 400; }
.part th, .part td { color: var(--soft); }
figure { margin: 0; } figcaption { margin-top: .8rem; max-width: 46rem; }
.plot { min-height: 10rem; }
.plot .main-svg text { fill: var(--soft) !important; }
.plot .hoverlayer text { fill: #1d2733 !important; }
.plot .spikeline { stroke: var(--soft) !important; stroke-width: 1px !important; }
ul { padding-left: 1.2rem; }
summary { cursor: pointer; color: var(--accent); margin: 1.5rem 0 .6rem; }
li { margin: .35rem 0; max-width: 46rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; margin: 0 0 1rem; font-size: .92rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
code, pre { font: .9em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 4px; padding: .7rem .9rem; overflow-x: auto;
  max-width: 46rem; }
@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; } .objectives { gap: .9rem 2rem; }
  th, td { padding-right: .6rem; } table { font-size: .85rem; } thead th { font-size: .8rem; }
}
@page { margin: 16mm; }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --page: #fff; --card: #fff; --line: #bbb;
    --accent: #1f6a9e; --good: #21734a; --bad: #b3263a; --open: #8a5a00; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; } h2 { break-after: avoid; }
  .plot > div, .plot .plotly-graph-div, .plot .plot-container { height: auto !important; }
  .table, .answer, li, figure { break-inside: avoid; } .screen, details:not([open]) { display: none; }
  .tables { display: block; } .table { margin-bottom: 1.2rem; }
}
"""

# Nothing may be loaded from anywhere: browsers refuse it, whatever a scenario's words try.
_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)

_PAGE: Final = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
"""
)

_TONES: Final = {Verdict.MET: "good", Verdict.NOT_MET: "bad", Verdict.UNPROVEN: "open"}


def page(title: str, body: str) -> str:
    """The whole document.

    Args:
        title: plain text.
        body: HTML.
    """
    return _PAGE.substitute(title=escape(title), policy=escape(_POLICY), style=_STYLE, body=body)


def section(title: str, *parts: str) -> str:
    """Parts under a heading; nothing where all of them are empty."""
    kept = [part for part in parts if part]
    return "\n".join(["<section>", f"<h2>{escape(title)}</h2>", *kept, "</section>"]) if kept else ""


def banner(verdict: Verdict | None, sentence: str, objectives: list[Objective], remark: str) -> str:
    """The answer: one sentence, and each objective with its figure."""
    tone = f" {_TONES[verdict]}" if verdict else ""
    items = "\n".join(_objective(each) for each in objectives)
    shown = f'<ul class="objectives">\n{items}\n</ul>' if objectives else ""
    said = f'<p class="remark">{escape(remark)}</p>' if remark else ""
    return f'<div class="answer{tone}">\n<p>{escape(sentence)}</p>\n{shown}\n{said}\n</div>'


def _objective(objective: Objective) -> str:
    interval = f"<br>95 % interval {escape(objective.interval)}" if objective.interval else ""
    return (
        f'<li class="{_TONES[objective.verdict]}"><span class="name">{escape(objective.name)}</span>'
        f'<span class="badge">{objective.verdict.value}</span>'
        f'<div class="value">{escape(objective.value)}</div>'
        f'<div class="soft">{escape(objective.target)}{interval}</div></li>'
    )


def table(content: Table | None) -> str:
    """A table with its caption and remark; nothing for None."""
    if content is None:
        return ""
    numbers = [column.number for column in content.columns]
    head = "".join(_heading(column.title, number=column.number) for column in content.columns)
    rows = "\n".join(_row(row, numbers) for row in content.rows)
    title = escape(content.title)
    remark = f'<p class="remark">{escape(content.remark)}</p>' if content.remark else ""
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{title}">\n<table>\n<caption>{title}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n{remark}</div>"
    )


def _heading(title: str, *, number: bool) -> str:
    if not title:
        return "<td></td>"  # an empty heading would be read out as one
    return f'<th scope="col"{_kind(number=number)}>{escape(title)}</th>'


def _row(cells: tuple[str, ...], numbers: list[bool]) -> str:
    part = ' class="part"' if cells[0].startswith(" ") else ""
    first = f'<th scope="row"{_kind(number=numbers[0])}>{escape(cells[0].strip())}</th>'
    rest = "".join(
        f"<td{_kind(number=number)}>{escape(cell)}</td>" for cell, number in zip(cells[1:], numbers[1:], strict=True)
    )
    return f"<tr{part}>{first}{rest}</tr>"


def _kind(*, number: bool) -> str:
    return ' class="number"' if number else ""


def bullets(lines: list[str]) -> str:
    """A list of sentences; nothing for none."""
    items = "\n".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>\n{items}\n</ul>" if lines else ""


def facts(pairs: list[tuple[str, str]]) -> str:
    """Names and what they stand for; nothing for none."""
    rows = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f"<dl>\n{rows}\n</dl>" if pairs else ""


def folded(label: str, content: str) -> str:
    """Content that is opened on demand; nothing for nothing."""
    return f"<details>\n<summary>{escape(label)}</summary>\n{content}\n</details>" if content else ""
