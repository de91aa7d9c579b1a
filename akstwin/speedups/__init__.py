"""The modules that every request goes through, as machine code: made by mypyc from the very same sources.

`akstwin compile` makes them, `akstwin serve` takes them. They lie in the environment's own folder, by what they were made from:
a source that was changed since is not found there, and runs as it stands.
"""

import hashlib
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

MODULES: Final = (
    "akstwin.kubernetes_model.container",
    "akstwin.cores.router_http",
    "akstwin.cores.routing",
    "akstwin.fake_api.clock",
    "akstwin.fake_api.control.counting",
    "akstwin.fake_api.control.journal",
    "akstwin.fake_api.pending",
    "akstwin.fake_api.turns",
    "akstwin.router.asgi",
    "akstwin.router.cycle",
    "akstwin.sim.calendar",
    "akstwin.sim.engine.containers",
    "akstwin.sim.engine.outcomes",
    "akstwin.sim.engine.probing",
    "akstwin.sim.engine.reference",
    "akstwin.sim.gateway",
    "akstwin.sim.models",
    "akstwin.sim.requests",
    "akstwin.sim.streams",
    "akstwin.sim.watch",
    "akstwin.worker.log",
    "akstwin.worker.template",
)
"""They are compiled together, and taken together or not at all."""
SUFFIX: Final = sysconfig.get_config_var("EXT_SUFFIX")
PACKAGE: Final = Path(__file__).resolve().parents[1]
_CONSTANTS: Final = (
    "clock.py", "backend.py", "dataplane.py", "errors.py", "domain/*.py", "ports/*.py", "sim/event_order.py", "sim/requests.py",
    "sim/engine/*.py", "sim/load/*.py", "worker/*.py",
)  # fmt: skip
"""Files that the compiled modules may have taken constants from."""


def source_of(module: str) -> Path:
    """The file that a module is made from."""
    return PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")


def folder() -> Path:
    """Where the compiled modules lie, if they were made from the sources as they are now."""
    made = hashlib.sha256(" ".join((str(SUFFIX), *MODULES)).encode())
    sources = {source_of(module) for module in MODULES}
    for source in sorted(sources.union(*(PACKAGE.glob(pattern) for pattern in _CONSTANTS))):
        made.update(source.read_bytes())
    return Path(sys.prefix, "share", "akstwin", "compiled", made.hexdigest()[:32])


def activate() -> bool:
    """Let the compiled modules be imported from now on, if they are there.

    Returns:
        Whether they are. Else the sources run as they stand: the same decisions, more slowly. So they do where one of the
        modules has been imported before.
    """
    if is_active():
        return True
    if any(module in sys.modules for module in MODULES):
        return False
    found = {_name(file): file for file in folder().glob(f"**/*{SUFFIX}")}
    if not found:
        return False
    sys.meta_path.insert(0, _Compiled(found))
    return True


def is_active() -> bool:
    """Whether the compiled modules are taken."""
    return any(isinstance(finder, _Compiled) for finder in sys.meta_path)


def _name(file: Path) -> str:
    return ".".join(file.relative_to(folder()).parts).removesuffix(str(SUFFIX))


class _Compiled(MetaPathFinder):
    """Finds the compiled modules, and the library that they share, before their sources."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the port's
        target: ModuleType | None = None,  # noqa: ARG002 - the port's
    ) -> ModuleSpec | None:
        """A compiled module; None: it is none."""
        file = self._files.get(fullname)
        if file is None:
            return None
        return spec_from_file_location(fullname, file, loader=ExtensionFileLoader(fullname, str(file)))
