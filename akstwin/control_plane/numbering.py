"""Numbers, ids and secrets: what is given once is not given again, also by a management service made anew on the store."""

from collections.abc import Callable
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from akstwin.control_plane.repositories import Repositories

_SECRETS: Final = "secrets"


class Numbering:
    """Counts in the store; inside a transaction that fails, nothing has been given.

    Args:
        records: keeps the counts.
        resource_id: names the workspace in Azure Resource Manager; ids differ between workspaces.
        secret: the n-th secret.
    """

    def __init__(self, records: Repositories, resource_id: str, secret: Callable[[int], str]) -> None:
        self._counts = records.counts
        self._resource_id = resource_id
        self._secret = secret
        for number in range(1, (self._counts.get(_SECRETS) or 0) + 1):  # given before this service was made anew
            records.redaction.learn(secret(number))

    def next(self, what: str) -> int:
        """1, 2, … of what is numbered."""
        number = (self._counts.get(what) or 0) + 1
        self._counts.put(what, number)
        return number

    def next_id(self, what: str) -> str:
        """An id that no other thing of the workspace has; the same number has the same id in every run."""
        return str(uuid5(NAMESPACE_URL, f"{self._resource_id}/{what}/{self.next(what)}"))

    def next_secret(self) -> str:
        """A key, or what tokens are signed with."""
        return self._secret(self.next(_SECRETS))
