"""The manager's verbs for services: load, decide by the core, keep, tell the driver."""

from collections.abc import Iterable
from typing import Final

from akstwin.backend import Json, JsonPatch, ServiceQuery
from akstwin.clock import Micros
from akstwin.cores.management import (
    Change,
    Facts,
    Lifecycle,
    ManagementRules,
    Operation,
    ServiceLife,
    ServiceRecord,
    Surroundings,
    VersionRecord,
    builds,
    change,
    create,
    effects_of,
    error_document,
    image_of,
    matches,
    overwrite,
    service_document,
    spec_of,
    takes_operation,
)
from akstwin.cores.registry import has_tls, model_document
from akstwin.domain.lifecycles import OperationState, ServiceState
from akstwin.errors import Conflict, InvalidSetting, NotFound
from akstwin.manager.computes import ComputeVerbs
from akstwin.manager.driver import Auth, Content
from akstwin.manager.keys import auth_of
from akstwin.manager.models import ModelVerbs
from akstwin.manager.office import Means
from akstwin.manager.shelves import KeptLife, Whole

_ARTIFACT: Final = "aml://artifact/"


class ServiceVerbs(ModelVerbs, ComputeVerbs):
    """Services, their states and their operations."""

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._rules = ManagementRules.of(means.assumptions)
        self._lives = {kept.life.name: self._lifecycle(kept.life.name, kept.life) for kept in self._shelves.lives.all()}

    # -- verbs

    def create_service(self, payload: Json) -> str:
        """Create, or with `overwrite: true` replace, a service; returns the operation's id.

        Raises:
            InvalidSetting: a value that is refused.
            NotFound: the compute target, a model or an uploaded file is not there.
            Conflict: the name is taken, another operation is running, or the compute target is not ready.
        """
        record, before = self._creation(payload)
        if before is not None:
            return self._begin_update(before, overwrite(before, record, self._built))
        spec = spec_of(record)
        lifecycle = self._lifecycle(record.name)
        lifecycle.begin("create", self._now, builds=any(each.code.image not in self._built for each in spec.versions))
        operation = self._operation_id(record.name)
        self._lives[record.name] = lifecycle
        record = record.model_copy(
            update={
                "primary": record.primary or self._means.new_secret(),
                "secondary": record.secondary or self._means.new_secret(),
                "token_secret": self._means.new_secret(),
            }
        )
        self._shelves.services.put(record.name, record)
        self._driver.create(spec, record.compute_name, self.contents(record.name), auth_of(record), lifecycle)
        return operation

    def patch_service(self, name: str, patch: JsonPatch) -> str | None:
        """Change a service, wholly or not at all.

        Returns:
            The operation's id; None: it took effect without one.

        Raises:
            InvalidSetting: the patch, or what it leads to, is refused.
            NotFound: no such service, or something the patch names.
            Conflict: it is being deleted; pods are to come or a version is to go, and an operation is running.
        """
        before = self.record(name)
        done = self._patching(name, patch)
        if takes_operation(done.effects):
            return self._begin_update(before, done)
        self._perform(done)
        return None

    def delete_service(self, name: str) -> str:
        """Delete a service; returns the operation's id (NotFound; Conflict while another one is running)."""
        self.record(name)
        self._lives[name].begin("delete", self._now, builds=False)
        operation = self._operation_id(name)
        self._driver.end(name)
        return operation

    def get_service(self, name: str) -> Json:
        """The service's document (NotFound)."""
        return self._document(self.record(name))

    def list_services(self, query: ServiceQuery) -> list[Json]:
        """The documents of the services that the query means, by name."""
        return [
            self._document(record)
            for record in self._shelves.services.all()
            if matches(
                record,
                compute_type=query.compute_type,
                tags=query.tags,
                properties=query.properties,
                model_name=query.model_name,
                model_id=query.model_id,
            )
        ]

    # -- for the world

    def record(self, name: str) -> ServiceRecord:
        """What is kept of a service (NotFound)."""
        record = self._shelves.services.get(name) if isinstance(name, str) else None
        if record is None:
            raise NotFound(f"service {name} is not there")
        return record

    def life(self, name: str) -> ServiceLife:
        """State and operations of a service (NotFound)."""
        self.record(name)
        return self._lives[name].life

    def contents(self, name: str) -> dict[str, Content]:
        """What the versions of a service run (NotFound)."""
        return {
            version.name: Content(
                version.request,
                tuple(model_document(self._model(model), self.epoch) for model in version.model_ids),
            )
            for version in self.record(name).versions
        }

    def auth(self, name: str) -> Auth:
        """What requests to a service need (NotFound)."""
        return auth_of(self.record(name))

    # -- after the world has stood still

    def _restore_service(self, record: ServiceRecord) -> None:
        """Bring a service up again, in the state that it has; what was under way begins anew and ends by the same decisions."""
        name, now, lifecycle = record.name, self._now, self._lives[record.name]
        lifecycle.restart(now)
        life, whole = lifecycle.life, self._shelves.wholes.get(name)
        spec, contents, auth = spec_of(record), self.contents(name), auth_of(record)
        if life.state is ServiceState.DELETING:  # its pods went with the world
            lifecycle.observe(Facts(0, 0, rolled=False, gone=True), now)
        elif whole is not None:
            before = spec_of(whole.record)
            served = {each.name: Content(each.request, whole.models[each.name]) for each in whole.record.versions}
            self._driver.restore(before, record.compute_name, served, auth, lifecycle, ready=True)
            effects = effects_of(before, spec)
            if effects:
                self._driver.change(spec, effects, contents)
            else:  # back to what it was
                lifecycle.deploying(now)
        elif life.running is not None:
            self._driver.create(spec, record.compute_name, contents, auth, lifecycle)
        else:
            ready = life.state is ServiceState.HEALTHY
            self._driver.restore(spec, record.compute_name, contents, auth, lifecycle, ready=ready)

    # -- under them

    def _creation(self, payload: Json) -> tuple[ServiceRecord, ServiceRecord | None]:
        """What a create payload comes to, and the service that it overwrites; nothing is changed."""
        name = payload.get("name") if isinstance(payload, dict) else None
        before = self._shelves.services.get(name) if isinstance(name, str) else None
        record = create(payload, before, self._now, self.assumptions.versions_per_endpoint)
        self._check_provisioned(self._compute(record.compute_name))
        self._check_contents(record.versions)
        return record, before

    def _patching(self, name: str, patch: JsonPatch) -> Change:
        """What a patch comes to; nothing is changed."""
        before = self.record(name)
        life = self._lives[name].life
        self._check_stays(life)
        done = change(
            before,
            patch,
            self._now,
            max_versions=self.assumptions.versions_per_endpoint,
            built=self._built,
            busy=life.running is not None,
        )
        requests = [version.request for version in before.versions]
        self._check_contents(version for version in done.record.versions if version.request not in requests)
        return done

    @property
    def _built(self) -> frozenset[str]:
        return frozenset(self._shelves.images.keys())

    def _check_contents(self, versions: Iterable[VersionRecord]) -> None:
        """Refuse what names a model or a file that is not there."""
        for version in versions:
            for model in version.model_ids:
                self._model(model)
            for number, asset in enumerate((version.request or {}).get("assets") or ()):
                url = asset["url"]
                if not url.startswith(_ARTIFACT):
                    setting = f"environmentImageRequest.assets[{number}].url"
                    raise InvalidSetting(setting, url, f"an uploaded file: {_ARTIFACT} and its path")
                self._check_file(url.removeprefix(_ARTIFACT))

    def _check_stays(self, life: ServiceLife) -> None:
        if life.state is ServiceState.DELETING:
            raise Conflict(f"service {life.name} is being deleted")

    def _begin_update(self, before: ServiceRecord, done: Change) -> str:
        name = before.name
        lifecycle = self._lives[name]
        healthy = lifecycle.life.state is ServiceState.HEALTHY
        lifecycle.begin("update", self._now, builds=builds(done.effects))
        if healthy:  # until it is so again, a restart begins from here
            models = {version: content.models for version, content in self.contents(name).items()}
            self._shelves.wholes.put(name, Whole(record=before, models=models))
        operation = self._operation_id(name)
        self._perform(done)
        return operation

    def _perform(self, done: Change) -> None:
        record = done.record
        self._shelves.services.put(record.name, record)
        if done.effects:
            self._driver.change(spec_of(record), done.effects, self.contents(record.name))
        if done.authorises:
            self._driver.authorise(record.name, auth_of(record))

    def _document(self, record: ServiceRecord) -> Json:
        plain, secure = self._means.scoring_base, self._means.tls_base
        compute = self._shelves.computes.get(record.compute_name)
        around = Surroundings(
            self.epoch,
            (secure or plain.replace("http:", "https:", 1)) if compute is not None and has_tls(compute) else plain,
            {model: model_document(self._model(model), self.epoch) for model in record.model_ids},
        )
        return service_document(record, self._lives[record.name].life, self._driver.status(record.name), around)

    # -- lives and their operations

    def _lifecycle(self, name: str, life: ServiceLife | None = None) -> Lifecycle:
        return Lifecycle(name, self._rules, life, self._changed)

    def _operation_id(self, name: str) -> str:
        kept = self._shelves.lives.get(name)
        assert kept is not None  # noqa: S101 - an operation of it has begun
        return kept.operation

    def _changed(self, before: ServiceLife | None, after: ServiceLife, now: Micros) -> None:
        """Keep a service's life, and its operation with what is known to be printed of it."""
        latest = after.operations[-1] if after.operations else None
        was = before.operations[-1] if before is not None and before.operations else None
        kept = self._shelves.lives.get(after.name)
        operation = kept.operation if kept is not None else ""
        if latest is not None and (was is None or was.number != latest.number):
            record = self._open_operation(
                latest.kind, after.name, stage=latest.stage, log=[(now, line) for line in _begun(after.name, latest)]
            )
            operation = record.id
        elif latest is not None and was is not None and latest != was:
            if was.stage != latest.stage:
                for version in self.record(after.name).versions:
                    self._shelves.images.put(image_of(version.environment), record=True)
                self._note(operation, *_submitted(after.name), at=now, stage=latest.stage)
            if latest.state is not OperationState.RUNNING:
                self._note(
                    operation, *_ended(after.name, latest), at=now,
                    state=latest.state, error=error_document(latest.error),
                )  # fmt: skip
        if after.state in (ServiceState.HEALTHY, ServiceState.GONE):
            self._shelves.wholes.drop(after.name)
        if after.state is ServiceState.GONE:
            self._shelves.services.drop(after.name)
            self._shelves.lives.drop(after.name)
            del self._lives[after.name]
        else:
            self._shelves.lives.put(after.name, KeptLife(life=after, operation=operation))


# What the service is known to print while it deploys, from public notebooks.


def _begun(name: str, operation: Operation) -> tuple[str, ...]:
    if operation.kind == "delete":
        return ()
    first = ("Creating Container Registry if not exists.", "Registering the environment.")
    if operation.stage == "BuildImage":
        return (*first, "Building image..")
    return (*first, "Use the existing image.", *_submitted(name))


def _submitted(name: str) -> tuple[str, ...]:
    return ("Submitting deployment to compute.", f"Checking the status of deployment {name}..")


def _ended(name: str, operation: Operation) -> tuple[str, ...]:
    if operation.kind == "delete" or operation.state is not OperationState.SUCCEEDED:
        return ()
    return (f"Checking the status of inference endpoint {name}.",)
