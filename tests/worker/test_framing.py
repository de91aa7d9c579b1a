"""Messages: whatever is encoded comes out, however it is cut; whatever is not ours is refused, early."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.worker.inside.framing import HEAD_LIMIT, MAGIC, Decoder, Message, ProtocolError, encode

heads = st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(), max_size=4)
messages = st.lists(st.builds(Message, heads, st.binary(max_size=300)), max_size=5)


@given(messages, st.lists(st.integers(1, 40), min_size=1))
def test_messages_come_out_as_they_went_in_however_they_are_cut(sent: list[Message], cuts: list[int]) -> None:
    """A decoder doesn't care where one read ends and the next begins."""
    stream = b"".join(encode(*message) for message in sent)
    decoder = Decoder(300)
    received = []
    step = 0
    while stream:
        cut = cuts[step % len(cuts)]
        received += decoder.feed(stream[:cut])
        stream, step = stream[cut:], step + 1
    assert received == sent


@given(st.binary(min_size=1))
def test_junk_is_refused_or_waited_for_and_nothing_else(junk: bytes) -> None:
    """No bytes raise anything but `ProtocolError`."""
    decoder = Decoder(100)
    try:
        assert decoder.feed(junk) == []
    except ProtocolError:
        pass
    else:
        assert MAGIC.startswith(junk[:4])


@pytest.mark.parametrize(
    "junk",
    [
        b"x",  # one wrong byte is enough: nobody waits for fifteen more
        b"akw",
        struct.pack("!4sIQ", MAGIC, HEAD_LIMIT + 1, 0),
        struct.pack("!4sIQ", MAGIC, 2, 101),
        struct.pack("!4sIQ", MAGIC, 2, 0) + b"[]",
        struct.pack("!4sIQ", MAGIC, 2, 0) + b"{{",
        struct.pack("!4sIQ", MAGIC, 2, 0) + b"\xff\xff",
        struct.pack("!4sIQ", MAGIC, 50_000, 0) + b"[" * 50_000,
    ],
)
def test_what_is_not_a_message_is_a_protocol_error(junk: bytes) -> None:
    """Wrong first bytes, lengths over the limits, heads that are not JSON objects."""
    with pytest.raises(ProtocolError):
        Decoder(100).feed(junk + b"?" * (junk == b"akw"))


def test_a_head_over_the_limit_is_not_sent() -> None:
    """The other side would refuse it, and the worker would be lost for it."""
    with pytest.raises(ProtocolError):
        encode({"long": "x" * HEAD_LIMIT})
