"""Anything in any order, and crashes at any point: a workspace in a file is what one in memory is (Hypothesis)."""

import copy
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from akstwin.backend import ModelQuery, ServiceQuery
from akstwin.clock import Micros
from akstwin.domain.lifecycles import ServiceState
from akstwin.errors import AksError
from akstwin.sim.backend import EPOCH, Kept, SimulatedBackend
from akstwin.store import MemoryStore
from akstwin.store.state import StateFile


def _story() -> Any:
    spec = importlib.util.spec_from_file_location("story", Path(__file__).with_name("story.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


story = _story()
NUMBERS = st.integers(0, 5000)


def seen(backend: SimulatedBackend) -> dict[str, Any]:
    """What callers see of a workspace."""
    services = backend.list_services(ServiceQuery())
    keys: dict[str, Any] = {}
    for document in services:
        try:
            keys[document["name"]] = backend.get_keys(document["name"])
        except AksError as error:  # it has tokens
            keys[document["name"]] = str(error)
    operations = {key: backend.get_operation(key) for key in backend.management.repositories.operations.keys()}  # noqa: SIM118 - no mapping
    return {
        "now": backend.clock.now(),
        "services": services,
        "keys": keys,
        "models": backend.list_models(ModelQuery()),
        "environments": backend.list_environments(),
        "computes": backend.list_computes(),
        "operations": operations,
    }


class Crashing(RuleBasedStateMachine):
    """A workspace in a file beside its twin in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="akstwin-test-"))
        self.path = self.folder / "state.db"
        self.store = MemoryStore()
        self.lives = 0

    @initialize()
    def begin(self) -> None:
        """Both are new."""
        self.open()
        story.perform(self.backend, "put_compute", 0)
        story.perform(self.twin, "put_compute", 0)
        self.commit()

    def open(self) -> None:
        """Both go on with what is kept."""
        self.lives += 1
        self.file = StateFile(self.path)
        files = self.folder / "kept"
        twins = self.folder / f"twin-{self.lives}"
        if files.exists():
            shutil.copytree(files, twins)
        store = self.file.store("workspace")
        now = Micros(store.load("clock", "only") or 0)
        self.backend = SimulatedBackend(seed=3, identity=story.IDENTITY, epoch=EPOCH, kept=Kept(store, files, now, 0))
        self.twin = SimulatedBackend(seed=3, identity=story.IDENTITY, epoch=EPOCH, kept=Kept(self.store, twins, now, 0))
        self.backend.restore()
        self.twin.restore()
        self.commit()

    def commit(self) -> None:
        """What has been done is acknowledged."""
        for backend in (self.backend, self.twin):
            backend.management.dependencies.store.save("clock", "only", backend.clock.now())
        self.file.commit(self.backend.files.unforced())

    @rule(name=st.sampled_from(sorted(story.COMMANDS)), number=NUMBERS)
    def act(self, name: str, number: int) -> None:
        """A command to both."""
        assert story.perform(self.backend, name, number) == story.perform(self.twin, name, number)
        self.commit()

    @rule(number=NUMBERS)
    def create(self, number: int) -> None:
        """More often than the rest, and time to come up."""
        for backend in (self.backend, self.twin):
            story.perform(backend, "create", number)
            story.perform(backend, "pass_time", number % 397)
        self.commit()

    @rule()
    def crash(self) -> None:
        """Memory is gone; nothing was under way."""
        before = seen(self.backend)
        self.reopen()
        after = seen(self.backend)
        self.same_but_restarted(before, after)

    @rule(name=st.sampled_from(sorted(story.COMMANDS)), number=NUMBERS)
    def crash_before_it_is_written(self, name: str, number: int) -> None:
        """What nobody was told of has not happened."""
        before = seen(self.backend)
        story.perform(self.backend, name, number)
        self.reopen()
        self.same_but_restarted(before, seen(self.backend))

    def reopen(self) -> None:
        """Drop what is in memory, and go on."""
        self.file.close()
        self.store._texts = copy.deepcopy(self.store._texts)
        self.backend.close()
        self.twin.close()
        self.open()

    def same_but_restarted(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """What was acknowledged is there: only what was on its way has begun anew, or gone."""
        gone = {each["name"] for each in before["services"] if each["state"] == ServiceState.DELETING}
        for each in (before, after):
            each["services"] = [
                {key: value for key, value in document.items() if key != "deploymentStatus"}
                for document in each["services"]
                if document["name"] not in gone
            ]
            each["keys"] = {name: keys for name, keys in each["keys"].items() if name not in gone}
        for operation_id, operation in before.pop("operations").items():
            if operation.state == "Running":
                assert after["operations"][operation_id].id == operation_id
            else:
                assert after["operations"][operation_id] == operation
        after.pop("operations")
        assert after == before

    @invariant()
    def they_are_the_same(self) -> None:
        """Records, files, and what callers see."""
        if not self.lives:
            return
        file, memory = self.backend.management.dependencies.store, self.twin.management.dependencies.store
        assert story.records(file._texts) == story.records(memory._texts)  # type: ignore[attr-defined]
        assert seen(self.backend) == seen(self.twin)
        assert story.tree(self.backend.files.folder) == story.tree(self.twin.files.folder)

    def teardown(self) -> None:
        """Nothing stays."""
        if self.lives:
            self.file.close()
            self.backend.close()
            self.twin.close()
        shutil.rmtree(self.folder)


def test_what_was_acknowledged_outlasts_any_crash() -> None:
    """In any order."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Crashing,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
