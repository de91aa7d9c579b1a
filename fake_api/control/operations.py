"""The names of what a client can ask of a server: for faults that are meant for some of it, and for those who asked amiss."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from akstwin.cores.router_http import REPLICA_PATHS
from akstwin.domain.service_urls import service_path

SCORING: Final = ("score", "swagger")
MANAGEMENT: Final = "management"
"""Any call but scoring."""

_SEGMENT: Final = r"(?P<name>[^/]+)"
_TABLE: Final[tuple[tuple[str, str, str], ...]] = (
    ("create_service", "POST", "/services"),
    ("list_services", "GET", "/services"),
    ("validate_service", "POST", "/services/validate"),
    ("validate_service", "POST", "/services/validate/resource"),
    ("validate_service", "POST", "/services/validate/name/{name}"),
    ("migrate_service", "POST", "/services/migrate"),
    ("get_service", "GET", "/services/{name}"),
    ("patch_service", "PATCH", "/services/{name}"),
    ("delete_service", "DELETE", "/services/{name}"),
    ("get_keys", "POST", "/services/{name}/listkeys"),
    ("regenerate_key", "POST", "/services/{name}/regenerateKeys"),
    ("issue_token", "POST", "/services/{name}/token"),
    ("get_logs", "GET", "/services/{name}/logs"),
    ("get_operation", "GET", "/operations/{id}"),
    ("create_asset", "POST", "/assets"),
    ("get_asset", "GET", "/assets/{id}"),
    ("register_model", "POST", "/models"),
    ("list_models", "GET", "/models"),
    ("get_model", "GET", "/models/{id}"),
    ("patch_model", "PATCH", "/models/{id}"),
    ("delete_model", "DELETE", "/models/{id}"),
    ("put_compute", "PUT", "/computes/{id}"),
    ("get_compute", "GET", "/computes/{id}"),
    ("list_computes", "GET", "/computes"),
    ("delete_compute", "DELETE", "/computes/{id}"),
    ("compute_credentials", "POST", "/computes/{id}/listKeys"),
    ("list_environments", "GET", "/environments"),
    ("put_environment", "PUT", "/environments/{id}"),
    ("put_environment", "PUT", "/environments/{id}/versions/{v}"),
    ("get_environment", "GET", "/environments/{id}"),
    ("get_environment", "GET", "/environments/{id}/versions/{v}"),
)
"""Name, verb, and the end of the path: what stands before it names the workspace."""


def _pattern(ending: str) -> re.Pattern[str]:
    text = ending.replace("{name}", _SEGMENT).replace("{id}", "[^/]+").replace("{v}", "[^/]+")
    return re.compile(f"{text}/?$")


_PATTERNS: Final = tuple((name, verb, ending, _pattern(ending)) for name, verb, ending in _TABLE)
OPERATIONS: Final = (*SCORING, MANAGEMENT, *dict.fromkeys(name for name, _, _ in _TABLE))
"""All names."""


def operation_of(method: str, path: str) -> tuple[str | None, str | None]:
    """The operation that a management call asks for, and the service that its path names."""
    for name, verb, _, pattern in _PATTERNS:
        if verb == method:
            found = pattern.search(path)
            if found is not None:
                return name, found.groupdict().get("name")
    return None, None


def nearest_route(method: str, path: str, services: Iterable[str]) -> str:
    """What is served that is most like what was asked for, and what is different about it."""
    other = sorted({verb for _, verb, _, pattern in _PATTERNS if verb != method and pattern.search(path)})
    if other:
        return f"{' and '.join(other)} is served there, not {method}"
    names = list(services) or ["{name}"]
    known = [service_path(name) + path for name in names for path in REPLICA_PATHS.values()]
    endings = [ending for _, verb, ending in _TABLE if verb == method]
    close = get_close_matches(path, [*known, *endings], n=1, cutoff=0.5)
    return f"nothing is served there; the nearest is {close[0]}" if close else "nothing is served there"
