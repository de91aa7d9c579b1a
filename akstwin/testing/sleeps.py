"""`time.sleep` of the SDK and of the libraries that it calls through, taken to another clock."""

import sys
import time
from collections.abc import Callable
from typing import Any, Final, Literal, get_args

Sleepers = Literal["sdk", "all", "none"]
SLEEPERS: Final = get_args(Sleepers)
SDK: Final = frozenset({"azureml", "azure", "msrest", "msrestazure", "msal", "adal", "urllib3"})
"""The packages whose sleeps are polls of operations, and pauses before another attempt."""
_OWN_THREADS: Final = "azureml._common.async_utils"
"""Sleeps there until threads of this process have sent its files: no service's time passes."""
_A_MOMENT: Final = 0.005

_real: Any = time.sleep  # noqa: TID251 - other people's sleeps are taken here, and given back
_maps: "list[SleepMap]" = []


class SleepMap:
    """Takes sleeps to another clock from `begin` to `end`; of several the latest does.

    Args:
        whose: `sdk`, `all` (but the standard library's and akstwin's own) or `none`.
        pass_time: lets seconds pass on that clock.
    """

    def __init__(self, whose: Sleepers, pass_time: Callable[[float], None]) -> None:
        self._whose = whose
        self._pass_time = pass_time

    def begin(self) -> None:
        """Take sleeps from now on."""
        global _real  # noqa: PLW0603 - there is one time.sleep
        if not _maps and time.sleep is not _taken:  # noqa: TID251 - see above
            _real = time.sleep  # noqa: TID251 - see above
            # Who imports it by name now keeps this one: it sleeps really when no map is there.
            time.sleep = _taken  # noqa: TID251 - see above
        _maps.append(self)

    def end(self) -> None:
        """Take them no more."""
        _maps.remove(self)
        if not _maps and time.sleep is _taken:  # noqa: TID251 - see above
            time.sleep = _real  # noqa: TID251 - see above

    def takes(self, module: str) -> bool:
        """Whether the sleeps of a module are taken."""
        package = module.partition(".")[0]
        if self._whose == "sdk":
            return package in SDK
        return self._whose == "all" and package != "akstwin" and package not in sys.stdlib_module_names

    def sleep(self, module: str, seconds: float) -> None:
        """Let seconds pass for a module that is taken."""
        if module.startswith(_OWN_THREADS):
            _real(min(seconds, _A_MOMENT))
        else:
            self._pass_time(seconds)


def _sleep(seconds: float) -> None:
    module = str(sys._getframe(1).f_globals.get("__name__", ""))  # noqa: SLF001 - who sleeps decides
    latest = _maps[-1] if _maps else None
    if latest is None or not seconds > 0 or not latest.takes(module):
        _real(seconds)
    else:
        latest.sleep(module, seconds)


_taken: Final[Any] = _sleep
