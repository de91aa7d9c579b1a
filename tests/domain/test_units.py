"""Durations and sizes as people write them."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.domain.units import (
    DURATION_FORM,
    SIZE_FORM,
    format_duration,
    format_size,
    has_unit,
    megabytes,
    millicores,
    parse_duration,
    parse_latency,
    parse_memory,
    parse_size,
)

spans = st.integers(0, (1 << 62) - 1)


@given(spans)
def test_a_duration_written_is_read_back(span: int) -> None:
    """Whatever `format_duration` writes, `parse_duration` reads as the same whole microseconds."""
    assert parse_duration(format_duration(span)) == span


@given(spans)
def test_a_size_written_is_read_back(size: int) -> None:
    """Whatever `format_size` writes, `parse_size` reads as the same whole bytes."""
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("250ms", 250_000),
        ("10s", 10_000_000),
        ("5m", 300_000_000),
        ("24h", 86_400_000_000),
        ("2d", 172_800_000_000),
        ("7us", 7),
        (" 1.5 s ", 1_500_000),
        (".5ms", 500),
        ("3", 3_000_000),
        (3, 3_000_000),
        (0.1, 100_000),
        (0, 0),
        ("0s", 0),
    ],
)
def test_durations_mean_what_they_say(written: object, micros: int) -> None:
    """Units from design §7.3; a bare number counts seconds."""
    assert parse_duration(written) == micros


@given(spans.filter(bool))
def test_a_latency_is_a_duration_that_says_its_unit(span: int) -> None:
    """What says its unit is read alike by both."""
    written = format_duration(span)
    assert has_unit(written)
    assert parse_latency(written) == parse_duration(written) == span


@pytest.mark.parametrize("written", [400, 0.4, "400", " .4 ", 0])
def test_a_latency_without_a_unit_is_none(written: object) -> None:
    """Milliseconds or seconds: nobody knows."""
    assert not has_unit(written)
    with pytest.raises(ValueError, match=r" ms or \S+ s\? Write "):
        parse_latency(written)


@pytest.mark.parametrize(("written", "micros"), [("0.5us", 0), ("1.5us", 2), ("2.5us", 2), (0.0000005, 0)])
def test_half_a_microsecond_rounds_to_even(written: object, micros: int) -> None:
    """Rounding is half to even, in decimal: never by the error of a float."""
    assert parse_duration(written) == micros


@given(st.integers(0, 10**9))
def test_decimal_seconds_are_exact(micros: int) -> None:
    """A number of seconds with six decimals is that many microseconds, which floats alone would miss."""
    assert parse_duration(str(Decimal(micros) / 1_000_000)) == micros
    assert parse_duration(micros / 1_000_000) == micros


@pytest.mark.parametrize(
    "wrong",
    ["", "s", "ten seconds", "-1s", "+1s", "1 s s", "1e3", "1H", "1w", "1,5s", "1s\nx", -1, -0.5, float("inf"),
     float("nan"), True, None, [], "9" * 30 + "s", 1 << 62],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_what_was_expected(wrong: object) -> None:
    """Negative, endless, unknown units, other types: one message."""
    with pytest.raises(ValueError, match="a duration such as") as refused:
        parse_duration(wrong)

    assert str(refused.value) == DURATION_FORM


@pytest.mark.parametrize(("written", "size"), [("100MB", 10**8), ("1kB", 1000), ("2GB", 2 * 10**9), ("5B", 5), (7, 7)])
def test_sizes_are_decimal(written: object, size: int) -> None:
    """A kB counts 1000 bytes, as on Azure's pages."""
    assert parse_size(written) == size


@pytest.mark.parametrize("parse", [parse_latency, parse_memory])
def test_a_number_too_wide_to_be_written_out_is_refused_with_what_was_expected(parse: Callable[[object], int]) -> None:
    """Python writes no integer of more than 4,300 digits."""
    with pytest.raises(ValueError, match=" such as "):
        parse(10**5000)


@pytest.mark.parametrize("wrong", ["1KB", "1MiB", "-1B", "", None, False, float("inf")])
def test_what_is_no_size_is_refused_with_what_was_expected(wrong: object) -> None:
    """One message for all."""
    with pytest.raises(ValueError, match="a size such as") as refused:
        parse_size(wrong)

    assert str(refused.value) == SIZE_FORM


@given(st.integers(0, 10**7))
def test_cores_and_gigabytes_become_whole_thousandths(thousandths: int) -> None:
    """What is written with three decimals is met exactly."""
    assert millicores(thousandths / 1000) == thousandths
    assert megabytes(thousandths / 1000) == thousandths
