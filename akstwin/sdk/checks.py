"""What a rule about arguments is, what it finds, and the kinds of values: the machinery behind `validation`.

A rule names the parameters it reads. It is asked only where each of them has a value of its kind, so a wrong type is
reported once, as that.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from reprlib import Repr
from typing import Any, Final

from akstwin.domain.settings import KINDS, Arguments, Kind
from akstwin.sdk.exceptions import WebserviceException

_SHORT: Final = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to refuse.

    Attributes:
        parameters: the one that is refused, then those on whose account.
        value: of the first.
        expected: what would have been right, as words that end "is not …"; all other parameters stand in it.
    """

    parameters: tuple[str, ...]
    value: Any
    expected: str

    def __str__(self) -> str:
        shown = f"a {type(self.value).__name__}" if _is_secret(self.parameters[0]) else _SHORT.repr(self.value)
        return f"{self.parameters[0]}: {shown} is not {self.expected}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold between arguments.

    Attributes:
        reads: parameters, given to `check` in this order; None where not given.
        check: None, or what is wrong.
    """

    reads: tuple[str, ...]
    check: Callable[..., Problem | None]


def refuse(problems: Iterable[Problem]) -> None:
    """Raise one exception for all problems, if there are any.

    Raises:
        WebserviceException: with a line for each.
    """
    found = tuple(problems)
    if found:
        raise WebserviceException("\n".join(map(str, found)), problems=found)


def examine(arguments: Arguments, rules: Iterable[Rule]) -> list[Problem]:
    """Everything that is wrong with arguments: first their kinds, then the rules."""
    problems = [problem for name, value in arguments.items() if (problem := of_another_kind(name, value)) is not None]
    wrong = {problem.parameters[0] for problem in problems}
    for rule in rules:
        if wrong.isdisjoint(rule.reads):
            problem = rule.check(*(arguments.get(name) for name in rule.reads))
            if problem is not None:
                problems.append(problem)
    return problems


def of_another_kind(name: str, value: Any) -> Problem | None:
    """What is wrong with a value's type; None is right for every parameter.

    Raises:
        KeyError: there is no parameter of that name.
    """
    kind = KINDS[name]
    if value is None or _IS[kind](value):
        return None
    return Problem((name,), value, kind.value)


def above_zero(name: str) -> Rule:
    """If given: greater than 0."""
    return Rule((name,), lambda value: _unless(value is None or value > 0, name, value, "greater than 0"))


def zero_or_more(name: str) -> Rule:
    """If given: 0 or greater."""
    return Rule((name,), lambda value: _unless(value is None or value >= 0, name, value, "0 or greater"))


def not_empty(name: str) -> Rule:
    """If given: not empty."""
    return Rule((name,), lambda value: _unless(value is None or value != "", name, value, "at least one character"))


def percentage(name: str) -> Rule:
    """If given: from 0 to 100, both included."""
    return Rule((name,), lambda value: _unless(value is None or 0 <= value <= 100, name, value, "from 0 to 100"))


def not_above(low: str, high: str) -> Rule:
    """If both are given: the first is not above the second; the first is refused."""

    def check(least: Any, most: Any) -> Problem | None:
        fine = not least or not most or least <= most
        return None if fine else Problem((low, high), least, f"at most {high}, which is {most!r}")

    return Rule((low, high), check)


def not_below(high: str, low: str) -> Rule:
    """If both are given: the first is not below the second; the first is refused."""

    def check(most: Any, least: Any) -> Problem | None:
        fine = most is None or least is None or most >= least
        return None if fine else Problem((high, low), most, f"at least {low}, which is {least!r}")

    return Rule((high, low), check)


def at_most(name: str, bound: float | None, what: str) -> Rule:
    """If given: not above a bound, which is called `what`; None is no bound."""
    fits = f"at most {what}, which is {bound!r}"
    return Rule((name,), lambda value: _unless(value is None or bound is None or value <= bound, name, value, fits))


def at_least(name: str, bound: float | None, what: str) -> Rule:
    """If given: not below a bound, which is called `what`; None is no bound."""
    fits = f"at least {what}, which is {bound!r}"
    return Rule((name,), lambda value: _unless(value is None or bound is None or value >= bound, name, value, fits))


def _unless(fine: bool, name: str, value: Any, expected: str) -> Problem | None:
    return None if fine else Problem((name,), value, expected)


def _is_secret(name: str) -> bool:
    return KINDS.get(name) is Kind.SECRET


def _is_pairs(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and (isinstance(part, str | bool | int) or _is_amount(part)) for key, part in value.items()
    )


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_IS: Final[Mapping[Kind, Callable[[Any], bool]]] = {
    Kind.FLAG: lambda value: isinstance(value, bool),
    Kind.COUNT: lambda value: isinstance(value, int) and not isinstance(value, bool),
    Kind.AMOUNT: _is_amount,
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.SECRET: lambda value: isinstance(value, str),
    Kind.PAIRS: _is_pairs,
    Kind.MODELS: lambda value: isinstance(value, list | tuple),
    Kind.OBJECT: lambda _: True,
}
