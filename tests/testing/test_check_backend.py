"""The simulated world keeps every promise, and each promise can be broken: the check is no formality."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from akstwin import Workspace
from akstwin.clock import Micros
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import InvalidSetting
from akstwin.sim.backend import SimulatedBackend
from akstwin.testing import BrokenPromises, check_backend, promises

NAMES = [each.name for each in promises()]
Make = Callable[..., SimulatedBackend]


@pytest.mark.parametrize("name", NAMES)
def test_the_simulated_world_keeps(name: str, make: Make) -> None:
    """Each of them, with no exception."""
    report = check_backend(make, only=[name])
    report.raise_if_broken()
    assert [finding.promise.name for finding in report.kept] == [name]


@pytest.mark.slow
@pytest.mark.parametrize("family", dict.fromkeys(each.family for each in promises()))
def test_the_simulated_world_keeps_them_by_default(family: str) -> None:
    """With the limits that it has unless told otherwise, and by other chance."""
    check_backend(lambda: SimulatedBackend(seed=20260101, script_seconds=1.0), only=[family]).raise_if_broken()


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_world_is_found_out(name: str, make: Make, broken: dict[str, tuple[Any, str]]) -> None:
    """For each promise there is a backend that breaks it, and the report says what was seen."""
    assert name in broken, f"no backend in tests/testing/broken_*.py breaks {name}"
    kind, shown = broken[name]
    report = check_backend(lambda: make(kind), only=[name])
    assert [finding.promise.name for finding in report.broken] == [name]
    (finding,) = report
    assert shown in finding.why
    for part in (finding.promise.text, finding.call, finding.saw, finding.promised, finding.promise.source, "seed 7"):
        assert part
        assert part in str(report)


def test_every_broken_world_breaks_a_promise_there_is(broken: dict[str, Any]) -> None:
    """None is left over."""
    assert set(broken) == set(NAMES)


def test_promises_can_be_told_apart() -> None:
    """Each has a name of its own, a text that is a sentence, and a source."""
    assert len(set(NAMES)) == len(NAMES) >= 60
    families = {each.family for each in promises()}
    assert not families & set(NAMES)
    for each in promises():
        assert each.text.endswith(".")
        assert each.text.count(" ") >= 5
        assert each.source.startswith(("semantics §", "wire §", "design §"))


@pytest.mark.parametrize(
    "limits",
    [
        {"run_failure_status": 500, "when_no_replica_ready": "queue", "max_payload": "1kB", "versions_per_endpoint": 2},
        {"router_lag": "4s", "key_propagation": "20s", "unschedulable_after": "20s", "deployment_timeout": "400s"},
    ],
    ids=["other rules", "other times"],
)
def test_limits_are_the_backends_own(limits: dict[str, Any], make: Make) -> None:
    """A world with other limits keeps its promises by these."""
    names = [
        "raising_run_is_passed_on", "no_ready_replica_is_503", "large_body_is_413", "versions_are_limited",
        "regenerated_key_replaces_one", "unschedulable_fails", "hanging_init_times_out", "queue_follows_its_setting",
        "deleted_service_is_gone",
    ]  # fmt: skip
    report = check_backend(lambda: make(assumptions=limits), only=names)
    report.raise_if_broken()
    told = str([finding.conditions for finding in report])
    for limit in set(limits) - {"when_no_replica_ready"}:
        assert limit in told


def test_the_report_is_for_reading(make: Make, broken: dict[str, tuple[Any, str]]) -> None:
    """How many, family by family, and what is broken with its reason; to raise it is one call."""
    kind, _ = broken["header_picks_the_version"]
    report = check_backend(lambda: make(kind), only=["header_picks_the_version", "roles_are_unique", "failures"])
    text = str(report)
    assert text.startswith("5 of 6 promises kept\n\nsplit\n")
    assert "\n  kept    roles_are_unique\n" in text
    assert "\n  BROKEN  header_picks_the_version\n" in text
    assert text.index("split") < text.index("failures") < text.index("large_body_is_413")
    assert len(report.broken) == 1
    with pytest.raises(BrokenPromises, match="BROKEN  header_picks_the_version") as raised:
        report.raise_if_broken()
    assert raised.value.report is report
    check_backend(make, only=["equal_environment_is_one_version"]).raise_if_broken()


def test_each_promise_has_a_backend_of_its_own(make: Make) -> None:
    """It is made afresh, and closed before the next one."""
    log: list[str] = []

    class Counted(SimulatedBackend):
        """Notes when it is closed."""

        def close(self) -> None:
            super().close()
            log.append("closed")

    def made() -> SimulatedBackend:
        log.append("made")
        return make(Counted)

    check_backend(made, only=["equal_environment_is_one_version", "models_have_tags"])
    assert log == ["made", "closed", "made", "closed"]


def test_an_error_of_the_backends_is_a_finding(make: Make) -> None:
    """Whatever it raises: told with the line of the promise that met it."""

    class Faulty(SimulatedBackend):
        """Has a defect."""

        def get_environment(self, name: str, version: str | None = None) -> Any:
            raise ZeroDivisionError("by nothing")

    (finding,) = check_backend(lambda: make(Faulty), only=["equal_environment_is_one_version"])
    assert not finding.kept
    assert finding.saw == "ZeroDivisionError: by nothing"
    assert "Environment.get(" in finding.call


def test_a_clock_that_stands_still_ends_the_check(make: Make) -> None:
    """Nothing waits for ever."""

    class Still(SimulatedBackend):
        """Never gets older."""

        @property
        def clock(self) -> Any:
            return _Still()

    (finding,) = check_backend(lambda: make(Still), only=["service_comes_up"])
    assert not finding.kept
    assert "clock.sleep_until(" in finding.call


def test_an_operation_that_never_ends_ends_the_check(make: Make) -> None:
    """Not even `delete`, which waits without end."""

    class Endless(SimulatedBackend):
        """Says of nothing that it is deleted."""

        deleting = ""

        def delete_service(self, name: str) -> str:
            self.deleting = super().delete_service(name)
            return self.deleting

        def get_operation(self, operation_id: str) -> Any:
            operation = super().get_operation(operation_id)
            return replace(operation, state=OperationState.RUNNING) if operation_id == self.deleting else operation

    (finding,) = check_backend(lambda: make(Endless), only=["deleted_service_is_gone"])
    assert (finding.kept, finding.saw) == (False, "Running")
    assert "a final state" in finding.promised


def test_what_is_no_backend_is_refused(make: Make) -> None:
    """By the names of the methods it lacks, as `Workspace` does."""

    class Half:
        """Has almost nothing."""

        def score(self) -> None:
            """Not this one."""

    with pytest.raises(InvalidSetting, match=r"it lacks .*get_service") as checked:
        check_backend(Half, only=["service_comes_up"])  # type: ignore[arg-type]
    with pytest.raises(InvalidSetting) as asked:
        Workspace(backend=Half())  # type: ignore[arg-type]
    assert checked.value.expected == asked.value.expected


@pytest.mark.parametrize("only", [["header_pick_the_version"], "header_pick_the_version"])
def test_unknown_names_are_refused(only: Any, make: Make) -> None:
    """With the nearest one that there is."""
    with pytest.raises(InvalidSetting, match="header_picks_the_version"):
        check_backend(make, only=only)


def test_only_takes_a_name_or_a_family(make: Make) -> None:
    """One text is one name."""
    assert {each.promise.family for each in check_backend(make, only="repeats")} == {"repeats"}
    assert len(check_backend(make, only="repeats").findings) == sum(each.family == "repeats" for each in promises())


def test_promises_use_no_world_and_no_python_replies() -> None:
    """They know the SDK and the port alone."""
    for each in promises():
        names = set(each.keep.__code__.co_names) | set(each.keep.__globals__)
        assert "simulation" not in names
        assert not {name for name in names if "simulated" in name.lower()}


class _Still:
    def now(self) -> Micros:
        return Micros(0)

    def sleep_until(self, deadline: Micros) -> None:
        """It is always now."""


def test_the_traceback_of_a_broken_promise_is_short(make: Make, broken: dict[str, tuple[Any, str]]) -> None:
    """Pytest shows the report, not the inside of the check."""
    kind, _ = broken["equal_environment_is_one_version"]
    report = check_backend(lambda: make(kind), only=["equal_environment_is_one_version"])
    with pytest.raises(BrokenPromises) as raised:
        report.raise_if_broken()
    assert len(traceback.extract_tb(raised.value.__traceback__)) <= 2
