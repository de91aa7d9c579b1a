"""What the management service is given by its world."""

from collections.abc import Callable
from dataclasses import dataclass

from akstwin.backend import WorkspaceIdentity
from akstwin.clock import Clock, Micros
from akstwin.control_plane.runtime_port import ClusterRuntime
from akstwin.domain.assumptions import Assumptions
from akstwin.files import FileStore
from akstwin.store import Store


@dataclass(slots=True)
class Dependencies:
    """What the management service is given by its world.

    Attributes:
        identity: the workspace; its name may change, as what it is first asked for by.
        clock: tells the time; the management service never waits.
        epoch: Unix time of the clock's instant 0, s.
        assumptions: limits and times.
        runtime: performs what is decided.
        store: keeps records.
        files: keeps uploads.
        secret: the n-th secret of the workspace, from 1 on: a key, or what signs tokens. Each number has another one, and
            always the same.
        scoring_base: URL that scoring URIs begin with.
        wake: asks the world to call `ManagementService.run_due` at an instant, which is not in the past.
        tls_base: URL that scoring URIs of services on clusters with TLS begin with; empty: `scoring_base`, by https.
    """

    identity: WorkspaceIdentity
    clock: Clock
    epoch: float
    assumptions: Assumptions
    runtime: ClusterRuntime
    store: Store
    files: FileStore
    secret: Callable[[int], str]
    scoring_base: str
    wake: Callable[[Micros], None]
    tls_base: str = ""
