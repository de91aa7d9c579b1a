"""The compiled engine does what the reference does: same answers, instants, events, usage and results, to the microsecond."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.equivalence import difference

from akstwin.scenarios.engines import choose
from akstwin.scenarios.load import Prepared, load
from akstwin.scenarios.run import run
from akstwin.speedups.native import load_kernel

SCENARIOS = 400
CHUNK = 25
LIBRARY = Path(__file__).parents[3] / "scenarios" / "library"
NAMES = sorted(file.stem for file in LIBRARY.glob("*.yaml") if not file.stem.endswith(".expected"))

needs = pytest.mark.skipif(load_kernel() is None, reason="the kernel is not there: akstwin compile")


@needs
@pytest.mark.parametrize("first", range(0, SCENARIOS, CHUNK))
def test_generated_scenarios_are_the_same_on_both(first: int, tmp_path: Path) -> None:
    """All features, half of them on a coarse grid so that everything ties, in steps of 1 µs to 3 s.

    `python -m tests.support.equivalence --first SEED --count 1` replays one.
    """
    found = {seed: difference(seed, _folder(tmp_path, seed)) for seed in range(first, first + CHUNK)}
    assert {seed: told for seed, told in found.items() if told} == {}


def _folder(tmp_path: Path, seed: int) -> Path:
    folder = tmp_path / str(seed)
    folder.mkdir()
    return folder


def result(prepared: Prepared, engine: str) -> dict[str, Any]:
    """The result as it is written, without what may differ."""
    found: dict[str, Any] = json.loads(json.dumps(run(prepared, jobs=1, engine=engine)))
    assert found.pop("engine") == choose(prepared, engine).name
    found.pop("wall_seconds")
    return found


@needs
@pytest.mark.parametrize("name", NAMES)
def test_the_library_has_the_same_results_on_both(name: str) -> None:
    """Byte for byte, engine and wall time aside."""
    prepared = load(LIBRARY / f"{name}.yaml", (), replications=1)
    expected, found = result(prepared, "reference"), result(prepared, "auto")
    assert json.dumps(found) == json.dumps(expected)
