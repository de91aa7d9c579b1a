"""What the containers of a version run, packed for their init containers: one archive for each content, named by its digest."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from akstwin import scratch
from akstwin.backend import Json, WorkspaceIdentity
from akstwin.backend_aks.manifests import APP_ROOT
from akstwin.control_plane import Content
from akstwin.domain.service import VersionSpec
from akstwin.files import FileStore
from akstwin.uploads import Tally
from akstwin.worker import WorkerSpec
from akstwin.worker.unpack import has_script, model_files, unpack

PREFIX: Final = "/bundles/"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One content.

    Attributes:
        digest: SHA-256 of the archive, in hexadecimal digits.
        environment: variables of a container that runs it.
    """

    digest: str
    environment: tuple[tuple[str, str], ...]


class Bundles:
    """Packs contents; the same content is packed once, to the same bytes.

    Args:
        folder: where archives lie.
        files: what was uploaded.
        asset: reads an asset's document.
        identity: of the workspace.
    """

    def __init__(
        self, folder: Path, files: FileStore, asset: Callable[[str], Json], identity: WorkspaceIdentity
    ) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._files = files
        self._asset = asset
        self._identity = identity

    def path(self, digest: str) -> Path | None:
        """The archive of that digest; None: there is none."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            return None
        found = self._folder / f"{digest}.tar.gz"
        return found if found.is_file() else None

    def pack(self, service: str, template: VersionSpec, content: Content) -> Bundle:
        """The bundle of a version's containers.

        Raises:
            AksError: its files cannot be laid out.
        """
        if content.request is None or not has_script(content.request):
            return self._keep(_packed([], None), ())
        own = scratch.Folder()
        try:
            target = own.path / "app"
            runs = unpack(
                content.request,
                fetch=self._files.download,
                models=[model_files(document, self._asset) for document in content.models],
                folder=target,
                service_name=service,
                service_version=template.code.content[:12],
                workspace_name=self._identity.name,
                tally=Tally(self._files.limits),
            )
            assert runs is not None  # noqa: S101 - it has a script
            return self._keep(_packed(sorted(target.rglob("*")), target), _environment(runs, target))
        finally:
            own.remove()

    def _keep(self, data: bytes, environment: Sequence[tuple[str, str]]) -> Bundle:
        digest = sha256(data).hexdigest()
        target = self._folder / f"{digest}.tar.gz"
        if not target.exists():
            part = target.with_suffix(".part")
            part.write_bytes(data)
            part.replace(target)
        return Bundle(digest, tuple(environment))


def _packed(paths: Sequence[Path], root: Path | None) -> bytes:
    """An archive whose bytes depend on names and contents alone."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in paths:
            assert root is not None  # noqa: S101 - paths are below it
            member = tarfile.TarInfo(str(path.relative_to(root)))
            member.mode = 0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644
            if path.is_dir():
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = path.stat().st_size
                with path.open("rb") as file:
                    archive.addfile(member, file)
    return gzip.compress(raw.getvalue(), mtime=0)


def _environment(runs: WorkerSpec, folder: Path) -> tuple[tuple[str, str], ...]:
    """Variables of a container that runs this, as the service sets them (semantics §3)."""
    model_dir = f"{APP_ROOT}/{runs.model_dir.relative_to(folder)}" if runs.model_dir is not None else APP_ROOT
    source = f"{APP_ROOT}/{runs.source_directory}" if runs.source_directory else APP_ROOT
    ours = {
        "AZUREML_ENTRY_SCRIPT": runs.entry_script,
        "AZUREML_MODEL_DIR": model_dir,
        "AZUREML_SOURCE_DIRECTORY": runs.source_directory or "",
        "PYTHONPATH": f"{APP_ROOT}:{source}" if source != APP_ROOT else APP_ROOT,
        "SERVICE_NAME": runs.service_name,
        "SERVICE_VERSION": runs.service_version,
        "SERVICE_PATH_PREFIX": runs.path_prefix.strip("/"),
        "WORKSPACE_NAME": runs.workspace_name,
    }
    return tuple({**ours, **runs.environment}.items())
