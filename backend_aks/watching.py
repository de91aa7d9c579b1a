"""Lists of objects that stay up to date: list, watch, and list again where the watch cannot go on.

A watch ends all the time: the server ends each after some minutes, and after a restart of the API server every one is answered
410. What is known stays as it is while nothing can be heard.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from akstwin.backend_aks.api import ApiRefused, Json, KubernetesApi, Outdated, Unreachable

PAGE: Final = 500
SHORTEST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between tries while the API cannot be reached; doubled from the shortest."""
_log: Final = logging.getLogger(__name__)

Changed = Callable[[Json | None, Json | None], None]
"""Called with an object as it was and as it is; None: it was not, or is not."""


def key_of(thing: Json) -> str:
    """The name of an object within its list: its namespace, if it has one, and its name."""
    metadata = thing["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


class WatchedList:
    """The objects of one kind, as far as the cluster has told.

    Args:
        api: of the cluster.
        path: of the list, as `/api/v1/namespaces/scoring/pods`.
        labels: a label selector; empty: all.
        changed: called for each change, in the order of the watch.

    Attributes:
        synced: set when a first list is in.
    """

    def __init__(self, api: KubernetesApi, path: str, labels: str, changed: Changed) -> None:
        self._api = api
        self._path = path
        self._query = {"labelSelector": labels} if labels else {}
        self._changed = changed
        self._items: dict[str, Json] = {}
        self._version = ""
        self.synced = asyncio.Event()

    @property
    def items(self) -> Mapping[str, Json]:
        """By namespace and name."""
        return self._items

    async def run(self) -> None:
        """Keep it up to date until cancelled.

        Raises:
            ApiRefused: there is no right to do so, or no such list: waiting would not help.
        """
        pause = SHORTEST_PAUSE
        while True:
            try:
                if not self._version:
                    await self._list()
                    pause = SHORTEST_PAUSE
                async for event in self._api.watch(self._path, self._version, self._query):
                    pause = SHORTEST_PAUSE
                    self._take(event)
            except Outdated:
                self._version = ""
            except Unreachable as error:
                _log.info("%s; again in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            except ApiRefused as error:
                if (
                    error.status in (401, 403) and self.synced.is_set()
                ):  # rights may come back with a restarted API server
                    _log.warning("%s", error)
                    await asyncio.sleep(LONGEST_PAUSE)
                    continue
                raise

    async def _list(self) -> None:
        found: dict[str, Json] = {}
        going_on = ""
        while True:
            query = {**self._query, "limit": str(PAGE), **({"continue": going_on} if going_on else {})}
            page = await self._api.request("GET", self._path, query=query)
            found.update((key_of(item), item) for item in page.get("items") or ())
            going_on = page["metadata"].get("continue") or ""
            if not going_on:
                break
        self._version = page["metadata"]["resourceVersion"]
        for key in [key for key in self._items if key not in found]:
            self._set(key, None)
        for key, item in found.items():
            self._set(key, item)
        self.synced.set()

    def _take(self, event: Json) -> None:
        thing = event["object"]
        self._version = thing["metadata"]["resourceVersion"]
        if event["type"] == "BOOKMARK":
            return
        self._set(key_of(thing), None if event["type"] == "DELETED" else thing)

    def _set(self, key: str, after: Json | None) -> None:
        before = self._items.get(key)
        if before is not None and after is not None:
            if before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]:
                return
            if before["metadata"]["uid"] != after["metadata"]["uid"]:  # deleted and made anew between two lists
                del self._items[key]
                self._changed(before, None)
                before = None
        if after is None:
            if self._items.pop(key, None) is None:
                return
        else:
            self._items[key] = after
        self._changed(before, after)
