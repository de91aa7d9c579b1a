"""Who gets which share of the traffic (semantics §1.5, rule R5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.domain.service import Split, split_of

NAMES = ["blue", "green", "red", "white", "black", "gray"]


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """A split that may exist: up to six versions, at most 100 per cent beside the default."""
    names = NAMES[: draw(st.integers(1, 6))]
    default = draw(st.sampled_from(names))
    left = Split.WHOLE
    percentages: dict[str, float | None] = {}
    for name in names:
        if name == default:
            percentages[name] = draw(st.none() | st.floats(0, 100))
            continue
        share = draw(st.integers(0, left))
        left -= share
        percentages[name] = share / 1_000_000
    return split_of(percentages, default)


@pytest.mark.parametrize(
    ("percentages", "default", "shares"),
    [
        ({"blue": 20}, "blue", {"blue": 100}),
        ({"blue": 20, "green": 10}, "blue", {"blue": 90, "green": 10}),
        ({"blue": 20, "green": 40}, "green", {"green": 80, "blue": 20}),
    ],
    ids=["(a) one version takes all", "(b) the rest goes to the default", "(c) another default"],
)
def test_azures_three_worked_examples(
    percentages: dict[str, float | None], default: str, shares: dict[str, float]
) -> None:
    """Percentages need not add to 100; what is left goes to the default, whatever its own percentage says."""
    assert split_of(percentages, default).shares() == shares


@given(splits())
def test_shares_always_sum_to_100(split: Split) -> None:
    """Exactly, counted in millionths of a per cent; and none is negative."""
    shares = [round(share * 1_000_000) for share in split.shares().values()]

    assert sum(shares) == Split.WHOLE
    assert min(shares) >= 0


@given(splits())
def test_every_version_is_picked_exactly_as_often_as_its_share_says(split: Split) -> None:
    """The draws that pick a version form one stretch, as long as its share: counted at its two ends."""
    at = 0
    for name, share in split.others:
        if share:
            assert split.pick(at) == split.pick(at + share - 1) == name
        at += share
    if at < Split.WHOLE:
        assert split.pick(at) == split.pick(Split.WHOLE - 1) == split.default


def test_frequencies_over_all_draws_are_the_shares() -> None:
    """20 (default), 10 and 0.5 per cent: over evenly spaced draws the counts are the effective shares to the last one."""
    split = split_of({"blue": 20, "green": 10, "red": 0.5}, "blue")
    step = Split.WHOLE // 100_000
    counts: dict[str, int] = {}
    for draw in range(0, Split.WHOLE, step):
        name = split.pick(draw)
        counts[name] = counts.get(name, 0) + 1

    assert counts == {"green": 10_000, "red": 500, "blue": 89_500}


@given(splits(), st.integers(0, Split.WHOLE - 1))
def test_a_version_without_a_share_is_never_picked(split: Split, draw: int) -> None:
    """Nought per cent is nobody, at every draw."""
    picked = split.pick(draw)

    assert split.shares()[picked] > 0


def test_others_walk_in_the_order_of_their_creation() -> None:
    """R5: the same draw means the same version however the split was written."""
    split = split_of({"green": 10, "blue": 20, "red": 30}, "blue")

    assert split == Split("blue", (("green", 10_000_000), ("red", 30_000_000)))
    assert [split.pick(draw) for draw in (9_999_999, 10_000_000, 39_999_999, 40_000_000)] == [
        "green", "red", "red", "blue",
    ]  # fmt: skip


def test_others_may_take_everything_but_not_more() -> None:
    """At 100 per cent the default gets nothing; above, the split is refused with the sum."""
    assert split_of({"blue": 50, "green": 60, "red": 40}, "blue").shares()["blue"] == 0

    with pytest.raises(ValueError, match=r"not 100\.5"):
        split_of({"blue": 0, "green": 60, "red": 40.5}, "blue")
