"""What a JSON patch makes of a service (wire §7.5, §7.6): (record, patch, now) → change, wholly or not at all."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from akstwin.clock import Micros
from akstwin.cores.management.adjustments import Awaited, awaited
from akstwin.cores.management.changes import effects_of
from akstwin.cores.management.paths import EndpointPlaces, service_place
from akstwin.cores.management.payloads import (
    SETTING_KEYS,
    read_auth,
    read_default,
    read_request,
    read_role,
    read_version,
)
from akstwin.cores.management.records import ServiceRecord, VersionRecord
from akstwin.cores.management.settings import (
    AUTOSCALE_ENABLED,
    NUM_REPLICAS,
    ServiceLimits,
    by_name,
    check_capacity,
    checked,
    read_settings,
    spec_of,
)
from akstwin.domain.changes import Effect, VersionRemoved
from akstwin.domain.documents import Json, check_kept, check_keys, text_pairs
from akstwin.domain.patches import Tokens, patched
from akstwin.errors import Conflict, InvalidSetting


@dataclass(frozen=True, slots=True)
class Change:
    """What a command comes to.

    Attributes:
        record: the service from now on.
        effects: what its pods and its router have to do.
        authorises: whether requests need something else from now on.
        awaits: what has to happen before it is in effect, if no pods have to come for it; None: it is a matter of
            description, tags and properties, which are in effect at once.
    """

    record: ServiceRecord
    effects: tuple[Effect, ...]
    authorises: bool = False
    awaits: Awaited | None = None


def change(
    record: ServiceRecord,
    patch: Sequence[Json],
    now: Micros,
    *,
    limits: ServiceLimits,
    built: Container[str] = (),
    busy: bool = False,
) -> Change:
    """Patch a service.

    Args:
        record: the service as it is.
        patch: RFC 6902 operations.
        now: the present.
        limits: what no service may exceed.
        built: images that need no building.
        busy: whether an operation with the lock runs. What needs no new pods is then allowed, but for taking a version
            away; what needs the lock is the life cycle's to refuse.

    Raises:
        InvalidSetting: a path that cannot be patched, or a result that is refused.
        NotFound: a version that is not there.
        Conflict: a version is to be added that there is, or one taken away while an operation runs.
    """
    place = EndpointPlaces(record) if record.endpoint else service_place
    document, written = patched(_patchable(record), patch, place)
    after = (_endpoint if record.endpoint else _service)(record, document, written, now, limits.versions)
    before = spec_of(record)
    effects = effects_of(before, spec_of(after), built)
    check_capacity(after, limits)
    if busy and any(isinstance(effect, VersionRemoved) for effect in effects):
        raise Conflict(f"service {record.name} is busy: no version can be removed while an operation runs")
    authorises = after.auth != record.auth
    describes = all(_describes(tokens) for tokens in written)
    return Change(after, effects, authorises, None if describes else awaited(before, effects, authorises=authorises))


def overwrite(before: ServiceRecord, after: ServiceRecord, built: Container[str] = ()) -> Change:
    """What replacing a service by another record of it comes to: all its pods are new."""
    effects = effects_of(spec_of(before), spec_of(after), built)
    authorises = (before.auth, before.primary, before.secondary) != (after.auth, after.primary, after.secondary)
    return Change(after, effects, authorises)


# -- the document that is patched

Fields = dict[str, Any]


def _patchable(record: ServiceRecord) -> Json:
    """What can be patched, as it was given: null where nothing was."""
    document: Json = {
        "description": record.description,
        "kvTags": record.tags,
        "properties": record.properties,
        "authEnabled": record.auth == "key",
        "aadAuthEnabled": record.auth == "token",
        "appInsightsEnabled": record.app_insights,
    }
    if not record.endpoint:
        (version,) = record.versions
        own = {"namespace": record.namespace, "environmentImageRequest": version.request}
        return {**document, **own, **version.settings}
    document["versions"] = {
        version.name: {
            **version.settings,
            "environmentImageRequest": version.request,
            "trafficPercentile": version.traffic,
            "description": version.description,
            "kvTags": version.tags,
            "properties": version.properties,
            "isDefault": version.name == record.default,
            "type": "Control" if version.name == record.control else "Treatment",
        }
        for version in record.versions
    }
    return document


def _common(record: ServiceRecord, document: Json, now: Micros) -> Fields:
    properties = text_pairs("properties", document.get("properties"))
    check_kept("properties", record.properties, properties)
    return {
        "description": checked(by_name("description"), document.get("description")),
        "tags": text_pairs("tags", document.get("kvTags")),
        "properties": properties,
        "app_insights": bool(checked(by_name("enable_app_insights"), document.get("appInsightsEnabled"))),
        "auth": read_auth(document.get("authEnabled"), document.get("aadAuthEnabled")),
        "updated": now,
    }


def _service(
    record: ServiceRecord, document: Json, written: Sequence[Tokens], now: Micros, _: int
) -> ServiceRecord:  # fmt: skip
    (version,) = record.versions
    fields: Fields = {
        "settings": _switched(read_settings(document), written),
        "request": read_request(document.get("environmentImageRequest")),
    }
    if any(getattr(version, key) != value for key, value in fields.items()):
        fields["updated"] = now
    namespace = checked(by_name("namespace"), document.get("namespace"))
    versions = (version.model_copy(update=fields),)
    return record.model_copy(
        update={**_common(record, document, now), "namespace": namespace, "versions": versions}
    )  # fmt: skip


def _endpoint(
    record: ServiceRecord, document: Json, written: Sequence[Tokens], now: Micros, most: int
) -> ServiceRecord:  # fmt: skip
    given: Json = document.get("versions") or {}
    if not given:
        raise InvalidSetting("versions", "none", "enough: the last version of an endpoint cannot be removed")
    if len(given) > most:
        raise InvalidSetting("versions", len(given), f"at most {most} versions")
    before = {version.name: version for version in record.versions}
    added = {tokens[1] for tokens in written if tokens[0] == "versions" and len(tokens) == 2}
    base = record.model_copy(update=_common(record, document, now))
    versions, defaults, controls = [], [], []
    for name, content in given.items():
        was = None if name in added else before.get(name)
        if was is None:
            version, default, role = read_version(name, content, base, now)
        else:
            touched = [tokens[2:] for tokens in written if tokens[:2] == ("versions", name)]
            version = _version(was, content, touched, now)
            default = read_default(content.get("isDefault"), f"versions.{name}")
            role = read_role(content.get("type"), f"versions.{name}")
        versions.append(version)
        defaults += [name] if default else []
        controls += [name] if role == "Control" else []
    names = [version.name for version in versions]
    default_version = _one("isDefault", record.default, defaults, names)
    if default_version is None:
        claimed = False if record.default in names else "removed"
        raise InvalidSetting(
            f"versions.{record.default}.isDefault", claimed, "possible: another version has to be the default first"
        )
    control = _one("type", record.control, controls, names)
    if control is None:
        if record.control in names:
            raise InvalidSetting(
                f"versions.{record.control}.type", "Treatment", "possible: another version has to be Control first"
            )
        control = default_version
    return base.model_copy(update={"versions": tuple(versions), "default": default_version, "control": control})


def _one(setting: str, before: str, claims: list[str], names: Sequence[str]) -> str | None:
    """The one version that has a role: a new claim takes it from the version that had it; None: nobody claims it."""
    new = [name for name in claims if name != before]
    if len(new) > 1:
        raise InvalidSetting(f"versions.*.{setting}", " and ".join(new), "so for one version only")
    if new:
        return new[0]
    return before if before in claims and before in names else None


def _version(was: VersionRecord, content: Json, touched: Sequence[Tokens], now: Micros) -> VersionRecord:
    where = f"versions.{was.name}"
    known = {*SETTING_KEYS, "environmentImageRequest", "trafficPercentile", "description", "kvTags", "properties"}
    check_keys(where, content, {*known, "isDefault", "type"})
    properties = text_pairs(f"{where}.properties", content.get("properties"))
    check_kept(f"{where}.properties", was.properties, properties)
    after = was.model_copy(
        update={
            "settings": _switched(read_settings(content, where), touched),
            "request": read_request(content.get("environmentImageRequest"), where),
            "traffic": checked(by_name("traffic_percentile"), content.get("trafficPercentile"), where),
            "description": checked(by_name("description"), content.get("description"), where),
            "tags": text_pairs(f"{where}.tags", content.get("kvTags")),
            "properties": properties,
        }
    )
    return after if after == was else after.model_copy(update={"updated": now})


def _switched(settings: Json, written: Sequence[Tokens]) -> Json:
    """Settings after the autoscaler was switched: what only the other way of scaling has goes, unless it was written too."""
    if not _wrote(written, AUTOSCALE_ENABLED):
        return settings
    scaler = settings["autoScaler"]
    if scaler["autoscaleEnabled"] and not _wrote(written, NUM_REPLICAS):
        return {**settings, "numReplicas": None}
    if scaler["autoscaleEnabled"] is False:
        kept = {
            key: value if key == "autoscaleEnabled" or _wrote(written, ("autoScaler", key)) else None
            for key, value in scaler.items()
        }
        return {**settings, "autoScaler": kept}
    return settings


def _describes(place: Tokens) -> bool:
    """Whether a place says something of a service or of a version that neither its pods nor its router act by."""
    key = place[2:3] if place[0] == "versions" else place[:1]
    return bool(key) and key[0] in ("description", "kvTags", "properties")


def _wrote(written: Sequence[Tokens], place: Tokens) -> bool:
    return any(place[: len(tokens)] == tokens for tokens in written)
