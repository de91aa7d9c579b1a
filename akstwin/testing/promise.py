"""What a promise is, and how a function that tries it says that it is not kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from akstwin.testing.trial import Trial


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that holds in every world.

    Attributes:
        name: unlike any other.
        family: what it is about.
        text: what is promised.
        source: where it stands: a part of the semantics, or of the wire.
        keep: tries it, on a workspace that nobody has used; raises `Unkept`.
    """

    name: str
    family: str
    text: str
    source: str
    keep: Callable[["Trial"], None] = field(repr=False, compare=False)


class Unkept(Exception):
    """A promise is not kept.

    Args:
        call: what showed it.
        saw: what came of it.
        promised: what should have.
    """

    def __init__(self, call: str, saw: str, promised: str) -> None:
        super().__init__(call, saw, promised)
        self.call = call
        self.saw = saw
        self.promised = promised


def promise(source: str) -> Callable[[Callable[["Trial"], None]], Promise]:
    """Make a promise of a function: its name and its docstring are the promise's, its module's name is the family."""

    def made(keep: Callable[["Trial"], None]) -> Promise:
        text = " ".join((keep.__doc__ or "").split())
        return Promise(keep.__name__, keep.__module__.rpartition(".")[2], text, source, keep)

    return made


def unkept(call: str, saw: object, promised: object) -> NoReturn:
    """Say that the promise is not kept.

    Raises:
        Unkept: always.
    """
    raise Unkept(call, _shown(saw), _shown(promised))


def equal(call: str, saw: object, promised: object) -> None:
    """Both are the same.

    Raises:
        Unkept: they are not.
    """
    if saw != promised:
        unkept(call, saw, promised)


def holds(condition: bool, call: str, saw: object, promised: object) -> None:
    """What was seen is as promised.

    Raises:
        Unkept: the condition is false.
    """
    if not condition:
        unkept(call, saw, promised)


def _shown(value: object) -> str:
    """One line of it, not too long."""
    text = " ".join((value if isinstance(value, str) and value else repr(value)).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_LONGEST = 400
