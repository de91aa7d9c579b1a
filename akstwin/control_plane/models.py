"""Files, assets and models."""

from datetime import UTC, datetime, timedelta

from akstwin.backend import AssetQuery, Json, JsonPatch, ModelQuery
from akstwin.clock import Micros
from akstwin.control_plane.dependencies import Dependencies
from akstwin.control_plane.numbering import Numbering
from akstwin.control_plane.repositories import Repositories
from akstwin.cores.registry import (
    AssetRecord,
    ModelRecord,
    asset_document,
    asset_matches,
    change_asset,
    change_model,
    create_asset,
    model_document,
    model_matches,
    register_model,
)
from akstwin.domain.documents import calendar_time, iso_time
from akstwin.domain.lifecycles import OperationState
from akstwin.domain.ordering import ordered
from akstwin.errors import InUse, InvalidSetting, NotFound
from akstwin.uploads import Tally


class Models:
    """Uploaded files by name, and models.

    Args:
        needs: the world's.
        records: keeps them.
        numbering: gives ids and versions.
    """

    def __init__(self, needs: Dependencies, records: Repositories, numbering: Numbering) -> None:
        self._needs = needs
        self._records = records
        self._numbering = numbering

    # -- assets

    def create_asset(self, payload: Json) -> Json:
        """Name uploaded files (NotFound: one of them is not there; InvalidSetting: they are more than an upload may hold)."""
        record = create_asset(payload, "", self._needs.clock.now())
        tally = Tally(self._needs.files.limits)
        for number, prefix in enumerate(record.prefixes):
            tally.subject = f"artifacts[{number}] ({prefix})"
            self._needs.files.check_size(prefix, tally)
        with self._records.transaction():
            record = record.model_copy(update={"id": self._numbering.next_id("assets")})
            self._records.assets.put(record.id, record)
        return asset_document(record, self._needs.epoch)

    def get_asset(self, asset_id: str) -> Json:
        """The asset (NotFound)."""
        return asset_document(self._asset(asset_id), self._needs.epoch)

    def find_assets(self, query: AssetQuery) -> list[Json]:
        """The assets that the query means, in its order."""
        found = (
            record
            for record in self._records.assets.all()
            if asset_matches(record, name=query.name, tags=query.tags, properties=query.properties, run_id=query.run_id)
        )
        in_order = ordered(found, query.order, lambda record: (record.name, record.id))
        return [asset_document(record, self._needs.epoch) for record in in_order]

    def patch_asset(self, asset_id: str, patch: JsonPatch) -> Json:
        """Change tags, description or metadata of an asset, or add properties (NotFound, InvalidSetting)."""
        record = change_asset(self._asset(asset_id), patch, self._needs.clock.now())
        self._records.assets.put(record.id, record)
        return asset_document(record, self._needs.epoch)

    def delete_asset(self, asset_id: str) -> None:
        """Forget an asset (NotFound; InUse while a model has its files by it)."""
        record = self._asset(asset_id)
        users = [model.id for model in self._records.models.all() if model.asset_id == record.id]
        if users:
            raise InUse(f"asset {record.id} has the files of {', '.join(users)}: delete that first")
        self._records.assets.delete(record.id)

    # -- models

    def register(self, payload: Json) -> Json:
        """Make the next version of a model (NotFound: its asset is not there)."""
        record = register_model(payload, 1, self._needs.clock.now())
        self._asset(record.asset_id)
        with self._records.transaction():
            record = record.model_copy(update={"version": self._numbering.next(f"models/{record.name}")})
            self._records.models.put(record.id, record)
        return model_document(record, self._needs.epoch)

    def get(self, model_id: str) -> Json:
        """The model `name:version` (NotFound)."""
        return model_document(self.record(model_id), self._needs.epoch)

    def find(self, query: ModelQuery) -> list[Json]:
        """The models that the query means, in its order."""
        records = ordered(self._records.models.all(), query.order, lambda record: (record.name, -record.version))
        if query.latest:
            newest: dict[str, int] = {}
            for record in records:
                newest[record.name] = max(record.version, newest.get(record.name, 0))
            records = [record for record in records if record.version == newest[record.name]]
        return [
            model_document(record, self._needs.epoch)
            for record in records
            if model_matches(
                record,
                name=query.name,
                framework=query.framework,
                tags=query.tags,
                properties=query.properties,
                run_id=query.run_id,
                description=query.description,
            )
        ]

    def patch(self, model_id: str, patch: JsonPatch) -> Json:
        """Change tags, properties or texts of a model (NotFound, InvalidSetting)."""
        record = change_model(self.record(model_id), patch, self._needs.clock.now())
        self._records.models.put(record.id, record)
        return model_document(record, self._needs.epoch)

    def delete(self, model_id: str) -> None:
        """Forget a model (NotFound; InUse while it is deployed)."""
        record = self.record(model_id)
        users = [service.name for service in self._records.services.all() if record.id in service.model_ids]
        if users:
            raise InUse(f"model {record.id} is deployed: {', '.join(users)} would lose it")
        self._records.models.delete(record.id)

    def metrics(self, model_id: str, start: str | None = None, end: str | None = None) -> Json:
        """How many deployments of a model have ended well and how many not, from one instant to another."""
        record = self.record(model_id)
        first = record.created if start is None else self._instant("startDate", start)
        last = self._needs.clock.now() if end is None else self._instant("endDate", end)
        if last < first:
            raise InvalidSetting("endDate", end, f"an instant from {iso_time(self._needs.epoch, first)} on")
        ended = [
            operation.state is OperationState.SUCCEEDED
            for operation in self._records.operations.all()
            if record.id in operation.models and operation.ended is not None and first <= operation.ended <= last
        ]
        return {
            "startTime": iso_time(self._needs.epoch, first),
            "endTime": iso_time(self._needs.epoch, last),
            "deploymentSummary": {
                "successfulDeployments": sum(ended),
                "unsuccessfulDeployments": len(ended) - sum(ended),
            },
        }

    def _instant(self, setting: str, text: str) -> Micros:
        """An instant of the clock."""
        try:
            time = datetime.fromisoformat(text)
            if time.tzinfo is None:
                time = time.replace(tzinfo=UTC)
            instant = Micros((time - calendar_time(self._needs.epoch, Micros(0))) // timedelta(microseconds=1))
            calendar_time(self._needs.epoch, instant)  # one that can be shown
        except (ValueError, TypeError, OverflowError):
            raise InvalidSetting(setting, text, "an instant in ISO 8601, such as 2020-09-13T12:26:40Z") from None
        return instant

    # -- what other parts need

    def check_file(self, prefix: str) -> None:
        """Refuse a path below which no file has been uploaded (NotFound)."""
        if not self._needs.files.has(prefix):
            raise NotFound(f"no file {prefix} has been uploaded")

    def _asset(self, asset_id: str) -> AssetRecord:
        record = self._records.assets.get(asset_id)
        if record is None:
            raise NotFound(f"asset {asset_id} is not there")
        return record

    def record(self, model_id: str) -> ModelRecord:
        """The record of a model (NotFound)."""
        record = self._records.models.get(model_id)
        if record is None:
            raise NotFound(f"model {model_id} is not registered")
        return record
