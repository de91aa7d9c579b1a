"""Services: decide by the core, write the records in one transaction, then let the runtime act."""

from collections.abc import Iterable
from typing import Final

from akstwin.backend import Json, JsonPatch, ServiceQuery
from akstwin.control_plane.computes import Computes
from akstwin.control_plane.dependencies import Dependencies
from akstwin.control_plane.lifecycles import Lifecycles
from akstwin.control_plane.models import Models
from akstwin.control_plane.numbering import Numbering
from akstwin.control_plane.repositories import LastHealthy, Repositories
from akstwin.control_plane.runtime_port import Auth, Content
from akstwin.cores.management import (
    Change,
    Facts,
    Lifecycle,
    OperationKind,
    ServiceLife,
    ServiceLimits,
    ServiceRecord,
    Surroundings,
    VersionRecord,
    begin,
    builds,
    change,
    create,
    effects_of,
    matches,
    overwrite,
    service_document,
    spec_of,
    takes_operation,
)
from akstwin.cores.registry import model_document
from akstwin.cores.routing import KeyAuth, TokenAuth
from akstwin.domain.changes import PodsReplaced, VersionAdded
from akstwin.domain.deployment import check_name
from akstwin.domain.lifecycles import ServiceState
from akstwin.domain.ordering import ordered
from akstwin.domain.service import ServiceSpec
from akstwin.errors import Conflict, InvalidSetting, NotFound
from akstwin.uploads import Tally

_ARTIFACT: Final = "aml://artifact/"


def auth_of(record: ServiceRecord) -> Auth:
    """What the router is to ask for."""
    if record.auth == "token":
        return TokenAuth()
    if record.auth == "none":
        return None
    assert record.primary is not None  # noqa: S101 - a stored service has both
    assert record.secondary is not None  # noqa: S101
    return KeyAuth(record.primary, record.secondary)


class Services:
    """Services, their states and their operations.

    Args:
        needs: the world's.
        records: keeps them.
        numbering: makes keys.
        lifecycles: their states.
        models: what they run.
        computes: what they run on.
    """

    def __init__(
        self,
        needs: Dependencies,
        records: Repositories,
        numbering: Numbering,
        lifecycles: Lifecycles,
        models: Models,
        computes: Computes,
    ) -> None:
        self._needs = needs
        self._records = records
        self._numbering = numbering
        self._lifecycles = lifecycles
        self._models = models
        self._computes = computes

    # -- verbs

    def create(self, payload: Json) -> str:
        """Create, or with `overwrite: true` replace, a service; returns the operation's id.

        Raises:
            InvalidSetting: a value that is refused.
            NotFound: the compute target, a model or an uploaded file is not there.
            Conflict: the name is taken, another operation is running, or the compute target is not ready.
        """
        record, before = self._creation(payload)
        if before is not None:
            return self._update(before, overwrite(before, record, self._built))
        name, spec = record.name, spec_of(record)
        lifecycle = self._lifecycles.of(name)
        with self._records.transaction():
            now, built = self._needs.clock.now(), self._built
            lifecycle.begin("create", now, builds=any(each.code.image not in built for each in spec.versions))
            record = self._with_secrets(record)
            self._records.services.put(name, record)
            self._lifecycles.note_models(name, record.model_ids, now)
            operation = self._lifecycles.operation_id(name)
        self._needs.runtime.create(spec, record.compute_name, self._contents(record), auth_of(record), lifecycle)
        self._say_what_is_clamped(spec)
        return operation

    def adopt(self, payload: Json) -> None:
        """Take a service whose deployment lies in the past: it is Healthy, with its replicas as far as they fit.

        Raises:
            InvalidSetting: a value that is refused.
            NotFound: the compute target, a model or an uploaded file is not there.
            Conflict: the name is taken, or the compute target is not ready.
        """
        record, before = self._creation(payload)
        name = record.name
        if before is not None:
            raise Conflict(f"service {name} exists")
        with self._records.transaction():
            record = self._with_secrets(record)
            self._records.services.put(name, record)
            self._lifecycles.adopt(name)
        self._needs.runtime.restore(
            spec_of(record),
            record.compute_name,
            self._contents(record),
            auth_of(record),
            self._lifecycles.of(name),
            ready=True,
            generation=0,
        )

    def _with_secrets(self, record: ServiceRecord) -> ServiceRecord:
        return record.model_copy(
            update={
                "primary": record.primary or self._numbering.next_secret(),
                "secondary": record.secondary or self._numbering.next_secret(),
                "token_secret": self._numbering.next_secret(),
            }
        )

    def patch(self, name: str, patch: JsonPatch) -> str | None:
        """Change a service, wholly or not at all.

        Returns:
            The operation's id; None: only description, tags or properties were written, and that is in effect.

        Raises:
            InvalidSetting: the patch, or what it leads to, is refused.
            NotFound: no such service, or something the patch names.
            Conflict: it is being deleted; pods are to come or a version is to go, and an operation is running.
        """
        before = self.record(name)
        done = self._patching(before, patch)
        if takes_operation(done.effects):
            return self._update(before, done)
        with self._records.transaction():
            self._records.services.put(name, done.record)
            operation = None if done.awaits is None else self._lifecycles.adjust(name, done.awaits)
        self._perform(before, done)
        return operation

    def delete(self, name: str) -> str:
        """Delete a service; returns the operation's id (NotFound; Conflict while another one is running)."""
        self.record(name)
        with self._records.transaction():
            self._lifecycles.of(name).begin("delete", self._needs.clock.now(), builds=False)
            operation = self._lifecycles.operation_id(name)
        self._needs.runtime.end(name)
        return operation

    def reports(self, name: str) -> bool:
        """Whether a service's containers report to Application Insights; False: there is no such service."""
        found = self._records.services.reporting.get(name)
        return found is not None and found.app_insights

    def get(self, name: str) -> Json:
        """The service's document (NotFound)."""
        return self._document(self.record(name))

    def find(self, query: ServiceQuery) -> list[Json]:
        """The documents of the services that the query means, in its order: by name unless it has one."""
        found = [
            record
            for record in self._records.services.all()
            if matches(
                record,
                compute_type=query.compute_type,
                tags=query.tags,
                properties=query.properties,
                model_name=query.model_name,
                model_id=query.model_id,
                name=query.name,
            )
        ]
        if query.order is not None:
            found = ordered(found, query.order, lambda record: (record.name,))
        return [self._document(record) for record in found]

    # -- refusals beforehand

    def validate_name(self, name: str) -> None:
        """Refuse the name of a service that is to come (InvalidSetting; Conflict: it is taken)."""
        check_name("name", name)
        if self._records.services.get(name) is not None:
            raise Conflict(f"service {name} exists; overwrite replaces it")

    def validate_create(self, payload: Json) -> None:
        """Refuse what `create` would refuse now, and change nothing."""
        record, before = self._creation(payload)
        if before is not None:
            self._check_idle(record.name, "update")

    def validate_patch(self, name: str, patch: JsonPatch) -> None:
        """Refuse what `patch` would refuse now, and change nothing."""
        if takes_operation(self._patching(self.record(name), patch).effects):
            self._check_idle(name, "update")

    def validate_delete(self, name: str) -> None:
        """Refuse what `delete` would refuse now, and change nothing."""
        self._check_idle(name, "delete")

    # -- what other parts and the world need

    def record(self, name: str) -> ServiceRecord:
        """What is kept of a service (NotFound)."""
        record = self._records.services.get(name) if isinstance(name, str) else None
        if record is None:
            raise NotFound(f"service {name} is not there")
        return record

    def life(self, name: str) -> ServiceLife:
        """State and operations of a service (NotFound)."""
        life = self._lifecycles.life(name) if isinstance(name, str) else None
        if life is None:
            raise NotFound(f"service {name} is not there")
        return life

    def lifecycle(self, name: str) -> Lifecycle:
        """The status machine of a service that there is."""
        return self._lifecycles.of(name)

    def contents(self, name: str) -> dict[str, Content]:
        """What the versions of a service run (NotFound)."""
        return self._contents(self.record(name))

    def check_stays(self, name: str) -> None:
        """Refuse what cannot be done to a service that is being deleted (Conflict)."""
        if self.life(name).state is ServiceState.DELETING:
            raise Conflict(f"service {name} is being deleted")

    def restore(self) -> None:
        """Bring all services up again after the world has stood still.

        Each has the state that it had. What was under way begins anew, and ends by the same decisions.
        """
        for record in self._records.services.all():
            self._restore(record)

    # -- under them

    def _restore(self, record: ServiceRecord) -> None:
        name, now, lifecycle = record.name, self._needs.clock.now(), self._lifecycles.of(record.name)
        lifecycle.restart(now)
        life, healthy = lifecycle.life, self._records.last_healthy.get(name)
        spec, contents, auth = spec_of(record), self._contents(record), auth_of(record)
        runtime, generation = self._needs.runtime, life.generation
        if life.state is ServiceState.DELETING:  # its pods went with the world
            lifecycle.observe(Facts(0, 0, rolled=False, routed=False, gone=True), now)
        elif healthy is not None:
            before = spec_of(healthy.record)
            served = {each.name: Content(each.request, healthy.models[each.name]) for each in healthy.record.versions}
            effects = effects_of(before, spec)
            known = 0 if effects else generation
            runtime.restore(before, record.compute_name, served, auth, lifecycle, ready=True, generation=known)
            if effects:
                runtime.change(spec, effects, contents, generation)
            else:  # back to what it was
                lifecycle.deploying(now)
        elif life.running is not None:
            runtime.create(spec, record.compute_name, contents, auth, lifecycle)
        else:
            ready = life.state is ServiceState.HEALTHY
            runtime.restore(spec, record.compute_name, contents, auth, lifecycle, ready=ready, generation=generation)

    def _creation(self, payload: Json) -> tuple[ServiceRecord, ServiceRecord | None]:
        """What a create payload comes to, and the service that it overwrites; nothing is changed."""
        name = payload.get("name") if isinstance(payload, dict) else None
        before = self._records.services.get(name) if isinstance(name, str) else None
        record = create(payload, before, self._needs.clock.now(), ServiceLimits.of(self._needs.assumptions))
        self._computes.ready(record.compute_name)
        self._check_contents(record.versions)
        return record, before

    def _patching(self, before: ServiceRecord, patch: JsonPatch) -> Change:
        """What a patch comes to; nothing is changed."""
        self.check_stays(before.name)
        done = change(
            before,
            patch,
            self._needs.clock.now(),
            limits=ServiceLimits.of(self._needs.assumptions),
            built=self._built,
            busy=self.life(before.name).running is not None,
        )
        requests = [version.request for version in before.versions]
        self._check_contents(version for version in done.record.versions if version.request not in requests)
        return done

    def _check_idle(self, name: str, kind: OperationKind) -> None:
        begin(self.life(name), name, kind, self._needs.clock.now(), builds=False)

    @property
    def _built(self) -> frozenset[str]:
        return frozenset(self._records.images.keys())

    def _check_contents(self, versions: Iterable[VersionRecord]) -> None:
        """Refuse what names a model or a file that is not there."""
        for version in versions:
            for model in version.model_ids:
                self._models.record(model)
            assets = (version.request or {}).get("assets") or ()
            Tally(self._needs.files.limits, "environmentImageRequest.assets").count_files(len(assets))
            for number, asset in enumerate(assets):
                url = asset["url"]
                if not url.startswith(_ARTIFACT):
                    setting = f"environmentImageRequest.assets[{number}].url"
                    raise InvalidSetting(setting, url, f"an uploaded file: {_ARTIFACT} and its path")
                self._models.check_file(url.removeprefix(_ARTIFACT))

    def _update(self, before: ServiceRecord, done: Change) -> str:
        name = before.name
        healthy = self.life(name).state is ServiceState.HEALTHY
        rolled = {effect.version.name for effect in done.effects if isinstance(effect, VersionAdded | PodsReplaced)}
        models = [model for version in done.record.versions if version.name in rolled for model in version.model_ids]
        with self._records.transaction():
            now = self._needs.clock.now()
            self._lifecycles.of(name).begin("update", now, builds=builds(done.effects))
            self._lifecycles.note_models(name, models, now)
            if healthy:  # until it is so again, a restart begins from here
                served = {version: content.models for version, content in self._contents(before).items()}
                self._records.last_healthy.put(name, LastHealthy(record=before, models=served))
            operation = self._lifecycles.operation_id(name)
            self._records.services.put(name, done.record)
        self._perform(before, done)
        return operation

    def _perform(self, before: ServiceRecord, done: Change) -> None:
        """Let the runtime do what has been recorded."""
        record = done.record
        generation = self.life(record.name).generation
        if done.effects:
            self._needs.runtime.change(spec_of(record), done.effects, self._contents(record), generation)
        if done.authorises:
            self._needs.runtime.authorise(record.name, auth_of(record), generation)
        self._say_what_is_clamped(spec_of(record), spec_of(before))

    def _say_what_is_clamped(self, spec: ServiceSpec, before: ServiceSpec | None = None) -> None:
        """Make events of the settings that act otherwise than they were given, unless that was so before."""
        known = {} if before is None else {each.name: each.arguments.warnings() for each in before.versions}
        for version in spec.versions:
            for warning in version.arguments.warnings():
                if warning not in known.get(version.name, ()):
                    self._needs.runtime.clamped(spec.name, version.name, warning)

    def _contents(self, record: ServiceRecord) -> dict[str, Content]:
        return {
            version.name: Content(
                version.request,
                tuple(model_document(self._models.record(model), self._needs.epoch) for model in version.model_ids),
            )
            for version in record.versions
        }

    def _document(self, record: ServiceRecord) -> Json:
        plain, secure = self._needs.scoring_base, self._needs.tls_base
        around = Surroundings(
            self._needs.epoch,
            (secure or plain.replace("http:", "https:", 1)) if self._computes.has_tls(record.compute_name) else plain,
            {model: model_document(self._models.record(model), self._needs.epoch) for model in record.model_ids},
            self._lifecycles.latest_id(record.name),
        )
        status = self._needs.runtime.status(record.name)
        return service_document(record, self.life(record.name), status, around)
