"""Regular expressions that users give: searched by RE2, in time that is linear in the text.

Python's own `re` tries one way after another, and a short pattern on a short text can keep it busy for years: `(a+)+$` on
`aaaa…b`. Whatever comes from a user goes through this module; `re` is for patterns of our own.
"""

from typing import Final

from akstwin.errors import AksError

LARGEST: Final = 500
"""Instructions that a pattern may come to. A counted repetition counts with what it repeats: `a{100}` comes to about 100."""
MOST_WORK: Final = 20_000_000
"""Instructions times bytes of text that one request's patterns may take: at worst some 0.3 s, usually a hundredth of it."""
_KNOWN: Final = "a regular expression as RE2 reads it"
_UNKNOWN: Final = "; look-around, back-references and possessive quantifiers are not known to it"


class TooMuchWork(AksError):
    """The text is too long for the patterns that are to be searched in it."""


class Pattern:
    """A regular expression, made ready.

    Args:
        text: the expression, in RE2's syntax (https://github.com/google/re2/wiki/Syntax).

    Attributes:
        size: the instructions that it comes to.

    Raises:
        ValueError: it is none, or too large; says what was expected.
    """

    __slots__ = ("_compiled", "size")

    def __init__(self, text: str) -> None:
        import re2  # noqa: PLC0415 - it takes as long as all else of a small program; few replies have patterns

        options = re2.Options()
        options.log_errors = False
        try:
            self._compiled = re2.compile(text, options)
        except re2.error as error:
            why = error.args[0] if error.args else ""
            why = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
            raise ValueError(f"{_KNOWN}: {why}{_UNKNOWN if _reads_as_python(why) else ''}") from None
        except UnicodeEncodeError:
            raise ValueError(f"{_KNOWN}: half a surrogate pair is no text") from None
        self.size: int = max(1, self._compiled.programsize)
        if self.size > LARGEST:
            raise ValueError(f"{_KNOWN}, of at most {LARGEST} instructions; this one comes to {self.size}")


class Search:
    """Searches for patterns in one text.

    Args:
        text: which.
    """

    __slots__ = ("_left", "_text")

    def __init__(self, text: str) -> None:
        self._text = text.encode(errors="replace")
        self._left = MOST_WORK

    def finds(self, pattern: Pattern) -> bool:
        """Whether the pattern matches somewhere in the text.

        Raises:
            TooMuchWork: with this pattern, all that were searched for in this text come to more than `MOST_WORK`.
        """
        self._left -= pattern.size * len(self._text)
        if self._left < 0:
            raise TooMuchWork(
                f"the body has {len(self._text)} bytes, too many to search for the regular expressions of the rules: their "
                f"instructions times its bytes may come to {MOST_WORK}; match by `text`, `body` or `pointer`, or send less"
            )
        return pattern._compiled.search(self._text) is not None  # noqa: SLF001 - one module


def _reads_as_python(why: str) -> bool:
    """Whether RE2 stopped at something that Python's `re` knows."""
    return why.startswith(("invalid perl operator", "bad repetition operator", "invalid escape sequence"))
