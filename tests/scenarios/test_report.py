"""The HTML report: one file, safe to open, honest, and readable by everybody."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from akstwin.scenarios.report import html_report, write_report
from akstwin.scenarios.report_figure import STATUS_COLOURS, timeline_figure

Result = dict[str, Any]
Attributes = dict[str, str | None]
ATTACK = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\" onload=\"alert(2)"


class Page(HTMLParser):
    """What a browser would make of the report: its elements, and its text outside of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.words: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        if not {"script", "style"} & set(self._inside):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that is shown, on one line."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> Iterator[Attributes]:
        """Attributes of each element of a kind."""
        return (attributes for name, attributes in self.elements if name == tag)


def page(result: Result) -> Page:
    """The report, parsed."""
    return Page(html_report(result))


def traces(result: Result) -> dict[str, dict[str, Any]]:
    """The figure's curves and marks by name."""
    return {trace["name"]: trace for trace in timeline_figure(result)["data"]}


def shapes(result: Result, kind: str) -> list[dict[str, Any]]:
    """What is drawn through all panels."""
    return [
        shape
        for shape in timeline_figure(result)["layout"]["shapes"]
        if shape["type"] == kind and shape["yref"] == "paper"
    ]


def axis_of(result: Result, name: str) -> dict[str, Any]:
    """The value axis that a curve is drawn on."""
    number = traces(result)[name]["yaxis"].removeprefix("y")
    axis: dict[str, Any] = timeline_figure(result)["layout"][f"yaxis{number}"]
    return axis


# -- the file


def test_nothing_is_loaded_from_anywhere(sample_result: Result) -> None:
    """The report can be read on a train, and tells nobody that it is read."""
    text = html_report(sample_result)
    loading = {"src", "href", "srcset", "data", "poster", "action", "background"}
    assert [element for element in Page(text).elements if loading & set(element[1])] == []
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in Page(text).elements}
    (style,) = re.findall(r"<style>(.*?)</style>", text.split("<body>")[0], re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_a_browser_is_told_to_refuse_whatever_would_be_loaded(sample_result: Result) -> None:
    """Should a figure's code try to fetch something, it cannot."""
    (policy,) = [each["content"] for each in page(sample_result).all("meta") if "http-equiv" in each]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert "connect-src" not in policy


def test_the_figures_code_is_in_the_file(sample_result: Result) -> None:
    """Without Plotly inside there would be nothing to see."""
    text = html_report(sample_result)
    assert len(text) > 1_000_000
    assert "Plotly.newPlot" in text


def test_the_same_result_gives_the_same_bytes(sample_result: Result) -> None:
    """No random names, no dates."""
    assert html_report(sample_result) == html_report(sample_result)


def test_the_file_replaces_an_older_one_and_leaves_nothing_beside_it(sample_result: Result, tmp_path: Path) -> None:
    """Drafts are gone when it is done."""
    path = tmp_path / "answer.html"
    path.write_text("old")
    write_report(sample_result, path)
    assert path.read_text(encoding="utf-8") == html_report(sample_result)
    assert list(tmp_path.iterdir()) == [path]


def test_a_result_that_cannot_be_shown_leaves_the_older_file_alone(sample_result: Result, tmp_path: Path) -> None:
    """Nothing is written before everything is known."""
    path = tmp_path / "answer.html"
    path.write_text("old")
    del sample_result["latency_ms"]
    with pytest.raises(KeyError):
        write_report(sample_result, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_plotly_is_imported_only_for_a_report() -> None:
    """`akstwin run` without a report starts fast."""
    code = "import sys, akstwin.scenarios.report; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- a user's words


def question(result: Result) -> None:
    """In the title."""
    result["question"] = ATTACK


def scenario(result: Result) -> None:
    """In the command."""
    result["scenario"] = ATTACK


def note(result: Result) -> None:
    """In a list."""
    result["notes"] = [ATTACK]


def assumption(result: Result) -> None:
    """In a list of pairs."""
    result["assumptions"] = {ATTACK: ATTACK}


def version(result: Result) -> None:
    """In a table."""
    result["versions"][ATTACK] = result["versions"].pop("green")


def reason(result: Result) -> None:
    """In another."""
    result["reasons"][ATTACK] = 1


def error(result: Result) -> None:
    """From the management plane."""
    result["operations"][0]["error"] = ATTACK


def event(result: Result) -> None:
    """In a table and in the figure's own data."""
    result["events"][0]["detail"] = ATTACK


@pytest.mark.parametrize("place", [question, scenario, note, assumption, version, reason, error, event])
def test_a_users_words_stay_words(sample_result: Result, place: Callable[[Result], None]) -> None:
    """Markup in them is shown, not obeyed, and adds no element."""
    usual = [tag for tag, _ in page(sample_result).elements if tag in {"script", "img"}]
    place(sample_result)
    attacked = page(sample_result)
    assert [tag for tag, _ in attacked.elements if tag in {"script", "img"}] == usual
    assert not any("onload" in attributes or "onerror" in attributes for _, attributes in attacked.elements)
    assert "<img src=x onerror=alert(1)>" in attacked.text


def test_markup_in_an_event_is_shown_by_the_figure_too(sample_result: Result) -> None:
    """Plotly would read its texts as HTML."""
    sample_result["events"][0]["detail"] = "<b>bold</b> & more"
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in traces(sample_result)["faults"]["text"][0]


# -- the page


def test_the_question_is_title_and_heading(sample_result: Result) -> None:
    """A tab and a reader see what is answered."""
    text = html_report(sample_result)
    assert f"<title>{sample_result['question']}</title>" in text
    assert f"<h1>{sample_result['question']}</h1>" in text


def test_a_scenario_without_a_question_is_named(sample_result: Result) -> None:
    """A page needs a heading."""
    sample_result["question"] = ""
    assert "<h1>rush_hour: what came out</h1>" in html_report(sample_result)


def test_a_screen_reader_finds_language_headings_and_scopes(sample_result: Result) -> None:
    """Tables can be read cell by cell, and sections be jumped to."""
    shown = page(sample_result)
    assert [each["lang"] for each in shown.all("html")] == ["en"]
    assert {each.get("scope") for each in shown.all("th")} == {"col", "row"}
    assert len(list(shown.all("caption"))) == len(list(shown.all("table"))) > 5
    headings = [tag for tag, _ in shown.elements if tag in {"h1", "h2", "h3"}]
    assert headings == ["h1"] + ["h2"] * (len(headings) - 1)
    assert any(each.get("aria-label") for each in shown.all("div") if each.get("role") == "img")


def test_phones_dark_screens_and_paper_are_thought_of(sample_result: Result) -> None:
    """Width, colours and page breaks follow the medium."""
    text = html_report(sample_result)
    for part in ("width=device-width", "prefers-color-scheme: dark", "@media print", "tabular-nums"):
        assert part in text


def test_the_banner_shows_objectives_with_target_and_interval(sample_result: Result) -> None:
    """The answer can be read without scrolling."""
    banner = html_report(sample_result).split("</header>")[0]
    assert 'class="answer bad"' in banner
    for part in ("1 of 2 objectives is not met", "296.0 ms", "at most 300.0 ms", "287.1 to 304.9 ms", "99.57 %"):
        assert part in banner


def test_unproven_is_not_shown_as_met(sample_result: Result) -> None:
    """Neither in words nor in colour."""
    for each in sample_result["objectives"]:
        each["met"] = "unproven"
    banner = html_report(sample_result).split("</header>")[0].split("<header>")[1]
    assert 'class="answer open"' in banner
    assert banner.count(">unproven<") == 2
    assert 'good"' not in banner
    assert ">met<" not in banner


def test_all_met_is_shown_as_met(sample_result: Result) -> None:
    """The other way round the colour is right too."""
    sample_result["objectives"][1] |= {"met": True, "value": 0.9995}
    assert 'class="answer good"' in html_report(sample_result)


def test_what_is_unknown_is_called_so(sample_result: Result) -> None:
    """Not None, and not nothing."""
    nothing = dict.fromkeys(sample_result["latency_ms"])
    sample_result |= {"cost": {"total": None, "per_1000_requests": None}, "latency_ms": nothing, "intervals": {}}
    sample_result["objectives"][0] |= {"value": None, "met": False}
    for each in sample_result["versions"].values():
        each |= {"latency_ms": nothing, "utilisation": None}
    shown = page(sample_result).text
    assert shown.count("unknown") == 2
    assert "None" not in shown
    assert "No request was answered with 200" in shown


def test_reasons_are_parts_of_their_status(sample_result: Result) -> None:
    """Indented, with the meaning beside."""
    assert re.search(
        r'<tr class="part"><th scope="row">queue_deadline</th>.*waited longer than max_request_wait_time',
        html_report(sample_result),
    )


def test_the_page_says_how_to_make_it_again(sample_result: Result) -> None:
    """The result's own command, ready to paste."""
    assert "<code>akstwin run rush_hour.yaml --seed 7 --replications 5</code>" in html_report(sample_result)


def test_one_replication_says_how_to_get_intervals(sample_result: Result) -> None:
    """The reader learns why there is no interval."""
    assert "--replications 5 gives them" not in page(sample_result).text
    sample_result |= {"replications": 1, "intervals": {}}
    shown = page(sample_result).text
    assert "no intervals; --replications 5 gives them" in shown
    assert "95 % interval" not in shown


def test_notes_and_changed_assumptions_are_shown(sample_result: Result) -> None:
    """What the answer rests on is part of it."""
    shown = page(sample_result).text
    assert sample_result["notes"][0] in shown
    assert "router_lag 2s" in shown


def test_sections_without_content_are_left_out(sample_result: Result) -> None:
    """No empty headings."""
    del sample_result["versions"]["green"]
    sample_result |= {"notes": [], "assumptions": {}, "operations": [], "events": [], "event_counts": {}}
    sample_result["timeline"] = []
    text = html_report(sample_result)
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["In numbers", "How it was made"]


# -- the figure


def test_plotly_knows_every_setting_of_the_figure(sample_result: Result) -> None:
    """The page is made without this check, which takes long."""
    assert go.Figure(timeline_figure(sample_result)).data


def test_all_curves_share_one_axis_of_time(sample_result: Result) -> None:
    """A glance upwards compares the same instant."""
    found = traces(sample_result)
    assert {"arrivals", "ready", "asked for", "waiting", "200", "502", "503", "p99", "objective"} <= set(found)
    assert {trace["xaxis"] for trace in found.values()} == {"x"}
    assert len({trace["yaxis"] for trace in found.values()}) == 6


@pytest.mark.parametrize(
    ("seconds", "unit", "end"), [(240, "seconds", 240), (4200, "minutes", 70), (86400, "hours", 24)]
)
def test_time_is_shown_in_a_unit_that_fits(sample_result: Result, seconds: float, unit: str, end: float) -> None:
    """Neither 86400 seconds nor 0.07 hours."""
    sample_result["duration_seconds"] = seconds
    axis = timeline_figure(sample_result)["layout"]["xaxis"]
    assert axis["title"]["text"].startswith(unit)
    assert axis["range"] == [0, end]


def test_the_last_stretch_is_drawn_to_the_end(sample_result: Result) -> None:
    """A step begins at each point; the last one needs an end."""
    ready = traces(sample_result)["ready"]
    assert ready["x"][-1] == 70
    assert ready["y"][-1] == ready["y"][-2]


def test_the_warm_up_is_shaded(sample_result: Result) -> None:
    """What is not counted looks different; without one nothing is shaded."""
    (shade,) = shapes(sample_result, "rect")
    assert (shade["x0"], shade["x1"]) == (0, 10)
    sample_result["warm_up_seconds"] = 0.0
    assert shapes(sample_result, "rect") == []


def test_faults_nodes_states_changes_and_operations_are_marked(sample_result: Result) -> None:
    """Each in a row of its own, with words, and with a line through the curves."""
    found = traces(sample_result)
    assert found["faults"]["text"] == ["30m: node loss, node 1"]
    assert found["nodes"]["x"] == [30, 30.666667, 40]
    assert found["service"]["text"][1] == "56m 52s: service state, fraud, Healthy"
    assert found["changes"]["text"] == ["55m: version updated, green, rolls"]
    assert found["operations"]["text"] == [
        "55m: Update started",
        "56m 52s: Update Succeeded",
        "1h 8m 20s: Update started",
    ]
    assert [line["x0"] for line in shapes(sample_result, "line")] == [30, 30.666667, 40, 55, 56.875, 68.333333]


def test_scale_steps_are_not_marked(sample_result: Result) -> None:
    """An autoscaler takes hundreds of them."""
    before = timeline_figure(sample_result)
    sample_result["events"].append({"at": 60.0, "kind": "scaled", "subject": "blue", "detail": "4 to 5"})
    assert timeline_figure(sample_result) == before


def test_many_events_do_not_hide_the_curves(sample_result: Result) -> None:
    """Lines are limited, and a fault keeps its own."""
    changes = [{"at": float(at), "kind": "traffic_changed", "subject": "", "detail": ""} for at in range(300)]
    sample_result["events"] = changes + sample_result["events"]
    lines = shapes(sample_result, "line")
    assert len(lines) == 40
    assert 30 in [line["x0"] for line in lines]
    assert len(traces(sample_result)["changes"]["x"]) == 301


def test_an_operation_that_has_not_ended_reaches_to_the_end(sample_result: Result) -> None:
    """It is still running there."""
    bars = [each for each in timeline_figure(sample_result)["layout"]["shapes"] if each["y0"] == "operations"]
    assert [(bar["x0"], bar["x1"]) for bar in bars] == [(55, 56.875), (68.333333, 70)]


def test_the_objective_is_a_line_in_the_p99_panel(sample_result: Result) -> None:
    """Only if there is one for p99."""
    found = traces(sample_result)
    assert set(found["objective"]["y"]) == {300.0}
    assert found["objective"]["yaxis"] == found["p99"]["yaxis"]
    del sample_result["objectives"][0]
    assert "objective" not in traces(sample_result)


def test_p99_gets_a_log_axis_only_if_it_spans_much(sample_result: Result) -> None:
    """A collapse to seconds must not flatten the rest."""
    assert axis_of(sample_result, "p99").get("type") != "log"
    sample_result["timeline"][50]["p99"] = 30_000.0
    assert axis_of(sample_result, "p99")["type"] == "log"


def test_answers_are_shares_with_failures_at_the_bottom(sample_result: Result) -> None:
    """Few failures are still seen: the axis is cut, and says so."""
    answers = [trace for trace in timeline_figure(sample_result)["data"] if trace.get("stackgroup")]
    assert [trace["name"] for trace in answers] == ["502", "503", "200"]
    for shares in zip(*(trace["y"] for trace in answers), strict=True):
        assert sum(shares) == pytest.approx(100, abs=0.001)
    assert axis_of(sample_result, "503")["range"][1] < 10
    titles = [each["text"] for each in timeline_figure(sample_result)["layout"]["annotations"]]
    assert "<b>Answers by status, % (axis cut)</b>" in titles


def test_answers_without_failures_are_shown_whole(sample_result: Result) -> None:
    """There is nothing to look closer at."""
    for point in sample_result["timeline"]:
        point["status"] = {"200": 10, "503": 0}
    assert axis_of(sample_result, "200")["range"] == [0, 100]
    assert "503" not in traces(sample_result)


def test_a_stretch_without_answers_is_a_gap(sample_result: Result) -> None:
    """Not a latency of nothing."""
    sample_result["timeline"][3] |= {"status": {}, "p99": None}
    found = traces(sample_result)
    assert found["p99"]["y"][3] is None
    assert found["200"]["y"][3] == 0


def test_a_run_in_which_nothing_happened_has_no_panel_of_events(sample_result: Result) -> None:
    """The curves begin at the top."""
    sample_result |= {"events": [], "operations": []}
    figure = timeline_figure(sample_result)
    assert figure["data"][0]["name"] == "arrivals"
    assert "Upright lines" not in page(sample_result).text


def test_a_status_has_the_colour_that_it_has_on_a_servers_page(sample_result: Result) -> None:
    """Who looks at both need not learn two legends."""
    text = (Path(__file__).parents[2] / "fake_api" / "control" / "page.html").read_text(encoding="utf-8")
    of_page = dict(re.findall(r"--(\w+): (#\w+)", text.partition("@media")[0]))
    assert STATUS_COLOURS["200"] == of_page["ok"]
    assert STATUS_COLOURS["503"] == of_page["refused"]
    assert STATUS_COLOURS["502"] == of_page["broken"]
    filled = {
        trace["name"]: trace["fillcolor"] for trace in timeline_figure(sample_result)["data"] if trace.get("stackgroup")
    }
    assert filled["200"] == of_page["ok"]
    assert filled["503"] == of_page["refused"]
    assert filled["502"] == of_page["broken"]
