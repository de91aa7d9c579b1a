"""Help with words that were almost right."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` where something known is close to `word`, else nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only ever needed on the way to an error

    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
