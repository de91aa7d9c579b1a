"""The manager: all verbs together, keys and tokens among them."""

from collections.abc import Callable
from typing import Literal

from akstwin.backend import AccessToken, Json, JsonPatch, Keys, WorkspaceIdentity
from akstwin.clock import Clock
from akstwin.cores.management import OperationKind, ServiceRecord, begin, takes_operation
from akstwin.cores.management.tokens import issue, read
from akstwin.cores.routing import TokenCredential
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.deployment import check_name
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import Conflict, InvalidSetting
from akstwin.files import FileStore
from akstwin.manager.driver import ServiceDriver
from akstwin.manager.keys import auth_of
from akstwin.manager.office import Means
from akstwin.manager.services import ServiceVerbs
from akstwin.store import Store

KeyType = Literal["Primary", "Secondary"]


class Manager(ServiceVerbs):
    """Every verb of `akstwin.backend.Backend` but `score`, `observe` and `get_logs`, which are the world's own.

    A refused verb has changed nothing. Records, lives and operations are in the store: a manager that is made anew on a
    store knows them all; `resume` then takes up what just takes time, and `restore` a whole world.

    Args:
        identity: the workspace.
        clock: tells the time; the manager never waits.
        epoch: Unix time of the clock's instant 0, s.
        assumptions: limits and times.
        driver: performs what is decided.
        store: keeps records.
        files: keeps uploads.
        new_secret: makes a key, or a secret for tokens; another one each time. Refused calls do not ask for one.
        scoring_base: URL that scoring URIs begin with.
        tls_base: the same for services on clusters with TLS; nothing: that URL, by https.
    """

    def __init__(
        self,
        identity: WorkspaceIdentity,
        clock: Clock,
        epoch: float,
        assumptions: Assumptions,
        driver: ServiceDriver,
        store: Store,
        files: FileStore,
        new_secret: Callable[[], str],
        scoring_base: str,
        tls_base: str = "",
    ) -> None:
        super().__init__(
            Means(identity, clock, epoch, assumptions, driver, store, files, new_secret, scoring_base, tls_base)
        )

    def resume(self) -> None:
        """Take up operations that just take time and are not over: for a manager made anew on a store."""
        for operation in self._shelves.operations.all():
            if operation.state is not OperationState.RUNNING or operation.ends is None:
                continue
            if operation.kind == "compute":
                self._resume_compute(operation)
            else:
                self._end_in_time(operation, lambda: None)

    def restore(self) -> None:
        """Make the world what is kept of it: for a manager made anew on a store, whose world has stood still since.

        Clusters have their nodes at once, and Healthy services their replicas. What was under way is under way again.
        """
        for compute in self._shelves.computes.all():
            self._restore_compute(compute)
        for service in self._shelves.services.all():
            self._restore_service(service)
        self.resume()

    # -- refusals beforehand

    def check_name(self, name: str) -> None:
        """Refuse the name of a service that is to come (InvalidSetting; Conflict: it is taken)."""
        check_name("name", name)
        if self._shelves.services.get(name) is not None:
            raise Conflict(f"service {name} exists; overwrite replaces it")

    def check_create(self, payload: Json) -> None:
        """Refuse what `create_service` would refuse now, and change nothing."""
        record, before = self._creation(payload)
        if before is not None:
            self._check_idle(record.name, "update")

    def check_patch(self, name: str, patch: JsonPatch) -> None:
        """Refuse what `patch_service` would refuse now, and change nothing."""
        if takes_operation(self._patching(name, patch).effects):
            self._check_idle(name, "update")

    def check_delete(self, name: str) -> None:
        """Refuse what `delete_service` would refuse now, and change nothing."""
        self._check_idle(name, "delete")

    def _check_idle(self, name: str, kind: OperationKind) -> None:
        begin(self.life(name), name, kind, self._now, builds=False)

    # -- keys and tokens

    def get_keys(self, name: str) -> Keys:
        """The keys (NotFound; InvalidSetting without key auth)."""
        record = self._with_keys(name)
        return Keys(record.primary or "", record.secondary or "")

    def regenerate_key(self, name: str, key_type: str, value: str | None = None) -> str:
        """Replace the `Primary` or the `Secondary` key, by `value` or by a new one; the other one stays valid.

        Returns:
            The operation's id; it is over when the router knows the key, after `key_propagation`.

        Raises:
            NotFound: no such service.
            InvalidSetting: another kind of key, a value that is no text, or no key auth.
            Conflict: it is being deleted.
        """
        record = self._with_keys(name)
        field = {"Primary": "primary", "Secondary": "secondary"}.get(str(key_type))
        if field is None:
            raise InvalidSetting("key_type", key_type, "Primary or Secondary")
        if value is not None and not isinstance(value, str):
            raise InvalidSetting("set_key", value, "text, or is empty")
        self._check_stays(self.life(name))
        record = record.model_copy(update={field: value or self._means.new_secret()})
        self._shelves.services.put(name, record)
        self._driver.authorise(name, auth_of(record))
        return self._timed_operation("key", name, self.assumptions.key_propagation, lambda: None)

    def issue_token(self, name: str) -> AccessToken:
        """A token (NotFound; InvalidSetting without token auth)."""
        record = self.record(name)
        if record.auth != "token":
            raise InvalidSetting("token_auth_enabled", False, "true: a service without token auth has no tokens")
        issued = issue(
            record.token_secret or "",
            name,
            self._now,
            self.assumptions.token_lifetime,
            self.assumptions.token_refresh,
            self.epoch,
        )
        return AccessToken(issued.token, "Bearer", issued.refresh_after, issued.expiry_on)

    def read_token(self, name: str, token: str) -> TokenCredential:
        """What a token is worth to a service (NotFound); whether it has expired is the router's to say."""
        reading = read(self.record(name).token_secret or "", name, token, self.epoch)
        return TokenCredential(reading.genuine, reading.expires)

    def _with_keys(self, name: str) -> ServiceRecord:
        record = self.record(name)
        if record.auth != "key":
            raise InvalidSetting("auth_enabled", False, "true: a service without key auth has no keys")
        return record
