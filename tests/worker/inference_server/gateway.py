"""Runs in `.venv-inference-server`, under gunicorn: the real server with many entry scripts, one of which each request names.

The server keeps one script in its modules' variables, so each script gets modules of its own.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_SERVER = "azureml_inference_server_http.server"


def _load(script: Path) -> Any:
    os.environ["AZUREML_ENTRY_SCRIPT"] = script.name
    for name in [name for name in sys.modules if name == _SERVER or name.startswith(f"{_SERVER}.")]:
        del sys.modules[name]
    importlib.import_module("azureml_inference_server_http.api.aml_request")._rawHttpRequested = False
    return importlib.import_module(f"{_SERVER}.create_app").create()


_SERVERS = {script.stem: _load(script) for script in sorted(Path(os.environ["AML_APP_ROOT"]).glob("*.py"))}


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Pass the request to the server of its script."""
    return _SERVERS[environ.pop("HTTP_X_SCRIPT")](environ, start_response)
