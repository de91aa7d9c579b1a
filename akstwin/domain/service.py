"""A service to deploy: its versions, and what each of them is."""

from dataclasses import dataclass, field

from akstwin.domain.deployment import DeployArguments, VersionSettings
from akstwin.errors import InvalidSetting


@dataclass(frozen=True, slots=True)
class Code:
    """What a version's containers run.

    Attributes:
        image: what is pulled: versions with one environment share it. Empty: each version and content has its own.
        content: another one is another script, another model or another environment.
    """

    image: str = ""
    content: str = "1"


@dataclass(frozen=True, slots=True)
class VersionSpec:
    """One version of a service: the arguments it was given, what they come to, and what it runs."""

    name: str
    arguments: DeployArguments
    code: Code = Code()
    settings: VersionSettings = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", self.arguments.settings())

    @property
    def template(self) -> tuple[object, ...]:
        """What pods are made from: another one rolls them (semantics §6.6)."""
        return (self.code, self.settings.template)


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service with its versions in the order of their creation; an AksWebservice has one."""

    name: str
    versions: tuple[VersionSpec, ...]

    def version(self, name: str) -> VersionSpec:
        """The version of that name (KeyError: there is none)."""
        for version in self.versions:
            if version.name == name:
                return version
        raise KeyError(name)

    @property
    def default(self) -> str:
        """The version that says it is the default, else the first (semantics §1.5).

        Raises:
            InvalidSetting: two say so.
        """
        claims = [version.name for version in self.versions if version.arguments.is_default]
        if len(claims) > 1:
            raise InvalidSetting("is_default", " and ".join(claims), "true for one version only")
        return claims[0] if claims else self.versions[0].name

    @property
    def split(self) -> "Split":
        """Who gets which share of the traffic.

        Raises:
            InvalidSetting: two versions are the default; or the others alone ask for more than 100 per cent.
        """
        percentages = {version.name: version.arguments.traffic_percentile for version in self.versions}
        try:
            return split_of(percentages, self.default)
        except ValueError as error:
            raise InvalidSetting("traffic_percentile", percentages, str(error)) from None


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets which share of the traffic (semantics §1.5, R5).

    Attributes:
        default: gets all that the others leave, whatever its own percentage says.
        others: the other versions in the order of their creation, with their shares in millionths of a per cent.
    """

    default: str
    others: tuple[tuple[str, int], ...] = ()

    WHOLE = 100_000_000

    def pick(self, draw: int) -> str:
        """The version for a draw from 0 up to WHOLE."""
        for name, share in self.others:
            if draw < share:
                return name
            draw -= share
        return self.default

    def shares(self) -> dict[str, float]:
        """Effective percentages, the default's first."""
        rest = self.WHOLE - sum(share for _, share in self.others)
        return {self.default: rest / 1e6, **{name: share / 1e6 for name, share in self.others}}


def split_of(percentages: dict[str, float | None], default: str) -> Split:
    """The split that these percentages mean; a version without one gets none of its own.

    Args:
        percentages: by version, in the order of creation, 0 to 100.
        default: the default version.

    Raises:
        ValueError: the other versions alone ask for more than 100.
    """
    others = tuple((name, round((share or 0) * 1_000_000)) for name, share in percentages.items() if name != default)
    total = sum(share for _, share in others)
    if total > Split.WHOLE:
        raise ValueError(f"at most 100 per cent for the versions beside the default, not {total / 1e6:g}")
    return Split(default, others)
