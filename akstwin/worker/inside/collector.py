"""Model data collection: the class scripts import from `azureml.monitoring`, writing to a folder instead of blob storage.

Rows go to `modeldata/<subscription>/<resource group>/<workspace>/<service>/<model>/<version>/<designation>/<year>/<month>/
<day>/data.csv`, the layout of the documentation; the date is the caller's, so that a simulated month fills thirty folders.
Collection off: the class works, says so once, and writes nothing.
"""

import csv
import fcntl
import io
import os
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .journal import moment

DESIGNATIONS = ("inputs", "predictions", "labels", "signals", "general")
_NAMED_FILES = ("signals", "general")
"""Only these use `collection_name`, says the reference page."""


class Collection:
    """Where the rows of this worker go, and what the platform knows; `serve` fills it in."""

    folder: str | None = None
    workspace = "default/default/default"
    service = "default"
    models: Mapping[str, str] = {}
    request_id = "00000000-0000-0000-0000-000000000000"
    collected = 0


class ModelDataCollector:
    """Collects a model's inputs or predictions as rows of CSV files.

    Args:
        model_name: the model; its newest deployed version is looked up.
        designation: `inputs`, `predictions`, `labels`, `signals` or `general`, which is the default.
        feature_names: the header of the files.
        workspace: `<subscription>/<resource group>/<workspace>`; known in a deployment.
        webservice_name: known in a deployment.
        model_version: known in a deployment.
        collection_name: the files' name, for `signals` and `general`.
    """

    AML_DC_CORRELATION_HEADER = "$aml_dc_correlation_id"
    AML_DC_SCORING_TIMESTAMP_HEADER = "$aml_dc_scoring_timestamp"
    AML_DC_BOUNDARY_HEADER = "$aml_dc_boundary"
    AML_WORKSPACE_HEADER = "$aml_workspace"
    AML_SERVICE_NAME_HEADER = "$aml_service_name"
    AML_MODEL_NAME_HEADER = "$aml_model_name"
    AML_MODEL_VERSION_HEADER = "$aml_model_version"
    AML_REQUEST_ID_HEADER = "$aml_request_id"

    def __init__(
        self,
        model_name: str,
        designation: str = "default",
        feature_names: Sequence[str] | None = None,
        workspace: str = "default/default/default",
        webservice_name: str = "default",
        model_version: str = "default",
        collection_name: str = "default",
    ) -> None:
        self.model_name = model_name
        self._feature_names = list(feature_names) if feature_names is not None else None
        self._correlated = False
        self._designation = "general" if designation == "default" else designation
        self._enabled = Collection.folder is not None
        if not self._enabled:
            print("Data collection is not enabled: the service was deployed without it.")  # noqa: T201 - for the script's log
        elif self._designation not in DESIGNATIONS:
            known = ", ".join(DESIGNATIONS)
            print(f"Data is not collected: {designation!r} is not one of {known}.")  # noqa: T201
            self._enabled = False
        self.workspace = workspace if workspace != "default/default/default" else Collection.workspace
        self.service_name = webservice_name if webservice_name != "default" else Collection.service
        self.model_version = str(model_version)
        if self.model_version == "default":
            self.model_version = Collection.models.get(model_name, "default")
        named = collection_name != "default" and self._designation in _NAMED_FILES
        self.filename = f"{collection_name}.csv" if named else "data.csv"

    def collect(self, input_data: Any, user_correlation_id: str = "") -> dict[str, Any] | None:
        """Append rows: a list is one row, or several if it holds lists; arrays and data frames are tables.

        Returns:
            For `inputs`, what `add_correlations` adds to the rows of other collectors; else nothing.
        """
        if not self._enabled:
            return None
        correlations = None
        if self._designation == "inputs":
            correlations = self._correlations(user_correlation_id)
            input_data = self.add_correlations(input_data, correlations)
        table = _table(input_data)
        if table is None:
            return None
        header, rows = table
        self._append(header or self._header(), rows)
        return correlations

    def add_correlations(self, input_data: Any, correlations: Mapping[str, Any] | None) -> Any:
        """The data with the columns that `collect` of an `inputs` collector returned."""
        if correlations is None:
            return input_data
        self._correlated = True
        if hasattr(input_data, "toPandas"):
            input_data = input_data.toPandas()
        if hasattr(input_data, "columns") and hasattr(input_data, "assign"):
            return input_data.assign(**{name: correlations[name] for name in self._correlation_names()})
        table = _table(input_data)
        if table is None:
            return input_data
        more = [correlations[name] for name in self._correlation_names()]
        rows = [[*row, *more] for row in table[1]]
        return rows[0] if isinstance(input_data, list) and not _is_rows(input_data) else rows

    @classmethod
    def _correlation_names(cls) -> list[str]:
        return [
            cls.AML_DC_CORRELATION_HEADER,
            cls.AML_DC_SCORING_TIMESTAMP_HEADER,
            cls.AML_DC_BOUNDARY_HEADER,
            cls.AML_WORKSPACE_HEADER,
            cls.AML_SERVICE_NAME_HEADER,
            cls.AML_MODEL_NAME_HEADER,
            cls.AML_MODEL_VERSION_HEADER,
            cls.AML_REQUEST_ID_HEADER,
        ]

    def _correlations(self, user_correlation_id: str) -> dict[str, Any]:
        Collection.collected += 1
        name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{Collection.request_id}/{Collection.collected}"))
        values = (
            f"{user_correlation_id}-{name}" if user_correlation_id else name,
            moment.at.replace(tzinfo=None).isoformat(),
            60 * 24,  # minutes that one file covers
            self.workspace,
            self.service_name,
            self.model_name,
            self.model_version,
            Collection.request_id,
        )
        return dict(zip(self._correlation_names(), values, strict=True))

    def _header(self) -> list[str] | None:
        if self._feature_names is None:
            return None
        return [*self._feature_names, *(self._correlation_names() if self._correlated else ())]

    def _append(self, header: list[str] | None, rows: list[list[Any]]) -> None:
        day = moment.at
        names = (*self.workspace.split("/"), self.service_name, self.model_name, self.model_version, self._designation)
        dated = (f"{day:%Y}", f"{day:%m}", f"{day:%d}")
        folder = Path(str(Collection.folder), "modeldata", *map(_segment, names), *dated)
        folder.mkdir(parents=True, exist_ok=True)
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        with (folder / _segment(self.filename)).open("a", encoding="utf-8", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # other replicas append to the same file
            if header is not None and not os.fstat(file.fileno()).st_size:
                writer.writerow(header)
            writer.writerows(rows)
            file.write(text.getvalue())


def _segment(name: str) -> str:
    """One folder's name: a model called `../../x` doesn't leave the collection."""
    safe = name.replace("/", "_").replace("\\", "_").replace("\0", "_")
    return "_" if safe in {"", ".", ".."} else safe


def _is_rows(data: Sequence[Any]) -> bool:
    return bool(data) and all(isinstance(row, list | tuple) for row in data)


def _table(data: Any) -> tuple[list[str] | None, list[list[Any]]] | None:
    """Header, where the data has one, and rows; None, with a warning, for what is no table."""
    if hasattr(data, "toPandas"):  # Spark
        data = data.toPandas()
    if hasattr(data, "columns") and hasattr(data, "itertuples"):  # pandas
        rows = [list(row) for row in data.itertuples(index=False, name=None)]
        return [str(name) for name in data.columns], rows
    tolist: Callable[[], Any] | None = getattr(data, "tolist", None)
    if tolist is not None and bool(getattr(data, "ndim", None)):  # numpy
        data = tolist()
    if isinstance(data, list):
        return None, [list(row) for row in data] if _is_rows(data) else [data]
    warnings.warn("data not collected: expected a list, a numpy array, or a pandas or Spark data frame", stacklevel=3)
    return None
