"""The manager's verbs for files, assets, models and environments."""

from collections.abc import Mapping
from pathlib import Path

from akstwin.backend import Json, JsonPatch, ModelQuery
from akstwin.cores.registry import (
    CURATED_ENVIRONMENTS,
    AssetRecord,
    EnvironmentRecord,
    ModelRecord,
    asset_document,
    change_model,
    create_asset,
    curated_environment,
    model_document,
    model_matches,
    register_environment,
    register_model,
)
from akstwin.domain.words import nearest
from akstwin.errors import InUse, NotFound
from akstwin.manager.office import Office


class ModelVerbs(Office):
    """Files, assets, models, environments."""

    # -- files

    def upload(self, container: str, files: Mapping[str, Path]) -> str:
        """Keep files; returns `LocalUpload/{container}`, where they are found."""
        return self.files.upload(container, files)

    def download(self, prefix: str, target: Path) -> list[Path]:
        """Write files into a folder; returns their paths below it (NotFound)."""
        return self.files.download(prefix, target)

    # -- assets

    def create_asset(self, payload: Json) -> Json:
        """Name uploaded files (NotFound: one of them is not there)."""
        record = create_asset(payload, "", self._now)
        for prefix in record.prefixes:
            self._check_file(prefix)
        record = record.model_copy(update={"id": self._next_id("assets")})
        self._shelves.assets.put(record.id, record)
        return asset_document(record, self.epoch)

    def get_asset(self, asset_id: str) -> Json:
        """The asset (NotFound)."""
        return asset_document(self._asset(asset_id), self.epoch)

    # -- models

    def register_model(self, payload: Json) -> Json:
        """Make the next version of a model (NotFound: its asset is not there)."""
        record = register_model(payload, 1, self._now)
        self._asset(record.asset_id)
        record = record.model_copy(update={"version": self._next(f"models/{record.name}")})
        self._shelves.models.put(record.id, record)
        return model_document(record, self.epoch)

    def get_model(self, model_id: str) -> Json:
        """The model `name:version` (NotFound)."""
        return model_document(self._model(model_id), self.epoch)

    def list_models(self, query: ModelQuery) -> list[Json]:
        """The models that the query means, the newest first."""
        records = sorted(self._shelves.models.all(), key=lambda record: (-record.created, record.name, -record.version))
        if query.latest:
            newest: dict[str, int] = {}
            for record in records:
                newest[record.name] = max(record.version, newest.get(record.name, 0))
            records = [record for record in records if record.version == newest[record.name]]
        return [
            model_document(record, self.epoch)
            for record in records
            if model_matches(
                record,
                name=query.name,
                framework=query.framework,
                tags=query.tags,
                properties=query.properties,
                run_id=query.run_id,
            )
        ]

    def patch_model(self, model_id: str, patch: JsonPatch) -> Json:
        """Change tags, properties or texts of a model (NotFound, InvalidSetting)."""
        record = change_model(self._model(model_id), patch, self._now)
        self._shelves.models.put(record.id, record)
        return model_document(record, self.epoch)

    def delete_model(self, model_id: str) -> None:
        """Forget a model (NotFound; InUse while it is deployed)."""
        record = self._model(model_id)
        users = [service.name for service in self._shelves.services.all() if record.id in service.model_ids]
        if users:
            raise InUse(f"model {record.id} is deployed: {', '.join(users)} would lose it")
        self._shelves.models.drop(record.id)

    # -- environments

    def put_environment(self, name: str, version: str | None, document: Json) -> Json:
        """Register an environment; without a version the next one is made, or the newest returned if it is equal."""
        record = register_environment(name, version, document, self._environments(name), self._now)
        self._shelves.environments.put(f"{name}:{record.version}", record)
        return record.document

    def get_environment(self, name: str, version: str | None = None) -> Json:
        """An environment, the newest version without one (NotFound). Curated ones are in every workspace."""
        if (curated := curated_environment(name, version)) is not None:
            return curated
        found = [record for record in self._environments(name) if version in (None, record.version)]
        if not found:
            known = {*CURATED_ENVIRONMENTS, *(record.name for record in self._shelves.environments.all())}
            asked = name if version is None else f"{name}:{version}"
            hint = "" if name in known else nearest(name, known)
            raise NotFound(f"environment {asked} is not registered{hint}")
        return found[-1].document

    def list_environments(self) -> list[Json]:
        """The newest version of each environment, by name, curated ones among them."""
        newest = {name: curated_environment(name) or {} for name in CURATED_ENVIRONMENTS}
        for record in sorted(self._shelves.environments.all(), key=lambda one: one.number):
            newest[record.name] = record.document
        return [newest[name] for name in sorted(newest)]

    # -- what other verbs need

    def _check_file(self, prefix: str) -> None:
        if not self.files.has(prefix):
            raise NotFound(f"no file {prefix} has been uploaded")

    def _asset(self, asset_id: str) -> AssetRecord:
        record = self._shelves.assets.get(asset_id)
        if record is None:
            raise NotFound(f"asset {asset_id} is not there")
        return record

    def _model(self, model_id: str) -> ModelRecord:
        record = self._shelves.models.get(model_id)
        if record is None:
            raise NotFound(f"model {model_id} is not registered")
        return record

    def _environments(self, name: str) -> list[EnvironmentRecord]:
        """The versions of an environment, the oldest first."""
        found = [record for record in self._shelves.environments.all() if record.name == name]
        return sorted(found, key=lambda record: record.number)
