"""Where a world keeps what must outlast a call: JSON values by kind and key."""

import json
from typing import Any, Protocol


class Store(Protocol):
    """Keeps JSON values. What is loaded is the caller's own: changing it changes nothing that is kept."""

    def load(self, kind: str, key: str) -> Any:
        """The value; None: there is none."""
        ...

    def save(self, kind: str, key: str, value: Any) -> None:
        """Keep a value, in place of the one that has the key."""
        ...

    def delete(self, kind: str, key: str) -> None:
        """Forget a value, if there is one."""
        ...

    def keys(self, kind: str) -> list[str]:
        """All keys of a kind, sorted."""
        ...


class MemoryStore:
    """Keeps JSON text in memory, so that all that is kept goes through JSON and back every time."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, str]] = {}

    def load(self, kind: str, key: str) -> Any:
        """The value; None: there is none."""
        text = self._texts.get(kind, {}).get(key)
        return None if text is None else json.loads(text)

    def save(self, kind: str, key: str, value: Any) -> None:
        """Keep a value (ValueError, TypeError: it is not JSON)."""
        self._texts.setdefault(kind, {})[key] = json.dumps(value, allow_nan=False)

    def delete(self, kind: str, key: str) -> None:
        """Forget a value, if there is one."""
        self._texts.get(kind, {}).pop(key, None)

    def keys(self, kind: str) -> list[str]:
        """All keys of a kind, sorted."""
        return sorted(self._texts.get(kind, {}))
