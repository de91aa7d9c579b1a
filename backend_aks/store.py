"""The management service's records in Secrets: in memory for reading, in the cluster before anybody is answered.

Records hold keys and token secrets, so Secrets are where they lie. A transaction is written whole into one Secret, the journal,
and from there into the shards; who starts after a crash writes the journal's changes again. The journal is replaced only by who
knows its present version: a second writer is refused by the API, whatever clocks and leases say.
"""

import asyncio
import base64
import json
import logging
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from akstwin.backend_aks.api import Json, KubernetesApi, Unreachable
from akstwin.errors import AksError, Conflict, NotFound, Unwritable
from akstwin.store.memory import Key, MemoryStore

SHARDS: Final = 16
LABEL: Final = {"app.kubernetes.io/managed-by": "akstwin", "app.kubernetes.io/component": "records"}
SETTLE_SECONDS: Final = 30.0
"""How long a caller waits for the cluster to keep what has been decided."""
_MOST: Final = 900_000
"""Bytes of one Secret, below the API's 1 MiB."""
_log: Final = logging.getLogger(__name__)


class Superseded(AksError):
    """Another manager writes the records: this one has to end."""


class KubernetesStore(MemoryStore):
    """A `Store` whose changes go to a namespace's Secrets.

    `load_all` first; then `run` as a task. A change is answered only after `settle`.

    Args:
        api: of the cluster.
        namespace: of the Secrets.
    """

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        super().__init__()
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/secrets"
        self._pending: dict[Key, str | None] = {}
        self._asked = self._kept = 0
        self._news = asyncio.Condition()
        self._journal = ""
        """The version of the journal that we wrote last."""
        self._failure: AksError | None = None
        self._loading = False

    async def load_all(self) -> None:
        """Read all records; what a predecessor has left half written is written whole.

        Raises:
            Unreachable, ApiRefused: the Secrets cannot be read or written.
        """
        journal = await self._ensure("akstwin-journal")
        self._journal = journal["metadata"]["resourceVersion"]
        changes = _decoded(journal, "changes") or []
        shards = [await self._ensure(_shard_name(number)) for number in range(SHARDS)]
        if changes:
            await self._spread({(kind, key): text for kind, key, text in changes})
            shards = [await self._api.get(f"{self._path}/{_shard_name(number)}") for number in range(SHARDS)]
        self._loading = True
        try:
            for shard in shards:
                for name in shard.get("data") or {}:
                    kind, key, text = _decoded(shard, name)
                    self.save(kind, key, json.loads(text))
        finally:
            self._loading = False

    def _write(self, changes: Mapping[Key, str | None]) -> None:
        if self._loading or not changes:  # a transaction may have changed nothing
            return
        if self._failure is not None:
            raise self._failure
        self._pending.update(changes)
        self._asked += 1

    async def settle(self) -> None:
        """Return when all that has been decided so far is in the cluster.

        Raises:
            Unwritable: the API has not taken it in time; it will as soon as it can.
            Superseded: another manager writes the records.
        """
        asked = self._asked
        async with self._news:
            self._news.notify_all()
            try:
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._news.wait_for(lambda: self._kept >= asked or self._failure is not None)
            except TimeoutError:
                reason = "the Kubernetes API does not answer; what was asked for is done as soon as it does"
                raise Unwritable("the state", reason, full=False) from None
        if self._failure is not None:
            raise self._failure

    async def run(self) -> None:
        """Write changes as they come, until cancelled.

        Raises:
            Superseded: another manager writes the records.
        """
        while True:
            async with self._news:
                try:
                    async with asyncio.timeout(0.2):  # observations change records too, and nobody waits for those
                        await self._news.wait_for(lambda: bool(self._pending))
                except TimeoutError:
                    pass
            if self._pending:
                await self._flush()

    async def _flush(self) -> None:
        batch, self._pending = self._pending, {}
        asked = self._asked
        pause = 0.1
        while True:
            try:
                await self._put_journal(batch)
                break
            except Unreachable as error:
                _log.warning("records are not kept yet: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)
            except (Conflict, NotFound) as error:
                if await self._is_ours(batch):
                    break
                self._failure = Superseded(f"another manager writes the records of this namespace: {error}")
                async with self._news:
                    self._news.notify_all()
                raise self._failure from error
        # From here on the change is kept: who starts anew finds it in the journal.
        while True:
            try:
                await self._spread(batch)
                break
            except Unreachable as error:
                _log.warning("the journal is not spread yet: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)
        self._kept = asked
        async with self._news:
            self._news.notify_all()

    async def _put_journal(self, batch: Mapping[Key, str | None]) -> None:
        text = _encoded([[kind, key, value] for (kind, key), value in batch.items()])
        if len(text) > _MOST:
            raise Unwritable("the state", f"one change of {len(text)} bytes is more than a Secret holds", full=True)
        manifest = _secret("akstwin-journal", {"changes": text})
        manifest["metadata"]["resourceVersion"] = self._journal
        answer = await self._api.request("PUT", f"{self._path}/akstwin-journal", manifest)
        self._journal = answer["metadata"]["resourceVersion"]

    async def _is_ours(self, batch: Mapping[Key, str | None]) -> bool:
        """Whether the journal holds this very batch: our answer was lost on its way, and the write was not."""
        try:
            journal = await self._api.get(f"{self._path}/akstwin-journal")
        except NotFound:
            return False
        if _decoded(journal, "changes") != [[kind, key, value] for (kind, key), value in batch.items()]:
            return False
        self._journal = journal["metadata"]["resourceVersion"]
        return True

    async def _spread(self, changes: Mapping[Key, str | None]) -> None:
        shards: dict[int, Json] = {}
        for (kind, key), text in changes.items():
            name = sha256(f"{kind}\0{key}".encode()).hexdigest()
            value = None if text is None else _encoded([kind, key, text])
            shards.setdefault(int(name, 16) % SHARDS, {})[name] = value
        await asyncio.gather(
            *(self._api.merge(f"{self._path}/{_shard_name(number)}", {"data": data}) for number, data in shards.items())
        )

    async def _ensure(self, name: str) -> Json:
        try:
            return await self._api.get(f"{self._path}/{name}")
        except NotFound:
            return await self._api.create(self._path, _secret(name, {}))


def _shard_name(number: int) -> str:
    return f"akstwin-records-{number}"


def _secret(name: str, data: dict[str, str]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": LABEL},
        "type": "Opaque",
        "data": data,
    }


def _encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def _decoded(secret: Json, key: str) -> Any:
    text = (secret.get("data") or {}).get(key)
    return None if not text else json.loads(base64.b64decode(text))
