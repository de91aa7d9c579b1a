"""Queries and headers: names with several values, as the server looks them up."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl


def query_pairs(query: str) -> list[tuple[str, str]]:
    """The names and values of a query or a form; bytes that are not UTF-8 stay as they were written, `%FF`."""

    def legible(text: str) -> str:
        return "".join(f"%{ord(sign) - 0xDC00:02X}" if 0xDC80 <= ord(sign) <= 0xDCFF else sign for sign in text)

    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    return [(legible(name), legible(value)) for name, value in pairs]


class Multi(Mapping[str, Any]):
    """Names with several values; looking one up gives the first."""

    def __init__(self, pairs: Iterable[tuple[str, Any]] = ()) -> None:
        self._values: dict[str, list[Any]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> Any:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"

    def getlist(self, name: str) -> list[Any]:
        """All values of a name."""
        return list(self._values.get(name, ()))

    def to_dict(self, flat: bool = True) -> dict[str, Any]:
        """The first value of each name, or all of them in lists."""
        return {name: values[0] if flat else list(values) for name, values in self._values.items()}


class Headers:
    """Header lines in their order, found by name without regard to case."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs: list[tuple[str, str]] = []
        for name, value in pairs:
            self.add(name, value)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, name: object) -> bool:
        return any(str(name).lower() == key.lower() for key, _ in self._pairs)

    def __getitem__(self, name: str) -> str:
        for key, value in self._pairs:
            if key.lower() == name.lower():
                return value
        raise KeyError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.remove(name)
        self.add(name, value)

    def __delitem__(self, name: str) -> None:
        self.remove(name)

    def __repr__(self) -> str:
        return f"Headers({self._pairs!r})"

    def add(self, name: str, value: Any) -> None:
        """One more line.

        Raises:
            ValueError: a line end within it would begin a header of its own.
        """
        line = (str(name), str(value))
        if any(end in part for part in line for end in "\r\n"):
            raise ValueError("a header can't contain a line end")
        self._pairs.append(line)

    add_header = add

    def remove(self, name: str) -> None:
        """Take all lines of that name away."""
        self._pairs = [(key, value) for key, value in self._pairs if key.lower() != name.lower()]

    def get(self, name: str, default: Any = None, type: Any = None) -> Any:  # noqa: A002 - Flask's name
        """The first value, converted by `type` where that succeeds."""
        try:
            return self[name] if type is None else type(self[name])
        except (KeyError, ValueError):
            return default

    def getlist(self, name: str) -> list[str]:
        """All values."""
        return [value for key, value in self._pairs if key.lower() == name.lower()]

    def items(self) -> list[tuple[str, str]]:
        """All lines."""
        return list(self._pairs)

    def keys(self) -> list[str]:
        """The names."""
        return [key for key, _ in self._pairs]
