"""Actions on an endpoint, by the SDK's own verbs; what is in force already is not done again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from akstwin.errors import InvalidSetting
from akstwin.policies.actions import Action, Hold, Promote, RemoveVersion, RollBack, SetBounds, SetReplicas, SetTraffic


class Target(Protocol):
    """What actions are done on: an `AksEndpoint`, an `AksWebservice`, or a scenario's service."""

    def update_version(self, version_name: str, **settings: Any) -> None:
        """Change a version of an endpoint."""
        ...

    def delete_version(self, version_name: str) -> None:
        """Delete a version of an endpoint."""
        ...

    def update(self, **settings: Any) -> None:
        """Change a web service."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the SDK.

    Attributes:
        version: whom it changes; None: the web service.
        settings: keyword arguments; None: the version is deleted.
    """

    version: str | None
    settings: Mapping[str, Any] | None


def steps_of(action: Action, document: Mapping[str, Any]) -> list[Step]:
    """The calls that bring about what an action wants; none, where it is in force.

    Shares that fall come before shares that rise, so that they never add up to more than 100.

    Args:
        action: what is wanted.
        document: the service as it is, as `Backend.get_service` gives it.

    Raises:
        InvalidSetting: the action cannot be done on this service.
    """
    versions: Mapping[str, Any] = document.get("versions") or {}
    shares = {name: float(each.get("trafficPercentile") or 0.0) for name, each in versions.items()}
    default = next((name for name, each in versions.items() if each.get("isDefault")), None)
    match action:
        case Hold():
            return []
        case SetTraffic(wanted):
            for name in wanted:
                _check(name, versions)
                _check_not_default(name, default)
            rising_last = sorted(wanted, key=lambda name: wanted[name] > shares[name])
            return [_share(name, wanted[name]) for name in rising_last if wanted[name] != shares[name]]
        case RollBack(name):
            _check(name, versions)
            _check_not_default(name, default)
            return [_share(name, 0.0)] if shares[name] else []
        case Promote(name):
            _check(name, versions)
            # The default's own percentage does not act while it is the default; it would once another one is.
            steps = [_share(other, 0.0) for other, share in shares.items() if other != name and share]
            if name != default:
                steps.append(Step(name, {"traffic_percentile": 100.0, "is_default": True}))
            return steps
        case RemoveVersion(name):
            _check_not_default(name, default)
            return [Step(name, None)] if name in versions else []
        case SetReplicas(replicas, name):
            wanted_now = {"autoscale_enabled": False, "num_replicas": replicas}
            return _scaling(name, wanted_now, document, versions)
        case SetBounds(minimum, maximum, name):
            bounds = {"autoscale_min_replicas": minimum, "autoscale_max_replicas": maximum}
            return _scaling(name, {"autoscale_enabled": True, **bounds}, document, versions)


def perform(step: Step, target: Target) -> None:
    """Make one call.

    Raises:
        AksError: the service refuses it.
    """
    if step.version is None:
        target.update(**(step.settings or {}))
    elif step.settings is None:
        target.delete_version(step.version)
    else:
        target.update_version(step.version, **step.settings)


def _share(version: str, share: float) -> Step:
    return Step(version, {"traffic_percentile": share})


def _scaling(
    version: str | None, wanted: dict[str, Any], document: Mapping[str, Any], versions: Mapping[str, Any]
) -> list[Step]:
    if version is not None:
        _check(version, versions)
    elif versions:
        raise InvalidSetting("action.version", None, f"a version of the endpoint: {', '.join(versions)}")
    shown = document if version is None else versions[version]
    scaler = shown.get("autoScaler") or {}
    there = {
        "autoscale_enabled": bool(scaler.get("autoscaleEnabled")),
        "autoscale_min_replicas": scaler.get("minReplicas"),
        "autoscale_max_replicas": scaler.get("maxReplicas"),
        "num_replicas": shown.get("numReplicas"),
    }
    return [] if all(there[name] == value for name, value in wanted.items()) else [Step(version, wanted)]


def _check(name: str, versions: Mapping[str, Any]) -> None:
    if name not in versions:
        raise InvalidSetting(
            "action.version", name, f"a version of the service: {', '.join(versions) or 'it has none'}"
        )


def _check_not_default(name: str, default: str | None) -> None:
    if name == default:
        raise InvalidSetting("action.version", name, "a version beside the default, which gets what the others leave")
