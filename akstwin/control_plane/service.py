"""The management service: its parts together, timers that have ended, and what follows a restart."""

from akstwin.clock import Micros
from akstwin.control_plane.computes import Computes
from akstwin.control_plane.dependencies import Dependencies
from akstwin.control_plane.environments import Environments
from akstwin.control_plane.keys import ServiceKeys
from akstwin.control_plane.lifecycles import Lifecycles
from akstwin.control_plane.models import Models
from akstwin.control_plane.numbering import Numbering
from akstwin.control_plane.operations import Operations
from akstwin.control_plane.repositories import OperationRecord, Repositories
from akstwin.control_plane.services import Services
from akstwin.cores.management import ManagementRules
from akstwin.domain.redaction import Redaction
from akstwin.files import FileStore


class ManagementService:
    """Every verb of `akstwin.backend.Backend` but `score`, `score_all`, `observe` and `get_logs`, which are the world's own.

    A verb decides from the records, writes what it has decided in one transaction, and then lets the runtime act. A verb
    that refuses, or whose records cannot be written, has changed nothing anywhere. If the runtime fails afterwards, the
    caller gets its error and the records stand whole: the operation has begun, and `restore` performs it again.

    Everything that is known lies in the store: a management service made anew on a store goes on where the old one was.
    `resume` asks the world to wake it at the instants of the timers; `restore` also brings the clusters and services up.

    Args:
        needs: what the world gives.

    Attributes:
        repositories: typed access to the store.
        files: uploaded files.
        operations: get.
        models: assets and models.
        environments: put, get, newest.
        computes: put, get, all, delete, credentials.
        services: create, patch, delete, get, find, and their validations.
        keys: keys and tokens.
    """

    def __init__(self, needs: Dependencies) -> None:
        self.dependencies = needs
        self.repositories = records = Repositories(needs.store)
        self.files: FileStore = needs.files
        numbering = Numbering(records, needs.identity.resource_id, needs.secret)
        self.operations = Operations(needs, records, numbering)
        self.models = Models(needs, records, numbering)
        self.environments = Environments(needs, records)
        self.computes = Computes(needs, records, self.operations)
        lifecycles = Lifecycles(records, self.operations, ManagementRules.of(needs.assumptions), needs.clock)
        self.services = Services(needs, records, numbering, lifecycles, self.models, self.computes)
        self.keys = ServiceKeys(needs, records, numbering, self.operations, self.services)

    @property
    def redaction(self) -> Redaction:
        """Knows the credentials of all services, those that they have had, and those that they have issued."""
        return self.repositories.redaction

    def due(self) -> Micros | None:
        """When `run_due` has something to do next; None: never, as things are."""
        return self.operations.due()

    def run_due(self, now: Micros) -> None:
        """End the operations whose time has come; calling it too early or twice does nothing."""
        for operation in self.operations.ending(now):
            self._end(operation, now)

    def _end(self, operation: OperationRecord, now: Micros) -> None:
        cluster = None
        with self.repositories.transaction():
            if operation.kind == "compute":
                cluster = self.computes.record_provisioned(operation.subject, now)
            self.operations.succeed(operation, now)
        if cluster is not None:
            self.computes.perform_provisioned(cluster)

    def resume(self) -> None:
        """Ask the world to wake this service at the instants of all timers: for one made anew on a store."""
        self.operations.resume()

    def restore(self) -> None:
        """Make the world what the records say: for a service made anew on a store, whose world has stood still since.

        Clusters have their nodes at once, and Healthy services their replicas. What was under way is under way again.
        """
        self.computes.restore()
        self.services.restore()
        self.resume()
