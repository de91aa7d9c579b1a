"""What a plan varies: `--over PATH=LOW..HIGH` or `--over PATH=A,B,C`."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from akstwin.errors import InvalidSetting
from akstwin.plain_yaml import NotYaml, read_yaml

OVER_FORM: Final = (
    "PATH=LOW..HIGH with whole numbers or decimals, such as webservice.deploy.num_replicas=1..50, or PATH=A,B,C, such as "
    "cluster.vm_size=Standard_D2s_v5,Standard_D4s_v5"
)
MOST_VALUES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Over:
    """The setting that is looked for, and where.

    Attributes:
        place: its path.
        low: the first value.
        high: the last value.
        listed: all values in their order; nothing: all whole numbers from `low` to `high`.
        numeric: whether the values are numbers, in rising order.
    """

    place: str
    low: Any
    high: Any
    listed: tuple[Any, ...] = ()
    numeric: bool = True

    @property
    def values(self) -> Sequence[Any]:
        """All values in their order."""
        return self.listed or range(self.low, self.high + 1)


def parse_over(text: str) -> Over:
    """`PATH=LOW..HIGH` or `PATH=A,B,C`.

    Decimals go in steps of their last digit: 0.5..1.5 are eleven values, 0.50..1.50 a hundred and one. A list of numbers is
    put into rising order; any other list keeps its own.

    Raises:
        InvalidSetting: it is something else.
    """
    place, equals, span = (part.strip() for part in text.partition("="))
    if not place or not equals or not span:
        raise InvalidSetting("--over", text, OVER_FORM)
    if ".." in span:
        return _span(place, span, text)
    if "," in span:
        return _list(place, span, text)
    raise InvalidSetting("--over", text, OVER_FORM)


def _span(place: str, span: str, text: str) -> Over:
    low, _, high = span.partition("..")
    try:
        if low.strip().lstrip("+-").isdecimal() and high.strip().lstrip("+-").isdecimal():
            over = Over(place, int(low), int(high))
        else:
            over = _decimals(place, Decimal(low.strip()), Decimal(high.strip()))
    except (ValueError, InvalidOperation):
        raise InvalidSetting("--over", text, OVER_FORM) from None
    if over.low > over.high:
        raise InvalidSetting("--over", text, f"{OVER_FORM}; the lower number comes first")
    return over


def _decimals(place: str, low: Decimal, high: Decimal) -> Over:
    if not (low.is_finite() and high.is_finite()):
        raise ValueError(place)
    places = max(-int(low.as_tuple().exponent), -int(high.as_tuple().exponent))
    step = Decimal(1).scaleb(-places)
    steps = int((high - low) / step)
    if steps >= MOST_VALUES:
        raise InvalidSetting("--over", f"{low}..{high}", f"at most {MOST_VALUES} values: write fewer decimal places")
    values = tuple(float(low + step * number) for number in range(steps + 1))
    return Over(place, float(low), float(high), values)


def _list(place: str, span: str, text: str) -> Over:
    words = [word.strip() for word in span.split(",")]
    if not all(words):
        raise InvalidSetting("--over", text, OVER_FORM)
    try:
        values = [read_yaml(word) for word in words]
    except NotYaml:
        raise InvalidSetting("--over", text, OVER_FORM) from None
    if len({str(value) for value in values}) < len(values):
        raise InvalidSetting("--over", text, "a list in which each value stands once")
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numeric:
        values.sort()
    return Over(place, values[0], values[-1], tuple(values), numeric)
