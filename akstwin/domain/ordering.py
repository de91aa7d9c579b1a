"""The order of lists, in the words of the published REST description (wire §12)."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol, TypeVar, get_args

from akstwin.clock import Micros
from akstwin.errors import InvalidSetting

Order = Literal["CreatedAtDesc", "CreatedAtAsc", "UpdatedAtDesc", "UpdatedAtAsc"]


class Dated(Protocol):
    """What lists are made of."""

    @property
    def created(self) -> Micros:
        """When it was made."""
        ...

    @property
    def updated(self) -> Micros | None:
        """When it was last changed; None: never since it was made."""
        ...


Item = TypeVar("Item", bound=Dated)


def read_order(setting: str, value: Any, default: Order) -> Order:
    """The order that a list is asked for in.

    Args:
        setting: where the word stands.
        value: the word; None: none was given.
        default: the order then.

    Raises:
        InvalidSetting: it is none of the four words, spelt as the description spells them.
    """
    if value is None:
        return default
    if value not in get_args(Order):
        raise InvalidSetting(setting, value, f"one of {', '.join(get_args(Order))}")
    order: Order = value
    return order


def ordered(items: Iterable[Item], order: Order, tie: Callable[[Item], tuple[Any, ...]]) -> list[Item]:
    """Items in an order. The two directions are each other's reverse.

    Args:
        items: what is listed.
        order: how.
        tie: what comes first, of items of the same instant, in a descending order.
    """

    def newest_first(item: Item) -> tuple[Any, ...]:
        instant = item.created if order.startswith("Created") or item.updated is None else item.updated
        return (-instant, *tie(item))

    found = sorted(items, key=newest_first)
    return found if order.endswith("Desc") else found[::-1]
