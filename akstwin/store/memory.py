"""The port of a store, and the one that keeps all in memory: JSON values by kind and key, changed in transactions."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

Key = tuple[str, str]
"""Kind and key of a value."""


class Store(Protocol):
    """Keeps JSON values. What is loaded is the caller's own: changing it changes nothing that is kept."""

    def load(self, kind: str, key: str) -> Any:
        """The value; None: there is none."""
        ...

    def version(self, kind: str, key: str) -> str | None:
        """A text that differs whenever the value differs, for caches of what was read; None: there is no value."""
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

    def transaction(self) -> AbstractContextManager[None]:
        """Changes made inside are kept wholly, or not at all if the block raises; they can be read inside at once.

        A transaction inside another one is part of it: if it raises, its own changes are undone, and if the outer one
        raises, all are.
        """
        ...


class MemoryStore:
    """Keeps JSON text in memory, so that all that is kept goes through JSON and back every time."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, str]] = {}
        self._undo: dict[Key, str | None] | None = None

    def load(self, kind: str, key: str) -> Any:
        """The value; None: there is none."""
        text = self._texts.get(kind, {}).get(key)
        return None if text is None else json.loads(text)

    def version(self, kind: str, key: str) -> str | None:
        """The value's JSON text; None: there is none."""
        return self._texts.get(kind, {}).get(key)

    def save(self, kind: str, key: str, value: Any) -> None:
        """Keep a value (ValueError, TypeError: it is not JSON)."""
        self._change((kind, key), json.dumps(value, allow_nan=False))

    def delete(self, kind: str, key: str) -> None:
        """Forget a value, if there is one."""
        self._change((kind, key), None)

    def keys(self, kind: str) -> list[str]:
        """All keys of a kind, sorted."""
        return sorted(self._texts.get(kind, {}))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Changes made inside are kept wholly, or not at all if the block raises."""
        outer = self._undo
        undo: dict[Key, str | None] = {}
        self._undo = undo
        try:
            yield
            if outer is None:
                after = {name: self.version(*name) for name in undo}
                self._write({name: text for name, text in after.items() if text != undo[name]})
        except BaseException:
            for name, before in undo.items():
                self._set(name, before)
            raise
        else:
            if outer is not None:
                outer.update({**undo, **outer})  # what was there before the outer one counts
        finally:
            self._undo = outer

    def _change(self, name: Key, text: str | None) -> None:
        before = self.version(*name)
        if text == before:
            return
        if self._undo is None:
            self._write({name: text})
        else:
            self._undo.setdefault(name, before)
        self._set(name, text)

    def _set(self, name: Key, text: str | None) -> None:
        kind, key = name
        if text is None:
            self._texts.get(kind, {}).pop(key, None)
        else:
            self._texts.setdefault(kind, {})[key] = text

    def _write(self, changes: Mapping[Key, str | None]) -> None:
        """Called with the changes of each transaction; a store that keeps them elsewhere too does so here, or raises."""
