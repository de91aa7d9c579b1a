"""When a container takes more memory than its limit, and what follows in it."""

from typing import Any

import pytest

from akstwin.domain.deployment import DeployArguments
from akstwin.domain.profile import MemoryUse, ModelProfile
from akstwin.domain.service import VersionSpec
from akstwin.kubernetes_model.container import Container, OutOfMemory, Start
from akstwin.kubernetes_model.memory import explanation, limit, room

GB = 10**9


def use(base: str, per_request: str = "0MB") -> MemoryUse:
    """What a container takes."""
    return MemoryUse.model_validate({"base": base, "per_request": per_request})


@pytest.mark.parametrize(
    ("told", "most", "fit"),
    [
        (use("1.2GB", "300MB"), 2 * GB, 2),
        (use("1.1GB", "300MB"), 2 * GB, 3),  # exactly the limit is not above it
        (use("1GB", "1GB"), 2 * GB, 1),
        (use("2GB", "1MB"), 2 * GB, 0),
        (use("2001MB", "1MB"), 2 * GB, -1),
        (use("2001MB"), 2 * GB, -1),
        (use("2GB"), 2 * GB, None),
        (use("2GiB"), 2 * GB, -1),
        (use("1GB", "1GB"), None, None),
        (None, 2 * GB, None),
    ],
)
def test_so_many_requests_fit(told: MemoryUse | None, most: int | None, fit: int | None) -> None:
    """The limit itself may be taken; one byte more may not."""
    assert room(told, most) == fit


@pytest.mark.parametrize(
    ("arguments", "most"),
    [({}, 0.5), ({"memory_gb": 2}, 2), ({"memory_gb": 2, "memory_gb_limit": 3.5}, 3.5), ({"memory_gb_limit": 1}, 1)],
)
def test_the_limit_is_what_was_asked_for_if_none_was_given(arguments: dict[str, Any], most: float) -> None:
    """`memory_gb_limit`, else `memory_gb`, else its default of 0.5 GB (semantics §2.1)."""
    settings = VersionSpec("blue", DeployArguments(num_replicas=1, **arguments)).settings
    assert limit(settings) == most * GB


def test_a_request_too_many_ends_the_container() -> None:
    """Running and waiting requests count, probes do not; the one that was too many dies with the others."""
    container = Container(1, room=2)
    container.initialise()
    assert container.accept(1) == [Start(1)]
    assert container.probe(7) == []
    assert container.accept(2) == []
    assert container.accept(3) == [OutOfMemory()]
    assert container.kill() == [1, 2, 3]


def test_room_comes_free_with_each_request() -> None:
    """One after the other any number fits."""
    container = Container(1, room=1)
    container.initialise()
    for number in range(5):
        assert container.accept(number) == [Start(number)]
        assert container.finish(number) == []


def test_memory_counts_from_the_end_of_init_on() -> None:
    """What waits before takes none; once `init()` has returned, the base and all that waits do."""
    fits, full = Container(1, room=2), Container(1, room=2)
    for container, count in ((fits, 2), (full, 3)):
        assert [container.accept(number) for number in range(count)] == [[]] * count
    assert fits.initialise() == [Start(0)]
    assert full.initialise() == [OutOfMemory()]
    assert Container(1, room=-1).initialise() == [OutOfMemory()]
    empty = Container(1, room=0)
    assert (empty.initialise(), empty.accept(1)) == ([], [OutOfMemory()])


def test_a_hung_container_takes_memory_too() -> None:
    """Its backlog grows without a request that ends."""
    container = Container(2, room=1)
    container.initialise()
    container.hang()
    assert (container.accept(1), container.accept(2)) == ([], [OutOfMemory()])


def test_without_a_limit_nothing_changes() -> None:
    """As ever."""
    container = Container(1)
    assert container.initialise() == []
    assert container.accept(1) == [Start(1)]
    assert [container.accept(number) for number in range(2, 100)] == [[]] * 98


def test_the_explanation_has_all_figures() -> None:
    """What it takes, what fits, what the limit is, and Kubernetes' own word."""
    assert explanation(use("1.2GB", "300MB"), 2 * GB) == (
        "OOMKilled, exit code 137: it takes 1.2 GB and 300 MB for each request in it, so that no more than 2 fit below its limit "
        "of 2 GB"
    )
    assert explanation(use("2.5GB", "1MB"), 500 * 10**6) == (
        "OOMKilled, exit code 137: it takes 2.5 GB without any request, above its limit of 500 MB"
    )


def test_memory_must_say_its_unit() -> None:
    """MB or GB nobody can know; a plain size is the base."""
    assert ModelProfile.model_validate({"memory": "512MiB"}).memory == use("536870912B")
    assert use("1Gi").base == use("1GiB").base == 2**30
    for wrong in (2, {"base": 2}, {"base": "2"}, {"per_request": "1MB"}, {"base": "-1GB"}, {"base": "1TB"}):
        with pytest.raises(ValueError, match=r"unit|Field required"):
            ModelProfile.model_validate({"memory": wrong})
    again = ModelProfile.model_validate(ModelProfile.model_validate({"memory": "1.5GB"}).model_dump(mode="json"))
    assert again.memory == use("1500MB")
