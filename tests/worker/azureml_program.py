"""Runs in `.venv-azureml`: the real InferenceConfig builds its requests; what it would upload goes to a folder.

Reads one JSON document, `{"uploads": folder, "configs": [InferenceConfig's arguments, …]}`, and writes the list of requests.
"""

import json
import logging
import shutil
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from azureml._restclient import artifacts_client  # noqa: E402
from azureml.core import Environment  # noqa: E402
from azureml.core.model import InferenceConfig  # noqa: E402


class Artifacts:
    """In place of the artifact service."""

    uploads = Path()

    def __init__(self, _context: Any) -> None:
        pass

    def upload_artifact_from_path(self, path: str, origin: str, container: str, name: str) -> Any:
        """Keep the file."""
        target = self.uploads / origin / container / name
        target.parent.mkdir(parents=True)
        shutil.copyfile(path, target)
        return SimpleNamespace(artifacts={name: SimpleNamespace(path=name, artifact_id=f"{origin}/{container}/{name}")})


def request(variables: dict[str, str] | None, **arguments: Any) -> Any:
    """What a deployment would send; `variables` are the environment's, None is no environment."""
    environment = None
    if variables is not None:
        environment = Environment("fraud")
        environment.environment_variables = variables
    config = InferenceConfig(environment=environment, **arguments)
    config.validate_configuration()
    return config._build_environment_image_request(SimpleNamespace(service_context=None), ["fraud:1"])


asked = json.load(sys.stdin)
artifacts_client.ArtifactsClient = Artifacts
Artifacts.uploads = Path(asked["uploads"])
output, sys.stdout = sys.stdout, sys.stderr
json.dump([request(**config) for config in asked["configs"]], output)
