"""What a policy may do, as plain data: each action says which state it wants, so that doing it twice changes nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from akstwin.errors import InvalidSetting


@dataclass(frozen=True, slots=True)
class Hold:
    """Change nothing."""

    def __str__(self) -> str:
        return "hold"


@dataclass(frozen=True, slots=True)
class SetTraffic:
    """Give versions beside the default these shares; the default version gets what all others leave.

    Attributes:
        shares: per cent, by version.
    """

    shares: Mapping[str, float]

    def __str__(self) -> str:
        return "set traffic " + ", ".join(f"{version} {share:g} %" for version, share in self.shares.items())


@dataclass(frozen=True, slots=True)
class SetReplicas:
    """Run a fixed number of replicas, without the autoscaler.

    Attributes:
        replicas: how many.
        version: of an endpoint; None: the web service.
    """

    replicas: int
    version: str | None = None

    def __str__(self) -> str:
        return f"set replicas {_whose(self.version)}{self.replicas}"


@dataclass(frozen=True, slots=True)
class SetBounds:
    """Let the autoscaler keep the number of replicas between bounds.

    Attributes:
        minimum: fewest replicas.
        maximum: most replicas.
        version: of an endpoint; None: the web service.
    """

    minimum: int
    maximum: int
    version: str | None = None

    def __str__(self) -> str:
        return f"set bounds {_whose(self.version)}{self.minimum} to {self.maximum}"


@dataclass(frozen=True, slots=True)
class Promote:
    """Give a version all traffic, and make it the default version; the others get nothing.

    Attributes:
        version: its name.
    """

    version: str

    def __str__(self) -> str:
        return f"promote {self.version}"


@dataclass(frozen=True, slots=True)
class RollBack:
    """Take all traffic from a version that is not the default; the default version gets it.

    Attributes:
        version: its name.
    """

    version: str

    def __str__(self) -> str:
        return f"roll back {self.version}"


@dataclass(frozen=True, slots=True)
class RemoveVersion:
    """Delete a version that is not the default.

    Attributes:
        version: its name.
    """

    version: str

    def __str__(self) -> str:
        return f"remove version {self.version}"


Action = Hold | SetTraffic | SetReplicas | SetBounds | Promote | RollBack | RemoveVersion
"""One of the seven."""
_KINDS: Final[Mapping[str, type[Action]]] = {
    "hold": Hold, "set_traffic": SetTraffic, "set_replicas": SetReplicas, "set_bounds": SetBounds, "promote": Promote,
    "roll_back": RollBack, "remove_version": RemoveVersion,
}  # fmt: skip
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def action_json(action: Action) -> dict[str, Any]:
    """An action as plain data: `{"kind": "set_traffic", "shares": {"green": 10}}`."""
    return {"kind": _NAMES[type(action)], **asdict(action)}


def read_action(given: Mapping[str, Any]) -> Action:
    """An action from plain data.

    Raises:
        InvalidSetting: no such action, or it has other settings.
    """
    kind = _KINDS.get(str(given.get("kind")))
    if kind is None:
        raise InvalidSetting("action.kind", given.get("kind"), f"one of {', '.join(_KINDS)}")
    settings = {name: value for name, value in given.items() if name != "kind"}
    known = [each.name for each in fields(kind)]
    for name, value in settings.items():
        if name not in known:
            raise InvalidSetting(f"action.{name}", value, f"a setting of {given['kind']}: {', '.join(known)}")
    try:
        return kind(**settings)
    except TypeError as error:
        raise InvalidSetting("action", dict(given), f"whole: {error}") from None


def _whose(version: str | None) -> str:
    return "" if version is None else f"{version} "
