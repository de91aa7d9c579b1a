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
    "azureml.core": _offers(Model),
    "azureml.core.model": _offers(Model),
    "azureml.exceptions": _offers(AzureMLException, ModelNotFoundException, WebserviceException),
    "azureml.monitoring": _offers(ModelDataCollector),
    "azureml.monitoring.modeldatacollector": _offers(ModelDataCollector),
    "azureml_inference_server_http": _offers(),
    "azureml_inference_server_http.api": _offers(),
    "azureml_inference_server_http.api.aml_request": _request,
    "azureml_inference_server_http.api.aml_response": _response,
}
"""What each module has, made when it is imported."""


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
        contents = OFFERED[module.__name__]()
        vars(module).update(contents, __all__=list(contents))


def offer() -> None:
    """Make the packages importable."""
    sys.meta_path.append(_Finder())
