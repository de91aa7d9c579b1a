"""One workspace on a server."""

from akstwin.backend import WorkspaceIdentity
from akstwin.fake_api.workspace import ServedWorkspace


def test_one_that_begins_anew_is_as_it_was_made() -> None:
    """With the same seed and limits, at the rate of now; who listens goes on listening."""
    workspace = ServedWorkspace(WorkspaceIdentity("mine"), 7, {"image_pull": "5s"}, "paced", 2, script_seconds=1.5)
    workspace.listeners.append(lambda _asked, _response: None)
    workspace.clock.set_rate(3)
    before, listeners = workspace.backend, workspace.listeners

    workspace.renew()

    assert workspace.backend is not before
    assert (workspace.backend.identity, workspace.backend.seed) == (WorkspaceIdentity("mine"), 7)
    assert workspace.backend.assumptions == before.assumptions
    assert workspace.backend.driver._limits == before.driver._limits
    assert (workspace.clock.mode, workspace.clock.rate, workspace.listeners) == ("paced", 3.0, listeners)
    workspace.close()
