"""Streams: a number depends on its name and index, never on who asked before."""

import numpy as np
import pytest

from akstwin.sim.streams import BLOCK, Draws, generator, whole_below

COUNT = 20 * BLOCK


def _draws(entity: str = "blue", *, cause: str = "service", seed: int = 7, replication: int = 1) -> Draws:
    return Draws(seed, replication, cause, entity, whole_below(1 << 40))


def test_any_order_reads_the_same_numbers() -> None:
    """Forwards, backwards and jumping over more blocks than are kept: every index has one number."""
    forwards = _draws()
    expected = [forwards.at(index) for index in range(COUNT)]
    backwards = _draws()
    assert [backwards.at(index) for index in reversed(range(COUNT))] == expected[::-1]
    jumping = _draws()
    order = np.random.default_rng(1).permutation(COUNT).tolist()[:500]
    assert [jumping.at(index) for index in order] == [expected[index] for index in order]


def test_a_block_is_the_generator_at_its_number() -> None:
    """The number at an index needs no number before it: its block is drawn alone."""
    rng = generator(7, 1, "service", "blue", block=11)
    block = np.floor(rng.random(BLOCK) * (1 << 40)).astype(np.int64).tolist()
    draws = _draws()
    assert [draws.at(11 * BLOCK + place) for place in range(BLOCK)] == block


@pytest.mark.parametrize(
    "other",
    [
        {"entity": "green"},
        {"cause": "failure"},
        {"seed": 8},
        {"replication": 2},
        {"entity": "blue\x1f", "cause": "service"},
    ],
)
def test_every_part_of_the_name_makes_another_stream(other: dict[str, object]) -> None:
    """Seed, replication, cause and entity each make a stream of their own, and neighbours are not correlated."""
    one, two = _draws(), _draws(**other)  # type: ignore[arg-type]
    ours = [one.at(index) for index in range(2 * BLOCK)]
    theirs = [two.at(index) for index in range(2 * BLOCK)]
    assert not set(ours) & set(theirs)
    assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.1


def test_blocks_do_not_repeat_each_other() -> None:
    """Adjacent blocks of a stream are far apart in the generator's cycle: no number of 40 bits comes twice."""
    draws = _draws()
    numbers = [draws.at(index) for index in range(COUNT)]
    assert len(set(numbers)) == COUNT


def test_whole_numbers_below_a_bound_are_alike() -> None:
    """Every whole number from 0 up to the bound, itself left out, is drawn about as often."""
    counts = np.bincount(whole_below(9)(generator(1, 1, "test"), 90_000), minlength=9)
    assert len(counts) == 9
    assert np.abs(counts - 10_000).max() < 4 * 100
