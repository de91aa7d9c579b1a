"""What a script runs in: packages, base image and variables."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from akstwin.sdk.answers import from_the_service, not_offered, require
from akstwin.sdk.conda_dependencies import DEFAULT_PYTHON, CondaDependencies, Folder
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.given import check_kind, check_path, check_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from akstwin.sdk.workspace import Workspace

DEFAULT_CPU_IMAGE: Final = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20251130.v1"
DEFAULT_GPU_IMAGE: Final = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04:20251130.v1"

_log: Final = logging.getLogger(__name__)
_DEFINITION: Final = "azureml_environment.json"
_CONDA: Final = "conda_dependencies.yml"
_DOCKERFILE: Final = "BaseDockerfile"


class _Readable(Protocol):
    def read(self) -> str: ...


@dataclass(slots=True)
class ContainerRegistry:
    """Where a base image comes from.

    Attributes:
        address: the registry's host.
        username: for its login.
        password: for its login.
        registry_identity: carried along.
    """

    address: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    registry_identity: Any = None


@dataclass(slots=True)
class PythonSection:
    """Python and its packages.

    Attributes:
        conda_dependencies: the packages; None: the base image has them.
        user_managed_dependencies: whether the base image has all that is needed.
        interpreter_path: of Python, where the base image brings it.
        conda_dependencies_file: carried along.
        base_conda_environment: carried along.
    """

    conda_dependencies: CondaDependencies | None = field(default_factory=CondaDependencies)
    user_managed_dependencies: bool = False
    interpreter_path: str | None = "python"
    conda_dependencies_file: str | None = None
    base_conda_environment: str | None = None


class DockerSection:
    """The image that the environment is built on: an image's name, or a Dockerfile. Setting one takes the other away.

    Attributes:
        base_image_registry: where the base image comes from.
        enabled: for training; carried along.
        shared_volumes: for training; carried along.
        shm_size: for training; carried along.
        arguments: for training; carried along.
        platform: operating system and processor, in the form of the wire.
    """

    __slots__ = (
        "_base_dockerfile",
        "_base_image",
        "arguments",
        "base_image_registry",
        "enabled",
        "platform",
        "shared_volumes",
        "shm_size",
    )

    def __init__(self) -> None:
        self._base_image: str | None = DEFAULT_CPU_IMAGE
        self._base_dockerfile: str | None = None
        self.base_image_registry = ContainerRegistry()
        self.enabled = False
        self.shared_volumes = True
        self.shm_size: str | None = "2g"
        self.arguments: list[str] = []
        self.platform: dict[str, str] = {"os": "Linux", "architecture": "amd64"}

    @property
    def base_image(self) -> str | None:
        """An image's name; None: a Dockerfile is given."""
        return self._base_image

    @base_image.setter
    def base_image(self, value: str | None) -> None:
        self._base_image = value or None
        if value and self._base_dockerfile:
            self._base_dockerfile = None
            _log.warning("base_image: takes the place of base_dockerfile, which is None now")

    @property
    def base_dockerfile(self) -> str | None:
        """The content of a Dockerfile; None: an image is given. It may be set to a file, by its path or opened, too."""
        return self._base_dockerfile

    @base_dockerfile.setter
    def base_dockerfile(self, value: "str | Path | _Readable | None") -> None:
        self._base_dockerfile = _dockerfile(value) if value else None
        if value and self._base_image:
            self._base_image = None
            _log.warning("base_dockerfile: takes the place of base_image, which is None now")

    @property
    def gpu_support(self) -> bool:
        """Of old scripts: GPUs are given by `gpu_cores` of a deployment."""
        return True

    @gpu_support.setter
    def gpu_support(self, _: bool) -> None:
        _log.warning("gpu_support: has no effect; gpu_cores of the deployment decides")

    def __repr__(self) -> str:
        return f"DockerSection(base_image={self.base_image!r}, base_dockerfile={self.base_dockerfile!r})"


class Environment:
    """What a script runs in.

    Args:
        name: of the environment.

    Attributes:
        name: as given.
        version: of a registered one; None otherwise.
        environment_variables: what the script finds in `os.environ`.
        python: Python and its packages.
        docker: the base image.
        inferencing_stack_version: of the server in the image, such as `latest`.
        asset_id: of a registered one.

    Raises:
        WebserviceException: the name is no text.
    """

    __slots__ = (
        "_rest",
        "asset_id",
        "docker",
        "environment_variables",
        "inferencing_stack_version",
        "name",
        "python",
        "version",
    )

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise WebserviceException(f"name: {name!r} is not a text that is not empty")
        self.name = name
        self.version: str | None = None
        self.environment_variables: dict[str, str] = {}
        self.python = PythonSection()
        self.docker = DockerSection()
        self.inferencing_stack_version: str | None = None
        self.asset_id: str | None = None
        # What training needs: sent and kept as it is.
        self._rest: dict[str, Any] = {
            "spark": {"repositories": [], "packages": [], "precachePackages": True},
            "databricks": {
                key: [] for key in ("mavenLibraries", "pypiLibraries", "rcranLibraries", "jarLibraries", "eggLibraries")
            },
            "r": None,
        }

    @staticmethod
    def get(
        workspace: "Workspace", name: str, version: str | int | None = None, label: str | None = None
    ) -> "Environment":
        """A registered environment.

        Args:
            workspace: where it is registered.
            name: of the environment.
            version: of the environment; the newest.
            label: `latest` is the newest; there are no others here.

        Raises:
            WebserviceException: there is none; or both version and label are given.
        """
        check_text(label=label)
        if version is not None and (isinstance(version, bool) or not isinstance(version, int | str) or version == ""):
            raise WebserviceException(f"version: {version!r} is not the version of an environment")
        if label is not None and version is not None:
            raise WebserviceException(f"label: {label!r} is not allowed together with version, which is {version!r}")
        if label is not None and label.lower() != "latest":
            not_offered(f"label={label!r}", "only latest is known; use version")
        with from_the_service():
            document = workspace.backend.get_environment(name, None if version is None else str(version))
        return Environment.deserialize(document)

    @staticmethod
    def list(workspace: "Workspace") -> "dict[str, Environment]":
        """The newest version of each registered environment by name.

        Raises:
            WebserviceException: the world refuses.
        """
        with from_the_service():
            documents = workspace.backend.list_environments()
        return {document["name"]: Environment.deserialize(document) for document in documents}

    @staticmethod
    def from_conda_specification(name: str, file_path: Folder) -> "Environment":
        """An environment with the packages of a conda specification; Python is added where it is missing.

        Raises:
            WebserviceException: the file cannot be read, or is no conda specification.
        """
        dependencies = CondaDependencies(file_path)
        if dependencies.get_python_version() is None:
            dependencies.set_python_version(DEFAULT_PYTHON)
        made = Environment(name)
        made.python.conda_dependencies = dependencies
        return made

    @staticmethod
    def from_pip_requirements(name: str, file_path: Folder, pip_version: str | None = None) -> "Environment":
        """An environment with the packages of a requirements file.

        Raises:
            WebserviceException: the file cannot be read.
        """
        check_text(pip_version=pip_version)
        dependencies = CondaDependencies()
        dependencies.set_pip_requirements(_text("file_path", file_path).splitlines())
        dependencies.add_conda_package("pip" if pip_version is None else f"pip={pip_version}")
        made = Environment(name)
        made.python.conda_dependencies = dependencies
        return made

    @staticmethod
    def from_docker_image(
        name: str,
        image: str,
        container_registry: ContainerRegistry | None = None,
        conda_specification: Folder | None = None,
        pip_requirements: Folder | None = None,
    ) -> "Environment":
        """An environment on an image; without packages given, the image has all that is needed.

        Raises:
            WebserviceException: both kinds of packages are given, or their file cannot be read.
        """
        check_text(image=image)
        check_kind(ContainerRegistry, container_registry=container_registry)
        made = _with_packages(name, conda_specification, pip_requirements)
        made.docker.base_image = image
        if container_registry is not None:
            made.docker.base_image_registry = container_registry
        return made

    @staticmethod
    def from_dockerfile(
        name: str,
        dockerfile: "str | Path | _Readable",
        conda_specification: Folder | None = None,
        pip_requirements: Folder | None = None,
    ) -> "Environment":
        """An environment on a Dockerfile: its path, or its content.

        Raises:
            WebserviceException: both kinds of packages are given, or a file cannot be read.
        """
        made = _with_packages(name, conda_specification, pip_requirements)
        made.docker.base_image = None
        made.docker.base_dockerfile = dockerfile
        return made

    @staticmethod
    def from_docker_build_context(name: str, docker_build_context: object) -> NoReturn:  # noqa: ARG004 - azureml-core's
        """Refuse: contexts are kept in a storage account.

        Raises:
            WebserviceException: always.
        """
        not_offered("Environment.from_docker_build_context", "use from_dockerfile")

    @staticmethod
    def from_existing_conda_environment(name: str, conda_environment_name: str) -> NoReturn:  # noqa: ARG004 - azureml-core's
        """Refuse: nothing here calls conda.

        Raises:
            WebserviceException: always.
        """
        not_offered("Environment.from_existing_conda_environment", "use from_conda_specification on what conda exports")

    @staticmethod
    def add_private_pip_wheel(workspace: "Workspace", file_path: Folder, exist_ok: bool = False) -> NoReturn:  # noqa: ARG004 - azureml-core's
        """Refuse: wheels are kept in a storage account.

        Raises:
            WebserviceException: always.
        """
        not_offered("Environment.add_private_pip_wheel")

    @staticmethod
    def label(workspace: "Workspace", name: str, version: str, labels: "Sequence[str]") -> NoReturn:  # noqa: ARG004
        """Refuse: only `latest` is known.

        Raises:
            WebserviceException: always.
        """
        not_offered("Environment.label", "use versions")

    @staticmethod
    def load_from_directory(path: Folder) -> "Environment":
        """An environment that `save_to_directory`, also azureml-core's, has written.

        Raises:
            WebserviceException: a file cannot be read, or is none of an environment.
        """
        folder = Path(path)
        try:
            document = json.loads(_text("path", folder / _DEFINITION))
        except ValueError as error:
            raise WebserviceException(f"path: {str(folder / _DEFINITION)!r} is not a JSON file: {error}") from error
        made = Environment.deserialize(document)
        if (folder / _CONDA).is_file():
            made.python.conda_dependencies = CondaDependencies(folder / _CONDA)
        if (folder / _DOCKERFILE).is_file():
            made.docker.base_image = None
            made.docker.base_dockerfile = folder / _DOCKERFILE
        return made

    @staticmethod
    def deserialize(document: Any) -> "Environment":
        """The environment of a document.

        Raises:
            WebserviceException: it is none of an environment.
        """
        require(document, ("name",), "Environment")
        made = Environment(document["name"])
        known = ("name", "version", "environmentVariables", "python", "docker", "inferencingStackVersion", "assetId")
        made.version = document.get("version")
        made.environment_variables = dict(document.get("environmentVariables") or {})
        made.python = _python_of(document.get("python") or {})
        made.docker = _docker_of(document.get("docker") or {})
        made.inferencing_stack_version = document.get("inferencingStackVersion")
        made.asset_id = document.get("assetId")
        made._rest.update({key: value for key, value in document.items() if key not in known})
        return made

    def register(self, workspace: "Workspace") -> "Environment":
        """Keep the environment in a workspace; one that is equal to the newest version is that version.

        Returns:
            The registered one, with its version.

        Raises:
            WebserviceException: the world refuses.
        """
        with from_the_service():
            document = workspace.backend.put_environment(self.name, self.version, self.serialize())
        return Environment.deserialize(document)

    def clone(self, new_name: str) -> "Environment":
        """The same under another name, not registered.

        Raises:
            WebserviceException: the name is no text.
        """
        made = Environment(new_name)
        copy = Environment.deserialize(self.serialize())
        copy.name, copy.version, copy.asset_id = made.name, None, None
        return copy

    def build(self, workspace: "Workspace", image_build_compute: str | None = None) -> NoReturn:  # noqa: ARG002 - azureml-core's
        """Refuse: images are built by deployments.

        Raises:
            WebserviceException: always.
        """
        not_offered("Environment.build", "deploying builds what is needed")

    def build_local(self, workspace: "Workspace", platform: str | None = None) -> NoReturn:  # noqa: ARG002 - azureml-core's
        """Refuse: images are built by deployments.

        Raises:
            WebserviceException: always.
        """
        not_offered("Environment.build_local", "deploying builds what is needed")

    def get_image_details(self, workspace: "Workspace") -> NoReturn:  # noqa: ARG002 - azureml-core's
        """Refuse: there is no registry of images.

        Raises:
            WebserviceException: always.
        """
        not_offered("Environment.get_image_details")

    def save_to_directory(self, path: Folder, overwrite: bool = False) -> None:
        """Write the environment into a folder: its definition, its packages and its Dockerfile.

        Args:
            path: the folder, which is made.
            overwrite: whether the folder may be there already.

        Raises:
            WebserviceException: the folder is there, or cannot be written.
        """
        folder, document = Path(path), self.serialize()
        document["python"].pop("condaDependencies", None)
        document["docker"].pop("baseDockerfile", None)
        try:
            folder.mkdir(parents=True, exist_ok=overwrite)
            (folder / _DEFINITION).write_text(json.dumps(document, indent=4), encoding="utf-8")
            if self.docker.base_dockerfile:
                (folder / _DOCKERFILE).write_text(self.docker.base_dockerfile, encoding="utf-8")
        except OSError as error:
            raise WebserviceException(f"path: {str(path)!r} is not a folder that can be written: {error}") from error
        if self.python.conda_dependencies is not None:
            self.python.conda_dependencies.save_to_file(folder, _CONDA)

    def serialize(self) -> dict[str, Any]:
        """The document that goes over the wire (wire §7.3)."""
        registry = self.docker.base_image_registry
        python: dict[str, Any] = {
            "userManagedDependencies": self.python.user_managed_dependencies,
            "interpreterPath": self.python.interpreter_path,
            "condaDependenciesFile": self.python.conda_dependencies_file,
            "baseCondaEnvironment": self.python.base_conda_environment,
        }
        if self.python.conda_dependencies is not None:
            python["condaDependencies"] = self.python.conda_dependencies.as_dict()
        return {
            "name": self.name,
            "version": self.version,
            "environmentVariables": dict(self.environment_variables or {}),
            "python": python,
            "docker": {
                "enabled": self.docker.enabled,
                "baseImage": self.docker.base_image,
                "baseDockerfile": self.docker.base_dockerfile,
                "buildContext": None,
                "sharedVolumes": self.docker.shared_volumes,
                "shmSize": self.docker.shm_size,
                "arguments": list(self.docker.arguments),
                "baseImageRegistry": {
                    "address": registry.address,
                    "username": registry.username,
                    "password": registry.password,
                    "registryIdentity": registry.registry_identity,
                },
                "platform": dict(self.docker.platform),
            },
            "inferencingStackVersion": self.inferencing_stack_version,
            "assetId": self.asset_id,
            **self._rest,
        }

    def __repr__(self) -> str:
        return f"Environment(name={self.name!r}, version={self.version!r})"


@dataclass(frozen=True, slots=True)
class EnvironmentReference:
    """A registered environment that a service was deployed with, by name and version only.

    Attributes:
        name: of the environment.
        version: of the environment; the newest.
    """

    name: str
    version: str | None = None

    def get_environment(self, workspace: "Workspace") -> Environment:
        """The environment.

        Raises:
            WebserviceException: there is none.
        """
        return Environment.get(workspace, self.name, self.version)

    def serialize(self) -> dict[str, Any]:
        """The document that goes over the wire."""
        return {"name": self.name, "version": self.version}


def environment_of(document: dict[str, Any] | None) -> Environment | EnvironmentReference | None:
    """What a service's document says of its environment (wire §7.2): all of it, its name, or nothing."""
    if not document:
        return None
    if set(document) <= {"name", "version"}:
        return EnvironmentReference(**document)
    return Environment.deserialize(document)


def _with_packages(name: str, conda_specification: Folder | None, pip_requirements: Folder | None) -> Environment:
    check_path(conda_specification=conda_specification, pip_requirements=pip_requirements)
    if conda_specification is not None and pip_requirements is not None:
        raise WebserviceException(
            f"pip_requirements: {pip_requirements!r} is not allowed together with conda_specification"
        )
    if conda_specification is not None:
        return Environment.from_conda_specification(name, conda_specification)
    if pip_requirements is not None:
        return Environment.from_pip_requirements(name, pip_requirements)
    made = Environment(name)
    made.python.user_managed_dependencies = True
    return made


def _python_of(document: dict[str, Any]) -> PythonSection:
    dependencies = document.get("condaDependencies")
    return PythonSection(
        CondaDependencies.of(dependencies) if dependencies is not None else None,
        user_managed_dependencies=bool(document.get("userManagedDependencies")),
        interpreter_path=document.get("interpreterPath"),
        conda_dependencies_file=document.get("condaDependenciesFile"),
        base_conda_environment=document.get("baseCondaEnvironment"),
    )


def _docker_of(document: dict[str, Any]) -> DockerSection:
    if document.get("buildContext"):
        not_offered("docker.buildContext", "use base_dockerfile")
    made = DockerSection()
    made.base_image = document.get("baseImage")
    if document.get("baseDockerfile"):
        made.base_image = None
        made._base_dockerfile = document["baseDockerfile"]  # noqa: SLF001 - content, never a path
    registry = document.get("baseImageRegistry") or {}
    made.base_image_registry = ContainerRegistry(
        registry.get("address"), registry.get("username"), registry.get("password"), registry.get("registryIdentity")
    )
    made.enabled = bool(document.get("enabled", made.enabled))
    made.shared_volumes = bool(document.get("sharedVolumes", made.shared_volumes))
    made.shm_size = document.get("shmSize")
    made.arguments = list(document.get("arguments") or [])
    made.platform = dict(document.get("platform") or made.platform)
    return made


def _dockerfile(value: "str | Path | _Readable") -> str:
    if not isinstance(value, str | Path):
        return value.read()
    if isinstance(value, Path) or ("\n" not in value and Path(value).is_file()):
        return _text("base_dockerfile", value)
    return value


def _text(parameter: str, path: Folder) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise WebserviceException(f"{parameter}: {str(path)!r} is not a file that can be read: {error}") from error
