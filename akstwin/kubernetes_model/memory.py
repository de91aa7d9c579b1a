"""When a container takes more memory than its limit, and is killed for it: OOMKilled, exit code 137."""

from typing import Final

from akstwin.domain.deployment import VersionSettings
from akstwin.domain.profile import MemoryUse

EXIT_CODE: Final = 137
"""128 + SIGKILL."""
_MEGABYTE: Final = 10**6


def limit(settings: VersionSettings) -> int:
    """The memory that a container may take, bytes: `memory_gb_limit`, else what `memory_gb` asks for (semantics §2.1)."""
    megabytes = settings.request.memory if settings.memory_limit is None else settings.memory_limit
    return megabytes * _MEGABYTE


def room(memory: MemoryUse | None, most: int | None) -> int | None:
    """How many requests a container holds at once without taking more than its limit.

    Args:
        memory: what it takes; None: not told.
        most: its limit, bytes; None: there is none.

    Returns:
        None: any number; -1: without any request it takes too much.
    """
    if memory is None or most is None:
        return None
    if memory.base > most:
        return -1
    return (most - memory.base) // memory.per_request if memory.per_request else None


def size(amount: int) -> str:
    """Bytes as people read them."""
    return f"{amount / 10**9:.4g} GB" if amount >= 10**9 else f"{amount / _MEGABYTE:.4g} MB"


def explanation(memory: MemoryUse | None, most: int | None) -> str:
    """Why a container is killed, as Kubernetes names it, with what it takes and what it may take."""
    killed = f"OOMKilled, exit code {EXIT_CODE}"
    if memory is None or most is None:  # told otherwise meanwhile
        return killed
    held = room(memory, most)
    if held == -1:
        return f"{killed}: it takes {size(memory.base)} without any request, above its limit of {size(most)}"
    fit = f"no more than {held} fit" if held else "not even one fits"
    return (
        f"{killed}: it takes {size(memory.base)} and {size(memory.per_request)} for each request in it, so that {fit} below its "
        f"limit of {size(most)}"
    )
