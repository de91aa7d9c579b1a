"""A server under everyday use gives back what it takes; `python benchmarks/soak.py` does the same for 20 minutes."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


@pytest.mark.slow
def test_a_server_gives_back_what_it_takes() -> None:
    """Memory, files, threads and descriptors after 90 seconds are those after the first minute, within a tenth."""
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--seconds", "90"], capture_output=True, text=True, timeout=850, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for name in ("memory", "files", "threads", "descriptors"):
        assert f"{name}: " in done.stdout
    assert "left 0 files" in done.stdout
