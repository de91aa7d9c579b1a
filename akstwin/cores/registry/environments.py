"""Registered environments: descriptions that are kept and given back (wire §10)."""

from collections.abc import Sequence
from typing import Final

from akstwin.clock import Micros
from akstwin.cores.registry.curated import PREFIXES
from akstwin.cores.registry.reading import Kept, read_name, read_object
from akstwin.domain.documents import Json
from akstwin.domain.forms import ENVIRONMENT, fitted, refuse
from akstwin.errors import Conflict, InvalidSetting

_SECTIONS: Final = ("environmentVariables", "python", "docker")


class EnvironmentRecord(Kept):
    """One version of an environment.

    Attributes:
        name: of the environment.
        version: its number, or whatever it was called.
        number: 1, 2, … in the order of registration.
        document: as it is given back, name and version in it.
        created: when.
    """

    name: str
    version: str
    number: int
    document: Json
    created: Micros


def read_environment(document: Json) -> Json:
    """An environment as it is given back: the first letters of its own keys are small, `name` and `version` are not in it.

    Raises:
        InvalidSetting: it is no object, two keys mean one, or a part has another form than clients read.
    """
    content: Json = {}
    for key, value in read_object("environment", document).items():
        small = key[:1].lower() + key[1:]
        if small in content:
            raise InvalidSetting(f"environment.{key}", value, f"there once: {small} is too")
        content[small] = value
    content.pop("name", None)
    content.pop("version", None)
    return fitted(ENVIRONMENT, content, "environment", refuse)


def environment_document(record: EnvironmentRecord) -> Json:
    """The document of an environment, in the form that clients read; a record of an earlier version may have another one.

    It has the sections that clients read, if only empty: what has a name and a version alone is a reference to them.
    """
    return {**{section: {} for section in _SECTIONS}, **_fitted(record)}


def register_environment(
    name: str, version: str | None, document: Json, versions: Sequence[EnvironmentRecord], now: Micros
) -> EnvironmentRecord:
    """The record that registering comes to: a new one, or the one there is if it says the same.

    Args:
        name: of the environment.
        version: None: the next one, unless the newest is equal.
        document: what was sent; its own name and version are not looked at.
        versions: those there are, the oldest first.
        now: the present.

    Raises:
        InvalidSetting: a value is refused, or the name is one of a curated environment.
        Conflict: that version exists and says something else.
    """
    read_name("name", name)
    content = read_environment(document)
    if name.startswith(PREFIXES):
        taken = f"names that begin with {' or '.join(PREFIXES)} are those of curated environments"
        raise InvalidSetting("name", name, f"free: {taken}; clone(new_name) makes one of your own")
    if version is None:
        if versions and _content(versions[-1]) == content:
            return versions[-1]
        numbers = [int(record.version) for record in versions if record.version.isdecimal()]
        version = str(max(numbers, default=0) + 1)
    read_name("version", version)
    for record in versions:
        if record.version == version:
            if _content(record) != content:
                raise Conflict(f"environment {name} has a version {version} already, and it says something else")
            return record
    named = {"name": name, "version": version, **content}
    return EnvironmentRecord(name=name, version=version, number=len(versions) + 1, document=named, created=now)


def _content(record: EnvironmentRecord) -> Json:
    """What an environment says, its name and version aside."""
    return {key: value for key, value in _fitted(record).items() if key not in ("name", "version")}


def _fitted(record: EnvironmentRecord) -> Json:
    return fitted(ENVIRONMENT, record.document, "", None)
