"""The answer in the terminal: readable in 80 columns and in a pipe, and honest about what is not known."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from akstwin.domain.reasons import Reason
from akstwin.scenarios.tables import render
from akstwin.scenarios.wording import MEANINGS, STATUS_OF

Result = dict[str, Any]


def printed(result: Result, width: int = 80) -> str:
    """What a pipe of that width gets."""
    file = io.StringIO()
    render(result, Console(file=file, width=width))
    return file.getvalue()


def row(text: str, first: str) -> str:
    """The one line that begins with `first`."""
    (line,) = [line for line in text.splitlines() if line.startswith(first)]
    return line


def many_digits(result: Result) -> None:
    """Make every figure long."""
    for name in result["latency_ms"]:
        result["latency_ms"][name] = result["queue_wait_ms"][name] = 54_321.5
        for of in ("latency_ms", "queue_wait_ms"):
            result["intervals"][f"{of}.{name}"] = [51_234.5, 57_890.5]
    result["requests"] = 123_456_789
    for each in result["versions"].values():
        each["requests"] = 123_456_789
        each["status"]["200"] = 123_456_700
        each["latency_ms"]["p99"] = each["queue_wait_ms"]["p99"] = 54_321.5


def long_names(result: Result) -> None:
    """Give versions the longest names that Azure takes."""
    for old, new in (("blue", "blue-" + "b" * 27), ("green", "green-" + "g" * 26)):
        result["versions"][new] = result["versions"].pop(old)
        result["service"]["shares"][new] = result["service"]["shares"].pop(old)


def long_error(result: Result) -> None:
    """Fail an operation with Azure's usual verbosity."""
    result["operations"][0]["error"] = "KubernetesError: " + "0/17 nodes are available: insufficient cpu. " * 6


def test_the_question_comes_first(sample_result: Result) -> None:
    """A reader knows what the figures answer."""
    assert printed(sample_result, width=120).splitlines()[0].strip() == sample_result["question"]


@pytest.mark.parametrize("stretch", [lambda _: None, many_digits, long_names, long_error])
def test_no_line_is_longer_than_80_columns(sample_result: Result, stretch: Callable[[Result], None]) -> None:
    """Whatever the figures and names, nothing runs over."""
    stretch(sample_result)
    assert max(map(len, printed(sample_result).splitlines())) <= 80


@pytest.mark.parametrize("stretch", [lambda _: None, many_digits, long_names, long_error])
def test_figures_are_neither_wrapped_nor_cut_at_80_columns(
    sample_result: Result, stretch: Callable[[Result], None]
) -> None:
    """Room is taken from words first."""
    stretch(sample_result)
    narrow, wide = (re.findall(r"[\d.,]*\d", printed(sample_result, width)) for width in (80, 300))
    assert sorted(narrow) == sorted(wide)


def test_a_narrow_terminal_gets_lines_too_long_rather_than_figures_cut(sample_result: Result) -> None:
    """Half a figure would be a wrong one."""
    assert row(printed(sample_result, width=40), "p99.9 ").split()[-1] == "400.0"


@pytest.mark.parametrize("stretch", [lambda _: None, long_names])
def test_names_of_ours_are_not_broken_at_80_columns(sample_result: Result, stretch: Callable[[Result], None]) -> None:
    """They can be searched for, even beside longer names of a user's."""
    stretch(sample_result)
    text = printed(sample_result)
    assert text.count("no_ready_replica") == 1
    assert text.count("queue_deadline") == text.count("max_request_wait_time") == 3


def test_latency_and_queue_wait_stand_side_by_side_with_their_intervals(sample_result: Result) -> None:
    """What the model took and what the queue took can be told apart."""
    assert row(printed(sample_result), "p99.9 ").split() == ["p99.9", "610.0", "591.7", "to", "628.3", "400.0"]


def test_an_objective_shows_verdict_value_target_and_interval(sample_result: Result) -> None:
    """Durations are in ms, rates in per cent."""
    text = printed(sample_result)
    assert re.search(r"p99 +met +296\.0 ms +at most 300\.0 ms +287\.1 to 304\.9 ms", text)
    assert re.search(r"success_rate +not met +99\.57 % +at least 99\.90 % +99\.51 to 99\.63 %", text)
    assert "1 of 2 objectives is not met: success_rate." in text


def test_objectives_come_before_all_other_tables(sample_result: Result) -> None:
    """The answer comes before what explains it."""
    titles = ["\nObjectives", "\nLatency", "\nAnswers", "\nCapacity", "\nCost", "\nVersions", "\nOperations", "\nNotes"]
    places = [printed(sample_result).index(title) for title in titles]
    assert places == sorted(places)


def test_an_interval_around_the_target_is_pointed_out(sample_result: Result) -> None:
    """A verdict that more replications could turn is marked."""
    assert "The interval of p99 reaches past the target" in printed(sample_result)
    sample_result["intervals"]["latency_ms.p99"] = [290.0, 299.0]
    assert "reaches past" not in printed(sample_result)


def test_unproven_is_not_shown_as_met(sample_result: Result) -> None:
    """Figures that the nodes' CPU could not deliver are no success."""
    for each in sample_result["objectives"]:
        each["met"] = "unproven"
    text = printed(sample_result, width=120)
    assert re.search(r"p99 +unproven ", text)
    assert "unproven: CPU is oversubscribed" in text
    assert "objectives are met." not in text


def test_a_missed_objective_outweighs_an_unproven_one(sample_result: Result) -> None:
    """One objective that fails is the answer."""
    sample_result["objectives"][0]["met"] = "unproven"
    assert "1 of 2 objectives is not met: success_rate." in printed(sample_result)


def test_no_objectives_is_not_success(sample_result: Result) -> None:
    """Nothing asked, nothing judged."""
    sample_result["objectives"] = []
    text = printed(sample_result)
    assert "No objectives were set" in text
    assert "\nObjectives" not in text


def test_rounding_does_not_hide_why_an_objective_is_missed(sample_result: Result) -> None:
    """Not met by 0.04 ms does not read as 300.0 against 300.0."""
    sample_result["objectives"][0] |= {"value": 300.04, "met": False}
    assert re.search(r"p99 +not met +300\.04 ms +at most 300 ms ", printed(sample_result))


@pytest.mark.parametrize(("value", "shown"), [(0.999996, "99.99960 %"), (1.0, "100 %"), (0.0000004, "0.000040 %")])
def test_a_rate_is_100_per_cent_only_if_nothing_failed(sample_result: Result, value: float, shown: str) -> None:
    """Digits are added until a rate differs from none and from all."""
    sample_result["objectives"][1]["value"] = value
    assert shown in row(printed(sample_result), "success_rate")


def test_an_unknown_price_is_called_unknown(sample_result: Result) -> None:
    """Not as nothing, and not in Python's words."""
    sample_result["cost"] = {"total": None, "per_1000_requests": None}
    text = printed(sample_result)
    assert re.search(r"\ncost +unknown", text)
    assert "None" not in text


def test_latency_without_answers_is_a_dash_and_explained(sample_result: Result) -> None:
    """There is no figure, and the reader is told why."""
    nothing = dict.fromkeys(sample_result["latency_ms"])
    sample_result |= {"latency_ms": nothing, "queue_wait_ms": nothing, "intervals": {}}
    sample_result["objectives"][0] |= {"value": None, "met": False}
    for version in sample_result["versions"].values():
        version |= {"latency_ms": nothing, "queue_wait_ms": nothing, "utilisation": None}
    text = printed(sample_result)
    assert row(text, "p95 ").split() == ["p95", "-", "-"]
    assert "No request was answered with 200" in text
    assert "None" not in text


def test_one_replication_says_how_to_get_intervals(sample_result: Result) -> None:
    """A missing column is explained with the remedy."""
    hint = "1 replication: no intervals; --replications 5 gives them"
    assert hint not in printed(sample_result)
    sample_result |= {"replications": 1, "intervals": {}}
    text = printed(sample_result)
    assert hint in text
    assert "95 %" not in text


def test_reasons_stand_under_their_status_the_most_frequent_first(sample_result: Result) -> None:
    """A status is explained where it is counted."""
    lines = printed(sample_result, width=120).splitlines()
    table = lines[lines.index("Answers") + 3 : lines.index("Capacity") - 1]
    names = [line.split()[0] for line in table]
    assert names == ["200", "502", "replica_lost", "503", "queue_deadline", "no_ready_replica", "504"]
    (waited,) = [line for line in lines if line.startswith("  queue_deadline")]
    assert "waited longer than max_request_wait_time" in waited


def test_a_failed_run_stands_under_the_status_that_was_assumed_for_it(sample_result: Result) -> None:
    """`run_failure_status` moves it."""
    sample_result |= {"reasons": {"run_failed": 5}, "status": {"200": 95, "500": 5, "502": 0}, "requests": 100}
    sample_result["assumptions"] = {"run_failure_status": 500}
    lines = printed(sample_result).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("500 "))
    assert lines[at + 1].startswith("  run_failed")


def test_a_reason_nobody_knows_is_still_shown(sample_result: Result) -> None:
    """Newer worlds may know more reasons; none is dropped."""
    sample_result["reasons"]["sunspots"] = 12
    lines = printed(sample_result).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("other"))
    assert re.match(r"  sunspots .* 12\b", lines[at + 1])


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_a_status_and_a_meaning(reason: Reason) -> None:
    """A new reason cannot be forgotten here."""
    assert MEANINGS[reason]
    assert STATUS_OF[reason].isdigit()


def test_retries_are_told_apart_from_first_attempts(sample_result: Result) -> None:
    """Attempts and requests are not confused."""
    assert "retries" not in printed(sample_result)
    sample_result["retries"] = 1234
    assert "of which 1,234 were retries" in printed(sample_result, width=120)


def test_one_version_has_no_table_of_versions(sample_result: Result) -> None:
    """It would repeat the totals."""
    assert "\nVersions" in printed(sample_result)
    del sample_result["versions"]["green"]
    text = printed(sample_result)
    assert "\nVersions" not in text
    assert "What versions refused" not in text


def test_operations_are_shown_if_there_are_any(sample_result: Result) -> None:
    """One that has not ended says so."""
    assert re.search(r"Update +Running +1h 8m 20s +running", printed(sample_result))
    sample_result["operations"] = []
    assert "\nOperations" not in printed(sample_result)


def test_what_was_assumed_differently_and_the_notes_close_the_answer(sample_result: Result) -> None:
    """The reader sees what the answer rests on."""
    text = printed(sample_result)
    assert "- router_lag = 2s" in text
    assert "- model.cpu is not given for green" in text


@pytest.mark.parametrize("words", ["[red]not markup[/red]", "[/]", ":smile: [link=x]"])
def test_brackets_in_a_users_words_are_printed_as_they_are(sample_result: Result, words: str) -> None:
    """Rich's own markup is not theirs to use, by accident or on purpose."""
    sample_result["question"] = words
    sample_result["notes"] = [words]
    sample_result["operations"][0]["error"] = words
    assert printed(sample_result, width=120).count(words) == 3


def test_a_scenarios_words_cannot_steer_the_terminal(sample_result: Result) -> None:
    """Control characters do not get through."""
    sample_result["question"] = "all is \x1b[2Jwell\x07\r\nreally"
    sample_result["notes"] = ["\x1b]0;title\x07"]
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", printed(sample_result))


def test_a_pipe_gets_no_colour_and_a_terminal_does(sample_result: Result) -> None:
    """What is piped can be read by anything."""
    file = io.StringIO()
    render(sample_result, Console(file=file, width=80, force_terminal=True, color_system="standard"))
    assert "\x1b[" in file.getvalue()
    assert "\x1b[" not in printed(sample_result)


def test_a_terminal_that_knows_only_ascii_can_show_it(sample_result: Result) -> None:
    """Nothing but rules is drawn with other characters."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as file:
        render(sample_result, Console(file=file, width=80))
        file.flush()
        assert b"success_rate" in raw.getvalue()
