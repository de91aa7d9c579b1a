"""Packages that scripts expect in the container, offered where the real ones are absent.

A finder at the end of `sys.meta_path`: whatever is really installed is found before it. So `azureml.core` can be real while
`azureml.contrib.services` is ours, in one namespace.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from .collector import ModelDataCollector

_RAW_FLAG = "_rawHttpRequested"
_asked: list[Callable[..., Any]] = []


def rawhttp(func: Callable[..., Any]) -> Callable[..., Any]:
    """Says of `run` that it takes the request as it is."""
    _asked.append(func)
    return func


def raw_requested() -> bool:
    """Whether the script used `@rawhttp`, ours or a real one."""
    real = ("azureml.contrib.services.aml_request", "azureml_inference_server_http.api.aml_request")
    return bool(_asked) or any(getattr(sys.modules.get(name), _RAW_FLAG, False) for name in real)


def _request() -> dict[str, Any]:
    from .web import AMLRequest  # noqa: PLC0415 - werkzeug, for scripts that ask for it

    return {"AMLRequest": AMLRequest, "rawhttp": rawhttp}


def _response() -> dict[str, Any]:
    from .web import AMLResponse  # noqa: PLC0415 - werkzeug, for scripts that ask for it

    return {"AMLResponse": AMLResponse}


def _offers(*contents: type) -> Callable[[], dict[str, Any]]:
    return lambda: {content.__name__: content for content in contents}


OFFERED: dict[str, Callable[[], dict[str, Any]]] = {
    "azureml": _offers(),
    "azureml.contrib": _offers(),
    "azureml.contrib.services": _offers(),
    "azureml.contrib.services.aml_request": _request,
    "azureml.contrib.services.aml_response": _response,
    "azureml.monitoring": _offers(ModelDataCollector),
    "azureml.monitoring.modeldatacollector": _offers(ModelDataCollector),
    "azureml_inference_server_http": _offers(),
    "azureml_inference_server_http.api": _offers(),
    "azureml_inference_server_http.api.aml_request": _request,
    "azureml_inference_server_http.api.aml_response": _response,
}
"""What each module has, made when it is imported."""


def _of_azureml_core(name: str) -> bool:
    if not name.startswith(("azureml.core", "azureml.data", "azureml.exceptions")):
        return False
    from .azureml_core import NAMES  # noqa: PLC0415 - a table, for scripts that ask for it

    return name in NAMES


def _azureml_core(module: str) -> dict[str, Any]:
    from .azureml_core import NAMES, contents  # noqa: PLC0415 - a table, for scripts that ask for it

    def get(name: str) -> Any:
        """A module beneath, which azureml-core imports with the one above it."""
        if f"{module}.{name}" in NAMES:
            return importlib.import_module(f"{module}.{name}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return {**contents(module), "__getattr__": get}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - asked for by name
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in OFFERED and not _of_azureml_core(fullname):
            return None
        # All are packages: something real may still be installed beneath them.
        return importlib.machinery.ModuleSpec(fullname, self, origin="offered by akstwin", is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        contents = OFFERED[name]() if name in OFFERED else _azureml_core(name)
        vars(module).update(contents, __all__=[each for each in contents if each != "__getattr__"])


def offer() -> None:
    """Make the packages importable."""
    sys.meta_path.append(_Finder())
