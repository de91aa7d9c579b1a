"""Who of several managers is the active one: a Lease, as Kubernetes' own controllers use it.

No two clocks are compared: a holder counts as gone when its Lease has not changed for a while by the clock of who waits. A holder
that cannot reach the API goes on: nobody else can take the Lease meanwhile, and requests are answered by what it knows. Records
are safe without any of this: the store refuses a second writer.
"""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Final

from akstwin.backend_aks.api import Json, KubernetesApi, Unreachable
from akstwin.errors import AksError, Conflict, NotFound

NAME: Final = "akstwin"
RENEW_SECONDS: Final = 1.0
GONE_SECONDS: Final = 4
"""Without a change of its Lease, a holder is gone."""
_log: Final = logging.getLogger(__name__)


class LeaseLost(AksError):
    """Another manager is the active one now."""


class Lease:
    """The Lease of an installation.

    Args:
        api: of the cluster.
        namespace: of the Lease.
        holder: who asks; no two processes may have the same.
    """

    def __init__(self, api: KubernetesApi, namespace: str, holder: str) -> None:
        self._api = api
        self._list = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._list}/{NAME}"
        self._holder = holder
        self._held: Json = {}

    async def acquire(self) -> None:
        """Return when this one is the active one.

        Raises:
            ApiRefused: there is no right to Leases.
        """
        seen, since = "", 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                try:
                    there = await self._api.get(self._path)
                except NotFound:
                    self._held = await self._api.create(self._list, self._manifest({}))
                    return
                holder = (there["spec"].get("holderIdentity") or "").strip()
                version = there["metadata"]["resourceVersion"]
                if version != seen:
                    seen, since = version, loop.time()
                if not holder or loop.time() - since >= GONE_SECONDS:
                    self._held = await self._api.request("PUT", self._path, self._manifest(there))
                    _log.info("active, after %s", holder or "nobody")
                    return
            except (Conflict, Unreachable) as error:
                _log.info("not active: %s", error)
            await asyncio.sleep(RENEW_SECONDS / 2)

    async def keep(self) -> None:
        """Renew it until cancelled.

        Raises:
            LeaseLost: another one has it.
        """
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                self._held = await self._api.request("PUT", self._path, self._manifest(self._held))
            except Unreachable as error:
                _log.warning("the Lease is not renewed: %s", error)
            except (Conflict, NotFound):
                await self._look_again()

    async def _look_again(self) -> None:
        """Our answer may have been lost on its way, or somebody has deleted the Lease."""
        try:
            there = await self._api.get(self._path)
        except NotFound:
            self._held = await self._api.create(self._list, self._manifest({}))
            return
        except Unreachable:
            return
        holder = there["spec"].get("holderIdentity")
        if holder != self._holder:
            raise LeaseLost(f"{holder} is the active manager now")
        self._held = there

    async def release(self) -> None:
        """Let another one take it at once."""
        try:
            await self._api.request("PUT", self._path, self._manifest(self._held, holder=""))
        except AksError as error:
            _log.info("the Lease is left to run out: %s", error)

    def _manifest(self, before: Json, holder: str | None = None) -> Json:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")  # noqa: TID251 - for readers only
        metadata: Json = {"name": NAME}
        if before:
            metadata["resourceVersion"] = before["metadata"]["resourceVersion"]
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self._holder if holder is None else holder,
                "leaseDurationSeconds": GONE_SECONDS,
                "renewTime": now,
            },
        }
