"""What a change of a service means for its pods and its router (semantics §6.6).

What stands in the pod template (resources, probe, data collection, namespace, script, models, environment) rolls the pods
of that version and takes an operation; all else acts at once, and is allowed while an operation runs.
"""

from collections.abc import Container
from dataclasses import dataclass

from akstwin.domain.service import ServiceSpec, Split, VersionSpec


@dataclass(frozen=True, slots=True)
class Added:
    """A new version.

    Attributes:
        version: what it is.
        builds: whether its image has to be built first.
    """

    version: VersionSpec
    builds: bool


@dataclass(frozen=True, slots=True)
class Rolled:
    """A version's pods are replaced.

    Attributes:
        version: what it is now.
        builds: whether its image has to be built first.
    """

    version: VersionSpec
    builds: bool


@dataclass(frozen=True, slots=True)
class Retuned:
    """A version has other settings that act without new pods."""

    version: VersionSpec


@dataclass(frozen=True, slots=True)
class Removed:
    """A version's pods end."""

    version: str


@dataclass(frozen=True, slots=True)
class Reshared:
    """The traffic split is another one."""

    split: Split


Effect = Added | Rolled | Retuned | Removed | Reshared


def effects_of(before: ServiceSpec, after: ServiceSpec, built: Container[str] = ()) -> tuple[Effect, ...]:
    """What has to be done to get from one to the other.

    Args:
        before: the service as it is.
        after: the service as it shall be.
        built: images that need no building. An image without a name has to be built.

    Raises:
        InvalidSetting: the split that comes of it is refused.
    """
    effects: list[Effect] = []
    old = {version.name: version for version in before.versions}
    for version in after.versions:
        was = old.pop(version.name, None)
        image = version.code.image
        builds = (was is None or was.code != version.code) and not (image and image in built)
        if was is None:
            effects.append(Added(version, builds))
        elif was.template != version.template:
            effects.append(Rolled(version, builds))
        elif (was.settings, was.model) != (version.settings, version.model):
            effects.append(Retuned(version))
    effects += [Removed(name) for name in old]
    if after.split != before.split:
        effects.append(Reshared(after.split))
    return tuple(effects)


def takes_operation(effects: tuple[Effect, ...]) -> bool:
    """Whether pods have to come before it is done."""
    return any(isinstance(effect, Added | Rolled) for effect in effects)


def builds(effects: tuple[Effect, ...]) -> bool:
    """Whether an image has to be built."""
    return any(isinstance(effect, Added | Rolled) and effect.builds for effect in effects)
