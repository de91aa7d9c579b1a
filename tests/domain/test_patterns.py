"""Users' regular expressions take time that is linear in the text, or are refused."""

import pytest

from akstwin.domain import patterns
from akstwin.domain.patterns import LARGEST, Pattern, Search, TooMuchWork


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"id\d+", '{"id42": 1}', True),
        (r"^id\d+$", '{"id42": 1}', False),
        (r"(?i)É", "école", True),
        (r"\bfraud\b", "a fraud.", True),
        ("", "", True),
        (r"a.c", "a\nc", False),
        (r"(?s)a.c", "a\nc", True),
    ],
)
def test_what_is_found(pattern: str, text: str, found: bool) -> None:
    """As RE2 reads it, anywhere in the text."""
    assert Search(text).finds(Pattern(pattern)) is found


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(a*)*b", r"(.*a){20}$", r"(\w+\s?)*!"])
def test_patterns_that_blow_up_elsewhere(pattern: str) -> None:
    """A backtracking engine would not come back from any of them; one test's limit is 15 minutes."""
    Search("a" * 10_000 + "b?").finds(Pattern(pattern))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", r"as RE2 reads it: missing \)"),
        (r"(a)\1", r"invalid escape sequence: \\1; look-around, back-references"),
        ("(?P<x>a)(?P=x)", "invalid perl operator: .*; look-around, back-references"),
        ("(?=a)", r"invalid perl operator: \(\?=; look-around"),
        ("(?<!a)b", r"invalid perl operator: \(\?<!; look-around"),
        ("a++", "bad repetition operator.*possessive"),
        ("\ud800", "half a surrogate pair"),
        ("a{400}b{400}", f"of at most {LARGEST} instructions; this one comes to"),
        ("((a{99}){99}){99}", "RE2"),
    ],
)
def test_what_is_refused(pattern: str, why: str) -> None:
    """With the reason, and what RE2 does not know by name."""
    with pytest.raises(ValueError, match=why):
        Pattern(pattern)


def test_one_text_takes_so_much_work_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """All searches in it count together: many rules are as long as one large rule."""
    pattern = Pattern("ab")
    monkeypatch.setattr(patterns, "MOST_WORK", pattern.size * 100 * 3)
    search = Search("x" * 100)
    for _ in range(3):
        assert not search.finds(pattern)
    with pytest.raises(TooMuchWork, match="the body has 100 bytes, too many"):
        search.finds(pattern)
    assert not Search("x" * 100).finds(pattern)
