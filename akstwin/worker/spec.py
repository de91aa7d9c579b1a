"""What a worker is to run, within which limits, and what it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from sys import executable
from typing import Final, NamedTuple

from akstwin.clock import Micros
from akstwin.errors import InvalidSetting

MEGABYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a script may take. Times are real ones: they protect the caller, and never move a virtual clock.

    Attributes:
        init_seconds: for the import and `init()`.
        run_seconds: for one call of `run()`.
        end_seconds: for the operating system, to end what was killed.
        log_bytes: how much of stdout and stderr is kept.
        body_bytes: the longest request and the longest reply. The router refuses longer requests before (R2).
        memory_bytes: address space; None leaves it unlimited. A script over it sees `MemoryError`, not an OOM kill.
    """

    init_seconds: float = 60.0
    run_seconds: float = 60.0
    end_seconds: float = 5.0
    log_bytes: int = MEGABYTE
    body_bytes: int = 100 * MEGABYTE
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("init_seconds", "run_seconds", "end_seconds", "log_bytes", "body_bytes", "memory_bytes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidSetting(f"limits.{name}", value, "more than 0")


@dataclass(frozen=True, slots=True)
class DataCollection:
    """Where collected model data goes.

    Attributes:
        folder: stands for the storage account; rows go to `modeldata/…` below it.
        subscription: the first folder below.
        resource_group: the second.
        models: the newest deployed version of each model, by the model's name.
    """

    folder: Path
    subscription: str
    resource_group: str
    models: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One container's content.

    Attributes:
        folder: what was uploaded; `AML_APP_ROOT`, and the working directory.
        entry_script: the script, relative to `folder` (`score.py`, or `source/score.py` with a source directory).
        source_directory: relative to `folder`; modules in it can be imported.
        model_dir: `AZUREML_MODEL_DIR`.
        service_name: `SERVICE_NAME`.
        service_version: `SERVICE_VERSION`.
        path_prefix: `SERVICE_PATH_PREFIX`, the path before `/score` in the API description.
        workspace_name: `WORKSPACE_NAME`.
        environment: the user's own variables.
        collection: model data collection; None is off.
        limits: what the script may take.
        python: the interpreter whose packages the script sees.
        container: which of the service's it is; tells their request ids apart.
        namespace: take a process-id namespace where the system grants one (`inside.keeper`).
    """

    folder: Path
    entry_script: str
    source_directory: str | None = None
    model_dir: Path | None = None
    service_name: str = "ML service"
    service_version: str = "1.0"
    path_prefix: str = ""
    workspace_name: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    collection: DataCollection | None = None
    limits: Limits = Limits()
    python: str = executable
    container: int = 0
    namespace: bool = True

    def __post_init__(self) -> None:
        for name in ("entry_script", "source_directory"):
            path = PurePosixPath(getattr(self, name) or ".")
            if path.is_absolute() or ".." in path.parts:
                raise InvalidSetting(name, getattr(self, name), "a path within the uploaded folder")
        for name, value in self.environment.items():
            if not name or "=" in name or "\0" in name + value:
                raise InvalidSetting(f"environment.{name}", value, "an environment variable")


class Request(NamedTuple):
    """One request as the container gets it.

    Attributes:
        at: when, by the caller's clock; dates collected data and the log.
        body: the bytes.
        headers: names and values; a content type belongs here.
        method: `POST`, `GET`, …
        path: `/score`, `/swagger.json`, or `/` for health.
        query: what stands behind the question mark.
        takes: the run time that the reply's header reports; None: the real one.
    """

    at: datetime
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    path: str = "/score"
    query: str = ""
    takes: Micros | None = None
