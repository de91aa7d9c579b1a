"""The import contracts hold what the design page says: deliberate wrong imports are each found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("sim", "router", "fake_api", "scenarios", "backend_aks")
WRONG = {
    "akstwin/backend_aks/pods.py": "akstwin.kubernetes_model.rollout",
    "akstwin/backend_aks/service.py": "akstwin.sim.backend",
    "akstwin/router/plane.py": "kubernetes",
    "akstwin/sim/nodes.py": "akstwin.fake_api.control.center",
    "akstwin/sim/engine/outcomes.py": "fastapi",
    "akstwin/sim/models.py": "akstwin.scenarios.load",
    "akstwin/router/asgi.py": "fastapi",
    "akstwin/router/cycle.py": "akstwin.fake_api.host_check",
    "akstwin/control_plane/keys.py": "akstwin.router.asgi",
    "akstwin/control_plane/numbering.py": "akstwin.fake_api.host_check",
    "akstwin/control_plane/services.py": "akstwin.kubernetes_model.rollout",
    "akstwin/cores/serving.py": "akstwin.cores.routing",
    "akstwin/cores/autoscaling.py": "akstwin.kubernetes_model.scheduling",
    "akstwin/domain/units.py": "akstwin.fake_api.app",
    "akstwin/domain/reasons.py": "simpy",
    "akstwin/policies/canary.py": "akstwin.sdk.workspace",
    "akstwin/fake_api/management/desk.py": "akstwin.sim.backend",
    "akstwin/sdk/checks.py": "akstwin.sdk.aks",
    "akstwin/speedups/making.py": "akstwin.sim.world",
}


@pytest.mark.slow
def test_wrong_imports_are_found(tmp_path: Path) -> None:
    """Each of them is named in what the tool prints; the tree as it is keeps all contracts."""
    package = tmp_path / "akstwin"
    ignore = shutil.ignore_patterns("__pycache__", *ROOMS)
    shutil.copytree(ROOT / "akstwin", package, ignore=ignore)
    for room in ROOMS:
        shutil.copytree(ROOT / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def lint() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    kept = lint()
    assert kept.returncode == 0, kept.stdout

    for name, imported in WRONG.items():
        file = tmp_path / name
        file.write_text(f"{file.read_text('utf-8')}\nimport {imported}\n", "utf-8")
    broken = " ".join(lint().stdout.split())

    missing = [
        name
        for name, imported in WRONG.items()
        if f"{name.removesuffix('.py').replace('/', '.')} -> {imported} (l." not in broken
        and f".{Path(name).stem} -> .{imported.rpartition('.')[2]} (1 import)" not in broken
    ]
    assert missing == []
