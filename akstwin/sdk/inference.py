"""The script that scores, and what it needs: `InferenceConfig`."""

import ast
import keyword
import warnings
from collections.abc import Sequence
from copy import deepcopy
from os import fspath, sep
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from akstwin import scratch
from akstwin.sdk.answers import from_the_service, not_offered
from akstwin.sdk.conda_dependencies import Folder
from akstwin.sdk.environment import ContainerRegistry, Environment
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.given import check_kind, check_path, check_text
from akstwin.sdk.upload import hash_of_files, packed
from akstwin.sdk.wire import Json

if TYPE_CHECKING:
    from akstwin.sdk.workspace import Workspace

_ENTRY_SCRIPT: Final = "AZUREML_ENTRY_SCRIPT"
_SOURCE_DIRECTORY: Final = "AZUREML_SOURCE_DIRECTORY"
_USE_ENVIRONMENT: Final = "use environment, which came after"
_NO_IMAGES: Final = {
    "extra_docker_file_steps": f"{_USE_ENVIRONMENT}, with the steps in environment.docker.base_dockerfile",
    "enable_gpu": f"{_USE_ENVIRONMENT}; GPUs are asked for with gpu_cores",
    "cuda_version": f"{_USE_ENVIRONMENT}, with a base image of that version in environment.docker.base_image",
}


class InferenceConfig:
    """The script that scores, and the environment that it runs in.

    Args:
        entry_script: a Python file with `init` and `run`; relative to `source_directory`, or to the current directory.
        runtime: `python`, of old scripts.
        conda_file: a conda specification, of old scripts; relative to `source_directory`.
        extra_docker_file_steps: not offered: put the steps into `environment.docker.base_dockerfile`.
        source_directory: a folder that is uploaded as a whole; without it, the script alone is.
        enable_gpu: not offered.
        description: for people.
        base_image: of old scripts; use `environment.docker.base_image`.
        base_image_registry: of old scripts; use `environment.docker.base_image_registry`.
        cuda_version: not offered.
        environment: what the script runs in; by default one with Python and azureml-defaults.

    Raises:
        WebserviceException: naming the parameter that is refused, its value and what was expected.
    """

    def __init__(
        self,
        entry_script: str,
        runtime: str | None = None,
        conda_file: str | None = None,
        extra_docker_file_steps: str | None = None,
        source_directory: Folder | None = None,
        enable_gpu: bool | None = None,
        description: str | None = None,
        base_image: str | None = None,
        base_image_registry: ContainerRegistry | None = None,
        cuda_version: str | None = None,
        environment: Environment | None = None,
    ) -> None:
        self.entry_script = entry_script
        self.runtime = runtime
        self.conda_file = conda_file
        self.extra_docker_file_steps = extra_docker_file_steps
        check_path(source_directory=source_directory)
        self.source_directory = None if source_directory is None else fspath(source_directory)
        self.enable_gpu = enable_gpu
        self.description = description
        self.base_image = base_image
        self.base_image_registry = ContainerRegistry() if base_image_registry is None else base_image_registry
        self.cuda_version = cuda_version
        self.environment = environment
        self.validate_configuration()
        if old := self._old_parameters():
            warnings.warn(f"{', '.join(old)}: {_USE_ENVIRONMENT}", DeprecationWarning, stacklevel=2)

    def validate_configuration(self) -> None:
        """Check all values again, after some were changed.

        Raises:
            WebserviceException: naming the parameter that is refused, its value and what was expected.
        """
        check_path(source_directory=self.source_directory, conda_file=self.conda_file)
        check_text(runtime=self.runtime, base_image=self.base_image)
        check_kind(ContainerRegistry, base_image_registry=self.base_image_registry)
        if self.description is not None and not isinstance(self.description, str):
            raise WebserviceException(f"description: {self.description!r} is not text")
        self._check_old_parameters()
        self._check_environment()
        if self.source_directory is not None:
            self.source_directory = realpath(self.source_directory)
            if not Path(self.source_directory).is_dir():
                raise WebserviceException(f"source_directory: {self.source_directory!r} is not a folder")
        self.validation_script_content()
        if self.conda_file and not self._path(self.conda_file).is_file():
            raise WebserviceException(f"conda_file: {self.conda_file!r} is not a file")

    def validation_script_content(self) -> None:
        """Check the entry script: it is there, can be imported by its name, and is Python.

        Raises:
            WebserviceException: naming what is wrong with it.
        """
        if not isinstance(self.entry_script, str) or not self.entry_script:
            raise WebserviceException(f"entry_script: {self.entry_script!r} is not the path of a Python file")
        self.entry_script = self.entry_script.rstrip(sep)
        path = self._path(self.entry_script)
        if not path.is_file():
            place = self.source_directory or "the current directory"
            raise WebserviceException(f"entry_script: {self.entry_script!r} is not a file; it is looked for in {place}")
        if path.suffix != ".py":
            raise WebserviceException(f"entry_script: {self.entry_script!r} is not a Python file: its name ends in .py")
        if not path.stem.isidentifier() or keyword.iskeyword(path.stem):
            raise WebserviceException(
                f"entry_script: {path.name!r} is not a module that can be imported: its name is a Python identifier"
            )
        try:
            ast.parse(path.read_bytes(), str(path))
        except (OSError, SyntaxError, ValueError) as error:
            raise WebserviceException(f"entry_script: {self.entry_script!r} is not Python: {error}") from error

    def environment_image_request(self, workspace: "Workspace", service_name: str, model_ids: Sequence[str]) -> Json:
        """Upload the script, and say what the image is made of (wire §7.3).

        Args:
            workspace: where the script goes.
            service_name: of the service or the version, after which a default environment is called.
            model_ids: of the models, `name:version`.

        Raises:
            WebserviceException: something was changed since and is refused, or cannot be uploaded.
        """
        self.validate_configuration()
        environment = self._environment(f"{service_name}-env").serialize()
        source = Path(self.source_directory).name if self.source_directory else ""
        script = self.entry_script.replace(sep, "/") if source else Path(self.entry_script).name
        variables: dict[str, str] = {_ENTRY_SCRIPT: f"{source}/{script}" if source else script}
        if source:
            variables[_SOURCE_DIRECTORY] = source
        environment["environmentVariables"] |= variables
        return {
            "modelIds": list(model_ids),
            "assets": [self._uploaded(workspace)],
            "environment": environment,
        }

    def entry_script_path(self) -> str:
        """Where the script stands in the image: in a folder called as the source directory, or alone."""
        if self.source_directory:
            return f"{Path(self.source_directory).name}/{self.entry_script}"
        return Path(self.entry_script).name

    def __repr__(self) -> str:
        return (
            f"InferenceConfig(entry_script={self.entry_script!r}, source_directory={self.source_directory!r}, "
            f"environment={self.environment!r})"
        )

    def _check_old_parameters(self) -> None:
        for name, instead in _NO_IMAGES.items():
            value = getattr(self, name)
            if value is not None and not (name == "enable_gpu" and value is False):
                not_offered(f"{name}={value!r}", instead)
        if self.runtime and str(self.runtime).lower() != "python":
            not_offered(f"runtime={self.runtime!r}", "python is")
        for name in self._old_parameters():
            if self.environment is not None:
                raise WebserviceException(f"{name}: {getattr(self, name)!r} is not allowed together with environment")

    def _old_parameters(self) -> list[str]:
        return [name for name in ("runtime", "conda_file", "base_image") if getattr(self, name)]

    def _check_environment(self) -> None:
        if self.environment is None:
            return
        if not isinstance(self.environment, Environment):
            raise WebserviceException(f"environment: {self.environment!r} is not an Environment")

    def _environment(self, default_name: str) -> Environment:
        if self.environment is not None:
            return deepcopy(self.environment)
        if self.conda_file:
            made = Environment.from_conda_specification(default_name, self._path(self.conda_file))
        else:
            made = Environment(default_name)
        if self.base_image:
            made.docker.base_image = self.base_image
            made.docker.base_image_registry = self.base_image_registry
            made.inferencing_stack_version = "latest"
        return made

    def _uploaded(self, workspace: "Workspace") -> Json:
        """The asset of the script, or of its folder."""
        kind: dict[str, Any] = {"mimeType": "application/octet-stream"}
        if self.source_directory is None:
            script = self._path(self.entry_script)
            return {**kind, **_kept(workspace, hash_of_files([(script.name, script)]), script)}
        content_hash, tar = packed("source_directory", Path(self.source_directory))
        with scratch.temporary() as folder:
            path = folder / f"{content_hash}.tar.gz"
            path.write_bytes(tar)
            return {**kind, **_kept(workspace, content_hash, path), "unpack": True}

    def _path(self, relative: str) -> Path:
        return Path(self.source_directory or "") / relative


def _kept(workspace: "Workspace", container: str, path: Path) -> Json:
    with from_the_service():
        found = workspace.backend.upload(container, {path.name: path})
    return {"id": path.name, "url": f"aml://artifact/{found}/{path.name}"}
