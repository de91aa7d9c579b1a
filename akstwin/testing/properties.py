"""Properties of policies over generated scenarios; a failure becomes a small scenario file, and a command that replays it.

    from akstwin.policies import Canary, CanarySpec
    from akstwin.testing import checkers, strategies
    from akstwin.testing.properties import scenario_property

    @scenario_property(strategies.rollouts(), policy=lambda: Canary(CanarySpec(...)), checkers=checkers.rollout())
    def test_my_canary(history):
        assert history.ended_at is not None

Hypothesis makes the scenarios and shrinks one that fails. The file lies beside the test, under `regressions/`, and is run first
from then on. Needs `hypothesis`, as `akstwin.testing.strategies` does.
"""

import inspect
import io
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from akstwin.errors import UnreadableFile
from akstwin.plain_yaml import NotYaml, read_yaml
from akstwin.policies.policy import Policy
from akstwin.sdk.aks import AksEndpoint
from akstwin.sdk.workspace import Workspace
from akstwin.testing.checkers import Checker
from akstwin.testing.histories import History, Span, record

REPLAY: Final = "AKSTWIN_SCENARIO"
"""The environment variable that names a scenario file: properties run in it alone."""
MISSING: Final = "x-missing"
RESTART: Final = "x-restart"
"""Keys beside a scenario's own: when figures are missing, and before which looks the process ends."""


class PropertyBroken(AssertionError):
    """A history breaks a property."""


def run_scenario(document: Mapping[str, Any], policy: Callable[[], Policy], *, until: Span | None = None) -> History:
    """A policy's history in the scenario's world.

    Args:
        document: the scenario; with `x-missing` (when figures are missing) and `x-restart` (looks before which the process
            of the policy ends).
        policy: makes it anew.
        until: how long; None: the scenario's duration.
    """
    told = {key: value for key, value in document.items() if key not in (MISSING, RESTART)}
    workspace = Workspace.simulated(scenario=told)
    try:
        endpoint = AksEndpoint(workspace, told["endpoint"]["name"])
        return record(
            policy(),
            endpoint,
            told["duration"] if until is None else until,
            missing=[tuple(each) for each in document.get(MISSING, ())],
            restart_at=document.get(RESTART, ()),
            remake=policy,
            scenario=document,
        )
    finally:
        workspace.backend.close()  # type: ignore[attr-defined]  # a simulated one


def scenario_property(
    scenarios: st.SearchStrategy[dict[str, Any]],
    *,
    policy: Callable[[], Policy],
    checkers: Sequence[Checker],
    examples: int = 25,
    chance: int = 0,
    until: Span | None = None,
    regressions: Path | None = None,
) -> Callable[[Callable[[History], Any]], Callable[[], None]]:
    """Make a test of what a policy does in generated scenarios.

    Args:
        scenarios: documents of scenarios with an endpoint.
        policy: makes the policy, once for each history and restart.
        checkers: properties. One that no history put to the test fails the test, too: it has proved nothing.
        examples: how many scenarios.
        chance: the seed of the search: the same one makes the same scenarios.
        until: how long each history is; None: its scenario's duration.
        regressions: the folder of scenarios that failed once; None: `regressions/` beside the test.

    Returns:
        A decorator of a function of a history, which may judge it further.
    """

    def decorate(judge: Callable[[History], Any]) -> Callable[[], None]:
        return _Property(scenarios, policy, tuple(checkers), examples, chance, until, regressions, judge).test()

    return decorate


class _Property:
    def __init__(
        self,
        scenarios: st.SearchStrategy[dict[str, Any]],
        policy: Callable[[], Policy],
        checkers: tuple[Checker, ...],
        examples: int,
        chance: int,
        until: Span | None,
        regressions: Path | None,
        judge: Callable[[History], Any],
    ) -> None:
        self._scenarios = scenarios
        self._policy = policy
        self._checkers = checkers
        self._examples = examples
        self._chance = chance
        self._until = until
        self._judge = judge
        self._file = Path(inspect.getsourcefile(judge) or "test.py")
        self._folder = (regressions or self._file.parent / "regressions") / judge.__name__
        self._exercised: set[str] = set()
        self._failing: dict[str, Any] | None = None

    def test(self) -> Callable[[], None]:
        def property_test() -> None:
            self.run()

        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(property_test, name, getattr(self._judge, name))
        return property_test

    def run(self) -> None:
        replayed = os.environ.get(REPLAY)
        if replayed is not None:
            self.one(_document(Path(replayed)))
            return
        for kept in sorted(self._folder.glob("*.yaml")):
            try:
                self.one(_document(kept))
            except AssertionError as error:
                error.add_note(f"a scenario that failed before: {kept}\n{self._command(kept)}")
                raise
        self._exercised.clear()
        self._search()
        idle = [checker.name for checker in self._checkers if checker.name not in self._exercised]
        if idle:
            raise PropertyBroken(
                f"no scenario of {self._examples} put to the test: {'; '.join(idle)}. Give the scenarios what they need, "
                "raise examples, or leave these properties out"
            )

    def _search(self) -> None:
        @seed(self._chance)
        @settings(
            max_examples=self._examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
            print_blob=False,
        )
        @given(self._scenarios)
        def searched(document: dict[str, Any]) -> None:
            try:
                self.one(document)
            except BaseException:
                self._failing = document  # the last one to fail is the smallest
                raise

        self._failing = None
        try:
            searched()
        except BaseException as error:
            if self._failing is not None:
                kept = self._keep(self._failing)
                error.add_note(
                    f"the smallest scenario that was found: {kept}\n\n{kept.read_text('utf-8')}\n{self._command(kept)}"
                )
            raise

    def one(self, document: Mapping[str, Any]) -> None:
        """Run in one scenario, and judge what happened."""
        history = run_scenario(document, self._policy, until=self._until)
        found = [(each.name, each.check(history)) for each in self._checkers]
        self._exercised |= {name for name, checked in found if checked.exercised}
        broken = [f"{name}: {line}" for name, checked in found for line in checked.broken]
        if broken:
            raise PropertyBroken("\n".join(broken))
        self._judge(history)

    def _keep(self, document: Mapping[str, Any]) -> Path:
        text = io.StringIO()
        writer = YAML()
        writer.default_flow_style = None
        writer.dump(dict(document), text)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{sha256(text.getvalue().encode()).hexdigest()[:12]}.yaml"
        path.write_text(text.getvalue(), "utf-8")
        return path

    def _command(self, kept: Path) -> str:
        test = f"{self._file.name}::{self._judge.__name__}"
        scenario = os.path.relpath(kept, self._file.parent)
        return (
            f"To replay it, in the folder of {self._file.name}, on any machine:\n"
            f"{REPLAY}={shlex.quote(scenario)} python -m pytest {shlex.quote(test)}"
        )


def _document(path: Path) -> dict[str, Any]:
    """A scenario file as plain data.

    Raises:
        UnreadableFile: it cannot be read, or is none.
    """
    try:
        found = read_yaml(path.read_text("utf-8"))
    except (OSError, NotYaml, UnicodeDecodeError) as error:
        raise UnreadableFile(str(path), str(error)) from None
    if not isinstance(found, dict) or "endpoint" not in found:
        raise UnreadableFile(str(path), "it is no scenario with an endpoint")
    return found
