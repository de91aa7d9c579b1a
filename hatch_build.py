"""Puts the compiled engine's extension into wheels, where it can be made; without it `akstwin run` takes the reference engine."""

import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = "akstwin/speedups/native"


class ExtensionHook(BuildHookInterface):  # type: ignore[type-arg]  # a class of its own is no generic when it runs
    """Makes the extension before a wheel is put together."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the extension to the wheel.

        Args:
            version: of the build: `editable` leaves the extension to `akstwin compile`.
            build_data: what the wheel is made from.
        """
        if version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory(prefix="akstwin-wheel-")
        making = _making(Path(self.root) / NATIVE / "making.py")
        try:
            made = making.make(Path(self._folder.name))
        except making.NotMade as reason:
            self.app.display_warning(
                f"akstwin: the wheel comes without the compiled engine, runs take the reference: {reason}"
            )
            return
        build_data["force_include"][str(made)] = f"{NATIVE}/{made.name}"
        build_data["infer_tag"] = True
        build_data["pure_python"] = False

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's
        """Remove what was made."""
        if version != "editable":
            self._folder.cleanup()


def _making(file: Path) -> ModuleType:
    spec = spec_from_file_location("akstwin_making", file)
    assert spec is not None  # noqa: S101 - the file is there
    assert spec.loader is not None  # noqa: S101 - see above
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
