"""What has happened is kept up to a number, and says what it has dropped."""

from akstwin.clock import Micros
from akstwin.domain.history import History, Wanted


def happening(number: int) -> tuple[Micros, str, str, str]:
    """One of many."""
    return (Micros(number), "kind", f"{number}", "")


def test_the_latest_are_kept() -> None:
    """With their numbers."""
    history = History(kept=3)
    for number in range(5):
        history.append(happening(number))
    assert (history.total, history.dropped) == (5, 2)
    assert list(history) == [happening(number) for number in (2, 3, 4)]
    assert list(history.since(3)) == [(3, happening(3)), (4, happening(4))]
    assert [number for number, _ in history.since(0)] == [2, 3, 4]
    assert list(history.since(5)) == []
    assert Wanted(None, None, Micros(0), 1).choose(history) == [happening(4)]
