"""Simulated workspaces to check, and broken ones: at least one for each promise."""

from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from akstwin.sim.backend import SimulatedBackend

LIMITS = {
    "max_payload": "100kB",
    "token_lifetime": "120s",
    "token_refresh": "60s",
    "versions_per_endpoint": 3,
    "restart_backoff": "40s",
}
Broken = dict[str, tuple[type[SimulatedBackend], str]]


@pytest.fixture
def make() -> Callable[..., SimulatedBackend]:
    """Makes a simulated workspace with limits that take little of this machine's time."""

    def backend(kind: type[SimulatedBackend] = SimulatedBackend, **given: Any) -> SimulatedBackend:
        return kind(**{"seed": 7, "script_seconds": 1.0, "assumptions": LIMITS, **given})

    return backend


@pytest.fixture(scope="session")
def broken() -> Broken:
    """For each promise a backend that breaks it, and what the report has to say then."""
    return _broken()


@cache
def _broken() -> Broken:
    # Tests are no package: modules beside them are loaded by their paths.
    found: Broken = {}
    for path in sorted(Path(__file__).parent.glob("broken_*.py")):
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        assert not found.keys() & module.BROKEN.keys()
        found |= module.BROKEN
    return found
