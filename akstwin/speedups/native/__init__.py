"""The compiled engine's kernel: an extension made by Cython from `kernel.pyx`.

A wheel brings it. In a working copy `akstwin compile` (`make setup`) makes it; it lies in the environment's own folder then, by
what it was made from: a source that was changed since is not found there. Nothing is ever compiled while something runs.
"""

import hashlib
import sys
import sysconfig
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

NAME: Final = "akstwin.speedups.native.kernel"
SUFFIX: Final = str(sysconfig.get_config_var("EXT_SUFFIX"))
SOURCES: Final = Path(__file__).resolve().parent


def folder() -> Path:
    """Where the kernel lies, if it was made from the sources as they are now."""
    made = hashlib.sha256(SUFFIX.encode())
    for source in sorted(SOURCES.glob("*.p[xy][xid]")):
        made.update(source.name.encode() + source.read_bytes())
    return Path(sys.prefix, "share", "akstwin", "kernel", made.hexdigest()[:32])


@cache
def load_kernel() -> ModuleType | None:
    """The extension; None: it is not there."""
    try:
        return import_module(NAME)
    except ModuleNotFoundError:
        pass
    file = folder() / f"kernel{SUFFIX}"
    spec = spec_from_file_location(NAME, file) if file.is_file() else None
    if spec is None or spec.loader is None:
        return None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[NAME] = module
    return module
