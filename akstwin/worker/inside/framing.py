"""Messages between a worker and whoever drives it: pure functions over bytes, the same on both sides.

A message is a JSON object (`head`) and raw bytes (`body`). On the wire: four bytes that say it is ours, the two lengths,
the head, the body. A script that finds the descriptor can write what it likes to it; `Decoder` then raises `ProtocolError`,
as early as it can: whoever waits for the rest of a junk message waits until the time limit.
"""

import json
import struct
from typing import Any, Final, NamedTuple

MAGIC: Final = b"akw1"
_PREFIX: Final = struct.Struct("!4sIQ")
_WRITE, _READ = json.JSONEncoder().encode, json.JSONDecoder().decode  # scripts replace `json.dumps`
HEAD_LIMIT: Final = 1 << 20
"""No head is longer: reply headers are counted in kilobytes."""


class ProtocolError(Exception):
    """What arrived is not one of our messages."""


class Message(NamedTuple):
    """One message."""

    head: dict[str, Any]
    body: bytes = b""


def encode(head: dict[str, Any], body: bytes = b"") -> bytes:
    """The bytes of one message.

    Raises:
        ProtocolError: the head is longer than `HEAD_LIMIT`.
    """
    text = _WRITE(head).encode()
    if len(text) > HEAD_LIMIT:
        raise ProtocolError(f"a head of {len(text)} bytes; the limit is {HEAD_LIMIT}")
    return b"".join((_PREFIX.pack(MAGIC, len(text), len(body)), text, body))


class Decoder:
    """Bytes in, whole messages out.

    Args:
        body_limit: the longest body that is taken, in bytes.
    """

    __slots__ = ("_body_limit", "_held")

    def __init__(self, body_limit: int) -> None:
        self._body_limit = body_limit
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes.

        Raises:
            ProtocolError: these bytes are not ours; nothing after them can be read.
        """
        self._held += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        held = self._held
        if not MAGIC.startswith(bytes(held[: len(MAGIC)])):
            raise ProtocolError(f"expected a message, got {bytes(held[:16])!r}")
        if len(held) < _PREFIX.size:
            return None
        _, head_length, body_length = _PREFIX.unpack_from(held)
        if head_length > HEAD_LIMIT or body_length > self._body_limit:
            raise ProtocolError(f"a message of {head_length} + {body_length} bytes; the limit is {self._body_limit}")
        start, end = _PREFIX.size + head_length, _PREFIX.size + head_length + body_length
        if len(held) < end:
            return None
        try:
            head = _READ(held[_PREFIX.size : start].decode())
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"a head that is not JSON: {error}") from None
        if not isinstance(head, dict):
            raise ProtocolError(f"a head that is a {type(head).__name__}")
        message = Message(head, bytes(held[start:end]))
        del held[:end]
        return message
