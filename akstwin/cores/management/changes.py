"""What a change of a service means for its pods and its router (semantics §6.6): the effects of `domain.changes`."""

from collections.abc import Container

from akstwin.domain.changes import (
    Effect,
    PodsReplaced,
    SettingsChanged,
    SplitChanged,
    VersionAdded,
    VersionRemoved,
)
from akstwin.domain.service import ServiceSpec

__all__ = [
    "Added",
    "Effect",
    "PodsReplaced",
    "Removed",
    "Reshared",
    "Retuned",
    "Rolled",
    "SettingsChanged",
    "SplitChanged",
    "VersionAdded",
    "VersionRemoved",
    "builds",
    "effects_of",
    "takes_operation",
]

# Names of version 0.1.0.
Added = VersionAdded
Rolled = PodsReplaced
Retuned = SettingsChanged
Removed = VersionRemoved
Reshared = SplitChanged


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
            effects.append(VersionAdded(version, builds))
        elif was.template != version.template:
            effects.append(PodsReplaced(version, builds))
        elif was.settings != version.settings:
            effects.append(SettingsChanged(version))
    effects += [VersionRemoved(name) for name in old]
    if after.split != before.split:
        effects.append(SplitChanged(after.split))
    return tuple(effects)


def takes_operation(effects: tuple[Effect, ...]) -> bool:
    """Whether pods have to come before it is done: then its operation takes the service's lock."""
    return any(isinstance(effect, VersionAdded | PodsReplaced) for effect in effects)


def builds(effects: tuple[Effect, ...]) -> bool:
    """Whether an image has to be built."""
    return any(isinstance(effect, VersionAdded | PodsReplaced) and effect.builds for effect in effects)
