"""Keys and tokens of services."""

from typing import Literal

from akstwin.backend import AccessToken, Keys
from akstwin.control_plane.dependencies import Dependencies
from akstwin.control_plane.numbering import Numbering
from akstwin.control_plane.operations import Operations
from akstwin.control_plane.repositories import Repositories
from akstwin.control_plane.services import Services, auth_of
from akstwin.cores.management import ServiceRecord
from akstwin.cores.management.tokens import issue, read
from akstwin.cores.routing import TokenCredential
from akstwin.errors import InvalidSetting

KeyType = Literal["Primary", "Secondary"]


class ServiceKeys:
    """Keys and tokens of services.

    Args:
        needs: the world's.
        records: keeps the services.
        numbering: makes keys.
        operations: keeps operations.
        services: whose keys.
    """

    def __init__(
        self,
        needs: Dependencies,
        records: Repositories,
        numbering: Numbering,
        operations: Operations,
        services: Services,
    ) -> None:
        self._needs = needs
        self._records = records
        self._numbering = numbering
        self._operations = operations
        self._services = services

    def get(self, name: str) -> Keys:
        """The keys (NotFound; InvalidSetting without key auth)."""
        record = self._with_keys(name)
        return Keys(record.primary or "", record.secondary or "")

    def regenerate(self, name: str, key_type: str, value: str | None = None) -> str:
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
        self._services.check_stays(name)
        with self._records.transaction():
            record = record.model_copy(update={field: value or self._numbering.next_secret()})
            self._records.services.put(name, record)
            operation = self._operations.open_timed("key", name, self._needs.assumptions.key_propagation)
        try:
            self._needs.runtime.authorise(name, auth_of(record), self._services.life(name).generation)
        finally:  # the operation is recorded, and ends in any case
            self._operations.wake(operation)
        return operation.id

    def issue_token(self, name: str) -> AccessToken:
        """A token (NotFound; InvalidSetting without token auth)."""
        record = self._services.record(name)
        if record.auth != "token":
            raise InvalidSetting("token_auth_enabled", False, "true: a service without token auth has no tokens")
        issued = issue(
            record.token_secret or "",
            name,
            self._needs.clock.now(),
            self._needs.assumptions.token_lifetime,
            self._needs.assumptions.token_refresh,
            self._needs.epoch,
        )
        self._records.redaction.learn(issued.token)
        return AccessToken(issued.token, "Bearer", issued.refresh_after, issued.expiry_on)

    def read_token(self, name: str, token: str) -> TokenCredential:
        """What a token is worth to a service (NotFound); whether it has expired is the router's to say."""
        reading = read(self._services.record(name).token_secret or "", name, token, self._needs.epoch)
        return TokenCredential(reading.genuine, reading.expires)

    def _with_keys(self, name: str) -> ServiceRecord:
        record = self._services.record(name)
        if record.auth != "key":
            raise InvalidSetting("auth_enabled", False, "true: a service without key auth has no keys")
        return record
