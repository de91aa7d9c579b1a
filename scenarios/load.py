"""From a scenario file to a checked `Prepared` scenario; every mistake is answered by its place, value and remedy."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from akstwin.clock import Micros
from akstwin.cores import management
from akstwin.domain.cluster import check_cluster, most_pods
from akstwin.domain.deployment import DeployArguments, check_name, check_replicas
from akstwin.domain.mistakes import first_mistake
from akstwin.domain.profile import Distribution, Empirical, ModelProfile
from akstwin.domain.replying import Rules, Script, Simple, Value, read_reply
from akstwin.domain.service import ServiceSpec, VersionSpec, split_of
from akstwin.domain.units import format_duration
from akstwin.domain.words import nearest
from akstwin.domain.workload import (
    LEAST_THINK_TIME,
    THINK_TIME_FORM,
    ClosedLoopUsers,
    TraceArrivals,
    Traffic,
    mean_of,
)
from akstwin.errors import AksError, InvalidSetting
from akstwin.plain_yaml import NotYaml, read_yaml
from akstwin.policies import ABTestSpec, BlueGreenSpec, CanarySpec, PolicySpec, ScheduledScalingSpec
from akstwin.scenarios.columns import read_column
from akstwin.scenarios.instants import read_instants
from akstwin.scenarios.logs.records import Reading
from akstwin.scenarios.model import Scenario, VersionSection
from akstwin.scenarios.payloads import patch_of, payload_of
from akstwin.scenarios.reading import seconds_note
from akstwin.scenarios.services import alone, check_fault_services, check_services, placed
from akstwin.scenarios.wording import one_line
from akstwin.sim.faults import a_version, check_fault


class BadScenario(AksError):
    """A scenario file that cannot be run: the file, where in it, what stood there, what was expected."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__(file, message)

    def __str__(self) -> str:
        return one_line(f"{self.args[0]}: {self.args[1]}")


Model = TypeVar("Model", bound=ModelProfile)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scenario that can be run: of one service, or of several on one cluster.

    Attributes:
        name: the file's, without its ending.
        scenario: what was written, with all files read.
        service: the service it is about; of several, one without a name and versions: `parts` has each.
        models: what its versions cost.
        replies: what its versions answer on a server and in a workspace.
        source: the file.
        changes: made to it by `--set`.
        notes: how numbers and files were read.
        services: each of several services as a scenario with this service only, in the file's order; nothing: there is one.
        where: the place of a service's entry in the file, such as `services[0]`; nothing: the scenario is the whole file.
    """

    name: str
    scenario: Scenario
    service: ServiceSpec
    models: Mapping[str, ModelProfile]
    replies: Mapping[str, Simple | Rules]
    source: str
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    services: tuple["Prepared", ...] = ()
    where: str = ""

    @property
    def parts(self) -> tuple["Prepared", ...]:
        """One for each service."""
        return self.services or (self,)

    @property
    def any_objective(self) -> bool:
        """Whether there is anything to meet, for a service or for all together."""
        return any(each.scenario.objectives.any_given for each in (self, *self.services))

    @property
    def fingerprint(self) -> str:
        """Of everything that a run depends on: settings, seed, and what the files hold that the scenario names."""
        found = sha256(self.scenario.model_dump_json().encode())
        for entry in self.scenario.traffic:
            if isinstance(entry, TraceArrivals):
                found.update(repr(entry.instants).encode())
        models = [*self.models.values(), *(each.model for each in self.scenario.operations if each.model is not None)]
        for model in models:
            for times in (model.service_time, model.init_time):
                if isinstance(times, Empirical):
                    found.update(repr(times.values).encode())
        return found.hexdigest()[:32]

    @property
    def replay(self) -> str:
        """The command that gives the same result, from the file's folder."""
        scenario = self.scenario
        words = ["akstwin", "run", Path(self.source).name, "--seed", str(scenario.seed)]
        if scenario.replications > 1:
            words += ["--replications", str(scenario.replications)]
        for change in self.changes:
            words += ["--set", change]
        return shlex.join(words)


def load(
    path: Path, changes: Iterable[str] = (), *, seed: int | None = None, replications: int | None = None
) -> Prepared:
    """Read a scenario file.

    Args:
        path: the file.
        changes: `path=value` each, as with `--set`.
        seed: replaces the file's.
        replications: likewise.

    Raises:
        BadScenario: anything in it is wrong. The message is one line.
    """
    made = tuple(changes)
    prepared = prepare(document_of(path, made, seed=seed, replications=replications), path)
    return replace(prepared, changes=made)


def document_of(
    path: Path, changes: Iterable[str] = (), *, seed: int | None = None, replications: int | None = None
) -> dict[str, Any]:
    """The file's content with changes made to it, not checked yet.

    Raises:
        BadScenario: it cannot be read, or a change leads nowhere.
    """
    document = read(path)
    for change in changes:
        place, equals, value = change.partition("=")
        if not equals:
            raise BadScenario(str(path), f"--set {change}: expected PATH=VALUE")
        try:
            set_value(document, place.strip(), read_yaml(value))
        except InvalidSetting as error:
            raise BadScenario(str(path), f"--set {' '.join(str(error).split())}") from error
        except NotYaml as error:
            raise BadScenario(str(path), f"--set {change}: not YAML: {error.problem}") from error
    for name, replaced in (("seed", seed), ("replications", replications)):
        if replaced is not None:
            document[name] = replaced
    return document


def read(path: Path) -> dict[str, Any]:
    """The file's content as plain data.

    Raises:
        BadScenario: it cannot be read, or is no YAML mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a text file"
        raise BadScenario(str(path), f"cannot be read: {reason}") from error
    try:
        document = read_yaml(text)
    except NotYaml as error:
        raise BadScenario(str(path), str(error)) from error
    if not isinstance(document, dict):
        found = (
            "is empty" if document is None else f"holds {'a list' if isinstance(document, list) else repr(document)}"
        )
        raise BadScenario(str(path), f"{found}; expected a mapping of settings, such as `duration: 10m`")
    return document


def prepare(document: Mapping[str, Any], path: Path) -> Prepared:
    """Check plain data and read the files it names.

    Raises:
        BadScenario: anything in it is wrong.
    """
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        raise BadScenario(str(path), first_mistake(error, Scenario)) from error
    notes = seconds_note(scenario, document)
    try:
        return _prepared(scenario, path, notes)
    except AksError as error:
        raise BadScenario(str(path), " ".join(str(error).split())) from error


def _prepared(scenario: Scenario, path: Path, notes: list[str]) -> Prepared:
    """Read the files, and check what holds between settings."""
    if scenario.services is None:
        whole = _part(scenario, path, "", notes)
    else:
        check_services(scenario)
        services = tuple(
            _part(alone(scenario, section), path, f"services[{at}]", notes)
            for at, section in enumerate(scenario.services)
        )
        whole = Prepared(path.stem, scenario, ServiceSpec("", ()), {}, {}, str(path), services=services)
    _check_cluster(whole.scenario)
    for part in whole.parts:
        try:
            _check_service(part)
        except InvalidSetting as error:
            raise _in_the_file(part.where, error) from None
    _check_faults(whole.scenario, whole.parts)
    return replace(whole, notes=tuple(notes))


def _part(scenario: Scenario, path: Path, where: str, notes: list[str]) -> Prepared:
    """One service, its files read; what was read is added to the notes."""
    scenario = _with_files(scenario, path.parent, where, notes)
    try:
        service, replies = _service(scenario), _replies(scenario)
    except InvalidSetting as error:
        raise _in_the_file(where, error) from None
    return Prepared(path.stem, scenario, service, _models(scenario), replies, str(path), where=where)


def _in_the_file(where: str, error: InvalidSetting) -> InvalidSetting:
    """What is wrong with a service that was looked at alone, with its place in the file."""
    return InvalidSetting(placed(where, error.setting), error.args[1], error.expected)


_PATH = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[[^.\[\]]+\])*")


def set_value(document: Any, place: str, value: object) -> None:
    """Put a value where `a.b[0].c` or `endpoint.versions.blue.deploy` points; list items go by number or by name.

    Raises:
        InvalidSetting: the path leads nowhere.
    """
    if not _PATH.fullmatch(place):
        raise InvalidSetting("path", place, "a path such as cluster.nodes or traffic[0].rate")
    steps = re.findall(r"[^.\[\]]+", place)
    for at, step in enumerate(steps[:-1]):
        document = _step_into(document, step, place, following=steps[at + 1])
    last = steps[-1]
    if isinstance(document, list):
        document[_index(document, last, place)] = value
    elif isinstance(document, dict):
        document[last] = value
    else:
        raise InvalidSetting(place, last, "a setting: what stands before it has none")


def _step_into(document: Any, step: str, place: str, following: str) -> Any:
    if isinstance(document, list):
        return document[_index(document, step, place)]
    if isinstance(document, dict):
        if document.get(step) is None:
            document[step] = {}
        return document[step]
    raise InvalidSetting(place, step, f"a setting that holds {following}")


def _index(items: list[Any], step: str, place: str) -> int:
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    if step in names:
        return names.index(step)
    if step.isascii() and step.isdigit() and int(step) < len(items):
        return int(step)
    known = [str(name) for name in names if name]
    count = f"{len(items)} item{'' if len(items) == 1 else 's'}, numbered from 0"
    there = f"there are {', '.join(known)}{nearest(step, known)}" if known else f"it has {count}"
    raise InvalidSetting(place, step, f"an item of the list: {there}")


# -- files that the scenario names


def _with_files(scenario: Scenario, folder: Path, where: str, notes: list[str]) -> Scenario:
    """The scenario of one service with recorded instants and measured durations read in; what was read is added to the notes.

    Args:
        scenario: of one service.
        folder: that files are looked for in.
        where: the place of the service's entry in the file; nothing: the scenario is the whole file.
        notes: of how files were read.
    """
    traffic: list[Traffic] = []
    for at, entry in enumerate(scenario.traffic):
        if isinstance(entry, TraceArrivals):
            reading = Reading(
                placed(where, f"traffic[{at}].file"),
                entry.column,
                entry.unit,
                entry.zone,
                entry.only,
                repeats=entry.repeats,
            )
            found = read_instants(folder / entry.file, reading)
            notes.append(found.note)
            traffic.append(entry.model_copy(update={"instants": found.values}))
        elif isinstance(entry, ClosedLoopUsers):
            traffic.append(_users_with_files(entry, folder, placed(where, f"traffic[{at}].think_time"), notes))
        else:
            traffic.append(entry)
    changed: dict[str, Any] = {"traffic": traffic}
    if scenario.endpoint is not None:
        versions = [
            version.model_copy(
                update={"model": _model_with_files(version.model, folder, placed(where, f"{place}.model"), notes)}
            )
            for place, version in scenario.versions()
        ]
        changed["endpoint"] = scenario.endpoint.model_copy(update={"versions": versions})
    elif scenario.webservice is not None:
        model = _model_with_files(scenario.webservice.model, folder, placed(where, "webservice.model"), notes)
        changed["webservice"] = scenario.webservice.model_copy(update={"model": model})
    changed["operations"] = [
        operation
        if operation.model is None
        else operation.model_copy(
            update={
                "model": _model_with_files(operation.model, folder, placed(where, f"operations[{at}].model"), notes)
            }
        )
        for at, operation in enumerate(scenario.operations)
    ]
    return scenario.model_copy(update=changed)


def _users_with_files(users: ClosedLoopUsers, folder: Path, where: str, notes: list[str]) -> ClosedLoopUsers:
    think_time = _durations_with_file(users.think_time, folder, where, notes)
    if mean_of(think_time) < LEAST_THINK_TIME:
        raise InvalidSetting(where, format_duration(round(mean_of(think_time))), THINK_TIME_FORM)
    return users.model_copy(update={"think_time": think_time})


def _model_with_files(model: Model, folder: Path, where: str, notes: list[str]) -> Model:
    return model.model_copy(
        update={
            name: _durations_with_file(getattr(model, name), folder, f"{where}.{name}", notes)
            for name in ("service_time", "init_time")
            if isinstance(getattr(model, name), Empirical)
        }
    )


def _durations_with_file(distribution: Distribution, folder: Path, where: str, notes: list[str]) -> Distribution:
    if not isinstance(distribution, Empirical):
        return distribution
    found = read_column(folder / distribution.file, f"{where}.file", column=distribution.column, unit=distribution.unit)
    notes.append(found.note)
    return distribution.model_copy(update={"values": found.values})


# -- what holds between settings


def _service(scenario: Scenario) -> ServiceSpec:
    section = "endpoint" if scenario.endpoint is not None else "webservice"
    check_name(f"{section}.name", scenario.service_name)
    versions = []
    for where, version in scenario.versions():
        if section == "endpoint":
            check_name(f"{where}.name", version.name)
        versions.append(_version(where, version, most_pods(scenario.assumptions)))
    names = [version.name for version in versions]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise InvalidSetting(f"endpoint.versions[{at}].name", name, "a name of its own: another version has it")
    most = scenario.assumptions.versions_per_endpoint
    if len(versions) > most:
        raise InvalidSetting("endpoint.versions", len(versions), f"at most {most} versions")
    return ServiceSpec(scenario.service_name, tuple(versions))


def _models(scenario: Scenario) -> dict[str, ModelProfile]:
    """What each version costs."""
    return {version.name: version.model.profile for _, version in scenario.versions()}


def _replies(scenario: Scenario) -> dict[str, Simple | Rules]:
    """What each version answers."""
    replies: dict[str, Simple | Rules] = {}
    for where, version in scenario.versions():
        if "reply" in version.model.model_fields_set:
            replies[version.name] = _reply(version.model.reply, f"{where}.model.reply")
        else:
            replies[version.name] = Value({"version": version.name}, "reply")
    return replies


def _reply(given: Any, where: str) -> Simple | Rules:
    reply = read_reply(given, where)
    if isinstance(reply, Script):
        raise InvalidSetting(where, "$script", "a value, $echo, $fixed or $match: a scenario brings no entry script")
    return reply


def _version(where: str, version: VersionSection, most_replicas: int) -> VersionSpec:
    try:
        check_replicas(version.deploy, most_replicas)
        return VersionSpec(version.name, version.deploy)
    except InvalidSetting as error:
        raise error.under(f"{where}.deploy") from None


def _check_cluster(scenario: Scenario) -> None:
    """What all services share."""
    if scenario.warm_up >= scenario.duration:
        raise InvalidSetting(
            "warm_up", format_duration(scenario.warm_up), f"shorter than duration, {format_duration(scenario.duration)}"
        )
    _check_survival(scenario)
    check_cluster(scenario.cluster, scenario.assumptions)


def _check_faults(scenario: Scenario, parts: Sequence[Prepared]) -> None:
    """Refuse faults on what is not there."""
    names = [part.service.name for part in parts]
    check_fault_services(scenario, names)
    nodes = max(scenario.cluster.nodes, scenario.cluster.max_nodes or 0)
    for at, fault in enumerate(scenario.faults):
        hit = parts[names.index(getattr(fault, "service", None) or names[0])]
        check_fault(f"faults[{at}]", fault, [version.name for version in hit.service.versions], nodes)


def _check_service(part: Prepared) -> None:
    """What holds between the settings of one service; paths are as if it stood alone."""
    scenario, service = part.scenario, part.service
    _check_survival(scenario)
    try:
        default = service.default
    except InvalidSetting as error:
        raise error.under("endpoint.versions") from None
    percentages = {version.name: version.arguments.traffic_percentile for version in service.versions}
    _check_split("endpoint.versions: traffic_percentile", percentages, default)
    for at, operation in enumerate(scenario.operations):
        _check_operation(at, operation.version or default, operation.deploy, scenario, service)
    for at, policy in enumerate(scenario.policies):
        _check_policy(f"policies[{at}]", policy, part, percentages, default)


def _check_policy(
    where: str, policy: PolicySpec, part: Prepared, percentages: Mapping[str, float | None], default: str
) -> None:
    names = [version.name for version in part.service.versions]
    endpoint = part.scenario.endpoint is not None
    if isinstance(policy, ScheduledScalingSpec):
        if endpoint and policy.version not in names:
            raise InvalidSetting(f"{where}.version", policy.version, a_version(names, policy.version or ""))
        if not endpoint and policy.version is not None:
            raise InvalidSetting(
                f"{where}.version", policy.version, "possible: a web service has no versions; leave it out"
            )
        return
    if policy.version not in names:
        raise InvalidSetting(f"{where}.version", policy.version, a_version(names, policy.version))
    if policy.version == default:
        raise InvalidSetting(
            f"{where}.version", default, "a version beside the default, which gets what the others leave"
        )
    match policy:
        case CanarySpec(steps=steps):
            setting, most = "steps", max(steps)
        case BlueGreenSpec():
            setting, most = "version", 100.0  # it gets all traffic at once
        case ABTestSpec(share=share):
            setting, most = "share", share
    _check_split(f"{where}.{setting}", {**percentages, policy.version: most}, default)


def _check_survival(scenario: Scenario) -> None:
    asked = scenario.objectives.survives
    if asked is None:
        return
    if all(name == "cost" for name, _ in scenario.objectives.given()):
        raise InvalidSetting(
            "objectives.survives", asked.lost, "enough: name a latency or a share that must hold when a node is lost"
        )
    if asked.at is not None and asked.at >= scenario.duration:
        raise InvalidSetting(
            "objectives.survives.at",
            format_duration(asked.at),
            f"before the end of the duration, {format_duration(scenario.duration)}",
        )


def _check_split(setting: str, percentages: Mapping[str, float | None], default: str) -> None:
    try:
        split_of(dict(percentages), default)
    except ValueError:
        shares = {name: share for name, share in percentages.items() if share is not None and name != default}
        given = " + ".join(f"{name} {share:g}" for name, share in shares.items())
        raise InvalidSetting(
            setting,
            f"{given} = {sum(shares.values()):g}",
            f"at most 100 per cent beside the default version, {default}",
        ) from None


def _check_operation(at: int, version: str, deploy: DeployArguments, scenario: Scenario, service: ServiceSpec) -> None:
    """Refuse an update that the management service would refuse, of the service as the scenario begins."""
    where = f"operations[{at}]"
    names = [each.name for each in service.versions]
    if version not in names:
        raise InvalidSetting(f"{where}.version", version, a_version(names, version))
    endpoint, limits = scenario.endpoint is not None, management.ServiceLimits.of(scenario.assumptions)
    try:
        record = management.create(payload_of(service, "cluster", endpoint=endpoint), None, Micros(0), limits)
        patch = patch_of(version, deploy, names if endpoint else None)
        management.change(record, patch, Micros(0), limits=limits)
    except InvalidSetting as error:
        setting = error.setting.removeprefix(f"versions.{version}.")
        raise InvalidSetting(setting, error.args[1], error.expected).under(f"{where}.deploy") from None
