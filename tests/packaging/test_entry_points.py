"""Commands and worlds are found by name, so that nothing has to import them to know of them."""

from importlib.metadata import entry_points

import click
import pytest

POINTS = [point for group in ("commands", "backends", "servers") for point in entry_points(group=f"akstwin.{group}")]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.group}:{point.name}")
def test_every_entry_point_leads_somewhere(point) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """A name that is registered can be loaded; a command is one."""
    loaded = point.load()

    assert callable(loaded)
    assert point.group != "akstwin.commands" or isinstance(loaded, click.Command)


def test_all_that_there_is_is_registered() -> None:
    """The simulated world, alone and from a scenario; the served one, and what connects to it; their commands."""
    assert {(point.group, point.name) for point in POINTS if point.value.startswith("akstwin.")} == {
        ("akstwin.commands", "run"),
        ("akstwin.commands", "plan"),
        ("akstwin.commands", "schema"),
        ("akstwin.commands", "serve"),
        ("akstwin.commands", "compare"),
        ("akstwin.commands", "compile"),
        ("akstwin.commands", "faults"),
        ("akstwin.commands", "sizes"),
        ("akstwin.commands", "calibrate"),
        ("akstwin.commands", "explain"),
        ("akstwin.commands", "grade"),
        ("akstwin.commands", "cluster"),
        ("akstwin.backends", "simulated"),
        ("akstwin.backends", "scenario"),
        ("akstwin.backends", "remote"),
        ("akstwin.servers", "served"),
    }
