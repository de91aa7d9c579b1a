"""From a deployment's request to a folder that a worker can run: uploaded files, models, and which of them is the script.

The request is the wire's `environmentImageRequest` (wire §7.3). It names its entry script in one of two ways: by variables of
its environment, as our SDK and azureml-core do, or, where azureml-core was given no environment, only inside a generated
driver program, which is read here and not run.

The folder becomes the container's `AML_APP_ROOT`: what was uploaded, and beside it the models as
`azureml-models/NAME/VERSION/…`.
"""

import ast
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from akstwin import scratch
from akstwin.domain.service_urls import service_path
from akstwin.errors import Conflict, InvalidSetting, NotFound, UnreadableFile
from akstwin.uploads import Tally, UploadLimits
from akstwin.worker.archive import extract, is_bad_name
from akstwin.worker.spec import DataCollection, Limits, WorkerSpec

Fetch = Callable[[str, Path, Tally], Sequence[Path]]
"""`FileStore.download`: writes the files whose `LocalUpload/…` path begins with the text into the folder; returns their paths
in it, relative to the upload's container. The tally counts them. Raises NotFound, InvalidSetting, Conflict."""

_REQUEST: Final = "environmentImageRequest"
_VARIABLES: Final = f"{_REQUEST}.environment.environmentVariables"
_OWN = _ENTRY_SCRIPT, _SOURCE_DIRECTORY = "AZUREML_ENTRY_SCRIPT", "AZUREML_SOURCE_DIRECTORY"
_SCHEME, _ORIGIN = "aml://artifact/", "LocalUpload"
_MODELS: Final = "azureml-models"
_IMPORTS: Final = "spec_from_file_location"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A registered model and where its files are.

    Attributes:
        name: of the model.
        version: its number.
        prefixes: the `LocalUpload/…` paths of its files, or what they begin with.
    """

    name: str
    version: int
    prefixes: tuple[str, ...]

    def __post_init__(self) -> None:
        if "/" in _within("model.name", self.name) or self.name == ".":
            raise InvalidSetting("model.name", self.name, "a folder's name")


def model_files(document: Mapping[str, Any], asset: Callable[[str], Mapping[str, Any]]) -> ModelFiles:
    """A registered model and where its files are.

    Args:
        document: the model's.
        asset: gives an asset's document by its id.
    """
    artifacts = asset(str(document["url"]).removeprefix("aml://asset/"))["artifacts"]
    prefixes = tuple(str(each.get("prefix") or each["id"]) for each in artifacts)
    return ModelFiles(str(document["name"]), int(document["version"]), prefixes)


class _Asset(NamedTuple):
    """One uploaded part of the deployment; `setting` is where it stands in the request."""

    setting: str
    id: str
    prefix: str
    unpack: bool


class _Entry(NamedTuple):
    script: str
    source_directory: str | None


def unpack(
    request: Mapping[str, Any],
    *,
    fetch: Fetch,
    models: Sequence[ModelFiles],
    folder: Path,
    service_name: str,
    service_version: str,
    workspace_name: str,
    collection: DataCollection | None = None,
    limits: Limits | None = None,
    tally: Tally | None = None,
) -> WorkerSpec | None:
    """Lay out what a container of this deployment holds.

    `AZUREML_MODEL_DIR` is the model's own folder where there is one model, and `azureml-models` where there are several or
    none; the folder is there in each case. An entry script that is not among the files is no error here: the container fails
    at its start, as in the service.

    Args:
        request: the deployment's `environmentImageRequest`.
        fetch: gets uploaded files.
        models: the deployed models.
        folder: for the files; made here, or empty. The caller's to remove; if this fails, it is gone.
        service_name: of the service.
        service_version: for `SERVICE_VERSION`.
        workspace_name: of the workspace.
        collection: model data collection; the models' versions are filled in.
        limits: what the script may take.
        tally: counts files and bytes; None: one with the default limits.

    Returns:
        What a worker runs; None: a deployment without a script (`has_script`).

    Raises:
        InvalidSetting: the request is not one, an archive has members that don't belong into a folder, or the files are more
            than the tally allows.
        NotFound: an uploaded file is not there.
        Conflict: the folder is not empty, or the tally was stopped.
        UnreadableFile: the disk is full, or the like.
    """
    if not has_script(request):
        return None
    assets, variables, driver = _assets(request), _variables(request), _driver(request)
    if driver is not None and driver not in [asset.id for asset in assets if not asset.unpack]:
        raise InvalidSetting(f"{_REQUEST}.driverProgram", driver, "the id of one of its files")
    tally = tally or Tally(UploadLimits())
    with _filled(folder):
        model_dir = _place_models(models, fetch, folder, tally)
        for asset in assets:
            if asset.unpack:
                _extract(asset, fetch, folder, tally)
            else:
                _place(asset, fetch, folder, tally)
        entry = _entry(variables, driver, folder)
        if collection is not None:
            newest: dict[str, int] = {}
            for model in models:
                newest[model.name] = max(model.version, newest.get(model.name, model.version))
            collection = replace(collection, models=newest)
        return WorkerSpec(
            folder,
            entry.script,
            source_directory=entry.source_directory,
            model_dir=model_dir,
            service_name=service_name,
            service_version=service_version,
            path_prefix=service_path(service_name),
            workspace_name=workspace_name,
            environment={name: value for name, value in variables.items() if name not in _OWN},
            collection=collection,
            limits=limits or Limits(),
        )


def has_script(request: Mapping[str, Any]) -> bool:
    """Whether a deployment brings a script; else the service builds its container for the model's framework.

    Raises:
        InvalidSetting: the request is not one.
    """
    return bool(_assets(request)) or _driver(request) is not None or _ENTRY_SCRIPT in _variables(request)


def _assets(request: Mapping[str, Any]) -> list[_Asset]:
    found = []
    for number, asset in enumerate(_typed(f"{_REQUEST}.assets", request.get("assets"), list, "a list")):
        setting = f"{_REQUEST}.assets[{number}]"
        fields = _typed(setting, asset, dict, "an object")
        name = _within(f"{setting}.id", fields.get("id"))
        packed = fields.get("unpack")
        if packed not in {None, True, False}:
            raise InvalidSetting(f"{setting}.unpack", packed, "true or false")
        found.append(_Asset(setting, name, _prefix(f"{setting}.url", fields.get("url")), bool(packed)))
    return found


def _variables(request: Mapping[str, Any]) -> dict[str, str]:
    environment = _typed(f"{_REQUEST}.environment", request.get("environment"), dict, "an object")
    variables: dict[str, str] = _typed(_VARIABLES, environment.get("environmentVariables"), dict, "an object")
    for name, value in variables.items():
        if not name or "=" in name or not isinstance(value, str) or "\0" in name + value:
            raise InvalidSetting(f"{_VARIABLES}.{name}", value, "an environment variable")
    return variables


def _driver(request: Mapping[str, Any]) -> str | None:
    driver = request.get("driverProgram")
    return None if driver is None else _within(f"{_REQUEST}.driverProgram", driver)


def _typed(setting: str, value: Any, kind: type, expected: str) -> Any:
    """The value, or an empty one for null and for nothing."""
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise InvalidSetting(setting, value, expected)
    return value


def _within(setting: str, path: Any) -> str:
    """A path that stays below the folder it is taken from."""
    if (
        not isinstance(path, str)
        or not path
        or "\0" in path
        or PurePosixPath(path).is_absolute()
        or ".." in PurePosixPath(path).parts
    ):
        raise InvalidSetting(setting, path, "a path within the uploaded folder")
    return path


def _prefix(setting: str, url: Any) -> str:
    """`LocalUpload/{container}/{path}` of `aml://artifact/LocalUpload/{container}/{path}`."""
    prefix = url.removeprefix(_SCHEME) if isinstance(url, str) else ""
    parts = prefix.split("/")
    if prefix == url or parts[0] != _ORIGIN or len(parts) < 3 or {"", ".", ".."} & set(parts) or "\0" in prefix:
        raise InvalidSetting(setting, url, f"an uploaded file: {_SCHEME}{_ORIGIN}/…")
    return prefix


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    """The folder while it is filled; gone if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Conflict(f"{folder} is not empty")
        try:
            yield
        except BaseException:
            scratch.remove(folder)
            raise
    except OSError as error:
        raise UnreadableFile(str(error.filename or folder), error.strerror or str(error)) from error


@contextmanager
def _fetched(
    setting: str, prefix: str, fetch: Fetch, folder: Path, tally: Tally
) -> Iterator[dict[PurePosixPath, Path]]:
    """The uploaded files below a prefix, by their path as seen from the folder that holds what the prefix names."""
    tally.subject = setting
    place = Path(tempfile.mkdtemp(dir=folder))
    try:
        try:
            paths = fetch(prefix, place, tally)
        except NotFound as error:
            raise NotFound(f"{setting}: {prefix} is not there: {error}") from error
        if not paths:
            raise NotFound(f"{setting}: {prefix} is not there")
        above = PurePosixPath(*PurePosixPath(prefix).parts[2:-1])
        yield {PurePosixPath(path).relative_to(above): place / path for path in paths}
    finally:
        scratch.remove(place)


def _place_models(models: Sequence[ModelFiles], fetch: Fetch, folder: Path, tally: Tally) -> Path:
    """Bring the models; returns `AZUREML_MODEL_DIR`."""
    root = folder / _MODELS
    root.mkdir()
    places = set()
    for model in models:
        place = root / model.name / str(model.version)
        places.add(place)
        place.mkdir(parents=True, exist_ok=True)
        for prefix in model.prefixes:
            with _fetched(f"model {model.name}:{model.version}", prefix, fetch, folder, tally) as files:
                for path, file in files.items():
                    _move(file, place / path)
    return places.pop() if len(places) == 1 else root


def _place(asset: _Asset, fetch: Fetch, folder: Path, tally: Tally) -> None:
    """One file, under the asset's id; or a folder of that name."""
    with _fetched(asset.setting, asset.prefix, fetch, folder, tally) as files:
        for path, file in files.items():
            try:
                _move(file, Path(folder, asset.id, *path.parts[1:]))
            except OSError as error:
                if not is_bad_name(error):
                    raise
                raise InvalidSetting(f"{asset.setting}.id", asset.id, "a path that is free for a file") from error


def _move(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    file.replace(to)


def _extract(asset: _Asset, fetch: Fetch, folder: Path, tally: Tally) -> None:
    with _fetched(asset.setting, asset.prefix, fetch, folder, tally.apart()) as files:
        if len(files) != 1:
            raise InvalidSetting(f"{asset.setting}.url", asset.prefix, f"one archive: there are {len(files)} files")
        tally.subject = f"{asset.setting} ({asset.id})"
        extract(next(iter(files.values())), folder, tally, setting=asset.setting, name=asset.id)


def _entry(variables: Mapping[str, str], driver: str | None, folder: Path) -> _Entry:
    if _ENTRY_SCRIPT in variables:
        script = _within(f"{_VARIABLES}.{_ENTRY_SCRIPT}", variables[_ENTRY_SCRIPT])
        source = variables.get(_SOURCE_DIRECTORY) or None
        return _Entry(script, source and _within(f"{_VARIABLES}.{_SOURCE_DIRECTORY}", source))
    if driver is None:
        raise InvalidSetting(f"{_VARIABLES}.{_ENTRY_SCRIPT}", None, "the entry script's path among the assets")
    program = folder / driver
    named = _read_driver(program.read_bytes()) if program.is_file() else None
    if named is None:
        return _Entry(driver, None)  # then it is the script itself
    setting = f"{_REQUEST}.driverProgram ({driver})"
    return _Entry(_within(setting, named.script), named.source_directory and _within(setting, named.source_directory))


def _read_driver(program: bytes) -> _Entry | None:
    """The script that a generated driver imports, and the folder that it adds to `sys.path`, without running it.

    The driver imports a file by `spec_from_file_location(name, location)`; the location, here or in a variable, is its own
    folder joined with the script's path. None: it does not do that exactly once.
    """
    try:
        return _imported(ast.parse(program))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # the container will say so when it starts


def _imported(tree: ast.Module) -> _Entry | None:
    nodes = list(ast.walk(tree))
    assigned = [(target, node.value) for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    values = {target.id: value for target, value in assigned if isinstance(target, ast.Name)}
    calls = [(ast.unparse(node.func), node.args) for node in nodes if isinstance(node, ast.Call)]
    scripts = [_joined(args[1], values) for called, args in calls if called.endswith(_IMPORTS) and len(args) == 2]
    sources = [_joined(args[0], values) for called, args in calls if called == "sys.path.append" and len(args) == 1]
    if len(scripts) != 1 or not scripts[0]:
        return None
    return _Entry(scripts[0], sources[0] or None if sources else None)


def _joined(node: ast.expr, values: Mapping[str, ast.expr]) -> str:
    """The text at the end of a path expression: `b/c` of `join(f(), "b", "c")`; nothing if it ends otherwise."""
    if isinstance(node, ast.Name):
        node = values.get(node.id, node)
    pieces: list[str] = []
    for piece in reversed(node.args if isinstance(node, ast.Call) else [node]):
        if not isinstance(piece, ast.Constant) or not isinstance(piece.value, str):
            break
        pieces.insert(0, piece.value)
    return os.path.join(*pieces) if pieces else ""  # noqa: PTH118 - as the driver does
