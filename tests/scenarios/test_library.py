"""The library answers its questions as arithmetic, published figures and queueing theory say it must.

Each scenario has a file of expectations beside it. Their bounds are computed here from first principles, and the result
of a run is held against them: three standard errors where chance has a part, exactly where it has none.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
from ruamel.yaml import YAML
from scipy.stats import poisson

from akstwin.scenarios.load import load
from akstwin.scenarios.run import run
from akstwin.sim.engine.outcomes import Outcome, Outcomes

LIBRARY = Path(__file__).parents[2] / "scenarios" / "library"
NAMES = (
    "rush_hour",
    "retired_defaults",
    "planning_example",
    "slow_model_liveness",
    "one_replica_update",
    "unschedulable",
    "canary_split",
    "retry_storm",
    "cpu_throttled",
    "three_services",
)
Bounds = dict[str, tuple[Any, Any]]
Result = dict[str, Any]


def scenario_file(name: str) -> Path:
    """Where the scenario stands."""
    return LIBRARY / f"{name}.yaml"


def answer(name: str, *changes: str, replications: int | None = None) -> Result:
    """The result of a library scenario, with settings changed."""
    return run(load(scenario_file(name), changes, replications=replications))


# -- first principles


def erlang_b(servers: int, offered: float) -> float:
    """Share of arrivals that find all servers busy when nobody waits."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked


def erlang_c(servers: int, offered: float) -> float:
    """Share of arrivals that find all servers busy when everybody waits."""
    blocked = erlang_b(servers, offered)
    return blocked / (1 - offered / servers * (1 - blocked))


def lognormal_quantile(mean: float, cv: float, share: float) -> float:
    """The quantile of a lognormal distribution with this mean and coefficient of variation."""
    variance = math.log1p(cv * cv)
    return mean * math.exp(-variance / 2 + math.sqrt(variance) * NormalDist().inv_cdf(share))


def around(mean: float, replications: int = 1) -> tuple[float, float]:
    """Three standard errors about the mean of that many Poisson counts."""
    error = 3 * math.sqrt(mean / replications)
    return mean - error, mean + error


def exactly(value: Any) -> tuple[Any, Any]:
    """Chance has no part in it."""
    return value, value


def node_room(cores: int, memory_gb: int, *, router: bool) -> tuple[int, int]:
    """Thousandths of a core and MB that pods may request: less AKS's share (K6), the daemons (S13) and a router pod."""
    aks_cpu = {2: 100, 4: 140, 8: 180}[cores]
    aks_memory = min(20 * 110 + 50, 1000 * memory_gb // 4) + 100
    cpu, memory = 1000 * cores - aks_cpu - 700, 1000 * memory_gb - aks_memory - 1000
    return (cpu - 500, memory - 500) if router else (cpu, memory)


def replicas_on(cores: int, memory_gb: int, cpu: int, memory: int, *, router: bool) -> int:
    """How many replicas one node takes; each asks for the side-car's 0.1 cores and 0.6 GB too."""
    free_cpu, free_memory = node_room(cores, memory_gb, router=router)
    return min(free_cpu // (cpu + 100), free_memory // (memory + 600))


def storm(*, retries: int) -> tuple[float, float, float]:
    """Attempts, refusals, and refusals after the rush, of the fluid model of retry_storm.

    What comes beyond 20 a second is refused half a second later; a refused call comes back after b, 2b and 4b seconds,
    b one of 2 to 10.
    """
    per_second, served, end = 10, 20.0, 1200
    steps = end * per_second
    again = [[0.0] * (steps + 60 * per_second) for _ in range(4)]
    attempts = refusals = late = 0.0
    for step in range(steps):
        fresh = 40.0 if 300 <= step / per_second < 900 else 10.0
        flows = [fresh, *(again[attempt][step] for attempt in (1, 2, 3))]
        total = sum(flows)
        refused = max(0.0, 1 - served / total)
        for attempt in range(retries):
            for base in range(2, 11):
                back = step + per_second * base * 2**attempt + per_second // 2
                again[attempt + 1][back] += flows[attempt] * refused / 9
        attempts += total / per_second
        refusals += total * refused / per_second
        late += total * refused / per_second * (step >= 900 * per_second)
    return attempts, refusals, late


# -- what each scenario must show


def rush_hour() -> Bounds:
    """Six are busy on average in the rush; the autoscaler brings the rest in ten seconds."""
    requests = 4 * 600 + 40 * 1800 + 4 * 600
    waiting = erlang_c(9, 6.0)
    p99 = lognormal_quantile(150, 0.25, 0.99) + 3
    return {
        "requests": around(requests, 4),
        "latency_ms.p50": (
            0.99 * (lognormal_quantile(150, 0.25, 0.5) + 3),
            lognormal_quantile(150, 0.25, 0.5 / (1 - waiting)) + 3,
        ),
        "latency_ms.p99": (0.99 * p99, 300),
        "status.503/requests": (0, 0.0005),
        "replicas.min": exactly(6),
        "replicas.desired_max": (math.ceil(40 * 0.15 / 0.7), 8 * replicas_on(4, 16, 1000, 2000, router=True)),
        "cost.total": exactly(8 * 0.23 * 50 / 60),
        "objectives[name=p99].met": exactly(True),
        "objectives[name=success_rate].met": exactly(True),
    }


def retired_defaults() -> Bounds:
    """Ten replicas answer one request a second of twenty."""
    error = 3 / math.sqrt(5 * 20 * 180) + 1 / 180
    share = 10 / 200
    return {
        "status.200": (179, 181),
        "status.200/requests": (share * (1 - error), share * (1 + error)),
        "status.503/requests": (1 - share * (1 + error), 1 - share * (1 - error)),
        "reasons.queue_deadline/status.503": exactly(1),
        "replicas.mean": exactly(10),
        "replicas.desired_max": exactly(10),
        "latency_ms.p50": (10_003, 10_503),
        "versions.fraud.utilisation": (0.999, 1),
        "event_counts.liveness_failed": exactly(0),
        "objectives[name=success_rate].met": exactly(False),
    }


def planning_example() -> Bounds:
    """The documentation's 286 leave so much room that nobody is ever refused."""
    replicas = math.ceil(20 * 10 / 0.7)
    error = 3 / math.sqrt(20 * 3600)
    return {
        "replicas.mean": exactly(replicas),
        "status.503": exactly(0),
        "requests": around(20 * 3600),
        "latency_ms.p50": exactly(10_003),
        "latency_ms.max": exactly(10_003),
        "versions.fraud.utilisation": (200 / replicas * (1 - error), 200 / replicas * (1 + error)),
        "nodes.max": exactly(replicas // replicas_on(4, 16, 100, 500, router=True)),
        "cost.total": exactly(26 * 0.23),
        "objectives[name=success_rate].met": exactly(True),
    }


def slow_model_liveness() -> Bounds:
    """Each container is stopped by its first request after second 310, and once at most in 332 s."""
    return {
        "replicas.max": exactly(math.ceil(0.3 * 40 / 0.7)),
        "requests": around(0.3 * 1800, 10),
        "timeline[0..315].status.502": exactly(0),
        "event_counts.liveness_failed": (18, 18 * (1800 // (310 + 2 * 10 + 2))),
        "status.502": (0.1, math.inf),
        "latency_ms.p50": (40_003, 40_053),
        "objectives[name=success_rate].met": exactly(False),
    }


def one_replica_update() -> Bounds:
    """Nobody is there while the new pod pulls, initialises and is noticed."""
    gap = 60 + 24 + 1
    return {
        "requests": exactly(10 * 900 - 1),
        "status.503": exactly(10 * gap),
        "reasons.no_ready_replica": exactly(10 * gap),
        "status.502": exactly(0),
        "operations[0].state": exactly("Succeeded"),
        "operations[0].ended": exactly(120 + 300 + 60 + 24 + 1),  # when the router has the new replica
        "replicas.min": exactly(0),
        "replicas.mean": exactly(1 - (60 + 24) / 900),
        "latency_ms.max": exactly(23),
        "service.state": exactly("Healthy"),
    }


def unschedulable() -> Bounds:
    """One replica of 2.1 cores fits on a node; the rest wait for five minutes, then the deployment fails."""
    fit = 3 * replicas_on(4, 14, 2000, 4000, router=True)
    known, ready = 300 + 1, 300 + 60 + 5 + 1
    return {
        "replicas.max": exactly(fit),
        "replicas.desired_max": exactly(5),
        "operations[0].state": exactly("Failed"),
        "operations[0].ended": exactly(300 + 300),
        "service.state": exactly("Unschedulable"),
        "event_counts.pod_unschedulable": exactly(5 - fit),
        "status.404": exactly(10 * known - 1),
        "status.503": exactly(10 * (ready - known)),
        "status.200": exactly(10 * (900 - ready)),
    }


def canary_split() -> Bounds:
    """Ninety and ten, until the policy's first or second look; then nothing more."""
    least, most = 0.1 * 40 * (60 + 1), 0.1 * 40 * (120 + 1)
    return {
        "versions.green.requests": (around(least, 5)[0], around(most, 5)[1]),
        "versions.green.status.502": (around(0.05 * least, 5)[0], around(0.05 * most, 5)[1]),
        "versions.blue.status.502": exactly(0),
        "timeline[0..300].requests": around(40 * 300, 5),
        "requests": around(40 * 1200, 5),
        "status.503": exactly(0),
        "service.shares.blue": exactly(100),
        "service.shares.green": exactly(0),
        "event_counts.traffic_changed": exactly(1),
    }


def retry_storm() -> Bounds:
    """Half of the calls fail as before, after 3.1 attempts each."""
    refused = (1 - 20 / 40) ** (1 / 4)
    rate = 40 * (1 - refused**4) / (1 - refused)
    attempts, refusals, late = storm(retries=3)
    error = 0.03
    return {
        "timeline[480..900].rate": (rate * (1 - error), rate * (1 + error)),
        "timeline[480..900].status.503/timeline[480..900].requests": (refused - 0.01, refused + 0.01),
        "timeline[480..900].status.200": around(20 * 420, 2),
        "requests": (attempts * (1 - error), attempts * (1 + error)),
        "status.503": (refusals * (1 - error), refusals * (1 + error)),
        "timeline[900..1200].status.503": (late * 0.75, late * 1.25),
        "reasons.queue_deadline/status.503": exactly(1),
    }


def cpu_throttled() -> Bounds:
    """Half the CPU, twice the time, twice the utilisation."""
    doubled = 200 * 1.0 / 0.5
    offered = 5 * doubled / 1000
    error = 3 / math.sqrt(5 * 5 * 1800)
    waiting = erlang_c(4, offered)
    return {
        "latency_ms.p50": (doubled + 3, doubled + 3.1),
        "latency_ms.mean": (doubled + 3, doubled + 3 + waiting * doubled / (4 - offered)),
        "versions.fraud.utilisation": (offered / 4 * (1 - error), offered / 4 * (1 + error)),
        "status.503/requests": (0, waiting * math.exp(-(4 - offered) / doubled * 500)),
        "requests": around(5 * 1800, 5),
        "nodes.oversubscribed": exactly(0),
    }


def three_services() -> Bounds:
    """Whole pods on single nodes: three large ones, two small ones, and no room for two more."""
    plain = 4 - 0.14 - 0.7
    rooms = [plain - 0.5, plain - 0.5, plain - 0.5, plain]
    large, small = 2 + 0.1, 1 + 0.1
    assert all(room // large == 1 for room in rooms)
    assert max(rooms) - large < small, "beside a large pod no small one fits"
    assert all(room // small == 2 for room in rooms), "a node without a large pod holds two small ones"
    assert sum(rooms) > 3 * large + 4 * small, "by cores alone all would fit"
    fraud, rates = 3 * large, 2 * small
    return {
        "services.fraud.replicas.max": exactly(3),
        "services.rates.replicas.max": exactly(2),
        "services.vision.replicas.max": exactly(0),
        "services.vision.event_counts.pod_unschedulable": exactly(2),
        "services.vision.operations[0].ended": exactly(300 + 300),
        "services.vision.service.state": exactly("Unschedulable"),
        "services.fraud.status.200": exactly(10 * 500),
        "services.rates.status.200": exactly(5 * 500),
        "services.vision.status.503": exactly(2 * 500),
        "requests": exactly((10 + 5 + 2) * 500),
        "services.fraud.cost.share": exactly(round(fraud / (fraud + rates), 6)),
        "services.vision.cost.share": exactly(0),
    }


THEORY: dict[str, Callable[[], Bounds]] = {
    each.__name__: each
    for each in (
        rush_hour,
        retired_defaults,
        planning_example,
        slow_model_liveness,
        one_replica_update,
        unschedulable,
        canary_split,
        retry_storm,
        cpu_throttled,
        three_services,
    )
}


# -- figures of a result, by the names that the expectations use


def figure(result: Result, name: str) -> Any:
    """`status.503/requests`, `operations[0].state`, `objectives[name=p99].met`, `timeline[480..900].rate`."""
    over, slash, under = name.partition("/")
    return _figure(result, over) / _figure(result, under) if slash else _figure(result, over)


def _figure(result: Result, name: str) -> Any:
    if stretch := re.fullmatch(r"timeline\[(\d+)\.\.(\d+)\]\.(.+)", name):
        return _of_timeline(result, int(stretch[1]), int(stretch[2]), stretch[3])
    value: Any = result
    steps = re.findall(r"[^.\[\]]+", name)
    for step in steps:
        if isinstance(value, list):
            key, equals, wanted = step.partition("=")
            value = next(each for each in value if each[key] == wanted) if equals else value[int(step)]
        elif step not in value and steps[0] in ("event_counts", "status", "reasons"):
            return 0  # counts name what happened; the rest did not
        else:
            value = value[step]
    return value


def _of_timeline(result: Result, begin: int, end: int, name: str) -> float:
    """Answers are summed over the stretches that begin within it, the rest is their mean."""
    points = [point for point in result["timeline"] if begin <= point["at"] < end]
    assert points[0]["at"] == begin, "a stretch begins there"
    if name == "requests":
        return math.fsum(math.fsum(point["status"].values()) for point in points)
    if name.startswith("status."):
        return math.fsum(point["status"].get(name.removeprefix("status."), 0) for point in points)
    return math.fsum(point[name] for point in points) / len(points)


def expectations(name: str) -> list[dict[str, Any]]:
    """What stands beside the scenario."""
    found: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(LIBRARY / f"{name}.expected.yaml")
    return found


def bounds_of(expected: dict[str, Any]) -> tuple[Any, Any]:
    """Least and greatest value that an expectation allows."""
    if "equals" in expected:
        return exactly(expected["equals"])
    return expected.get("low", -math.inf), expected.get("high", math.inf)


def test_the_library_is_complete() -> None:
    """Nine scenarios, each with its expectations, and nothing else."""
    files = {path.name for path in LIBRARY.iterdir()}
    assert files == {f"{name}{ending}" for name in NAMES for ending in (".yaml", ".expected.yaml")}


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_opens_with_its_question_and_tells_its_story(name: str) -> None:
    """The question comes first; then what the scenario shows and which complaint it answers, in comments."""
    lines = scenario_file(name).read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"question: [A-Z].*\?", lines[0])
    story = " ".join(line.removeprefix("# ") for line in lines if line.startswith("# "))
    assert "What it shows:" in story
    assert "What it answers:" in story
    assert all(len(line) <= 125 for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_each_expectation_says_where_it_comes_from(name: str) -> None:
    """A figure, its derivation in words, its source, and bounds."""
    for expected in expectations(name):
        assert set(expected) <= {"figure", "derivation", "source", "low", "high", "equals"}
        assert len(expected["derivation"]) > 10
        assert expected["source"]
        assert ("equals" in expected) != bool({"low", "high"} & set(expected))


def _same(written: Any, computed: Any) -> bool:
    if isinstance(computed, str | bool) or not math.isfinite(computed) or not math.isfinite(written):
        return bool(written == computed)
    return math.isclose(written, computed, rel_tol=2e-3, abs_tol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_bounds_that_are_written_down_are_those_that_follow(name: str) -> None:
    """The numbers in the file are the theory's, computed anew; none is a figure copied from our own output."""
    computed = THEORY[name]()
    written = {expected["figure"]: bounds_of(expected) for expected in expectations(name)}
    assert list(written) == list(computed)
    wrong = {
        figure: (written[figure], bounds)
        for figure, bounds in computed.items()
        if not all(_same(*pair) for pair in zip(written[figure], bounds, strict=True))
    }
    assert not wrong


def _within(found: Any, low: Any, high: Any) -> bool:
    if low == high and isinstance(low, float):
        return math.isclose(found, low, rel_tol=1e-5)
    return bool(found == low if low == high else low <= found <= high)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_run_comes_out_as_expected(name: str) -> None:
    """Every expectation holds for the scenario as it stands."""
    result = answer(name)
    wrong = {}
    for expected in expectations(name):
        low, high = bounds_of(expected)
        found = figure(result, expected["figure"])
        if not _within(found, low, high):
            wrong[expected["figure"]] = (found, low, high)
    assert not wrong


@pytest.mark.parametrize("name", NAMES)
def test_each_scenario_takes_changes(name: str) -> None:
    """Shorter and with other replications and seed it runs as well; the same again gives the same."""
    traffic = "services.fraud.traffic" if name == "three_services" else "traffic"
    shorter = ("duration=30s", "warm_up=0s", "seed=5", f"{traffic}=[{{shape: poisson, rate: 3}}]")
    result = answer(name, *shorter, replications=2)
    assert (result["replications"], result["seed"], result["duration_seconds"]) == (2, 5, 30)
    again = answer(name, *shorter, replications=2)
    assert {**result, "wall_seconds": 0} == {**again, "wall_seconds": 0}


# -- what the stories say beside


def test_286_replicas_refuse_somebody_once_in_two_thousand_hours() -> None:
    """Until the first refusal the service is M/D/∞, so refusals in an hour < arrivals × P(Poisson(200) ≥ 286)."""
    assert 20 * 3600 * poisson.sf(285, 200) < 1 / 2000


def test_nobody_can_be_killed_while_the_defaults_are_watched() -> None:
    """The first possible kill is at 332 s; the last answer comes before it."""
    prepared = load(scenario_file("retired_defaults"))
    last_answer = prepared.scenario.duration / 1e6 + 0.5 + 10 + 0.003
    assert last_answer < 310 + 2 * 10 + 2


class _Listener:
    """Hears when containers are found dead."""

    def __init__(self) -> None:
        self.failed: list[int] = []
        self.lost: list[Outcome] = []

    def answered(self, outcomes: Outcomes) -> None:
        self.lost.extend(each for each in outcomes.rows() if each.status == 502)

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        if kind == "liveness_failed":
            self.failed.append(at)


def _listen(*changes: str) -> _Listener:
    heard = _Listener()
    run(load(scenario_file("slow_model_liveness"), changes, replications=1), recorder=lambda _: heard)
    return heard


def test_the_first_container_is_stopped_at_332_seconds() -> None:
    """310 s of delay, two periods of 10 s, a time-out of 2 s; before the router can be late, nobody gets a 502."""
    heard = _listen()
    assert min(heard.failed) == (310 + 2 * 10 + 2) * 10**6
    assert all(request.answered >= 332 * 10**6 for request in heard.lost)


def test_a_second_worker_answers_the_probes() -> None:
    """With two workers and one request at a time, one is always free: nothing is stopped and nothing lost."""
    heard = _listen("webservice.model.workers=2")
    assert not heard.failed
    assert not heard.lost


def test_without_a_probe_only_erlang_refuses() -> None:
    """The probe put off: no 502, and at most what Erlang B says when nobody waits is refused (waiting helps)."""
    result = answer("slow_model_liveness", "webservice.deploy.initial_delay_seconds=100000000")
    assert result["status"]["502"] == 0
    blocked, requests = erlang_b(18, 12.0), 10 * result["requests"]
    assert result["status"]["503"] / result["requests"] < blocked + 6 * math.sqrt(blocked / requests)


@pytest.mark.parametrize(
    "change", ["webservice.deploy.num_replicas=3", "assumptions.max_unavailable=0"], ids=["three", "none-missing"]
)
def test_there_is_no_gap_where_somebody_stays(change: str) -> None:
    """Three replicas, or none that may be missing: the update refuses nobody."""
    result = answer("one_replica_update", change)
    assert result["status"]["200"] == result["requests"]
    assert result["operations"][0]["state"] == "Succeeded"


@pytest.mark.parametrize(("nodes", "state"), [(4, "Failed"), (5, "Succeeded")])
def test_five_nodes_hold_five_replicas(nodes: int, state: str) -> None:
    """Without a router pod a node has 3.16 cores free: one replica of 2.1 all the same."""
    assert replicas_on(4, 14, 2000, 4000, router=False) == 1
    assert answer("unschedulable", f"cluster.nodes={nodes}")["operations"][0]["state"] == state


def test_the_storm_refuses_five_times_as_much_and_outlasts_the_rush() -> None:
    """Without repeats 20 of 40 a second are refused for ten minutes, and nobody after that (Erlang's tail aside)."""
    attempts, refusals, late = storm(retries=0)
    assert (attempts, refusals, late) == pytest.approx((30_000, 12_000, 0))
    calm = answer("retry_storm", "clients.retry=none")
    assert calm["retries"] == 0
    assert calm["status"]["503"] == pytest.approx(refusals, rel=0.03)
    assert storm(retries=3)[1] > 5 * refusals
    # at 10 a second two of four are busy: after 500 ms waits are longer with C(4, 2) exp(-2 · 0.5/0.2) at most
    tail = 10 * 300 * erlang_c(4, 2.0) * math.exp(-2 * 0.5 / 0.2)
    assert figure(calm, "timeline[920..1200].status.503") < tail + 6 * math.sqrt(tail)


def test_a_whole_core_halves_the_time() -> None:
    """Without the limit in the way a request takes 200 ms and replicas are busy a quarter of their time."""
    result = answer("cpu_throttled", "webservice.deploy.cpu_cores_limit=1", replications=2)
    assert result["latency_ms"]["p50"] == pytest.approx(203, abs=0.1)
    assert result["versions"]["fraud"]["utilisation"] == pytest.approx(0.25, rel=3 / math.sqrt(2 * 9000))


@pytest.mark.slow
def test_four_replicas_are_too_few_for_the_rush() -> None:
    """For the ten seconds until others come, each second brings 40 requests and 4 replicas do 4/0.15 of them."""
    result = answer("rush_hour", "webservice.deploy.autoscale_min_replicas=4", replications=2)
    refused = (40 - 4 / 0.15) * 10
    assert result["status"]["503"] == pytest.approx(refused, rel=0.3)
    met = {each["name"]: each["met"] for each in result["objectives"]}
    assert met == {"p99": True, "success_rate": False}


def test_a_stretch_of_the_timeline_is_read_as_written() -> None:
    """Answers add up, rates are averaged, counts that are not there are nothing."""
    points: list[dict[str, Any]] = [
        {"at": at, "rate": float(at), "status": {"200": 2, "503": at}} for at in (0, 10, 20)
    ]
    result = {"timeline": points, "status": {"200": 6}, "requests": 30}
    assert figure(result, "timeline[10..30].rate") == 15
    assert figure(result, "timeline[10..30].status.503") == 30
    assert figure(result, "timeline[0..20].requests") == 14
    assert figure(result, "status.200/requests") == 0.2
    assert figure(result, "status.504") == 0


def test_five_nodes_hold_the_three_services() -> None:
    """With one node more every pod has room, and the cluster's cost is shared by 3 x 2.1, 2 x 1.1 and 2 x 1.1 cores."""
    result = answer("three_services", "cluster.nodes=5")
    assert all(each["status"]["200"] == each["requests"] for each in result["services"].values())
    cores = {"fraud": 6.3, "rates": 2.2, "vision": 2.2}
    for name, each in result["services"].items():
        assert each["cost"]["share"] == pytest.approx(cores[name] / sum(cores.values()), abs=1e-6)
    assert any(
        note.startswith("vision: Only 0 of 2 replicas found room: each asks for 1.1 cores")
        for note in answer("three_services")["notes"]
    )
