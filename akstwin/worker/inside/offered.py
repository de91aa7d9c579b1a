"""Packages that scripts expect in the container, offered where the real ones are absent.

A finder at the end of `sys.meta_path`: whatever is really installed is found before it. So `azureml.core` can be real while
`azureml.contrib.services` is ours, in one namespace.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from .collector import ModelDataCollector
from .http import AMLRequest, AMLResponse
from .models import AzureMLException, Model, ModelNotFoundException, WebserviceException

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


_REQUEST = {"AMLRequest": AMLRequest, "rawhttp": rawhttp}
_RESPONSE = {"AMLResponse": AMLResponse}
_ERRORS = {error.__name__: error for error in (AzureMLException, ModelNotFoundException, WebserviceException)}
_COLLECTOR = {"ModelDataCollector": ModelDataCollector}
OFFERED: dict[str, dict[str, Any]] = {
    "azureml": {},
    "azureml.contrib": {},
    "azureml.contrib.services": {},
    "azureml.contrib.services.aml_request": _REQUEST,
    "azureml.contrib.services.aml_response": _RESPONSE,
    "azureml.core": {"Model": Model},
    "azureml.core.model": {"Model": Model},
    "azureml.exceptions": _ERRORS,
    "azureml.monitoring": _COLLECTOR,
    "azureml.monitoring.modeldatacollector": _COLLECTOR,
    "azureml_inference_server_http": {},
    "azureml_inference_server_http.api": {},
    "azureml_inference_server_http.api.aml_request": _REQUEST,
    "azureml_inference_server_http.api.aml_response": _RESPONSE,
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - asked for by name
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in OFFERED:
            return None
        # All are packages: something real may still be installed beneath them.
        return importlib.machinery.ModuleSpec(fullname, self, origin="offered by akstwin", is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(OFFERED[module.__name__], __all__=list(OFFERED[module.__name__]))


def offer() -> None:
    """Make the packages importable."""
    sys.meta_path.append(_Finder())
