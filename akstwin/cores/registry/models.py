"""Registered models: versions 1, 2, … of each name (wire §5)."""

from collections.abc import Sequence
from typing import Any, Final

from akstwin.clock import Micros
from akstwin.cores.registry.reading import Kept, read_list, read_name, read_object, read_text
from akstwin.domain.documents import Json, check_kept, check_keys, has, iso_time, text_pairs
from akstwin.domain.forms import DATASET, RESOURCES, Refuse, fitted, refuse
from akstwin.domain.patches import Tokens, patched
from akstwin.domain.words import nearest
from akstwin.errors import InvalidSetting


class ModelRecord(Kept):
    """One version of a model.

    Attributes:
        name: of the model.
        version: 1, 2, …; the number of a version that was deleted is not given again.
        url: `aml://asset/{id}`: its files.
        mime_type: of the url.
        unpack: whether its files are an archive.
        framework: `ScikitLearn`, `Onnx`, `TensorFlow`, `Custom`, …
        framework_version: as text.
        description: in words.
        tags: free to change.
        properties: can only be added to.
        datasets: `{name, id}` each.
        experiment_name: that made it.
        run_id: that made it.
        parent_model_id: kept as it is.
        sample_input: kept as it is.
        sample_output: kept as it is.
        resources: `{cpu, memoryInGB, gpu, fpga}`.
        created: when.
        updated: when last; None: never.
    """

    name: str
    version: int
    url: str
    mime_type: str | None = None
    unpack: bool = False
    framework: str | None = None
    framework_version: str | None = None
    description: str | None = None
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}
    datasets: tuple[Json, ...] = ()
    experiment_name: str | None = None
    run_id: str | None = None
    parent_model_id: str | None = None
    sample_input: str | None = None
    sample_output: str | None = None
    resources: Json | None = None
    created: Micros
    updated: Micros | None = None

    @property
    def id(self) -> str:
        """What it is asked for by."""
        return f"{self.name}:{self.version}"

    @property
    def asset_id(self) -> str:
        """The asset with its files."""
        return self.url.removeprefix(ASSET_URL)


ASSET_URL: Final = "aml://asset/"
_PATCHABLE: Final = (
    "kvTags", "properties", "description", "sampleInputData", "sampleOutputData", "resourceRequirements", "datasets",
)  # fmt: skip
_TEXTS: Final = {
    "mime_type": "mimeType",
    "framework": "framework",
    "framework_version": "frameworkVersion",
    "experiment_name": "experimentName",
    "run_id": "runId",
    "parent_model_id": "parentModelId",
}
"""Text that no patch changes, by its place on the wire."""
_KNOWN: Final = ("name", "url", "unpack", *_TEXTS.values(), *_PATCHABLE)


def register_model(payload: Json, version: int, now: Micros) -> ModelRecord:
    """The record of a new version of a model.

    Args:
        payload: as the SDK sends it.
        version: its number.
        now: the present.

    Raises:
        InvalidSetting: a value is refused.
    """
    given = read_object("model", payload)
    check_keys("", given, _KNOWN)
    name = read_name("name", given.get("name"))
    url = given.get("url")
    if not isinstance(url, str) or not url.removeprefix(ASSET_URL) or not url.startswith(ASSET_URL):
        raise InvalidSetting("url", url, f"an asset: {ASSET_URL} and its id")
    unpack = given.get("unpack")
    if unpack is not None and not isinstance(unpack, bool):
        raise InvalidSetting("unpack", unpack, "true or false")
    return ModelRecord(
        name=name,
        version=version,
        url=url,
        unpack=bool(unpack),
        created=now,
        **{field: read_text(key, given.get(key)) for field, key in _TEXTS.items()},
        **_changeable(given),
    )


def change_model(record: ModelRecord, patch: Sequence[Json], now: Micros) -> ModelRecord:
    """A model after a patch, wholly or not at all.

    Raises:
        InvalidSetting: a path that cannot be patched, or a value that is refused.
    """
    document = {
        "kvTags": record.tags,
        "properties": record.properties,
        "description": record.description,
        "sampleInputData": record.sample_input,
        "sampleOutputData": record.sample_output,
        "resourceRequirements": record.resources,
        "datasets": list(record.datasets),
    }
    after, _ = patched(document, patch, _place)
    fields = _changeable(after)
    check_kept("properties", record.properties, fields["properties"])
    return record.model_copy(update={**fields, "updated": now})


def model_document(record: ModelRecord, epoch: float) -> Json:
    """The document of a model (wire §5)."""
    return {
        "id": record.id,
        "name": record.name,
        "version": record.version,
        "framework": record.framework,
        "frameworkVersion": record.framework_version,
        "url": record.url,
        "mimeType": record.mime_type,
        "description": record.description,
        "createdTime": iso_time(epoch, record.created),
        "modifiedTime": iso_time(epoch, record.created if record.updated is None else record.updated),
        "unpack": record.unpack,
        "parentModelId": record.parent_model_id,
        "runId": record.run_id,
        "experimentName": record.experiment_name,
        "kvTags": dict(record.tags),
        "properties": dict(record.properties),
        "derivedModelIds": [],
        "datasets": [{**dict.fromkeys(DATASET.fields), **dataset} for dataset in _datasets(record.datasets, None)],
        "sampleInputData": record.sample_input,
        "sampleOutputData": record.sample_output,
        "resourceRequirements": None
        if record.resources is None
        else {**dict.fromkeys(RESOURCES.fields), **fitted(RESOURCES, record.resources, "", None)},
        "createdBy": None,
    }


def model_matches(
    record: ModelRecord,
    *,
    name: str | None = None,
    framework: str | None = None,
    tags: Sequence[tuple[str, str | None]] = (),
    properties: Sequence[tuple[str, str | None]] = (),
    run_id: str | None = None,
    description: str | None = None,
) -> bool:
    """Whether a model is one that a list asks for (wire §5); all that is given must hold.

    Args:
        record: the model.
        name: its name.
        framework: its framework.
        tags: keys, with a value where one is wanted.
        properties: likewise.
        run_id: the run that made it.
        description: all of it.
    """
    return (
        name in (None, record.name)
        and framework in (None, record.framework)
        and run_id in (None, record.run_id)
        and description in (None, record.description)
        and has(record.tags, tags)
        and has(record.properties, properties)
    )


def _changeable(given: Json) -> dict[str, Any]:
    resources = given.get("resourceRequirements")
    return {
        "tags": text_pairs("kvTags", given.get("kvTags")),
        "properties": text_pairs("properties", given.get("properties")),
        "description": read_text("description", given.get("description")),
        "sample_input": read_text("sampleInputData", given.get("sampleInputData")),
        "sample_output": read_text("sampleOutputData", given.get("sampleOutputData")),
        "resources": None
        if resources is None
        else fitted(RESOURCES, read_object("resourceRequirements", resources), "resourceRequirements", refuse),
        "datasets": tuple(_datasets(read_list("datasets", given.get("datasets")), refuse)),
    }


def _datasets(given: Sequence[Json], wrong: Refuse | None) -> list[Json]:
    """References to data sets: clients fail on one without an id."""
    found = []
    for number, dataset in enumerate(given):
        path = f"datasets[{number}]"
        if isinstance(dataset.get("id"), str):
            found.append(fitted(DATASET, dataset, path, wrong))
        elif wrong is not None:
            wrong(f"{path}.id", dataset.get("id"), "the id of a data set")
    return found


def _place(operation: str, tokens: Tokens) -> Tokens:
    if tokens[0] not in _PATCHABLE:
        expected = f"possible: a patch of a model changes {', '.join(_PATCHABLE)}{nearest(tokens[0], _PATCHABLE)}"
        raise InvalidSetting("/" + "/".join(tokens), operation, expected)
    if tokens[0] in ("kvTags", "properties") and len(tokens) > 1:
        return (tokens[0], "/".join(tokens[1:]))
    return tokens
