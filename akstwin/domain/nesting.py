"""How deep, and how large, a value may be that somebody sends or writes: one limit for HTTP, state files, YAML and the SDK.

Code that walks through a value calls itself for every level, and Python ends such a walk at some level that nobody chose. A
value that was let in beyond that could not be answered, compared or shown any more.
"""

from collections.abc import Mapping
from typing import Any, Final

from akstwin.errors import InvalidSetting

DEEPEST: Final = 100
"""Levels of lists and objects inside each other."""
MOST_REPEATED: Final = 1_000_000
"""Values that a document may come to where it names parts of itself again, as YAML's aliases do."""


def check_nesting(setting: str, value: Any, deepest: int = DEEPEST) -> None:
    """Refuse a value that is nested too deeply, or that becomes too large once what it names again is written out.

    Args:
        setting: where it stands.
        value: plain data; a part that contains itself is nested without end.
        deepest: levels of lists and objects inside each other; its own is the first.

    Raises:
        InvalidSetting: naming the limit.
    """
    times: dict[int, int] = {id(value): 1}  # how often the lists and objects of one level occur in it
    level = {id(value): value} if _holds(value) else {}
    total, repeated = 0, False
    for _ in range(deepest):
        if not level:
            return
        below: dict[int, Any] = {}
        counts: dict[int, int] = {}
        for key, container in level.items():
            inner = container.values() if isinstance(container, Mapping) else container
            total += times[key] * len(container)
            for each in inner:
                if _holds(each):
                    repeated = repeated or id(each) in below or times[key] > 1
                    below[id(each)] = each
                    counts[id(each)] = counts.get(id(each), 0) + times[key]
        if repeated and total > MOST_REPEATED:
            raise InvalidSetting(setting, "a document that repeats parts of itself", f"at most {MOST_REPEATED} values")
        level, times = below, counts
    if level:
        raise InvalidSetting(setting, f"a value of more than {deepest} levels", f"nested at most {deepest} levels deep")


_PLAIN: Final = frozenset({dict, list, tuple})
_SCALAR: Final = frozenset({str, int, float, bool, type(None)})


def _holds(value: object) -> bool:
    kind = type(value)
    return kind in _PLAIN or (kind not in _SCALAR and isinstance(value, Mapping | list | tuple))
