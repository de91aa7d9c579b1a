"""For those who write a world, or test against one. Never imported by default; no world is imported here.

    from akstwin.testing import check_backend

    report = check_backend(lambda: MyBackend(...))
    print(report)
    report.raise_if_broken()

`sdk_env` points an unmodified azureml-core at a server, and needs Python's standard library only: it works where azureml-core
is installed and akstwin is no more than a folder on `PYTHONPATH`. So names are imported when they are first used.

`strategies` is another module: it needs hypothesis, which akstwin itself does not. `plugin` is for pytest, which finds it itself.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from akstwin.testing.check import check_backend, promises
    from akstwin.testing.cloud import CloudRefused
    from akstwin.testing.promise import Promise
    from akstwin.testing.report import BrokenPromises, Finding, Report
    from akstwin.testing.sdk import SdkEnvironment, sdk_env

__all__ = [
    "BrokenPromises",
    "CloudRefused",
    "Finding",
    "Promise",
    "Report",
    "SdkEnvironment",
    "check_backend",
    "promises",
    "sdk_env",
]

_MODULES = {
    "check": ("check_backend", "promises"),
    "cloud": ("CloudRefused",),
    "promise": ("Promise",),
    "report": ("BrokenPromises", "Finding", "Report"),
    "sdk": ("SdkEnvironment", "sdk_env"),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        for module, names in _MODULES.items():
            if name in names:
                from importlib import import_module  # noqa: PLC0415 - see above

                value = getattr(import_module(f"akstwin.testing.{module}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
