"""Several services of one scenario, each looked at as if it stood alone in a file of its own."""

from collections.abc import Iterator
from typing import Final

from akstwin.clock import Micros
from akstwin.domain.deployment import check_name
from akstwin.domain.faults import ImagePullSlow, NodeLoss
from akstwin.domain.units import format_duration
from akstwin.domain.words import nearest
from akstwin.errors import InvalidSetting
from akstwin.scenarios.model import EndpointSection, Scenario, ServiceSection, WebserviceSection

_OF_A_SERVICE: Final = ("traffic", "clients", "operations", "policies")
"""Settings that each of several services has for itself; `objectives` beside `services` are those of the total."""


def alone(scenario: Scenario, section: ServiceSection) -> Scenario:
    """One of the scenario's services as a scenario with this service only; faults of other services are left out.

    Args:
        scenario: has `services`.
        section: one of them.
    """
    own = {name: getattr(section, name) for name in (*_OF_A_SERVICE, "objectives")}
    faults = [fault for fault in scenario.faults if getattr(fault, "service", None) in (None, section.name)]
    endpoint = webservice = None
    if section.versions is not None:
        endpoint = EndpointSection(name=section.name, versions=section.versions)
    else:
        webservice = WebserviceSection(name=section.name, deploy=section.deploy, model=section.model)
    return scenario.model_copy(
        update={**own, "faults": faults, "services": None, "endpoint": endpoint, "webservice": webservice}
    )


def placed(where: str, setting: str) -> str:
    """Where a setting of a service that is looked at alone stands in the file.

    Args:
        where: of the service's entry, such as `services[0]`; nothing: the file has one service.
        setting: its path in the scenario of that service alone.
    """
    if not where:
        return setting
    for head in ("webservice", "endpoint"):
        if setting == head:
            return where
        if setting.startswith(f"{head}."):
            return f"{where}.{setting.removeprefix(f'{head}.')}"
    return f"{where}.{setting}"


def check_services(scenario: Scenario) -> None:
    """Refuse services that cannot stand beside each other, and settings that stand outside the service they belong to.

    Raises:
        InvalidSetting: with its path.
    """
    sections = scenario.services or []
    for name in _OF_A_SERVICE:
        if name in scenario.model_fields_set:
            raise InvalidSetting(
                name, "given", f"possible beside `services:`: each service has its own, as services[0].{name}"
            )
    names: list[str] = []
    for at, section in enumerate(sections):
        where = f"services[{at}]"
        check_name(f"{where}.name", section.name)
        if section.name in names:
            raise InvalidSetting(
                f"{where}.name", section.name, f"a name of its own: services[{names.index(section.name)}] has it"
            )
        names.append(section.name)
        for name in ("deploy", "model"):
            if section.versions is not None and name in section.model_fields_set:
                raise InvalidSetting(
                    f"{where}.{name}", "given", f"possible beside `versions:`: each version has its own {name}"
                )
    _check_survival(sections, scenario)


def check_fault_services(scenario: Scenario, names: list[str]) -> None:
    """Refuse faults on replicas of no service, or of one that is not there.

    Args:
        scenario: what was read.
        names: of its services.

    Raises:
        InvalidSetting: with its path.
    """
    for at, fault in enumerate(scenario.faults):
        if isinstance(fault, NodeLoss | ImagePullSlow):
            continue
        if fault.service is None and scenario.services is not None:
            raise InvalidSetting(f"faults[{at}].service", None, f"the service that it hits: {_one_of(names)}")
        if fault.service is not None and fault.service not in names:
            raise InvalidSetting(
                f"faults[{at}].service", fault.service, f"a service: {_one_of(names)}{nearest(fault.service, names)}"
            )


def _one_of(names: list[str]) -> str:
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"


def _check_survival(sections: list[ServiceSection], scenario: Scenario) -> None:
    """A lost node is lost for all services at once, so all must ask for the same loss."""
    asked = list(_losses(sections, scenario))
    for where, at, lasts in asked[1:]:
        first, first_at, first_lasts = asked[0]
        for name, value, same in (("at", at, first_at), ("lasts", lasts, first_lasts)):
            if value != same:
                shown = "none" if value is None else format_duration(Micros(value))
                said = "without it" if same is None else format_duration(Micros(same))
                raise InvalidSetting(
                    f"{where}.{name}", shown, f"as in {first} ({said}): a node is lost for all services at once"
                )


def _losses(sections: list[ServiceSection], scenario: Scenario) -> Iterator[tuple[str, int, int | None]]:
    objectives = [("objectives.survives", scenario.objectives)]
    objectives += [(f"services[{at}].objectives.survives", each.objectives) for at, each in enumerate(sections)]
    for where, given in objectives:
        if given.survives is not None:
            at = scenario.warm_up if given.survives.at is None else given.survives.at
            yield where, at, given.survives.lasts
