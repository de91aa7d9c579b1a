"""Packages of an environment, as a conda specification."""

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from io import StringIO
from os import PathLike
from pathlib import Path
from typing import Any, Final, Self

from ruamel.yaml import YAML

from akstwin.plain_yaml import NotYaml, read_yaml
from akstwin.sdk.exceptions import WebserviceException

DEFAULT_PYTHON: Final = "3.10.18"
_KEYS: Final = ("name", "channels", "dependencies", "prefix", "variables")
_INDEX: Final = "https://pypi.python.org/simple"
_NAME: Final = re.compile(r"[^\[=<>~! ]*")
_VERSION: Final = re.compile(r"\d+\.\d+(\.\d+)?([ab]\d+)?$")

Folder = str | PathLike[str]


class CondaDependencies:
    """Python, conda and pip packages, and where they come from.

    Args:
        conda_dependencies_file_path: a conda specification (YAML); none: Python 3.8.13 and azureml-defaults.

    Raises:
        WebserviceException: the file cannot be read, or is no conda specification.
    """

    def __init__(self, conda_dependencies_file_path: Folder | None = None) -> None:
        if conda_dependencies_file_path is None:
            self._specification: dict[str, Any] = {
                "name": "project_environment",
                "dependencies": ["python=3.8.13", {"pip": ["azureml-defaults"]}],
                "channels": ["anaconda", "conda-forge"],
            }
        else:
            self._specification = _checked(_read(conda_dependencies_file_path), str(conda_dependencies_file_path))

    @classmethod
    def of(cls, specification: Any) -> Self:
        """The packages of a specification's JSON form.

        Raises:
            WebserviceException: it is no conda specification.
        """
        made = cls()
        made._specification = deepcopy(_checked(specification, "condaDependencies"))
        return made

    @staticmethod
    def create(
        pip_indexurl: str | None = None,
        pip_packages: Sequence[str] | None = None,
        conda_packages: Sequence[str] | None = None,
        python_version: str = DEFAULT_PYTHON,
        pin_sdk_version: bool = True,  # noqa: ARG004 - azureml-core's; there is no azureml package to pin to here
    ) -> "CondaDependencies":
        """A specification of these packages.

        Args:
            pip_indexurl: where pip looks for links.
            pip_packages: what pip installs; azureml-defaults.
            conda_packages: what conda installs.
            python_version: of Python.
            pin_sdk_version: whether azureml packages get the version of the installed azureml-core. Here there is none:
                all packages stay as they are given.

        Raises:
            WebserviceException: a package that is none.
        """
        made = CondaDependencies()
        if pip_indexurl:
            made.set_pip_option(f"--find-links {pip_indexurl}")
            made.set_pip_option(f"--extra-index-url {_INDEX}")
        made.set_python_version(python_version)
        if pip_packages is not None:
            made.remove_pip_package("azureml-defaults")
        for package in pip_packages or ():
            made.add_pip_package(package)
        for package in conda_packages or ():
            made.add_conda_package(package)
        return made

    @staticmethod
    def merge_requirements(requirements: Iterable[str]) -> list[str]:
        """Requirements of the same package as one: `a>1` and `a<3` are `a>1,<3`."""
        bounds: dict[str, list[str]] = {}
        for requirement in requirements:
            name = _name(requirement)
            bounds.setdefault(name, []).append(requirement[len(name) :].strip())
        return [name + ",".join(filter(None, parts)) for name, parts in bounds.items()]

    @property
    def conda_channels(self) -> Iterator[str]:
        """Where conda looks."""
        return iter(tuple(self._list("channels")))

    @property
    def conda_packages(self) -> Iterator[str]:
        """What conda installs, Python among it."""
        return iter(tuple(item for item in self._list("dependencies") if isinstance(item, str)))

    @property
    def pip_packages(self) -> Iterator[str]:
        """What pip installs."""
        return iter(tuple(item for item in self._pip() if not _is_option(item)))

    @property
    def pip_options(self) -> Iterator[str]:
        """What pip is told besides."""
        return iter(tuple(item for item in self._pip() if _is_option(item)))

    def get_python_version(self) -> str | None:
        """Python's version; None: the specification does not say."""
        for package in self.conda_packages:
            if _name(package) == "python":
                found = _VERSION.search(package)
                return found.group() if found else None
        return None

    def set_python_version(self, version: str) -> None:
        """Ask for a version of Python."""
        packages = self._made("dependencies")
        for index, package in enumerate(packages):
            if isinstance(package, str) and _name(package) == "python":
                packages[index] = f"python={version}"
                return
        packages.append(f"python={version}")

    def add_channel(self, channel: str) -> None:
        """Let conda look there too."""
        if channel not in self._made("channels"):
            self._specification["channels"].append(channel)

    def remove_channel(self, channel: str) -> None:
        """Let conda look there no longer."""
        if channel in self._list("channels"):
            self._specification["channels"].remove(channel)

    def add_conda_package(self, conda_package: str) -> None:
        """Let conda install a package; a version of Python replaces the present one.

        Raises:
            WebserviceException: it is no package.
        """
        _check_package("conda_package", conda_package)
        version = _VERSION.search(conda_package)
        if _name(conda_package) == "python" and version:
            self.set_python_version(version.group())
        elif conda_package not in self._made("dependencies"):
            self._specification["dependencies"].append(conda_package)

    def remove_conda_package(self, conda_package: str) -> None:
        """Take a package away, written as it was added.

        Raises:
            WebserviceException: it is Python, which every environment needs.
        """
        if conda_package not in self._list("dependencies"):
            return
        if _name(conda_package) == "python":
            raise WebserviceException(f"conda_package: {conda_package!r} is not to be removed: it is Python itself")
        self._specification["dependencies"].remove(conda_package)

    def add_pip_package(self, pip_package: str) -> None:
        """Let pip install a package; it replaces one of the same name.

        Raises:
            WebserviceException: it is no package.
        """
        _check_package("pip_package", pip_package)
        self.remove_pip_package(pip_package)
        self._made_pip().append(pip_package)

    def remove_pip_package(self, pip_package: str) -> None:
        """Take the package of that name away.

        Raises:
            WebserviceException: it is no package.
        """
        _check_package("pip_package", pip_package)
        listed = self._pip()
        listed[:] = [item for item in listed if _is_option(item) or _name(item) != _name(pip_package)]

    def set_pip_option(self, pip_option: str) -> None:
        """Tell pip something besides, such as `--pre`; it replaces the same option.

        Raises:
            WebserviceException: it does not begin with a dash.
        """
        self.remove_pip_option(pip_option)
        self._made_pip().append(pip_option)

    def remove_pip_option(self, pip_option: str) -> None:
        """Take an option away.

        Raises:
            WebserviceException: it does not begin with a dash.
        """
        if not isinstance(pip_option, str) or not _is_option(pip_option):
            raise WebserviceException(f"pip_option: {pip_option!r} is not an option such as --pre")
        listed = self._pip()
        listed[:] = [item for item in listed if item.split()[0] != pip_option.split(maxsplit=1)[0]]

    def set_pip_requirements(self, pip_requirements: Sequence[str]) -> None:
        """Replace all that pip is told by the lines of a requirements file; comments and empty lines are left out."""
        self._made_pip()[:] = [line.strip() for line in pip_requirements if line.strip() and line.strip()[0] != "#"]

    def save(self, path: Folder | None = None) -> str:
        """Write the specification to a file, which must be named.

        Returns:
            The path.

        Raises:
            WebserviceException: it cannot be written.
        """
        if path is None:
            raise WebserviceException("path: None is not a file that can be written")
        try:
            Path(path).write_text(self.serialize_to_string(), encoding="utf-8")
        except OSError as error:
            raise WebserviceException(f"path: {str(path)!r} is not a file that can be written: {error}") from error
        return str(path)

    def save_to_file(self, base_directory: Folder, conda_file_path: Folder | None = None) -> str:
        """Write the specification below a folder.

        Args:
            base_directory: the folder.
            conda_file_path: relative to it; `conda_dependencies.yml`.

        Returns:
            The path relative to the folder.

        Raises:
            WebserviceException: it cannot be written.
        """
        relative = str(conda_file_path or "conda_dependencies.yml")
        self.save(Path(base_directory) / relative)
        return relative

    def serialize_to_string(self) -> str:
        """The specification as YAML."""
        text = StringIO()
        YAML().dump(self._specification, text)
        return text.getvalue()

    def as_dict(self) -> dict[str, Any]:
        """The specification's JSON form."""
        return deepcopy(self._specification)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CondaDependencies) and self._specification == other._specification

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return f"CondaDependencies({self._specification!r})"

    def _list(self, key: str) -> list[Any]:
        return self._specification.get(key) or []

    def _made(self, key: str) -> list[Any]:
        if not self._specification.get(key):
            self._specification[key] = []
        made: list[Any] = self._specification[key]
        return made

    def _pip(self) -> list[str]:
        for item in self._list("dependencies"):
            if isinstance(item, dict) and "pip" in item:
                listed: list[str] = item["pip"]
                return listed
        return []

    def _made_pip(self) -> list[str]:
        if not any(isinstance(item, dict) and "pip" in item for item in self._list("dependencies")):
            self._made("dependencies").append({"pip": []})
        return self._pip()


def _read(path: Folder) -> Any:
    try:
        return read_yaml(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeError, NotYaml) as error:
        raise WebserviceException(f"{path}: is not a conda specification that can be read: {error}") from error


def _checked(specification: Any, where: str) -> dict[str, Any]:
    if not isinstance(specification, dict):
        raise WebserviceException(f"{where}: {specification!r} is not a conda specification, which is a mapping")
    for key in specification:
        if key not in _KEYS:
            raise WebserviceException(f"{where}: {key!r} is not a key of a conda specification: {', '.join(_KEYS)}")
    for key in ("channels", "dependencies"):
        items = specification.get(key) or []
        if not isinstance(items, list) or not all(_is_item(key, item) for item in items):
            raise WebserviceException(f"{where}: {key}: {items!r} is not a list of texts")
    return specification


def _is_item(key: str, item: Any) -> bool:
    if key == "dependencies" and isinstance(item, dict):
        listed = item.get("pip")
        return set(item) == {"pip"} and isinstance(listed, list) and all(isinstance(one, str) for one in listed)
    return isinstance(item, str)


def _is_option(item: str) -> bool:
    return item.startswith("-")


def _check_package(parameter: str, package: Any) -> None:
    if not isinstance(package, str) or not package.strip() or _is_option(package):
        raise WebserviceException(f"{parameter}: {package!r} is not a package, such as numpy==1.26.4")


def _name(package: str) -> str:
    """A package's name; of a wheel, what its file name begins with."""
    if package.endswith(".whl"):
        return package.rpartition("/")[2].partition("-")[0]
    found = _NAME.match(package)
    return found.group() if found else package
