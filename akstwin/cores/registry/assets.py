"""Assets: names for uploaded files (wire §5)."""

from collections.abc import Sequence
from typing import Final

from akstwin.clock import Micros
from akstwin.cores.registry.reading import Kept, read_list, read_name, read_object, read_text
from akstwin.domain.documents import Json, check_kept, check_keys, has, iso_time, text_pairs
from akstwin.domain.patches import Tokens, patched
from akstwin.domain.words import nearest
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
        description: in words.
        created: when.
        updated: when last; None: never.
    """

    id: str
    name: str
    artifacts: tuple[Json, ...]
    tags: dict[str, str] = {}
    properties: dict[str, str] = {}
    meta: Json = {}
    type: str | None = None
    run_id: str | None = None
    description: str | None = None
    created: Micros
    updated: Micros | None = None

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The paths of its files."""
        return tuple(artifact["prefix"] for artifact in self.artifacts)


_KNOWN: Final = ("name", "description", "artifacts", "kvTags", "properties", "runid", "meta", "type")
_PATCHABLE: Final = ("kvTags", "properties", "description", "meta")


def create_asset(payload: Json, asset_id: str, now: Micros) -> AssetRecord:
    """The record of a new asset.

    Raises:
        InvalidSetting: a value is refused.
    """
    given = read_object("asset", payload)
    check_keys("", given, _KNOWN)
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
        description=read_text("description", given.get("description")),
        created=now,
    )


def change_asset(record: AssetRecord, patch: Sequence[Json], now: Micros) -> AssetRecord:
    """An asset after a patch, wholly or not at all.

    Raises:
        InvalidSetting: a path that cannot be patched, or a value that is refused.
    """
    document = {
        "kvTags": record.tags,
        "properties": record.properties,
        "description": record.description,
        "meta": record.meta,
    }
    after, _ = patched(document, patch, _place)
    properties = text_pairs("properties", after.get("properties"))
    check_kept("properties", record.properties, properties)
    return record.model_copy(
        update={
            "tags": text_pairs("kvTags", after.get("kvTags")),
            "properties": properties,
            "description": read_text("description", after.get("description")),
            "meta": read_object("meta", after.get("meta")),
            "updated": now,
        }
    )


def asset_matches(
    record: AssetRecord,
    *,
    name: str | None = None,
    tags: Sequence[tuple[str, str | None]] = (),
    properties: Sequence[tuple[str, str | None]] = (),
    run_id: str | None = None,
) -> bool:
    """Whether an asset is one that a list asks for (wire §12); all that is given must hold.

    Args:
        record: the asset.
        name: its name.
        tags: keys, with a value where one is wanted.
        properties: the same for its properties.
        run_id: the run that made it.
    """
    return (
        name in (None, record.name)
        and run_id in (None, record.run_id)
        and has(record.tags, tags)
        and has(record.properties, properties)
    )


def asset_document(record: AssetRecord, epoch: float) -> Json:
    """The document of an asset (wire §5)."""
    return {
        "id": record.id,
        "name": record.name,
        "description": record.description,
        "artifacts": [dict(artifact) for artifact in record.artifacts],
        "kvTags": dict(record.tags),
        "properties": dict(record.properties),
        "meta": dict(record.meta),
        "type": record.type,
        "runid": record.run_id,
        "createdTime": iso_time(epoch, record.created),
    }


def _place(operation: str, tokens: Tokens) -> Tokens:
    if tokens[0] not in _PATCHABLE:
        expected = f"possible: a patch of an asset changes {', '.join(_PATCHABLE)}{nearest(tokens[0], _PATCHABLE)}"
        raise InvalidSetting("/" + "/".join(tokens), operation, expected)
    if tokens[0] in ("kvTags", "properties") and len(tokens) > 1:
        return (tokens[0], "/".join(tokens[1:]))
    return tokens
