"""The four life cycles: every state has a row, and what is not in the table cannot happen."""

from enum import StrEnum
from typing import Any

import pytest

from akstwin.domain.lifecycles import (
    OPERATION,
    POD,
    REPLICA,
    SERVICE,
    OperationEvent,
    OperationState,
    PodEvent,
    PodState,
    ReplicaEvent,
    ReplicaState,
    ServiceEvent,
    ServiceState,
)
from akstwin.domain.tables import IllegalTransition, TransitionTable

Table = TransitionTable[Any, Any]

CYCLES: list[tuple[Table, type[StrEnum], type[StrEnum]]] = [
    (SERVICE, ServiceState, ServiceEvent),
    (OPERATION, OperationState, OperationEvent),
    (POD, PodState, PodEvent),
    (REPLICA, ReplicaState, ReplicaEvent),
]
each_cycle = pytest.mark.parametrize(("table", "states", "events"), CYCLES, ids=[table.name for table, _, _ in CYCLES])


@each_cycle
def test_every_state_has_a_row(table: Table, states: type[StrEnum], events: type[StrEnum]) -> None:
    """No state was forgotten, and none was made up."""
    assert set(table.rows) == set(states)


@each_cycle
def test_every_event_happens_somewhere(table: Table, states: type[StrEnum], events: type[StrEnum]) -> None:
    """No event is listed that the table never takes, and no other is taken."""
    assert {event for row in table.rows.values() for event in row} == set(events)


@each_cycle
def test_what_is_not_in_the_table_raises_and_names_itself(
    table: Table, states: type[StrEnum], events: type[StrEnum]
) -> None:
    """Every pair of state and event either steps within the life cycle, or is refused with both named."""
    for state in states:
        for event in events:
            if table.allows(state, event):
                assert table.step(state, event) in set(states)
            else:
                with pytest.raises(IllegalTransition, match="cannot take") as refused:
                    table.step(state, event)
                assert refused.value.args == (table.name, state, event)


@each_cycle
def test_every_state_can_be_reached(table: Table, states: type[StrEnum], events: type[StrEnum]) -> None:
    """From the first state on, the events lead everywhere."""
    reached = {table.initial}
    while True:
        further = {target for state in reached for target in table.rows[state].values()} | reached
        if further == reached:
            break
        reached = further

    assert reached == set(states)


@pytest.mark.parametrize(
    ("table", "final"),
    [
        (SERVICE, {ServiceState.GONE}),
        (OPERATION, set(OperationState) - {OperationState.RUNNING}),
        (POD, {PodState.GONE}),
        (REPLICA, set()),
    ],
    ids=["service", "operation", "pod", "replica"],
)
def test_the_ends_are_the_ones_the_service_has(table: Table, final: set[StrEnum]) -> None:
    """Only what is gone or decided has an empty row."""
    assert {state for state in table.rows if table.is_final(state)} == final


def test_names_of_service_and_operation_states_are_azures() -> None:
    """What `service.state` and an operation's poll print (semantics §2.3, §2.4)."""
    assert {"Transitioning", "Healthy", "Unhealthy", "Unschedulable", "Failed", "Deleting"} <= set(ServiceState)
    assert {"Running", "Succeeded", "Failed", "Cancelled", "TimedOut"} == set(OperationState)


def test_a_withdrawn_replica_stays_withdrawn_whatever_comes_late() -> None:
    """News that was under way when we decided to end it changes nothing."""
    late = {REPLICA.step(ReplicaState.WITHDRAWN, event) for event in ReplicaEvent}

    assert late == {ReplicaState.WITHDRAWN}


def test_an_illegal_transition_is_a_bug_and_survives_being_rebuilt() -> None:
    """It is an AssertionError, and SimPy may make it anew from its args."""
    error = IllegalTransition("pod", PodState.GONE, PodEvent.PULLED)
    again = type(error)(*error.args)

    assert isinstance(again, AssertionError)
    assert str(again) == "a pod that is Gone cannot take 'image pulled'"


def test_a_table_draws_itself() -> None:
    """The diagram has the first state, an arrow for every step and an end for every final state."""
    lines = OPERATION.mermaid().splitlines()

    assert lines[:2] == ["stateDiagram-v2", "    [*] --> RUNNING"]
    assert "    RUNNING --> TIMED_OUT: timed out" in lines
    assert "    TIMED_OUT --> [*]" in lines
    assert len(lines) == 2 + 4 + 4
