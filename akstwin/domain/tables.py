"""Life cycles as tables: what is not in the table cannot happen."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)
Happening = TypeVar("Happening", bound=StrEnum)


class IllegalTransition(AssertionError):
    """A life cycle was asked to leave its table: a bug of ours, never the user's."""

    def __init__(self, table: str, state: str, event: str) -> None:
        super().__init__(table, state, event)

    def __str__(self) -> str:
        return f"a {self.args[0]} that is {self.args[1]} cannot take '{self.args[2]}'"


class TransitionTable(Generic[State, Happening]):
    """State and event to next state; every state has a row, an empty row is an end.

    Args:
        name: what lives by it ("pod").
        initial: the state it is born in.
        rows: the whole life cycle.
    """

    def __init__(self, name: str, initial: State, rows: Mapping[State, Mapping[Happening, State]]) -> None:
        self.name = name
        self.initial = initial
        self.rows = rows

    def step(self, state: State, event: Happening) -> State:
        """The state after `event`.

        Raises:
            IllegalTransition: the table does not have it; nothing has changed.
        """
        try:
            return self.rows[state][event]
        except KeyError:
            raise IllegalTransition(self.name, state, event) from None

    def allows(self, state: State, event: Happening) -> bool:
        """Whether the table has this step."""
        return event in self.rows[state]

    def is_final(self, state: State) -> bool:
        """Whether nothing leads out of `state`."""
        return not self.rows[state]

    def mermaid(self) -> str:
        """The table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial.name}"]
        for state, row in self.rows.items():
            lines += [f"    {state.name} --> {target.name}: {event}" for event, target in row.items()]
            if not row:
                lines.append(f"    {state.name} --> [*]")
        return "\n".join(lines)
