"""The form that azureml-core reads environments and models in: what it fails on is refused by name, or left out.

azureml-core reads a list in one go: a document that it fails on makes `list` fail for all. So nothing is kept that it fails on
(`fitted` with a refusal), and what an earlier version kept is mended as it is shown (`fitted` without one).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from akstwin.errors import InvalidSetting


class Kind(Enum):
    """Values without parts; each may be null. The text is what an error says was expected."""

    TEXT = "text"
    FLAG = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    PAIRS = "an object of texts"
    NOTHING = "empty: services do not use it, and clients fail on much of what it may say"


@dataclass(frozen=True, slots=True)
class Words:
    """One of several words, or null."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Object:
    """An object; null is as if it were left out.

    Attributes:
        fields: those that have a form; others are kept as they are.
        closed: whether there may be no others.
    """

    fields: Mapping[str, "Form"]
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list; null is as if it were left out.

    Attributes:
        forms: of an item: one of them.
    """

    forms: "tuple[Form, ...]"


Form = Kind | Words | Object | Items
Refuse = Callable[[str, Any, str], None]

_TEXTS: Final = Items((Kind.TEXT,))


def _texts(*names: str) -> "dict[str, Form]":
    return dict.fromkeys(names, Kind.TEXT)


def _objects(*names: str) -> Items:
    return Items((Object(_texts(*names)),))


CONDA: Final = Object(
    {
        "name": Kind.TEXT,
        "prefix": Kind.TEXT,
        "channels": _TEXTS,
        "dependencies": Items((Kind.TEXT, Object({"pip": _TEXTS}, closed=True))),
        "variables": Kind.PAIRS,
    },
    closed=True,
)
ENVIRONMENT: Final = Object(
    {
        **_texts("name", "version", "inferencingStackVersion", "assetId"),
        "environmentVariables": Kind.PAIRS,
        "python": Object(
            {
                "userManagedDependencies": Kind.FLAG,
                **_texts("interpreterPath", "condaDependenciesFile", "baseCondaEnvironment"),
                "condaDependencies": CONDA,
            }
        ),
        "docker": Object(
            {
                "enabled": Kind.FLAG,
                "sharedVolumes": Kind.FLAG,
                **_texts("baseImage", "baseDockerfile", "shmSize"),
                "arguments": _TEXTS,
                "buildContext": Object(
                    {"locationType": Words(("git", "storageAccount")), **_texts("location", "dockerfilePath")}
                ),
                "baseImageRegistry": Object(
                    {
                        **_texts("address", "username", "password"),
                        "registryIdentity": Object(_texts("resourceId", "clientId")),
                    }
                ),
                "platform": Object(_texts("os", "architecture")),
            }
        ),
        "spark": Object(
            {
                "repositories": _TEXTS,
                "packages": _objects("group", "artifact", "version"),
                "precachePackages": Kind.FLAG,
            }
        ),
        "databricks": Object(
            {
                "mavenLibraries": Items((Object({**_texts("coordinates", "repo"), "exclusions": _TEXTS}),)),
                "pypiLibraries": _objects("package", "repo"),
                "rcranLibraries": _objects("package", "repo"),
                "jarLibraries": _objects("library"),
                "eggLibraries": _objects("library"),
                "cluster": Kind.NOTHING,
            }
        ),
        "r": Object(
            {
                **_texts("rVersion", "rscriptPath", "snapshotDate"),
                "userManaged": Kind.FLAG,
                "cranPackages": _objects("name", "version", "repository"),
                "githubPackages": _objects("repository", "authToken"),
                "customUrlPackages": _TEXTS,
                "bioconductorPackages": _TEXTS,
            }
        ),
    }
)
"""An environment, as azureml-core 1.42 and 1.61 read it."""
RESOURCES: Final = Object({"cpu": Kind.NUMBER, "memoryInGB": Kind.NUMBER, "gpu": Kind.WHOLE, "fpga": Kind.WHOLE})
"""A model's `resourceRequirements`."""
DATASET: Final = Object(_texts("name", "id"))
"""A model's reference to a data set; it has an id."""

_LEFT_OUT: Final = object()


def refuse(setting: str, value: Any, expected: str) -> None:
    """Refuse a value.

    Raises:
        InvalidSetting: always.
    """
    raise InvalidSetting(setting, value, expected)


def fitted(form: Object, value: Mapping[str, Any], path: str, wrong: Refuse | None) -> dict[str, Any]:
    """An object in a form, as far as it has one.

    Args:
        form: which.
        value: the object.
        path: where it stands; what errors begin with.
        wrong: takes the place, the value and what was expected, where something is of another form; None: that is left out.

    Raises:
        InvalidSetting: by `wrong`.
    """
    content: dict[str, Any] = {}
    for key, inner in value.items():
        where = f"{path}.{key}" if path else str(key)
        if key not in form.fields:
            if form.closed:
                if wrong is not None:
                    wrong(where, inner, f"known here: only {', '.join(form.fields)} are")
                continue
            content[key] = inner
            continue
        fit = _fit(form.fields[key], inner, where, wrong)
        if fit is not _LEFT_OUT:
            content[key] = fit
    return content


def _fit(form: Form, value: Any, path: str, wrong: Refuse | None) -> Any:
    """A value in a form, or that it is left out."""
    if isinstance(form, Object):
        if isinstance(value, Mapping):
            return fitted(form, value, path, wrong)
        return _missing(value, path, "an object", wrong)
    if isinstance(form, Items):
        if isinstance(value, list):
            items = [_item(form, item, f"{path}[{number}]", wrong) for number, item in enumerate(value)]
            return [item for item in items if item is not _LEFT_OUT]
        return _missing(value, path, "a list", wrong)
    if (value is None and form is not Kind.NOTHING) or (
        value in form.words if isinstance(form, Words) else _is(form, value)
    ):
        return value
    return _missing(value, path, " or ".join(form.words) if isinstance(form, Words) else form.value, wrong)


def _item(form: Items, item: Any, path: str, wrong: Refuse | None) -> Any:
    """An item of a list, in the form that is meant for its kind of value."""
    if item is None:
        if wrong is not None:
            wrong(path, item, "an item")
        return _LEFT_OUT
    objects = [each for each in form.forms if isinstance(each, Object)]
    others = [each for each in form.forms if not isinstance(each, Object)]
    candidates = objects if isinstance(item, Mapping) else others
    return _fit((candidates or list(form.forms))[0], item, path, wrong)


def _missing(value: Any, path: str, expected: str, wrong: Refuse | None) -> Any:
    empty = value is None or (expected == Kind.NOTHING.value and value in ({}, []))
    if not empty and wrong is not None:
        wrong(path, value, expected)
    return _LEFT_OUT


def _is(kind: Kind, value: Any) -> bool:
    """Whether a value is of a kind; texts may be written as numbers or flags."""
    match kind:
        case Kind.TEXT:
            return isinstance(value, str | int | float)
        case Kind.FLAG:
            return isinstance(value, bool)
        case Kind.WHOLE:
            return isinstance(value, int) and not isinstance(value, bool)
        case Kind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Kind.PAIRS:
            return isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values())
        case Kind.NOTHING:
            return False  # null alone, and what is empty is left out
