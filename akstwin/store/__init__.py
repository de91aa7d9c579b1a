"""Where a world keeps what must outlast a call: JSON values by kind and key, in memory or in a file."""

from akstwin.store.memory import MemoryStore, Store

__all__ = ["MemoryStore", "Store"]
