"""Environments."""

from akstwin.backend import Json
from akstwin.control_plane.dependencies import Dependencies
from akstwin.control_plane.repositories import Repositories
from akstwin.cores.registry import (
    CURATED_ENVIRONMENTS,
    EnvironmentRecord,
    curated_environment,
    environment_document,
    register_environment,
)
from akstwin.domain.words import nearest
from akstwin.errors import NotFound


class Environments:
    """Registered environments.

    Args:
        needs: the world's.
        records: keeps them.
    """

    def __init__(self, needs: Dependencies, records: Repositories) -> None:
        self._needs = needs
        self._records = records

    def put(self, name: str, version: str | None, document: Json) -> Json:
        """Register an environment; without a version the next one is made, or the newest returned if it is equal."""
        record = register_environment(name, version, document, self._versions(name), self._needs.clock.now())
        self._records.environments.put(f"{name}:{record.version}", record)
        return environment_document(record)

    def get(self, name: str, version: str | None = None) -> Json:
        """An environment, the newest version without one (NotFound). Curated ones are in every workspace."""
        if (curated := curated_environment(name, version)) is not None:
            return curated
        found = [record for record in self._versions(name) if version in (None, record.version)]
        if not found:
            known = {*CURATED_ENVIRONMENTS, *(record.name for record in self._records.environments.all())}
            asked = name if version is None else f"{name}:{version}"
            hint = "" if name in known else nearest(name, known)
            raise NotFound(f"environment {asked} is not registered{hint}")
        return environment_document(found[-1])

    def newest(self) -> list[Json]:
        """The newest version of each environment, by name, curated ones among them."""
        newest = {name: curated_environment(name) or {} for name in CURATED_ENVIRONMENTS}
        for record in sorted(self._records.environments.all(), key=lambda record: record.number):
            newest[record.name] = environment_document(record)
        return [newest[name] for name in sorted(newest)]

    def _versions(self, name: str) -> list[EnvironmentRecord]:
        """The versions of an environment, the oldest first."""
        found = [record for record in self._records.environments.all() if record.name == name]
        return sorted(found, key=lambda record: record.number)
