"""Every class of wrong scenario is answered by one line: file, place, value, what was expected, the nearest right name.

The commands run in this process, as `akstwin run` would: a wrong scenario ends with exit status 2, one line on standard
error, nothing on standard output and none of the files that were asked for.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akstwin.cli import main
from akstwin.scenarios.load import BadScenario, document_of, prepare
from akstwin.scenarios.run import run

LIBRARY = Path(__file__).parents[2] / "scenarios" / "library"
DURATION = 'is not a duration such as "250ms", "10s", "5m", "24h", or a number of seconds'
NAME = "is not 3 to 32 lower-case letters, digits and dashes, first a letter, last a letter or digit"
DISTRIBUTIONS = "'constant', 'uniform', 'exponential', 'lognormal', 'gamma', 'weibull', 'empirical'"
VM_SIZE = "a known virtual machine size, or {cpu_cores, memory_gb, gpu_cores, hourly_price}"

WEBSERVICE = """\
duration: 10s
cluster: {nodes: 3, vm_size: Standard_D4s_v5}
webservice:
  name: fraud
  deploy: {num_replicas: 2}
  model: {service_time: {distribution: lognormal, mean: 80ms, cv: 0.6}, init_time: 8s}
traffic:
  - {shape: poisson, rate: 5}
objectives: {p99: 300ms}
"""
ENDPOINT = """\
duration: 10s
endpoint:
  name: fraud
  versions:
    - {name: blue, deploy: {traffic_percentile: 90, is_default: true, num_replicas: 2}}
    - {name: green, deploy: {traffic_percentile: 10, num_replicas: 1}}
traffic: {shape: poisson, rate: 5}
"""

Run = Callable[..., str]


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must be refused, in a folder of its own, and gives the line that it says.

    It takes the scenario file's content (None: there is no file), what follows its name on the command line, which
    command it is, and whether output files are asked for.
    """
    monkeypatch.chdir(tmp_path)

    def run(text: str | bytes | None, *arguments: str, command: str = "run", outputs: bool = True) -> str:
        if text is not None:
            Path("s.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        before = sorted(tmp_path.iterdir())
        asked = ["--json", "r.json", *(["--report", "r.html", "--trace", "r.parquet"] if command == "run" else [])]
        monkeypatch.setattr(sys, "argv", ["akstwin", command, "s.yaml", *(asked if outputs else []), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert sorted(tmp_path.iterdir()) == before, "nothing is written"
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("akstwin: ")
        assert said.err.endswith("\n")
        assert said.err.count("\n") == 1, "one line"
        assert "Traceback" not in said.err
        return said.err.removeprefix("akstwin: ").removesuffix("\n")

    return run


def changed(text: str, old: str, new: str) -> str:
    """The scenario with one passage replaced."""
    assert old in text
    return text.replace(old, new, 1)


# -- settings that there are not


@pytest.mark.parametrize(
    ("old", "new", "place", "nearest"),
    [
        ("duration:", "duraton:", "duraton", "duration"),
        ("deploy: {num_replicas", "deploy: {num_replica", "webservice.deploy.num_replica", "num_replicas"),
        ("init_time:", "init_tim:", "webservice.model.init_tim", "init_time"),
        ("mean:", "men:", "webservice.model.service_time.men", "mean"),
        ("rate:", "rat:", "traffic[0].rat", "rate"),
        ("vm_size:", "vmsize:", "cluster.vmsize", "vm_size"),
        ("Standard_D4s_v5", "{cpu_core: 4, memory_gb: 16}", "cluster.vm_size.cpu_core", "cpu_cores"),
        ("{p99:", "{p98:", "objectives.p98", "p99"),
    ],
)
def test_a_setting_that_is_not_there(refusal: Run, old: str, new: str, place: str, nearest: str) -> None:
    """Its whole path is named, inside unions too, and the setting that was probably meant."""
    said = refusal(changed(WEBSERVICE, old, new))
    assert said.startswith(f"s.yaml: {place}: no such setting; did you mean {nearest}?")


@pytest.mark.parametrize(
    ("addition", "place", "nearest"),
    [
        ("faults: [{kind: node_loss, at: 1s, nod: 1}]", "faults[0].nod", "node"),
        ("faults: [{kind: slow_replica, at: 1s, facto: 2}]", "faults[0].facto", "factor"),
        ("assumptions: {router_lagg: 2s}", "assumptions.router_lagg", "router_lag"),
        ("assumptions: {router_pods: {FastPro: 3}}", "assumptions.router_pods.FastPro", "FastProd"),
        ("clients: {retri: none}", "clients.retri", "retry"),
        ("clients: {retry: {statuses: [503], attempts: 2, back_off: 1s}}", "clients.retry.back_off", "backoff"),
        ("operations: [{kind: update, at: 1s, deploy: {cpu: 2}}]", "operations[0].deploy.cpu", None),
        ("operations: [{kind: update, at: 1s, model: {worker: 2}}]", "operations[0].model.worker", "workers"),
        (
            "policies: [{kind: canary, version: x, step: [1], hold: 1s, max_error_rate: 0}]",
            "policies[0].step",
            "steps",
        ),
    ],
)
def test_a_setting_that_is_not_there_in_what_may_be_added(
    refusal: Run, addition: str, place: str, nearest: str | None
) -> None:
    """Faults, assumptions, clients, operations and policies are as strict."""
    said = refusal(WEBSERVICE + addition)
    assert said.startswith(f"s.yaml: {place}: no such setting; ")
    assert (f"did you mean {nearest}?" if nearest else "expected one of autoscale_enabled, ") in said


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (changed(WEBSERVICE, "num_replicas: 2", "num_replicas: 1000000000"), "webservice.deploy.num_replicas"),
        (
            changed(
                WEBSERVICE, "num_replicas: 2", "autoscale_min_replicas: 1000000000, autoscale_max_replicas: 2000000000"
            ),
            "webservice.deploy.autoscale_min_replicas",
        ),
        (
            changed(ENDPOINT, "num_replicas: 1}", "num_replicas: 1000000000}"),
            "endpoint.versions[1].deploy.num_replicas",
        ),
        (
            WEBSERVICE + "operations: [{kind: update, at: 1s, deploy: {num_replicas: 1000000000}}]",
            "operations[0].deploy.num_replicas",
        ),
    ],
)
def test_replicas_that_no_cluster_could_hold(refusal: Run, text: str, place: str) -> None:
    """The pods of the largest cluster are named: nodes times max_pods_per_node."""
    said = "1000000000 is not at most 150000, the pods that the largest cluster holds"
    assert refusal(text + "\nassumptions: {max_pods_per_node: 30}") == f"s.yaml: {place}: {said}"


def test_far_from_any_name_all_are_listed(refusal: Run) -> None:
    """Where nothing is near, everything that could stand there is named, but for what only the program fills in."""
    assert refusal(WEBSERVICE + "xyzzy: 1") == (
        "s.yaml: xyzzy: no such setting; expected one of question, seed, replications, duration, warm_up, start, cluster, "
        "endpoint, webservice, services, traffic, clients, faults, operations, policies, objectives, assumptions"
    )
    text = changed(WEBSERVICE, "{shape: poisson, rate: 5}", "{shape: trace, file: a.csv, instants: [1]}")
    assert (
        refusal(text)
        == "s.yaml: traffic[0].instants: no such setting; expected one of shape, file, column, unit, zone, only, repeats"
    )


# -- units and kinds of values


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("10 parsecs", "'10 parsecs'"),
        ("-5s", "'-5s'"),
        ("-5", "-5"),
        ("soon", "'soon'"),
        ("1h30m", "'1h30m'"),
        ("10 S", "'10 S'"),
        ("", "nothing"),
        ("true", "true"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e99", "1e+99"),
        ("[1s]", "['1s']"),
        ("2020-01-01", "2020-01-01"),
    ],
)
def test_what_is_no_duration(refusal: Run, written: str, shown: str) -> None:
    """The value as it was written, and what a duration looks like."""
    assert (
        refusal(changed(WEBSERVICE, "duration: 10s", f"duration: {written}")) == f"s.yaml: duration: {shown} {DURATION}"
    )


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("mean: 80ms", "mean: 80 parsecs", "webservice.model.service_time.mean"),
        ("init_time: 8s", "init_time: forever", "webservice.model.init_time"),
        ("duration: 10s", "duration: 10s\nwarm_up: brief", "warm_up"),
        ("duration: 10s", "duration: 10s\nassumptions: {router_lag: 1 parsec}", "assumptions.router_lag"),
        ("{shape: poisson, rate: 5}", "{shape: steps, rate: [1], at: [noon]}", "traffic[0].at[0]"),
        ("duration: 10s", "duration: 10s\nfaults: [{kind: replica_kill, at: noon}]", "faults[0].at"),
        ("duration: 10s", "duration: 10s\noperations: [{kind: update, at: noon}]", "operations[0].at"),
    ],
)
def test_wrong_units_wherever_a_duration_stands(refusal: Run, old: str, new: str, place: str) -> None:
    """The place is told to the last step."""
    said = refusal(changed(WEBSERVICE, old, new))
    assert said.startswith(f"s.yaml: {place}: '")
    assert DURATION in said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("400", "400 is not a latency with its unit: 400 ms or 400 s? Write 400ms or 400s"),
        ("0.4", "0.4 is not a latency with its unit: 0.4 ms or 0.4 s? Write 0.4ms or 0.4s"),
        ("'400'", "'400' is not a latency with its unit: 400 ms or 400 s? Write 400ms or 400s"),
        ("fast", '\'fast\' is not a latency with its unit, such as "250ms" or "2s"'),
        ("-4ms", '\'-4ms\' is not a latency with its unit, such as "250ms" or "2s"'),
        ("true", 'true is not a latency with its unit, such as "250ms" or "2s"'),
    ],
)
@pytest.mark.parametrize("objective", ["mean", "p50", "p90", "p95", "p99", "p999", "max"])
def test_a_latency_objective_says_its_unit(refusal: Run, objective: str, written: str, said: str) -> None:
    """400 could be milliseconds or seconds: the answer would be wrong by a thousand."""
    assert (
        refusal(changed(WEBSERVICE, "p99: 300ms", f"{objective}: {written}"))
        == f"s.yaml: objectives.{objective}: {said}"
    )


def test_a_size_is_not_a_herd(refusal: Run) -> None:
    """Sizes have units too."""
    said = refusal(WEBSERVICE + "assumptions: {max_payload: 10 elephants}")
    assert said == (
        "s.yaml: assumptions.max_payload: '10 elephants' is not a size such as \"100MB\", or a number of bytes"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("num_replicas: 2", "num_replicas: three", "webservice.deploy.num_replicas: 'three' is not a whole number"),
        ("num_replicas: 2", "num_replicas: 2.5", "webservice.deploy.num_replicas: 2.5 is not a whole number"),
        ("num_replicas: 2", "num_replicas: true", "webservice.deploy.num_replicas: true is not a whole number"),
        (
            "num_replicas: 2",
            "num_replicas: '2'",
            "webservice.deploy.num_replicas: '2' is not a whole number; write it without quotes",
        ),
        ("num_replicas: 2", "num_replicas: .inf", "webservice.deploy.num_replicas: .inf is not a whole number"),
        ("num_replicas: 2", "num_replicas: 0", "webservice.deploy.num_replicas: 0 is not greater than 0"),
        ("num_replicas: 2", "cpu_cores: .inf", "webservice.deploy.cpu_cores: .inf is not a finite number"),
        ("num_replicas: 2", "memory_gb: .nan", "webservice.deploy.memory_gb: .nan is not a finite number"),
        ("num_replicas: 2", "cpu_cores: yes", "webservice.deploy.cpu_cores: 'yes' is not a number"),
        ("num_replicas: 2", "auth_enabled: 1", "webservice.deploy.auth_enabled: 1 is not true or false"),
        ("num_replicas: 2", "description: 3", "webservice.deploy.description: 3 is not text"),
        ("num_replicas: 2", "tags: [a]", "webservice.deploy.tags: ['a'] is not a mapping of settings"),
        ("num_replicas: 2", "tags: {a: 2}", "webservice.deploy.tags.a: 2 is not text"),
        ("num_replicas: 2", "tags: {1: b}", "webservice.deploy.tags.1: the name 1 is not text"),
        ("rate: 5", "rate: '5'", "traffic[0].rate: '5' is not a number; write it without quotes"),
        ("rate: 5", "rate: true", "traffic[0].rate: true is not a number"),
        ("rate: 5", "rate: .inf", "traffic[0].rate: .inf is not a finite number"),
        ("rate: 5", "rate: 1e9", "traffic[0].rate: 1000000000.0 is not at most 100000"),
        ("rate: 5", "rate: 0", "traffic[0].rate: 0 is not greater than 0"),
        ("nodes: 3", "nodes: 3.0", "cluster.nodes: 3.0 is not a whole number"),
        ("p99: 300ms", "success_rate: 99.9", "objectives.success_rate: 99.9 is not at most 1"),
        ("p99: 300ms", "cost: .inf", "objectives.cost: .inf is not a finite number"),
        ("p99: 300ms", "p99: 0s", "objectives.p99: '0s' is not greater than 0"),
        ("duration: 10s", "duration: 10s\nseed: -1", "seed: -1 is not at least 0"),
        ("duration: 10s", "duration: 10s\nseed: '7'", "seed: '7' is not a whole number; write it without quotes"),
        ("duration: 10s", "duration: 10s\nreplications: 0", "replications: 0 is not greater than 0"),
        ("duration: 10s", "duration: 10s\nquestion: 42", "question: 42 is not text"),
        ("duration: 10s", "duration: 10s\nstart: helthy", "start: 'helthy' is not 'healthy' or 'cold'; did you mean healthy?"),
        ("traffic:\n  - {shape: poisson, rate: 5}", "traffic: 5", "traffic: 5 is not a list"),
        ("{shape: poisson, rate: 5}", "poisson", "traffic[0]: 'poisson' is not a mapping of settings"),
        ("init_time: 8s", "workers: 0", "webservice.model.workers: 0 is not greater than 0"),
        ("init_time: 8s", "failure_rate: 5%", "webservice.model.failure_rate: '5%' is not a number"),
        ("init_time: 8s", "failure_rate: 2", "webservice.model.failure_rate: 2 is not at most 1"),
        ("init_time: 8s", "cpu: .inf", "webservice.model.cpu: .inf is not a finite number"),
        ("webservice:\n  name: fraud", "webservice:\n  name: 7", "webservice.name: 7 is not text"),
    ],
)  # fmt: skip
def test_what_is_of_the_wrong_kind(refusal: Run, old: str, new: str, said: str) -> None:
    """Numbers as text, booleans as numbers, numbers without end or out of range: in words that need no dictionary."""
    assert refusal(changed(WEBSERVICE, old, new)) == f"s.yaml: {said}"


# -- distributions and traffic


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "{distribution: lognorml, mean: 1s, cv: 1}",
            f".distribution: 'lognorml' is not one of {DISTRIBUTIONS}; did you mean lognormal?",
        ),
        (
            "{distribution: lognormal, cv: 1}",
            '.mean: is missing; expected a duration such as "250ms", "10s", "5m", "24h", or a number of seconds',
        ),
        ("{distribution: lognormal, mean: 1s}", ".cv: is missing; expected a number"),
        (
            "{distribution: exponential, mean: 1s, cv: 1}",
            ".cv: no such setting; expected one of distribution, mean",
        ),
        ("{distribution: uniform, mean: 1s, cv: 0.9}", ".cv: 0.9 is not at most 0.57735"),
        ("{distribution: gamma, mean: 1s, cv: 0}", ".cv: 0 is not at least 0.001"),
        ("{distribution: gamma, mean: 1s, cv: -1}", ".cv: -1 is not at least 0.001"),
        ("{distribution: weibull, mean: 1s, cv: 21}", ".cv: 21 is not at most 20"),
        ("{mean: 1s}", ": a mapping has no `distribution:`"),
        ("[1s]", ": ['1s'] is not a mapping of settings"),
        ("{distribution: empirical}", ".file: is missing; expected text"),
        ("{distribution: empirical, file: no.csv}", ".file: no.csv: cannot be read: No such file or directory"),
    ],
)
def test_a_bad_distribution(refusal: Run, written: str, said: str) -> None:
    """Unknown, incomplete, or with figures that it cannot have."""
    text = changed(WEBSERVICE, "{distribution: lognormal, mean: 80ms, cv: 0.6}", written)
    assert refusal(text) == f"s.yaml: webservice.model.service_time{said}"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "{shape: poison, rate: 5}",
            ".shape: 'poison' is not one of 'constant', 'poisson', 'steps', 'trace', 'users'; did you mean poisson?",
        ),
        ("{rate: 5}", ": a mapping has no `shape:`"),
        ("{shape: poisson}", ".rate: is missing; expected a number"),
        ("{shape: steps, rate: [1, 2], at: [0]}", ": expected as many instants in `at` as rates: 2 rates, 1 instants"),
        ("{shape: steps, rate: [1, 2], at: [5, 5]}", ": expected instants in `at` that grow"),
        ("{shape: steps, rate: [], at: []}", ".rate: [] is not a list of at least 1"),
        ("{shape: steps, rate: 5, at: [0]}", ".rate: 5 is not a list"),
        ("{shape: steps, rate: [1, -2], at: [0, 1]}", ".rate[1]: -2 is not at least 0"),
    ],
)
def test_bad_traffic(refusal: Run, written: str, said: str) -> None:
    """Shapes that there are not, and shapes that are not complete."""
    assert refusal(changed(WEBSERVICE, "{shape: poisson, rate: 5}", written)) == f"s.yaml: traffic[0]{said}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\x00\xff\xfe", "line 1: holds a NUL, which no text file does"),
        (b"seconds\n1\nx3\n", "line 3: 'x3' is not a number of seconds, or of another unit"),
        (b"1ms\n3ms\n\n2ms\n", "line 4: '2ms' goes back in time"),
        (b"1s\n-2\n", "line 2: '-2' is not a number of seconds, or of another unit"),
        (b"1s\nnan\n", "line 2: 'nan' is not a number of seconds, or of another unit"),
        (b"1s\n1e999\n", "line 2: '1e999' is not a number of seconds, or of another unit"),
        (b"", "has no values; expected one a line"),
        (b"seconds\n", "has no values; expected one a line"),
        (None, "cannot be read: No such file or directory"),
        (b"400\n", "line 1: '400' has no unit: 400 ms or 400 s? Write unit: ms or unit: s beside file:"),
        (b"5ms\n400\n", "line 2: '400' has no unit: 400 ms or 400 s? Write unit: ms or unit: s beside file:"),
        (
            b"at\n\n400\n",
            (
                "line 3: '400' has no unit: 400 ms or 400 s? Name the column at_ms or at_s, or write unit: ms or unit: s "
                "beside file:"
            ),
        ),
    ],
    ids=[
        "binary",
        "junk",
        "back",
        "negative",
        "nan",
        "endless",
        "empty",
        "heading",
        "missing",
        "bare",
        "bare-later",
        "unnamed",
    ],
)
def test_a_trace_that_cannot_be_read(refusal: Run, content: bytes | None, said: str) -> None:
    """The setting, the file, the line."""
    if content is not None:
        Path("t.csv").write_bytes(content)
    text = changed(WEBSERVICE, "{shape: poisson, rate: 5}", "{shape: trace, file: t.csv}")
    assert refusal(text) == f"s.yaml: traffic[0].file: t.csv: {said}"


def test_measured_durations_are_read_with_the_same_care(refusal: Run) -> None:
    """An empirical distribution's file may go back, but holds durations only."""
    Path("d.csv").write_text("80ms\n20ms\nslow\n", encoding="utf-8")
    text = changed(
        WEBSERVICE, "{distribution: lognormal, mean: 80ms, cv: 0.6}", "{distribution: empirical, file: d.csv}"
    )
    assert refusal(text) == (
        "s.yaml: webservice.model.service_time.file: d.csv: line 3: 'slow' is not a number of seconds, or of "
        "another unit"
    )


CUT = "has 1 cell, and the headings 2: the line is cut off, or a row of another table"


@pytest.mark.parametrize(
    ("settings", "content", "said"),
    [
        ("column: took", "at_s,wait_ms\n1,2\n", "has no column took; there are at_s, wait_ms"),
        ("column: wait_m", "at_s,wait_ms\n1,2\n", "has no column wait_m; did you mean wait_ms?"),
        ("column: wait_ms", "1s,2s\n", "has no headings, so no column wait_ms"),
        ("column: wait_ms", "at_s,wait_ms\n1\n", f"line 2: {CUT}"),
        ("unit: s", "wait_ms\n1\n", "column wait_ms is in milliseconds by its heading, not in seconds (unit: s)"),
    ],
)
def test_a_column_that_cannot_be_read(refusal: Run, settings: str, content: str, said: str) -> None:
    """A column that is not there, and units that contradict each other."""
    Path("d.csv").write_text(content, encoding="utf-8")
    written = f"{{distribution: empirical, file: d.csv, {settings}}}"
    text = changed(WEBSERVICE, "{distribution: lognormal, mean: 80ms, cv: 0.6}", written)
    assert refusal(text) == f"s.yaml: webservice.model.service_time.file: d.csv: {said}"


def test_a_unit_that_is_none(refusal: Run) -> None:
    """Units are the four that logs use."""
    text = changed(WEBSERVICE, "{shape: poisson, rate: 5}", "{shape: trace, file: t.csv, unit: min}")
    assert refusal(text) == "s.yaml: traffic[0].unit: 'min' is not 'ns', 'us', 'ms' or 's'"


# -- names, versions, shares


@pytest.mark.parametrize("name", ["Blue", "b", "v2", "a" * 33, "-ab", "ab-", "1ab", "a_b", "''"])
def test_a_bad_name(refusal: Run, name: str) -> None:
    """The rule of the service (semantics §2.1), for versions and services."""
    shown = name if name == "''" else f"'{name}'"
    assert (
        refusal(changed(ENDPOINT, "name: green", f"name: {name}"))
        == f"s.yaml: endpoint.versions[1].name: {shown} {NAME}"
    )
    assert refusal(changed(ENDPOINT, "name: fraud", f"name: {name}")) == f"s.yaml: endpoint.name: {shown} {NAME}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("percentile: 10", "percentile: 110", "[1].deploy.traffic_percentile: 110.0 is not a percentage from 0 to 100"),
        ("percentile: 10", "percentile: -1", "[1].deploy.traffic_percentile: -1.0 is not a percentage from 0 to 100"),
        (
            "    - {name: green",
            "    - {name: red, deploy: {traffic_percentile: 95}}\n    - {name: green",
            ": traffic_percentile: 'red 95 + green 10 = 105' is not at most 100 per cent beside the default version, blue",
        ),
        ("name: green", "name: blue", "[1].name: 'blue' is not a name of its own: another version has it"),
        ("percentile: 10,", "percentile: 10, is_default: true,",
         ".is_default: 'blue and green' is not true for one version only"),
        (
            "    - {name: green",
            "".join(f"    - {{name: red-{at}}}\n" for at in range(5)) + "    - {name: green",
            ": 7 is not at most 6 versions",
        ),
    ],
    ids=["over-100", "negative", "sum", "twice", "two-defaults", "seventh"],
)  # fmt: skip
def test_versions_that_cannot_be(refusal: Run, old: str, new: str, said: str) -> None:
    """Shares over a hundred, alone or together; a seventh version; one name or default twice."""
    assert refusal(changed(ENDPOINT, old, new)) == f"s.yaml: endpoint.versions{said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("duration: 10s\n", "expected a scenario with either `endpoint:` or `webservice:`, or several of them under `services:`"),
        (WEBSERVICE + "endpoint: {name: abc, versions: [{name: blue}]}",
         "expected a scenario with either `endpoint:` or `webservice:`, or several of them under `services:`"),
        ("webservice: {name: abc}\n",
         'duration: is missing; expected a duration such as "250ms", "10s", "5m", "24h", or a number of seconds'),
        ("duration: 1s\nendpoint: {name: abc}\n", "endpoint.versions: is missing"),
        ("duration: 1s\nendpoint: {name: abc, versions: []}\n", "endpoint.versions: [] is not a list of at least 1"),
        ("duration: 1s\nwebservice: fraud\n", "webservice: 'fraud' is not a mapping of settings"),
        ("duration: 1s\nwebservice: {deploy: {}}\n", "webservice.name: is missing; expected text"),
        (WEBSERVICE + "warm_up: 10s", "warm_up: '10s' is not shorter than duration, 10s"),
    ],
)  # fmt: skip
def test_what_a_scenario_must_have(refusal: Run, text: str, said: str) -> None:
    """A duration with something to count in it, and one service."""
    assert refusal(text) == f"s.yaml: {said}"


# -- what settings say of each other


@pytest.mark.parametrize(
    ("deploy", "said"),
    [
        ("scoring_timeout_ms: 300001", "scoring_timeout_ms: 300001 is not at most 300000"),
        (
            "autoscale_min_replicas: 5, autoscale_max_replicas: 3",
            "autoscale_min_replicas: 5 is not possible: the minimum 5 is over the maximum 3",
        ),
        ("autoscale_min_replicas: 11", "autoscale_min_replicas: 11 is not possible: the minimum 11 is over the maximum 10"),
        ("autoscale_target_utilization: 101", "autoscale_target_utilization: 101 is not at most 100"),
        ("num_replicas: 2, autoscale_max_replicas: 5", "autoscale_max_replicas: 5 is not possible with the autoscaler off"),
        ("num_replicas: 2, autoscale_refresh_seconds: 5", "autoscale_refresh_seconds: 5 is not possible with the autoscaler off"),
        ("num_replicas: 2, autoscale_enabled: true", "num_replicas: 2 is not possible with autoscale_enabled: one or the other"),
        ("autoscale_enabled: false", "num_replicas: is missing; expected a number of replicas, as autoscale_enabled is off"),
        ("cpu_cores: 2, cpu_cores_limit: 1", "cpu_cores_limit: 1.0 is not at least cpu_cores, 2.0"),
        (
            "auth_enabled: true, token_auth_enabled: true",
            "token_auth_enabled: true is not possible together with auth_enabled: one or the other",
        ),
        ("namespace: A_b", "namespace: 'A_b' is not 1 to 63 lower-case letters, digits and inner dashes"),
    ],
)  # fmt: skip
def test_arguments_that_the_sdk_or_the_service_refuses(refusal: Run, deploy: str, said: str) -> None:
    """The same refusals, with the setting's path in the file; an update to the same is refused in the same words."""
    assert refusal(changed(WEBSERVICE, "num_replicas: 2", deploy)) == f"s.yaml: webservice.deploy.{said}"


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ("{nodes: 2}", "nodes: 2 is not at least 3 for a FastProd cluster (purpose: DevTest takes one)"),
        (
            "{nodes: 3, vm_size: Standard_D2s_v3}",
            "nodes: 3 is not enough: nodes times cores is 6, a FastProd cluster needs 12",
        ),
        (
            "{vm_size: Standard_D4s_v7}",
            f"vm_size: 'Standard_D4s_v7' is not {VM_SIZE}; did you mean Standard_D4s_v6?",
        ),
        ("{vm_size: {cpu_cores: 4}}", "vm_size.memory_gb: is missing; expected a number"),
        ("{vm_size: {cpu_cores: .inf, memory_gb: 9}}", "vm_size.cpu_cores: .inf is not a finite number"),
        ("{vm_size: {cpu_cores: 4, memory_gb: 9, hourly_price: -1}}", "vm_size.hourly_price: -1 is not at least 0"),
        ("{purpose: FastProd1}", "purpose: 'FastProd1' is not 'FastProd' or 'DevTest'; did you mean FastProd?"),
    ],
)
def test_a_cluster_that_cannot_be(refusal: Run, cluster: str, said: str) -> None:
    """Too small for production, or of machines that nobody knows."""
    text = changed(WEBSERVICE, "{nodes: 3, vm_size: Standard_D4s_v5}", cluster)
    assert refusal(text) == f"s.yaml: cluster.{said}"


def test_a_node_autoscaler_goes_up(refusal: Run) -> None:
    """A maximum under the minimum is refused."""
    text = changed(WEBSERVICE, "{nodes: 3, vm_size: Standard_D4s_v5}", "{nodes: 5, max_nodes: 4}")
    assert refusal(text) == "s.yaml: cluster.max_nodes: 4 is not at least cluster.nodes, 5"


def test_a_replica_that_no_node_has_room_for(refusal: Run) -> None:
    """More nodes would not help: it is said what one replica asks for, and which settings to change."""
    said = refusal(changed(WEBSERVICE, "num_replicas: 2", "num_replicas: 2, memory_gb: 40, cpu_cores: 1"))
    assert "none fits: with its side-car each asks for 1.1 cores and 40.6 GB; lower cpu_cores or memory_gb" in said
    assert "or take a larger cluster.vm_size" in said


def test_replicas_that_do_not_fit(refusal: Run) -> None:
    """A healthy start needs room for all of them; how many fit is said, and how to see what would happen."""
    said = refusal(changed(WEBSERVICE, "num_replicas: 2", "num_replicas: 2000"))
    assert said.startswith("s.yaml: cluster.nodes: 3 is not enough for the 2000 replicas that fraud starts with: ")
    assert "start: cold" in said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("{kind: node_loss, at: 1s, node: 4}", ".node: 4 is not a node of the cluster: they are 1 to 3"),
        ("{kind: node_loss, at: 1s, node: 0}", ".node: 0 is not greater than 0"),
        (
            "{kind: replica_kill, at: 1s, version: frud}",
            ".version: 'frud' is not a version: there is fraud; did you mean fraud?",
        ),
        ("{kind: replica_kill}", ".at: is missing; expected a duration such as "),
        ("{at: 1s}", ": a mapping has no `kind:`"),
        ("{kind: replica_kil, at: 1s}", ".kind: 'replica_kil' is not one of 'node_loss', 'replica_kill', "),
        ("{kind: slow_replica, at: 1s, factor: 0}", ".factor: 0 is not greater than 0"),
        ("{kind: crash_on_request, request: 0}", ".request: 0 is not greater than 0"),
        ("node_loss", ": 'node_loss' is not a mapping of settings"),
    ],
)
def test_a_fault_on_what_is_not_there(refusal: Run, fault: str, said: str) -> None:
    """Nodes and versions that exist, kinds that exist, figures that can be."""
    assert refusal(WEBSERVICE + f"faults: [{fault}]").startswith(f"s.yaml: faults[0]{said}")


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("version: gren, steps: [10]", ".version: 'gren' is not a version: there are blue, green; did you mean green?"),
        ("version: blue, steps: [10]", ".version: 'blue' is not a version beside the default, which gets what the others leave"),
        ("version: green, steps: [10, 120]", ".steps[1]: 120 is not at most 100"),
        ("version: green, steps: [10, 5]", ": expected steps that grow"),
        ("version: green, steps: []", ".steps: [] is not a list of at least 1"),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be(refusal: Run, policy: str, said: str) -> None:
    """It raises the share of a version that exists and is not the default."""
    text = ENDPOINT + f"policies: [{{kind: canary, {policy}, hold: 1s, max_error_rate: 0.1}}]"
    assert refusal(text) == f"s.yaml: policies[0]{said}"


def test_the_steps_of_a_policy_leave_room_for_the_others(refusal: Run) -> None:
    """The highest step and the other versions' shares come to a hundred at most."""
    text = changed(
        ENDPOINT, "    - {name: green", "    - {name: red, deploy: {traffic_percentile: 50}}\n    - {name: green"
    )
    said = refusal(text + "policies: [{kind: canary, version: green, steps: [60], hold: 1s, max_error_rate: 0.1}]")
    assert said == (
        "s.yaml: policies[0].steps: 'red 50 + green 60 = 110' is not at most 100 per cent beside the default version, blue"
    )


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("version: nope", ".version: 'nope' is not a version: there is fraud"),
        ("deploy: {num_replicas: 0}", ".deploy.num_replicas: 0 is not greater than 0"),
        ("deploy: {autoscale_max_replicas: 5}", ".deploy.autoscale_max_replicas: 5 is not possible with the autoscaler off"),
        ("deploy: {scoring_timeout_ms: 300001}", ".deploy.scoring_timeout_ms: 300001 is not at most 300000"),
        ("model: {service_time: {distribution: empirical, file: no.csv}}",
         ".model.service_time.file: no.csv: cannot be read: No such file or directory"),
    ],
)  # fmt: skip
def test_an_operation_that_cannot_be(refusal: Run, operation: str, said: str) -> None:
    """It is checked beforehand as the update that it will be."""
    text = WEBSERVICE + f"operations: [{{kind: update, at: 1s, {operation}}}]"
    assert refusal(text) == f"s.yaml: operations[0]{said}"


@pytest.mark.parametrize(
    ("retry", "said"),
    [
        ("azureml_core",
         ': \'azureml_core\' is not "none", "azureml-core", "urllib3", or a mapping with statuses, attempts, backoff, factor'),
        ("{statuses: [200], attempts: 2}", ".statuses[0]: 200 is not at least 400"),
        ("{statuses: [503], attempts: 0}", ".attempts: 0 is not at least 1"),
        ("{statuses: [503], attempts: 3, backoff: 1 parsec}", f".backoff: '1 parsec' {DURATION}"),
        ("3", ": 3 is not 'none', 'azureml-core' or 'urllib3'"),
    ],
)  # fmt: skip
def test_clients_that_nobody_knows(refusal: Run, retry: str, said: str) -> None:
    """A name, or a mapping whose own settings are named when they are wrong."""
    assert refusal(WEBSERVICE + f"clients: {{retry: {retry}}}") == f"s.yaml: clients.retry{said}"


# -- files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\nb: 2\n", "line 2: expected ',' or ']', but got ':'"),
        ("duration: 10s\n\tseed: 3\n", "line 2: found character '\\t' that cannot start any token"),
        ("duration: 10s\nduration: 5s\n", 'line 2: found duplicate key "duration" with value "5s" (original value: "10s")'),
        ("duration: 1s\n---\nduration: 2s\n", "line 2: expected a single document in the stream, but found another document"),
        ("duration: *x\n", "line 1: found undefined alias 'x'"),
        ("seed: !!python/object:os.system x\n",
         "line 1: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:os.system'"),
        (b"duration: 1s\nseed: \x07\n", "line 2: the character '\\x07' is not allowed"),
        (b"\xff\xfe\x00\x81", "cannot be read: not a text file"),
        ("{" * 5000, "a document that is not nested at most 100 levels deep"),
        ("question: " + "[" * 300 + "]" * 300, "a value of more than 100 levels is not nested at most 100 levels deep"),
        ("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{n}: &{n} [" + ", ".join([f"*{b}"] * 9) + "]\n" for b, n in zip("abcdefgh", "bcdefghi", strict=True)
        ), "a document that repeats parts of itself is not at most 1000000 values"),
        ("seed: " + "9" * 1_000_000, "line 1: not YAML: "),
        ("duration: 0x" + "f" * 1_000_000, "duration: a number of thousands of digits is not a duration"),
        ("", "is empty; expected a mapping of settings, such as `duration: 10m`"),
        ("# nothing\n", "is empty; expected a mapping of settings, such as `duration: 10m`"),
        ("- a\n- b\n", "holds a list; expected a mapping of settings, such as `duration: 10m`"),
        ("hello", "holds 'hello'; expected a mapping of settings, such as `duration: 10m`"),
        ("1: 2\n", "1: no such setting; expected one of question, "),
        ("? [a, b]\n: c\n", "('a', 'b'): no such setting; expected one of question, "),
        (None, "cannot be read: No such file or directory"),
    ],
    ids=["bracket", "tab", "twice", "documents", "alias", "tag", "control", "bytes", "deep", "deeper", "aliases", "digits",
         "hexadecimal", "empty", "comment", "list",
         "word", "number", "pair", "missing"],
)  # fmt: skip
def test_a_file_that_is_no_scenario(refusal: Run, text: str | bytes | None, said: str) -> None:
    """Not YAML: the line. Not a mapping: what it is. Not there: that."""
    assert refusal(text).startswith(f"s.yaml: {said}")


def test_a_folder_is_no_scenario(refusal: Run) -> None:
    """It is said so, not by a traceback."""
    Path("s.yaml").mkdir()
    assert refusal(None) == "s.yaml: cannot be read: Is a directory"


@pytest.mark.parametrize("option", ["--json", "--report", "--trace"])
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere/r", "'nowhere/r' is not a file in a folder that exists and can be written to"),
        ("there", "'there' is not a file: it is a folder"),
        ("s.yaml/r", "'s.yaml/r' is not a file in a folder that exists and can be written to"),
        ("/proc/r", "'/proc/r' is not a file in a folder that exists and can be written to"),
        ("r" * 300, f"'{'r' * 300}' is not a file in a folder that exists and can be written to"),
    ],
    ids=["no-folder", "folder", "under-a-file", "virtual", "long"],
)
def test_an_output_that_cannot_be_written(refusal: Run, option: str, target: str, said: str) -> None:
    """It is found out before the run, not after it."""
    Path("there").mkdir()
    assert refusal(WEBSERVICE, option, target, outputs=False) == f"{option}: {said}"


# -- options


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("duration=10 parsecs", f"duration: '10 parsecs' {DURATION}"),
        ("webservice.deploy.num_replicas=three", "webservice.deploy.num_replicas: 'three' is not a whole number"),
        ("webservice.deploy.num_replica=3", "webservice.deploy.num_replica: no such setting; did you mean num_replicas?"),
        ("traffic[0].shape=poison", "traffic[0].shape: 'poison' is not one of "),
        ("duration", "--set duration: expected PATH=VALUE"),
        ("=3", "--set path: '' is not a path such as cluster.nodes or traffic[0].rate"),
        ("webservice..name=abc", "--set path: 'webservice..name' is not a path such as cluster.nodes or traffic[0].rate"),
        ("traffic[3].rate=3", "--set traffic[3].rate: '3' is not an item of the list: it has 1 item, numbered from 0"),
        ("traffic.²=3", "--set traffic.²: '²' is not an item of the list: it has 1 item, numbered from 0"),
        ("webservice.name.x=3", "--set webservice.name.x: 'x' is not a setting: what stands before it has none"),
        ("seed=[1", "--set seed=[1: not YAML: expected ',' or ']', but got '<stream end>'"),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_made(refusal: Run, change: str, said: str) -> None:
    """`--set` is checked like the file; a path that leads nowhere says where it ended."""
    assert refusal(WEBSERVICE, "--set", change).startswith(f"s.yaml: {said}")


def test_a_version_in_a_path_goes_by_its_name(refusal: Run) -> None:
    """A wrong name is answered with the right ones."""
    assert refusal(ENDPOINT, "--set", "endpoint.versions.gren.deploy.num_replicas=1") == (
        "s.yaml: --set endpoint.versions.gren.deploy.num_replicas: 'gren' is not an item of the list: "
        "there are blue, green; did you mean green?"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--engine", "quick"), "--engine: 'quick' is not one of auto, compiled, reference"),
        (("--engine", "referenc"), "--engine: 'referenc' is not one of auto, compiled, reference"),
        (("--report", "-"), "--report: '-' is not a file"),
        (("--trace", "-"), "--trace: '-' is not a file"),
        (("--seed", "-1"), "Invalid value for '--seed': -1"),
        (("--seed", "seven"), "Invalid value for '--seed': 'seven'"),
        (("--replications", "0"), "Invalid value for '--replications': 0"),
        (("--nope",), "No such option '--nope'"),
        (("more",), "Got unexpected extra argument (more)"),
    ],
)
def test_an_option_that_cannot_be(refusal: Run, arguments: tuple[str, ...], said: str) -> None:
    """The option, its value, what it takes."""
    assert refusal(WEBSERVICE, *arguments).startswith(said)


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ("webservice.deploy.num_replicas", "--over: 'webservice.deploy.num_replicas' is not PATH=LOW..HIGH"),
        ("a=5..2", "--over: 'a=5..2' is not PATH=LOW..HIGH"),
        ("a=1..many", "--over: 'a=1..many' is not PATH=LOW..HIGH"),
        ("=1..2", "--over: '=1..2' is not PATH=LOW..HIGH"),
        ("webservice.deploy.replicas=1..2", "s.yaml: webservice.deploy.replicas: no such setting"),
        ("traffic[7].rate=1..2", "traffic[7].rate: '7' is not an item of the list"),
    ],
)
def test_a_search_over_nothing(refusal: Run, over: str, said: str) -> None:
    """`--over` names a setting that there is, and a span that is one."""
    assert refusal(WEBSERVICE, "--over", over, command="plan").startswith(said)


def test_a_search_for_nothing(refusal: Run) -> None:
    """A plan needs something to meet."""
    text = changed(WEBSERVICE, "objectives: {p99: 300ms}", "objectives: {}")
    said = refusal(text, "--over", "webservice.deploy.num_replicas=1..3", command="plan")
    assert said.startswith("objectives: is missing; expected at least one: a plan needs something to meet")


# -- whatever comes


def _library() -> Iterator[dict[str, Any]]:
    for path in sorted(LIBRARY.glob("*.yaml")):
        if not path.name.endswith(".expected.yaml"):
            yield document_of(path)


DOCUMENTS = list(_library())
WORDS = st.sampled_from(
    ["", "blue", "10s", "-1s", "10 parsecs", "poisson", "constant", "canary", "none", "trace", "é\n\x1b", "[0]",
     "Standard_D4s_v5"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["name", "deploy", "model", "shape", "rate", "at", "kind", "mean", "cv", "distribution", "cpu", "lasts", "file",
     "vm_size", "retry", "statuses", "attempts", "seed", "endpoint", "num_replicas", "cpu_cores", "traffic_percentile",
     "instants", "values", "is_default", "tags", "x"]
)  # fmt: skip
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.integers(-3, 12)
    | st.floats(allow_nan=True, allow_infinity=True)
    | WORDS
    | st.text(max_size=5)
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.integers(0, 2), inner, max_size=3), max_leaves=6
)  # fmt: skip


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _places(child, (*path, key))


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A library scenario in which one to three things were deleted, replaced or put in."""
    document = deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        node: Any = document
        for step in way:
            node = node[step]
        match draw(st.sampled_from(["delete", "replace", "insert"])):
            case "delete":
                del node[last]
            case "replace":
                node[last] = draw(VALUES)
            case _ if isinstance(node, list):
                node.insert(last, draw(VALUES))
            case _:
                node[draw(NAMES)] = draw(VALUES)
    return document


def _line(attempt: Callable[[], object]) -> str | None:
    """What is said of a refusal; None: nothing is refused."""
    try:
        attempt()
    except BadScenario as refused:
        return str(refused)
    return None


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(document=mutated())
def test_whatever_is_written_is_taken_or_refused_in_one_line(document: dict[str, Any]) -> None:
    """Never a traceback, never two lines, never control characters from the file."""
    said = _line(lambda: prepare(document, Path("s.yaml")))
    assert said is None or (said.startswith("s.yaml: ") and len(said) > len("s.yaml: x") and said.isprintable())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(max_size=80) | st.text("{}[]:,-&*!|>'\"%@`#? \n\tabc1.", max_size=60))
def test_whatever_follows_an_option_is_taken_or_refused_in_one_line(text: str) -> None:
    """`--set` with anything."""
    for change in (text, f"seed={text}", f"{text}=1"):
        said = _line(lambda change=change: document_of(LIBRARY / "rush_hour.yaml", [change]))  # type: ignore[misc]
        assert said is None or said.isprintable()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60) | st.text("{}[]:,-&*!|>'\"%@`#? \n\tabc1.~", max_size=60).map(str.encode))
def test_whatever_a_file_holds_is_read_or_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    """Bytes of any kind."""
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    said = _line(lambda: prepare(document_of(path), path))
    assert said is None or said.isprintable()


@pytest.mark.parametrize(
    "change",
    [
        "traffic[0]={shape: constant, rate: 1e-320}",
        "traffic[0]={shape: poisson, rate: 1e-320}",
        "traffic[0]={shape: steps, rate: [5, 1e-320, 0], at: [0s, 1s, 2s]}",
        "webservice.model.service_time={distribution: lognormal, mean: 4e12, cv: 100}",
        "webservice.model.service_time={distribution: gamma, mean: 1s, cv: 0.001}",
        "webservice.model.service_time={distribution: weibull, mean: 0, cv: 1}",
        "webservice.model.service_time=0s",
        "webservice.deploy.cpu_cores=1e-9",
        "webservice.deploy.initial_delay_seconds=1000000000000000000000000",
        "clients.retry={statuses: [503], attempts: 100, backoff: 1e9, factor: 100}",
    ],
)
def test_what_is_taken_can_be_run(tmp_path: Path, change: str) -> None:
    """Figures at the edge of what is allowed: silly, but no surprise."""
    path = tmp_path / "s.yaml"
    path.write_text(WEBSERVICE, encoding="utf-8")
    result = run(prepare(document_of(path, [change]), path))
    assert result["requests"] >= 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--json", "same.out", "--report", "same.out"], "--report"),
        (["--json", "mine.yaml"], "--json"),
        (["--trace", "./mine.yaml"], "--trace"),
    ],
)
def test_no_output_overwrites_another_or_the_scenario(tmp_path: Path, options: list[str], named: str) -> None:
    """Two outputs into one file, or one onto the scenario itself, would lose something."""
    text = "duration: 1s\nwebservice: {name: fraud}\n"
    (tmp_path / "mine.yaml").write_text(text)

    done = subprocess.run(
        [sys.executable, "-m", "akstwin", "run", "mine.yaml", *options],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"akstwin: {named}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
    assert (tmp_path / "mine.yaml").read_text() == text
