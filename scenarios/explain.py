"""`akstwin explain`: the story of a request, from a trace, or from a result by running its scenario up to it once more."""

import json
import shlex
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from akstwin.clock import SECOND, Micros
from akstwin.domain.workload import AZUREML_CORE_503_BASES, Clients
from akstwin.errors import InvalidSetting, UnreadableFile
from akstwin.scenarios.load import Prepared, load
from akstwin.scenarios.simulate import build, measurement_of
from akstwin.scenarios.story import Asked, check_service, tell
from akstwin.scenarios.trace import ReplicationTrace, TraceWriter
from akstwin.sim.engine.outcomes import Outcomes

_STEP: Final = 10 * SECOND
_STATUSES: Final = (500, 502, 503, 504)
"""What a service under load answers besides 200; clients wait differently after each."""


def explain(path: Path, asked: Asked, scenario: Path | None = None) -> list[str]:
    """The story, in ten lines at most.

    Args:
        path: a trace (Parquet) or a result (JSON) of `akstwin run`.
        asked: which request.
        scenario: of a result; None: the file that it names, beside it or in the present folder.

    Raises:
        InvalidSetting: there is no such request, or a result cannot be made again: the reason is named.
        UnreadableFile: the file is neither.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise UnreadableFile(str(path), f"cannot be read: {error.strerror}") from None
    if start == b"PAR1":
        if scenario is not None:
            raise InvalidSetting("--scenario", str(scenario), "needed: a trace holds all that is asked")
        return tell(path, asked)
    made = _made_again(path, asked, scenario)
    check_service(asked, [part.service.name for part in made.parts])
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.parquet"
        _run(made, asked, trace)
        return tell(trace, asked)


# -- a result


@dataclass(frozen=True, slots=True)
class _Replay:
    """What a result says of the command that made it."""

    file: str
    changes: tuple[str, ...]
    seed: int
    replications: int


def _made_again(path: Path, asked: Asked, scenario: Path | None) -> Prepared:
    result = _result(path)
    replay = _replay(path, result)
    if asked.replication > replay.replications:
        raise InvalidSetting("--replication", asked.replication, f"one of the result's {replay.replications}")
    ours = metadata.version("akstwin")
    if result["version"] != ours:
        raise InvalidSetting(
            "version", result["version"], f"the version that this is, {ours}: another may run otherwise"
        )
    file = scenario or next((each for each in (path.parent / replay.file, Path(replay.file)) if each.is_file()), None)
    if file is None:
        raise UnreadableFile(
            str(path), f"was made from {replay.file}, which is neither beside it nor here; name it with --scenario"
        )
    prepared = load(file, replay.changes, seed=replay.seed, replications=replay.replications)
    if prepared.fingerprint != result["fingerprint"]:
        raise UnreadableFile(
            str(path),
            f"was made from another {replay.file} than {file} is now: it, or a file that it names, has changed",
        )
    return prepared


def _result(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        found = None
    needed = ("scenario", "replay", "seed", "replications", "version", "fingerprint")
    if not isinstance(found, dict):
        raise UnreadableFile(str(path), "is neither a trace nor a result of akstwin run")
    missing = [name for name in needed if name not in found]
    if missing:
        raise UnreadableFile(
            str(path), f"has no {missing[0]}, so is no result of akstwin run, or one of an older version: run it again"
        )
    return found


def _replay(path: Path, result: dict[str, Any]) -> _Replay:
    words = shlex.split(str(result["replay"]))
    if words[:2] != ["akstwin", "run"] or len(words) < 3:
        raise UnreadableFile(str(path), f"was made by {result['replay']!r}, which is no akstwin run of a file")
    changes = tuple(value for option, value in pairwise(words) if option == "--set")
    return _Replay(words[2], changes, int(result["seed"]), int(result["replications"]))


# -- running once more


class _Finder(ReplicationTrace):
    """Writes a trace, and looks for one attempt in it.

    Args:
        writer: of the trace.
        asked: the attempt.
        service: whose answers it hears; None: it hears of the cluster.
    """

    def __init__(self, writer: TraceWriter, asked: Asked, service: str | None = None) -> None:
        super().__init__(writer, asked.replication, service)
        self._asked = asked
        self._found = False
        self._apart: list[_Finder] = []

    def of(self, service: str) -> "_Finder":
        """What hears of one service."""
        apart = _Finder(self._writer, self._asked, service)
        self._apart.append(apart)
        return apart

    @property
    def found(self) -> bool:
        """Whether the attempt has its answer."""
        return self._found or any(each.found for each in self._apart)

    def answered(self, outcomes: Outcomes) -> None:
        """A row for each attempt."""
        super().answered(outcomes)
        if not self._found:
            self._found = any(
                self._asked.is_it(
                    {
                        "status": each.status,
                        "number": each.number,
                        "entry": each.entry,
                        "attempt": each.attempt,
                        "service": self._service,
                    }
                )
                for each in outcomes.rows()
            )


def _run(prepared: Prepared, asked: Asked, trace: Path) -> None:
    """Run one replication until the attempt has its answer, and all that were there with it have theirs."""
    writer = TraceWriter(trace)
    finder = _Finder(writer, asked)
    scenario = prepared.scenario
    opened = build(prepared, asked.replication, measurement_of(prepared), finder)
    try:
        now = 0
        while now < scenario.duration and not finder.found:
            now = min(now + _STEP, scenario.duration)
            opened.world.run_until(Micros(now))
        if now < scenario.duration:
            now = min(now + _longest(prepared), scenario.duration)
            opened.world.run_until(Micros(now))
        if now == scenario.duration:
            opened.world.run_to_the_last_answer()
    finally:
        opened.close()
        writer.close()


def _longest(prepared: Prepared) -> int:
    """The longest that a request can take with all its repeats, µs."""
    return max(_longest_of(part) for part in prepared.parts)


def _longest_of(part: Prepared) -> int:
    routes = [version.settings.route for version in part.service.versions]
    once = int(max(route.scoring_timeout + route.max_wait for route in routes)) + _STEP
    return max(_with_repeats(part.scenario.clients, status, once) for status in _STATUSES)


def _with_repeats(clients: Clients, status: int, once: int) -> int:
    whole, attempt = once, 1
    while (wait := clients.wait_before_retry(status, attempt, AZUREML_CORE_503_BASES[1])) is not None:
        whole += wait + once
        attempt += 1
    return whole
