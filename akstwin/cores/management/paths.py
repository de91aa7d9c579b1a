"""Which paths of a service a JSON patch may write to, and where in the patched document they lie (wire §7.5, §7.6)."""

from collections.abc import Sequence
from typing import Final

from akstwin.cores.management.payloads import SETTING_KEYS
from akstwin.cores.management.records import ServiceRecord
from akstwin.domain.patches import Tokens
from akstwin.domain.settings import SETTINGS, Patch
from akstwin.domain.words import nearest
from akstwin.errors import Conflict, InvalidSetting, NotFound

_ALIASES: Final = {"tags": "kvTags"}
"""What a patch of a version calls differently from its payload (wire §7.6)."""
_ROLES: Final = (("isDefault",), ("type",))
_FIXED: Final = frozenset(
    {"name", "computeType", "computeName", "location", "keys", "createdTime", "updatedTime", "state", "error", "imageId",
     "scoringUri", "deploymentStatus", "models", "versions", "namespace", "storageInitEnabled", *SETTING_KEYS}
)  # fmt: skip
"""Keys that documents have and patches cannot change, as far as no other table lets them."""


def _paths(patch: Patch) -> tuple[Tokens, ...]:
    return tuple(tuple(setting.path.split("/")) for setting in SETTINGS if patch in setting.patch)


_PATHS: Final = {patch: _paths(patch) for patch in Patch}


def _check_path(tokens: Tokens, paths: Sequence[Tokens], full: str, operation: str) -> Tokens:
    """The place that a path names below a service or a version."""
    if tokens[0] in ("kvTags", "properties") and len(tokens) > 1:
        tokens = (tokens[0], "/".join(tokens[1:]))  # the SDK does not escape the names of properties
    open_below = ("kvTags", "properties", "environmentImageRequest")
    for path in paths:
        if tokens == path or (path[0] in open_below and tokens[0] == path[0]) or path[: len(tokens)] == tokens:
            return tokens
    if tokens[0] in _FIXED and tokens[0] not in {path[0] for path in paths}:
        raise InvalidSetting(full, operation, "possible: it cannot be changed by a patch")
    known = ["/".join(path) for path in paths]
    raise InvalidSetting(full, operation, f"possible: there is no such setting{nearest('/'.join(tokens), known)}")


def service_place(operation: str, tokens: Tokens) -> Tokens:
    """Where an operation on an AksWebservice acts.

    Raises:
        InvalidSetting: nowhere.
    """
    return _check_path(tokens, _PATHS[Patch.SERVICE], "/" + "/".join(tokens), operation)


class EndpointPlaces:
    """Where operations on an AksEndpoint act: InvalidSetting for nowhere, NotFound for a version that is not there.

    Follows the versions that a patch adds (Conflict: it is there) and takes away, to tell what there is from what is not.
    """

    def __init__(self, record: ServiceRecord) -> None:
        self._name = record.name
        self._versions = {version.name for version in record.versions}

    def __call__(self, operation: str, tokens: Tokens) -> Tokens:
        """The place."""
        full = "/" + "/".join(tokens)
        if tokens[0] != "versions" or len(tokens) == 1:
            return _check_path(tokens, _PATHS[Patch.ENDPOINT], full, operation)
        version = tokens[1]
        if operation == "add" and len(tokens) == 2:
            if version in self._versions:
                raise Conflict(f"service {self._name} has a version {version} already")
            self._versions.add(version)
            return tokens
        if version not in self._versions:
            raise NotFound(f"service {self._name} has no version {version}")
        if len(tokens) == 2:
            if operation != "remove":
                raise InvalidSetting(
                    full, operation, "possible: a version is added, removed, or changed by its settings"
                )
            self._versions.remove(version)
            return tokens
        below = (_ALIASES.get(tokens[2], tokens[2]), *tokens[3:])
        place = below if below in _ROLES else _check_path(below, _PATHS[Patch.VERSION], full, operation)
        return (*tokens[:2], *place)
