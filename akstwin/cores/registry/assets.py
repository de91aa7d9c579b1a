"""Assets: names for uploaded files (wire §5)."""

from akstwin.clock import Micros
from akstwin.cores.registry.reading import Kept, read_list, read_name, read_object, read_text
from akstwin.domain.documents import Json, check_keys, iso_time, text_pairs
from akstwin.errors import InvalidSetting


class AssetRecord(Kept):
    """An asset.

    Attributes:
        id: in the workspace.
        name: what it was called.
        artifacts: `{prefix}` each: `LocalUpload/…`.
        tags: its own.
        properties: its own.
        meta: kept as it is.
        type: likewise.
        run_id: the run that made it.
        created: when.
    """

    id: str
    name: str
    artifacts: tuple[Json, ...]
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}
    meta: Json = {}
    type: str | None = None
    run_id: str | None = None
    created: Micros

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The paths of its files."""
        return tuple(artifact["prefix"] for artifact in self.artifacts)


def create_asset(payload: Json, asset_id: str, now: Micros) -> AssetRecord:
    """The record of a new asset.

    Raises:
        InvalidSetting: a value is refused.
    """
    given = read_object("asset", payload)
    check_keys("", given, ("name", "artifacts", "kvTags", "properties", "runid", "meta", "type"))
    artifacts = read_list("artifacts", given.get("artifacts"))
    if not artifacts:
        raise InvalidSetting("artifacts", given.get("artifacts"), "a list with at least one uploaded file")
    for number, artifact in enumerate(artifacts):
        prefix = artifact.get("prefix") or artifact.get("id")
        if not isinstance(prefix, str):
            raise InvalidSetting(f"artifacts[{number}].prefix", prefix, "the path of an uploaded file")
        artifact["prefix"] = prefix
    return AssetRecord(
        id=asset_id,
        name=read_name("name", given.get("name")),
        artifacts=tuple(artifacts),
        tags=text_pairs("kvTags", given.get("kvTags")),
        properties=text_pairs("properties", given.get("properties")),
        meta=read_object("meta", given.get("meta")),
        type=read_text("type", given.get("type")),
        run_id=read_text("runid", given.get("runid")),
        created=now,
    )


def asset_document(record: AssetRecord, epoch: float) -> Json:
    """The document of an asset (wire §5)."""
    return {
        "id": record.id,
        "name": record.name,
        "artifacts": [dict(artifact) for artifact in record.artifacts],
        "kvTags": dict(record.tags),
        "properties": dict(record.properties),
        "meta": dict(record.meta),
        "type": record.type,
        "runid": record.run_id,
        "createdTime": iso_time(epoch, record.created),
    }
