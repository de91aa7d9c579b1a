"""A command's records are written wholly or not at all, and before its effects."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from akstwin.backend import ServiceQuery
from akstwin.domain.lifecycles import OperationState
from akstwin.sdk import wire
from akstwin.store import MemoryStore
from akstwin.store.state import StateFile

ROLL = {"cpu_cores": 0.7}
OTHER = {"environment": {"name": "b", "docker": {"baseImage": "other"}}}


class FullError(Exception):
    """The store takes no more."""


class FailingStore(MemoryStore):
    """Fails at one of its writes.

    Attributes:
        left: so many writes succeed; None: all do.
        failed: whether one did not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None
        self.failed = False

    def _count(self) -> None:
        if self.left == 0:
            self.failed = True
            raise FullError
        if self.left is not None:
            self.left -= 1

    def save(self, kind: str, key: str, value: Any) -> None:
        """Keep a value, or fail."""
        self._count()
        super().save(kind, key, value)

    def delete(self, kind: str, key: str) -> None:
        """Forget a value, or fail."""
        self._count()
        super().delete(kind, key)


def environment(bench: Any) -> None:
    """An environment."""
    bench.management.environments.put("e", None, {"name": "e"})


def asset(bench: Any) -> Any:
    """Uploaded files by name."""
    return bench.management.models.create_asset({"name": "m", "artifacts": [{"prefix": "LocalUpload/c/model.bin"}]})


Prepare = Callable[[Any], Any]
Verb = Callable[[Any], Any]
ADD = wire.version_added_patch("green", ["blue"], {}, compute_name="aks", environment_image_request=OTHER)

VERBS: dict[str, tuple[Prepare, Verb]] = {
    "create an asset": (lambda bench: bench.upload(), asset),
    "register a model": (
        lambda bench: (bench.upload(), asset(bench)),
        lambda bench: bench.management.models.register(
            {"name": "m", "url": f"aml://asset/{bench.store.keys('asset')[0]}"}
        ),
    ),
    "patch a model": (
        lambda bench: bench.model(),
        lambda bench: bench.management.models.patch(
            "model:1", [{"op": "replace", "path": "/description", "value": "new"}]
        ),
    ),
    "delete a model": (lambda bench: bench.model(), lambda bench: bench.management.models.delete("model:1")),
    "register an environment": (lambda _: None, environment),
    "create a cluster": (
        lambda _: None,
        lambda bench: bench.management.computes.put("aks", {"properties": {"computeType": "AKS"}}),
    ),
    "update a cluster": (
        lambda bench: bench.cluster(),
        lambda bench: bench.management.computes.put(
            "aks", {"properties": {"computeType": "AKS", "properties": {"loadBalancerType": "InternalLoadBalancer"}}}
        ),
    ),
    "delete a cluster": (lambda bench: bench.cluster(), lambda bench: bench.management.computes.delete("aks", "delete")),
    "create a service": (
        lambda bench: bench.cluster(),
        lambda bench: bench.management.services.create(bench.payload(OTHER)),
    ),
    "overwrite a service": (
        lambda bench: bench.service(),
        lambda bench: bench.management.services.create({**bench.payload(OTHER), "overwrite": True}),
    ),
    "roll a service": (lambda bench: bench.service(), lambda bench: bench.update(**ROLL)),
    "change a service at once": (
        lambda bench: bench.service(),
        lambda bench: bench.update(num_replicas=3, auth_enabled=False, token_auth_enabled=True),
    ),
    "add a version": (lambda bench: bench.endpoint(), lambda bench: bench.management.services.patch("fraud", ADD)),
    "delete a service": (lambda bench: bench.service(), lambda bench: bench.management.services.delete("fraud")),
    "regenerate a key": (lambda bench: bench.service(), lambda bench: bench.management.keys.regenerate("fraud", "Primary")),
    "end what is due": (
        lambda bench: (bench.service(), bench.management.keys.regenerate("fraud", "Primary")),
        lambda bench: bench.management.run_due(bench.management.due()),
    ),
}  # fmt: skip


ACTING = {
    "delete a cluster", "create a service", "overwrite a service", "roll a service", "change a service at once",
    "add a version", "delete a service", "regenerate a key",
}  # fmt: skip
"""Verbs after which the world acts at once."""


def bench_on(bench: Any, store: MemoryStore) -> Any:
    """The bench, with its management service on another store."""
    bench.store = store
    bench.management = bench.another()
    return bench


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_whose_records_cannot_be_written_has_changed_nothing(bench: Any, name: str) -> None:
    """Whichever write fails: neither the store nor the world has changed, and the verb succeeds afterwards as ever."""
    store = FailingStore()
    prepare, verb = VERBS[name]
    bench_on(bench, store)
    prepare(bench)
    kept, told, plans = bench.kept(), list(bench.runtime.told), list(bench.clock.plans)
    writes = 0
    while True:
        store.left, store.failed = writes, False
        try:
            verb(bench)
        except FullError:
            assert (bench.kept(), bench.runtime.told, bench.clock.plans) == (kept, told, plans), f"write {writes}"
            writes += 1
            continue
        break
    assert not store.failed
    assert writes > 0
    assert bench.kept() != kept


@pytest.mark.parametrize("name", VERBS)
def test_records_are_written_before_the_world_acts(bench: Any, name: str) -> None:
    """What the runtime finds in the store when it is called is what is there when the verb has returned."""
    prepare, verb = VERBS[name]
    prepare(bench)
    found: list[dict[str, str]] = []

    class Looking(type(bench.runtime)):  # type: ignore[misc]  # it is a fixture's
        def __getattribute__(self, called: str) -> Any:
            if called in ("create", "restore", "change", "authorise", "end", "create_cluster", "end_cluster"):
                found.append(bench.kept())
            return super().__getattribute__(called)

    bench.runtime.__class__ = Looking
    verb(bench)
    assert all(each == bench.kept() for each in found)
    assert bool(found) is (name in ACTING)


class Broken(Exception):
    """The world cannot act."""


@pytest.mark.parametrize("called", ["create", "change", "authorise", "end"])
def test_a_runtime_that_fails_leaves_whole_records_to_restore_from(bench: Any, called: str) -> None:
    """The caller gets its error; the operation has begun, and a management service made anew performs it again."""
    verbs: dict[str, Verb] = {
        "create": lambda: bench.management.services.create(bench.payload(OTHER)),
        "change": lambda: bench.update(**ROLL),
        "authorise": lambda: bench.management.keys.regenerate("fraud", "Primary", "mine"),
        "end": lambda: bench.management.services.delete("fraud"),
    }  # type: ignore[dict-item]
    if called == "create":
        bench.cluster()
    else:
        bench.service()
    known = set(bench.store.keys("operation"))

    def fail(*_: Any, **__: Any) -> None:
        raise Broken

    setattr(bench.runtime, called, fail)
    with pytest.raises(Broken):
        verbs[called]()  # type: ignore[call-arg]
    delattr(bench.runtime, called)
    (operation,) = set(bench.store.keys("operation")) - known
    assert bench.management.operations.get(operation).state is OperationState.RUNNING
    assert bool(bench.clock.plans) is (called == "authorise"), "its operation has a timer, and the world is to wake it"
    bench.clock.plans.clear()
    bench.management = bench.another()
    bench.management.restore()
    if called in ("create", "change"):
        bench.runtime.settle()
    bench.clock.turn(2)
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
    states = [service["state"] for service in bench.management.services.find(ServiceQuery())]
    assert states == ([] if called == "end" else ["Healthy"])
    if called == "authorise":
        assert bench.runtime.auth["fraud"].primary == "mine"


# -- the stores


def test_a_transaction_is_undone_as_a_whole() -> None:
    """What was changed, made and deleted; what it wrote can be read inside."""
    store = MemoryStore()
    store.save("kind", "changed", 1)
    store.save("kind", "deleted", 2)
    with pytest.raises(FullError), store.transaction():  # noqa: PT012 - what is written before it
        store.save("kind", "changed", 3)
        store.save("kind", "made", 4)
        store.delete("kind", "deleted")
        assert (store.load("kind", "changed"), store.keys("kind")) == (3, ["changed", "made"])
        raise FullError
    assert {key: store.load("kind", key) for key in store.keys("kind")} == {"changed": 1, "deleted": 2}


def test_a_transaction_inside_another_is_part_of_it() -> None:
    """It can be undone alone; with the outer one, all is."""
    store = MemoryStore()
    with store.transaction():
        store.save("kind", "a", 1)
        with pytest.raises(FullError), store.transaction():  # noqa: PT012
            store.save("kind", "a", 2)
            store.save("kind", "b", 2)
            raise FullError
        assert store.keys("kind") == ["a"]
        assert store.load("kind", "a") == 1
        with store.transaction():
            store.save("kind", "a", 3)
    assert store.load("kind", "a") == 3
    with pytest.raises(FullError), store.transaction():  # noqa: PT012
        with store.transaction():
            store.save("kind", "a", 4)
        raise FullError
    assert store.load("kind", "a") == 3


def test_versions_tell_values_apart() -> None:
    """And are equal as long as the value is."""
    store = MemoryStore()
    assert store.version("kind", "a") is None
    store.save("kind", "a", {"x": 1})
    first = store.version("kind", "a")
    store.save("kind", "a", {"x": 1})
    assert store.version("kind", "a") == first
    store.save("kind", "a", {"x": 2})
    assert store.version("kind", "a") != first


def test_what_is_undone_does_not_come_to_a_state_file(tmp_path: Path) -> None:
    """Nor is there anything to write for it."""
    with closing(StateFile(tmp_path / "s")) as file:
        store = file.store("one")
        store.save("kind", "a", 1)
        file.commit()
        with pytest.raises(FullError), store.transaction():  # noqa: PT012
            store.save("kind", "a", 2)
            store.save("kind", "b", 2)
            raise FullError
        assert not file.changed
        with store.transaction():
            store.save("kind", "a", 2)
            store.save("kind", "a", 1)
        assert not file.changed
        with store.transaction():
            store.save("kind", "c", 3)
            assert not file.changed
        assert file.changed
        file.commit()
    with closing(StateFile(tmp_path / "s")) as again:
        assert again.store("one").keys("kind") == ["a", "c"]
        assert again.store("one").load("kind", "a") == 1
