"""The bounded log."""

import re

from hypothesis import given
from hypothesis import strategies as st

from akstwin.worker.log import BoundedLog


@given(st.integers(1, 40), st.lists(st.binary(max_size=30)))
def test_beginning_and_end_are_kept_and_the_gap_is_counted(limit: int, pieces: list[bytes]) -> None:
    """Nothing is missing below the limit; above it, the first and last half stand, and the number of bytes between."""
    log = BoundedLog(limit)
    whole = b"".join(pieces)
    ascii_whole = bytes(byte % 26 + 97 for byte in whole)
    at = 0
    for piece in pieces:
        log.write(ascii_whole[at : at + len(piece)])
        at += len(piece)
    text = log.text()
    if len(whole) <= limit:
        assert text == ascii_whole.decode()
    else:
        head, dropped, tail = re.fullmatch(r"([a-z]*)\n\[\.\.\. (\d+) bytes dropped \.\.\.\]\n([a-z]*)", text).groups()
        assert (len(head), len(tail)) == (limit - limit // 2, limit // 2)
        assert head == ascii_whole[: len(head)].decode()
        assert tail == ascii_whole[len(whole) - len(tail) :].decode()
        assert int(dropped) == len(whole) - limit


def test_memory_is_bounded_for_many_small_writes() -> None:
    """A million lines cost what is kept of them."""
    log = BoundedLog(100)
    for _ in range(100_000):
        log.write(b"line\n")
    assert len(log._tail) <= 2 * 50
    assert log.written == 500_000
