"""A model's files: uploaded, fetched, and found on this machine."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from akstwin.clock import SECOND
from akstwin.sdk.answers import from_the_service
from akstwin.sdk.conda_dependencies import Folder
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.upload import files_below, hash_of_files

if TYPE_CHECKING:
    from akstwin.sdk.workspace import Workspace

ASSET: Final = "aml://asset/"
"""What the address of a model's files begins with."""
MODELS: Final = Path("azureml-models")
"""Where models stand in a container, and where `Model.get_model_path` puts them."""


def uploaded(workspace: "Workspace", model_path: Folder, child_paths: Sequence[str] | None) -> str:
    """Upload a file or a folder.

    Args:
        workspace: where to.
        model_path: the file or the folder; below the current directory.
        child_paths: what of the folder; all.

    Returns:
        What it is found by: `LocalUpload/{container}/{its name}`.

    Raises:
        WebserviceException: naming the parameter that is refused.
    """
    here = Path.cwd()
    path = Path(os.path.normpath(here / model_path))
    if not path.exists():
        raise WebserviceException(f"model_path: {str(model_path)!r} is not a file or a folder")
    if not path.is_relative_to(here):
        raise WebserviceException(f"model_path: {str(model_path)!r} is not below the current directory, {here}")
    files = {file.relative_to(path.parent).as_posix(): file for file in _chosen(path, child_paths)}
    if not files:
        raise WebserviceException(f"model_path: {str(model_path)!r} is not a folder with files in it")
    now = workspace.backend.epoch + workspace.backend.clock.now() / SECOND
    container = f"{datetime.fromtimestamp(now, UTC):%y%m%dT%H%M%S}-{hash_of_files(files.items())}"
    with from_the_service():
        return f"{workspace.backend.upload(container, files)}/{path.name}"


def fetched(workspace: "Workspace", url: str, folder: Path) -> dict[str, Path]:
    """Download the files of a model.

    Args:
        workspace: where from.
        url: of the model.
        folder: where to.

    Returns:
        The files by what they are called in the model's folder.

    Raises:
        WebserviceException: there are none.
    """
    if not url.startswith(ASSET):
        raise WebserviceException(f"url: {url!r} is not {ASSET}…: the model has no files here")
    files: dict[str, Path] = {}
    with from_the_service():
        asset = workspace.backend.get_asset(url.removeprefix(ASSET))
        for number, artifact in enumerate(asset["artifacts"]):
            prefix = artifact.get("id") or artifact["prefix"]
            inside = PurePosixPath(*PurePosixPath(prefix).parts[2:])  # LocalUpload/{container}/…
            place = folder / str(number)
            for path in workspace.backend.download(prefix, place):
                files[Path(path).relative_to(inside.parent).as_posix()] = place / path
    return files


def local(model_name: str, version: int | None) -> Path | None:
    """A model's file or folder on this machine: where containers have them, or in the current directory.

    Raises:
        WebserviceException: its folder holds more than one, or none.
    """
    versions = MODELS / model_name
    if versions.is_dir():
        numbers = [int(entry.name) for entry in versions.iterdir() if entry.name.isdecimal()]
        newest = max(numbers, default=None) if version is None else version
        folder = versions / str(newest)
        if folder.is_dir():
            entries = sorted(folder.iterdir())
            if len(entries) != 1:
                raise WebserviceException(
                    f"{folder}: is not a model's folder: it holds {len(entries)} files or folders"
                )
            return entries[0]
    return Path(model_name) if Path(model_name).exists() else None


def _chosen(path: Path, child_paths: Sequence[str] | None) -> Iterable[Path]:
    """The files of a model."""
    if child_paths is not None and not (isinstance(child_paths, list | tuple) and child_paths):
        raise WebserviceException(f"child_paths: {child_paths!r} is not a list of at least one file or folder")
    if child_paths is None:
        return files_below("model_path", path) if path.is_dir() else [path]
    chosen: dict[Path, None] = {}
    for child in child_paths:
        below = Path(os.path.normpath(path / child))
        if not below.exists() or not below.is_relative_to(path):
            raise WebserviceException(f"child_paths: {child!r} is not a file or a folder in {path}")
        chosen |= dict.fromkeys(files_below("child_paths", below) if below.is_dir() else [below])
    return chosen
