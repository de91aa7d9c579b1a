"""The compiled modules are taken only where they are what the sources say, and all together."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import akstwin.speedups
from akstwin.speedups import MODULES, PACKAGE, folder, source_of

COMPILED = folder().is_dir()
needs = pytest.mark.skipif(not COMPILED, reason="nothing is compiled: akstwin compile")


def told(program: str, **environment: str) -> dict[str, object]:
    """What a program prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_every_module_has_its_source() -> None:
    """The list names what there is."""
    assert [module for module in MODULES if not source_of(module).is_file()] == []


def test_a_changed_source_has_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So what was compiled from another source is never found."""
    copy = tmp_path / "akstwin"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(akstwin.speedups, "PACKAGE", copy)
    same = folder()
    for changed in (source_of(MODULES[0]), copy / "clock.py", copy / "domain" / "reasons.py"):
        before = folder()
        changed.write_text(changed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        assert folder() != before
    assert folder() != same


def test_nothing_is_taken_where_nothing_is_compiled(tmp_path: Path) -> None:
    """The sources run as they stand."""
    program = (
        f"import sys, json; sys.prefix = {str(tmp_path)!r}\n"
        "from akstwin.speedups import activate, is_active\n"
        "taken = activate(); import akstwin.sim.engine.reference as engine\n"
        "print(json.dumps({'taken': taken, 'active': is_active(), 'file': engine.__file__}))"
    )
    answer = told(program)
    assert (answer["taken"], answer["active"]) == (False, False)
    assert str(answer["file"]).endswith("reference.py")


@needs
def test_all_are_taken_or_none() -> None:
    """Objects of a compiled module and of its source do not go together: once one has been imported, it is too late."""
    program = (
        "import importlib, json\n{first}"
        "from akstwin.speedups import MODULES, activate\n"
        "taken = activate()\n"
        "files = [importlib.import_module(module).__file__ for module in MODULES]\n"
        "print(json.dumps({{'taken': taken, 'compiled': sum(not file.endswith('.py') for file in files)}}))"
    )
    assert told(program.format(first="")) == {"taken": True, "compiled": len(MODULES)}
    late = program.format(first="import akstwin.cores.routing\n")
    assert told(late) == {"taken": False, "compiled": 0}


@needs
def test_both_decide_alike() -> None:
    """A service in virtual time under load with a lost replica: the same answers, to the microsecond."""
    program = (
        "import json\nfrom akstwin.speedups import activate, is_active\n{first}"
        "from akstwin.sim.backend import SimulatedBackend\n"
        "from akstwin import AksCompute, AksWebservice, ComputeTarget, Model, Workspace\n"
        "import contextlib, io, os, tempfile\n"
        "os.chdir(tempfile.mkdtemp()); open('m.txt', 'w').write('m')\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    ws = Workspace.simulated(seed=7)\n"
        "    cluster = ComputeTarget.create(ws, 'aks', AksCompute.provisioning_configuration())\n"
        "    cluster.wait_for_completion()\n"
        "    model = Model.register(ws, 'm.txt', 'm', model_framework=Model.Framework.SCIKITLEARN)\n"
        "    given = AksWebservice.deploy_configuration(autoscale_enabled=True, autoscale_max_replicas=6)\n"
        "    service = Model.deploy(ws, 'svc', [model], deployment_config=given, deployment_target=cluster)\n"
        "    service.wait_for_deployment()\n"
        "ws.simulation.profile('svc', service_time={{'distribution': 'lognormal', 'mean': '80ms', 'cv': 0.6}})\n"
        "ws.simulation.traffic('svc', rate=30)\n"
        "ws.simulation.fault('replica_kill', at='2m')\n"
        "ws.simulation.advance('5m')\n"
        "seen = ws.simulation.observe('svc', window='5m').versions['svc']\n"
        "print(json.dumps({{'active': is_active(), 'answers': dict(seen.answers), 'latency': dict(seen.latency_ms)}}))"
    )
    plain, compiled = told(program.format(first="")), told(program.format(first="activate()\n"))
    assert (plain.pop("active"), compiled.pop("active")) == (False, True)
    assert plain == compiled
