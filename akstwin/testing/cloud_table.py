"""The table of clouds of an azureml-core that was imported before it was pointed anywhere (wire §1.1)."""

import os
import sys
from collections.abc import Callable
from typing import Any, Final

from akstwin.errors import AksError

_TABLE: Final = "azureml._vendor.azure_cli_core.cloud"
_CHOICE: Final = "azureml._vendor.azure_cli_core.azureml_cloud"


def point_clouds(ask: Callable[[], Any]) -> Callable[[], None]:
    """Let an SDK that has read its table of clouds know the server's; one that has not will read it by itself.

    Args:
        ask: gives what the server's `/metadata/endpoints` answers.

    Returns:
        What puts the table back: to be called when the variables are as before.

    Raises:
        AksError: this SDK's table cannot be reached.
    """
    module = _module()
    if module is None:
        return _put_hard_coded
    before = module.KNOWN_CLOUDS
    _put(list(module._convert_arm_to_cli(ask()).values()))  # noqa: SLF001 - it has no other way
    return lambda: _put(before)


def _module() -> Any:
    """The module that holds the table; None: it has not been read yet."""
    module: Any = sys.modules.get(_TABLE)
    if module is None or (hasattr(module, "KNOWN_CLOUDS") and callable(getattr(module, "_convert_arm_to_cli", None))):
        return module
    raise AksError(
        "azureml-core was imported before sdk_env(), and the table of clouds that it has read cannot be replaced in this "
        f"version: {_TABLE} has no KNOWN_CLOUDS; enter sdk_env() before azureml.core is imported"
    )


def _put(clouds: list[Any]) -> None:
    """A new list, not the old one changed: that is the SDK's list of clouds that are built in, too."""
    for name in (_TABLE, _CHOICE):
        module: Any = sys.modules.get(name)
        if module is not None:
            module.KNOWN_CLOUDS = clouds
    if module is not None:
        module._Clouds._clouds = None  # noqa: SLF001 - what it has found in the table before


def _put_hard_coded() -> None:
    """It was read inside: without the server it holds what it would have held outside."""
    module: Any = sys.modules.get(_TABLE)
    if module is not None and "ARM_CLOUD_METADATA_URL" not in os.environ:
        _put(module.HARD_CODED_CLOUD_LIST)
