"""One limit for how deep a value may be, and for what a document comes to that repeats parts of itself."""

from typing import Any

import pytest

from akstwin.domain.nesting import DEEPEST, MOST_REPEATED, check_nesting
from akstwin.domain.patches import MOST_COPIED, MOST_OPERATIONS, patched
from akstwin.domain.replying import read_reply
from akstwin.errors import InvalidSetting


def nested(levels: int, kind: type = list) -> Any:
    """So many lists or objects inside each other, the innermost empty."""
    value: Any = kind()
    for _ in range(levels - 1):
        value = [value] if kind is list else {"a": value}
    return value


@pytest.mark.parametrize("kind", [list, dict])
def test_so_deep_and_no_deeper(kind: type) -> None:
    """The limit itself is taken; anything deeper, up to what Python could not walk through, is refused."""
    check_nesting("x", nested(DEEPEST, kind))
    for levels in (DEEPEST + 1, 300, 900, 100_000):
        with pytest.raises(InvalidSetting, match=f"^x: .* is not nested at most {DEEPEST} levels deep$"):
            check_nesting("x", nested(levels, kind))


def test_a_value_that_contains_itself() -> None:
    """It is nested without end."""
    value: list[Any] = []
    value += [value, value, {"a": value}]
    with pytest.raises(InvalidSetting):
        check_nesting("x", value)


def test_repetition_is_counted_as_it_would_be_written_out() -> None:
    """Nine levels of nine aliases: a document of a kilobyte that comes to hundreds of millions of values."""
    value: Any = ["lol"] * 9
    for _ in range(8):
        value = [value] * 9
    with pytest.raises(InvalidSetting, match=f"at most {MOST_REPEATED} values"):
        check_nesting("x", value)
    check_nesting("x", [["a"] * 10] * 10)
    check_nesting("x", [[number] for number in range(300_000)] * 1)


def test_patches_of_a_document() -> None:
    """Deep values, copies of copies and patches without end are refused, and the document is as it was."""
    document = {"a": {"b": 1}}

    def place(_: str, tokens: tuple[str, ...]) -> tuple[str, ...]:
        return tokens

    with pytest.raises(InvalidSetting, match="levels deep"):
        patched(document, [{"op": "add", "path": "/a/c", "value": nested(5000)}], place)
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(60)]
    with pytest.raises(InvalidSetting, match=f"at most {MOST_COPIED} in one patch"):
        patched(document, doubling, place)
    deepening = [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "move", "from": "/b", "path": "/a/b"}] * 120
    with pytest.raises(InvalidSetting, match="levels deep"):
        patched(document, deepening, place)
    many = [{"op": "test", "path": "/a/b", "value": 1}] * (MOST_OPERATIONS + 1)
    with pytest.raises(InvalidSetting, match=f"at most {MOST_OPERATIONS}"):
        patched(document, many, place)
    assert document == {"a": {"b": 1}}


def test_replies() -> None:
    """Values, fixed answers and what rules match, too."""
    for reply in (
        nested(101),
        {"$fixed": {"body": nested(100)}},
        {"$match": [{"match": {"body": nested(99)}, "reply": 1}]},
    ):
        with pytest.raises(InvalidSetting, match="levels deep"):
            read_reply(reply)


def test_errors_can_show_any_value() -> None:
    """Also numbers that Python writes out for nobody."""
    assert str(InvalidSetting("x", 10**10_000, "small")) == "x: a number of thousands of digits is not small"
    assert "nested too deeply" in str(InvalidSetting("x", nested(100_000), "shallow"))
