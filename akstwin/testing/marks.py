"""What `@pytest.mark.aks(…)` and `--aks-seed` say, read and checked. Imports nothing of akstwin until something is wrong."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest

MARK: Final = "aks"
CLOCKS: Final = ("live", "paced", "jump", "manual")
CLIENT_TIMES: Final = ("world", "real")
_MOST_SEEDS: Final = 10_000


@dataclass(frozen=True)
class Told:
    """How a test's worlds are to be.

    Attributes:
        seed: of all chance; None: the scenario's, else 0.
        scenario: what the workspace begins with: a file, or its content; None: it is empty.
        clock: how time passes on the server.
        rate: virtual seconds a second, for a paced clock; None: 1.
        assumptions: keys of the assumptions that shall differ.
        client_time: by which clock time-outs of blocking sockets and the timers of asyncio go in this process: the `world`'s,
            where it jumps or is paced, or `real`.
    """

    seed: int | None = None
    scenario: Path | Mapping[str, Any] | None = None
    clock: str = "jump"
    rate: float | None = None
    assumptions: Mapping[str, Any] = field(default_factory=dict)
    client_time: str = "world"


_KEYS: Final = tuple(Told.__dataclass_fields__)


def read_marks(node: str, marks: Iterable[pytest.Mark], root: Path) -> Told:
    """What the marks of a test say together.

    Args:
        node: the test's id, for messages.
        marks: the farthest first: a later one's word counts.
        root: where a scenario's relative path begins.

    Raises:
        pytest.UsageError: an argument that is unknown, or that has a value it does not take; both are named.
    """
    told = Told()
    for mark in marks:
        if mark.args:
            raise _wrong(node, repr(mark.args[0]), f"an argument without a name; it takes {', '.join(_KEYS)}")
        for name, value in mark.kwargs.items():
            if name not in _KEYS:
                from akstwin.domain.words import nearest  # noqa: PLC0415 - needed by who is wrong only

                raise _wrong(node, f"{name}={value!r}", f"it takes {', '.join(_KEYS)}{nearest(name, _KEYS)}")
            told = replace(told, **{name: _checked(node, name, value, root)})
    return told


def read_seeds(texts: Iterable[str]) -> list[int]:
    """The seeds of `--aks-seed`: `7`, `1,2,3`, `0..99`, as often as it was given.

    Raises:
        pytest.UsageError: it is none of these.
    """
    seeds: dict[int, None] = {}
    for text in texts:
        for part in text.split(","):
            low, dots, high = part.partition("..")
            ends = (low, high if dots else low)
            if not all(end.strip().isdecimal() for end in ends) or not 0 <= int(ends[1]) - int(ends[0]) < _MOST_SEEDS:
                raise pytest.UsageError(f"--aks-seed {text}: expected a seed, or several: 7, 1,2,3 or 0..99")
            seeds.update(dict.fromkeys(range(int(ends[0]), int(ends[1]) + 1)))
    return list(seeds)


def _checked(node: str, name: str, value: Any, root: Path) -> Any:
    if name == "scenario" and isinstance(value, str | os.PathLike):
        return root / value
    expected, fits = _EXPECTED[name]
    if not fits(value):
        raise _wrong(node, f"{name}={value!r}", f"expected {expected}")
    return value


def _number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


_EXPECTED: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "seed": ("a whole number from 0 on", lambda value: value is None or (_number(value, int) and value >= 0)),
    "scenario": (
        "the path of a scenario file, or its content",
        lambda value: value is None or isinstance(value, Mapping),
    ),
    "clock": (f"one of {', '.join(CLOCKS)}", lambda value: value in CLOCKS),
    "client_time": (f"one of {', '.join(CLIENT_TIMES)}", lambda value: value in CLIENT_TIMES),
    "rate": (
        "a number greater than 0",
        lambda value: value is None or ((_number(value, int) or _number(value, float)) and value > 0),
    ),
    "assumptions": (
        'a mapping such as {"image_pull": "5s"}',
        lambda value: isinstance(value, Mapping) and all(isinstance(key, str) for key in value),
    ),
}
"""What each argument takes, in words and as a check."""


def _wrong(node: str, what: str, why: str) -> pytest.UsageError:
    return pytest.UsageError(f"{node}: @pytest.mark.{MARK}({what}): {why}")
