"""What a change of a service asks of its pods and its router (semantics §6.6).

What stands in the pod template (resources, probe, data collection, namespace, script, models, environment) replaces the pods
of that version and takes the service's lock; all else needs no new pods and no lock.
"""

from dataclasses import dataclass

from akstwin.domain.service import Split, VersionSpec


@dataclass(frozen=True, slots=True)
class VersionAdded:
    """A new version.

    Attributes:
        version: what it is.
        builds: whether its image has to be built first.
    """

    version: VersionSpec
    builds: bool


@dataclass(frozen=True, slots=True)
class PodsReplaced:
    """A version's pods are replaced, because their template changes.

    Attributes:
        version: what it is now.
        builds: whether its image has to be built first.
    """

    version: VersionSpec
    builds: bool


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """A version has other settings, which act without new pods."""

    version: VersionSpec


@dataclass(frozen=True, slots=True)
class VersionRemoved:
    """A version is taken away: its share goes to the others, its pods end."""

    version: str


@dataclass(frozen=True, slots=True)
class SplitChanged:
    """The traffic split is another one."""

    split: Split


Effect = VersionAdded | PodsReplaced | SettingsChanged | VersionRemoved | SplitChanged
