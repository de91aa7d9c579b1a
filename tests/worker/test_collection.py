"""Model data collection: rows in the documented layout, dated by the caller's clock, and nothing at all when it is off."""

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest

from akstwin.worker import DataCollection, Reply

SCRIPT = """
    from azureml.monitoring import ModelDataCollector
    def init():
        global inputs, predictions
        inputs = ModelDataCollector("best_model", designation="inputs", feature_names=["a", "b"])
        predictions = ModelDataCollector("best_model", designation="predictions", feature_names=["p"])
    def run(data):
        correlations = inputs.collect([[1, 2], [3, "x,y"]])
        predictions.collect([0.5])
        return correlations
"""


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """The folder that stands for the storage account."""
    return tmp_path / "storage"


@pytest.fixture
def collecting(storage: Path) -> dict[str, Any]:
    """What a spec says when `collect_model_data=True`."""
    collection = DataCollection(storage, "1a2b", "myresourcegrp", {"best_model": 10})
    return {"collection": collection, "service_name": "fraud", "workspace_name": "myWorkspace"}


def files(storage: Path) -> dict[str, list[list[str]]]:
    """Path below the storage, and rows."""
    found = sorted(path for path in storage.rglob("*") if path.is_file())
    texts = {path: io.StringIO(path.read_bytes().decode(), newline="") for path in found}
    return {str(path.relative_to(storage)): list(csv.reader(text)) for path, text in texts.items()}


def test_rows_go_to_the_documented_path(worker: Any, ask: Any, storage: Path, collecting: dict[str, Any]) -> None:
    """One folder for each day of the caller's clock; the header once; inputs carry correlations."""
    replica = worker(SCRIPT, **collecting)
    days = [dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC), dt.datetime(2027, 1, 1, tzinfo=dt.UTC)]
    replies = [ask(replica, at=day, headers=(("x-request-id", f"r{day.year}"),)) for day in (days[0], *days)]
    base = "modeldata/1a2b/myresourcegrp/myWorkspace/fraud/best_model/10"
    found = files(storage)
    assert set(found) == {
        f"{base}/{kind}/{day}/data.csv" for kind in ("inputs", "predictions") for day in ("2026/12/31", "2027/01/01")
    }
    assert found[f"{base}/predictions/2026/12/31/data.csv"] == [["p"], ["0.5"], ["0.5"]]
    inputs = found[f"{base}/inputs/2026/12/31/data.csv"]
    assert inputs[0][:5] == ["a", "b", "$aml_dc_correlation_id", "$aml_dc_scoring_timestamp", "$aml_dc_boundary"]
    assert [row[:2] for row in inputs[1:]] == [["1", "2"], ["3", "x,y"]] * 2
    assert inputs[1][3:] == [
        "2026-12-31T23:59:00",
        "1440",
        "1a2b/myresourcegrp/myWorkspace",
        "fraud",
        "best_model",
        "10",
        "r2026",
    ]
    said = json.loads(replies[0].body)
    assert said["$aml_dc_correlation_id"] == inputs[1][2] == inputs[2][2]
    assert said["$aml_request_id"] == "r2026"
    assert inputs[3][2] != inputs[1][2]


def test_off_writes_nothing_and_works(worker: Any, ask: Any, tmp_path: Path) -> None:
    """The script runs as it is, and the log says why there is no data."""
    replica = worker(SCRIPT)
    before = sorted(tmp_path.rglob("*"))
    assert ask(replica).body == b"{}"
    assert sorted(tmp_path.rglob("*")) == before
    assert "Data collection is not enabled" in replica.logs()


@pytest.mark.parametrize(
    ("collect", "rows"),
    [
        ("[1, 2]", [["1", "2"]]),
        ("[[1, 2], (3, 4)]", [["1", "2"], ["3", "4"]]),
        ("[]", [[]]),
        ("np.array([1.5, 2])", [["1.5", "2.0"]]),
        ("np.array([[1, 2], [3, 4]])", [["1", "2"], ["3", "4"]]),
        ("Frame()", [["x", "y"], ["1", "2"], ["3", "4"]]),
        ("Spark()", [["x", "y"], ["1", "2"], ["3", "4"]]),
        ("['é', None, 'a\\nb']", [["é", "", "a\nb"]]),
    ],
)
def test_tables_of_every_kind(
    worker: Any, ask: Any, storage: Path, collecting: dict[str, Any], collect: str, rows: list[list[str]]
) -> None:
    """Lists, arrays, and what behaves like a pandas or a Spark data frame (neither is installed here)."""
    script = f"""
        import numpy as np
        from azureml.monitoring.modeldatacollector import ModelDataCollector
        class Frame:
            columns = ["x", "y"]
            def itertuples(self, index, name): return iter([(1, 2), (3, 4)])
        class Spark:
            def toPandas(self): return Frame()
        def init(): pass
        def run(data): ModelDataCollector("other", "predictions").collect({collect})
    """
    assert isinstance(ask(worker(script, **collecting)), Reply)
    ((path, found),) = files(storage).items()
    assert found == rows
    assert path == "modeldata/1a2b/myresourcegrp/myWorkspace/fraud/other/default/predictions/2026/07/01/data.csv"


@pytest.mark.parametrize("collect", ["5", "'text'", "None", "np.array(5)", "object()"])
def test_what_is_no_table_is_warned_of_and_not_written(
    worker: Any, ask: Any, storage: Path, collecting: dict[str, Any], collect: str
) -> None:
    """The run goes on."""
    script = f"""
        import numpy as np
        from azureml.monitoring import ModelDataCollector
        def init(): pass
        def run(data): return ModelDataCollector("m", "predictions").collect({collect})
    """
    reply = ask(worker(script, **collecting))
    assert reply.body == b"{}"
    assert "data not collected" in reply.logs
    assert not files(storage)


def test_correlations_are_added_to_other_collectors_rows(
    worker: Any, ask: Any, storage: Path, collecting: dict[str, Any]
) -> None:
    """As the reference page shows it."""
    script = """
        from azureml.monitoring import ModelDataCollector
        def init():
            global inputs, signals
            inputs = ModelDataCollector("m", designation="inputs", feature_names=["f"], model_version="3")
            signals = ModelDataCollector("m", "signals", ["s"], "a/b/c", "other", collection_name="clicks")
        def run(data):
            correlations = inputs.collect([7], user_correlation_id="loan-1")
            signals.collect(signals.add_correlations([9], correlations))
            return correlations
    """
    said = json.loads(ask(worker(script, **collecting)).body)
    found = files(storage)
    clicks = found["modeldata/a/b/c/other/m/default/signals/2026/07/01/clicks.csv"]
    assert clicks == [["s", *said], ["9", *map(str, said.values())]]
    assert said["$aml_dc_correlation_id"].startswith("loan-1-")
    assert next(iter(found)).startswith("modeldata/1a2b/myresourcegrp/myWorkspace/fraud/m/3/inputs/")


def test_names_cannot_lead_out_of_the_storage(worker: Any, ask: Any, storage: Path, collecting: dict[str, Any]) -> None:
    """A model called `../../x` is a folder of that kind, below the storage."""
    script = """
        from azureml.monitoring import ModelDataCollector
        def init(): pass
        def run(data):
            for name in ("../../x", "..", "", "a/b"): ModelDataCollector(name, "general", None, "../../..").collect([1])
    """
    assert ask(worker(script, **collecting)).status == 200
    found = list(files(storage))
    assert len(found) == 3
    assert all(path.startswith("modeldata/_/_/_/fraud/") for path in found)


def test_an_unknown_designation_and_an_unknown_parameter(
    worker: Any, ask: Any, storage: Path, collecting: dict[str, Any]
) -> None:
    """The first is said in the log and collects nothing; the old name `identifier` is an error, as in the package."""
    script = """
        from azureml.monitoring import ModelDataCollector
        def init(): pass
        def run(data):
            ModelDataCollector("m", "other").collect([1])
            ModelDataCollector("m", identifier="inputs")
    """
    reply = ask(worker(script, **collecting))
    assert reply.run_failed
    assert "'other' is not one of inputs, predictions, labels, signals, general" in reply.logs
    assert not files(storage)


def test_a_real_package_is_found_before_the_offered_one(worker: Any, ask: Any, tmp_path: Path) -> None:
    """Whatever is installed wins; ours fills the rest of the namespace."""
    package = tmp_path / "app" / "azureml"
    (package / "core").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "core" / "__init__.py").write_text("MINE = 1\n")
    (package / "monitoring.py").write_text("class ModelDataCollector: origin = 'real'\n")
    script = """
        import azureml.core
        from azureml.monitoring import ModelDataCollector
        from azureml.contrib.services.aml_response import AMLResponse
        def init(): pass
        def run(data): return [azureml.core.MINE, ModelDataCollector.origin, AMLResponse.__module__]
    """
    assert json.loads(ask(worker(script)).body) == [1, "real", "_akstwin_inside.web"]
