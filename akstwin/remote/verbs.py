"""The management service's verbs over HTTP: assets, models, environments, compute targets (wire §5, §6, §10)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

import httpx

from akstwin.backend import AssetQuery, Json, JsonPatch, ModelQuery, WorkspaceIdentity
from akstwin.domain.documents import has
from akstwin.errors import AksError, InvalidSetting, NotFound
from akstwin.remote.caller import JSON_PATCH, Caller, segment
from akstwin.remote.finding import Place
from akstwin.remote.refusals import shown

COMPUTE_VERSION: Final = {"api-version": "2020-02-02"}
_PAGE: Final = 255
"""So many models are asked for at once: as many as a page can have."""
_IN_THE_WIRES_SPELLING: Final = {
    "name": "Name",
    "environmentVariables": "EnvironmentVariables",
    "docker": "Docker",
    "spark": "Spark",
    "inferencingStackVersion": "InferencingStackVersion",
}
Pairs = tuple[tuple[str, str | None], ...]


class Verbs:
    """What all verbs share.

    Args:
        caller: reaches the server.
        place: where its parts are.
    """

    def __init__(self, caller: Caller, place: Place) -> None:
        self._caller = caller
        self._place = place

    @property
    def identity(self) -> WorkspaceIdentity:
        """The workspace."""
        return self._place.identity

    def _management(self, *path: str) -> str:
        return "/".join((self._place.management, *path))

    def _object(self, method: str, url: str, body: Any = None, **given: Any) -> Json:
        """A document.

        Raises:
            AksError: the answer is none.
        """
        document = self._caller.json(method, url, body, **given)
        if not isinstance(document, dict):
            raise AksError(f"{method} {shown(url)}: the answer is no JSON object")
        return document

    def _delete(self, missing: str, url: str) -> httpx.Response:
        """Delete something.

        Raises:
            NotFound: it is not there: the server answers 204, and `missing` says so.
        """
        response = self._caller.call("DELETE", url)
        if response.status_code == 204:
            raise NotFound(missing)
        return response

    def _values(self, url: str, params: Mapping[str, Any] | None = None) -> Iterator[Json]:
        """The documents of a list, over all its pages, each of which names the next."""
        following: str | None = url
        while following:
            page = self._object("GET", following, params=params)
            yield from page.get("value") or ()
            following, params = page.get("nextLink"), None
            following = following and self._caller.own(following)


class Registrations(Verbs):
    """Assets, models and environments."""

    def create_asset(self, payload: Json) -> Json:
        """Name uploaded files."""
        return self._object("POST", self._management("assets"), payload)

    def get_asset(self, asset_id: str) -> Json:
        """The asset (NotFound)."""
        return self._object("GET", self._management("assets", segment("asset", asset_id)))

    def list_assets(self, query: AssetQuery) -> list[Json]:
        """The assets that the query means, in its order."""
        params = {
            "runId": query.run_id,
            "name": query.name,
            "count": _PAGE,
            "tags": in_a_query(query.tags),
            "properties": in_a_query(query.properties),
            "orderby": query.order,
        }
        found = self._values(self._management("assets"), params)
        return [each for each in found if meant(each, query.tags, query.properties)]

    def patch_asset(self, asset_id: str, patch: JsonPatch) -> Json:
        """Change tags, description or metadata of an asset, or add properties; returns its document."""
        url = self._management("assets", segment("asset", asset_id))
        return self._object("PATCH", url, patch, content_type=JSON_PATCH)

    def delete_asset(self, asset_id: str) -> None:
        """Forget an asset (NotFound, InUse)."""
        self._delete(f"asset {asset_id} is not there", self._management("assets", segment("asset", asset_id)))

    def model_metrics(self, model_id: str, start: str | None = None, end: str | None = None) -> Json:
        """How many deployments of a model have ended well and how many not (NotFound, InvalidSetting)."""
        return self._object("GET", f"{self._model(model_id)}/metrics", params={"startDate": start, "endDate": end})

    def register_model(self, payload: Json) -> Json:
        """Make the next version of a model."""
        return self._object("POST", self._management("models"), payload)

    def get_model(self, model_id: str) -> Json:
        """The model `name:version` (NotFound)."""
        return self._object("GET", self._model(model_id))

    def list_models(self, query: ModelQuery) -> list[Json]:
        """The models that the query means, the newest first."""
        params: dict[str, Any] = {
            "name": query.name,
            "framework": query.framework,
            "tags": in_a_query(query.tags),
            "properties": in_a_query(query.properties),
            "runId": query.run_id,
            "count": _PAGE,
            "latestVersionOnly": str(query.latest).lower(),
            "description": query.description,
            "orderBy": None if query.order == "CreatedAtDesc" else query.order,
        }
        found: list[Json] = []
        while True:
            page = self._object("GET", self._management("models"), params=params)
            found += page.get("value") or ()
            place = parse_qs(urlsplit(page.get("nextLink") or "").query)
            following: dict[str, Any] = {key: place[key][0] for key in ("$skipToken", "offset") if key in place}
            if not following or following.items() <= params.items():
                return [each for each in found if meant(each, query.tags, query.properties)]
            params |= following

    def patch_model(self, model_id: str, patch: JsonPatch) -> Json:
        """Change tags, properties or texts of a model."""
        return self._object("PATCH", self._model(model_id), patch, content_type=f"{JSON_PATCH}; charset=utf-8")

    def delete_model(self, model_id: str) -> None:
        """Forget a model (NotFound, InUse)."""
        self._delete(f"model {model_id} is not registered", self._model(model_id))

    def put_environment(self, name: str, version: str | None, document: Json) -> Json:
        """Register an environment."""
        spelt = {_IN_THE_WIRES_SPELLING.get(key, key): value for key, value in document.items()}
        return self._object("PUT", self._environment(name, version), spelt)

    def get_environment(self, name: str, version: str | None = None) -> Json:
        """An environment, the newest version without one (NotFound)."""
        return self._object("GET", self._environment(name, version))

    def list_environments(self) -> list[Json]:
        """The newest version of each environment."""
        found: list[Json] = []
        token: str | None = None
        while True:
            page = self._object("GET", f"{self._place.environments}/", params={"continuation": token})
            found += page.get("value") or ()
            token = page.get("continuationToken")
            if not token:
                return found

    def _model(self, model_id: str) -> str:
        return self._management("models", segment("model", model_id, safe=":"))

    def _environment(self, name: str, version: str | None) -> str:
        path = f"{self._place.environments}/{segment('environment', name)}"
        return path if version is None else f"{path}/versions/{segment('version', version)}"


class Computes(Verbs):
    """Compute targets. An operation on one is known by the address that its polls go to."""

    def put_compute(self, name: str, payload: Json) -> str:
        """Attach, create or update a cluster; returns the operation's id."""
        if not isinstance(name, str) or name in ("", ".", ".."):
            raise InvalidSetting("name", name, "the name of a compute target")
        return self._begun("PUT", name, payload)

    def get_compute(self, name: str) -> Json:
        """The compute target (NotFound)."""
        url = f"{self._place.computes}/{segment('compute target', name)}"
        return self._object("GET", url, params=COMPUTE_VERSION)

    def list_computes(self) -> list[Json]:
        """All compute targets."""
        return list(self._values(self._place.computes, COMPUTE_VERSION))

    def delete_compute(self, name: str, action: Literal["delete", "detach"]) -> str:
        """Delete or detach a cluster; returns the operation's id."""
        return self._begun("DELETE", name, underlyingResourceAction=action)

    def compute_credentials(self, name: str) -> Json:
        """How to reach the cluster (NotFound)."""
        return self._object("POST", f"{self._compute(name)}/listKeys", params=COMPUTE_VERSION)

    def _compute(self, name: str) -> str:
        return f"{self._place.arm}/computes/{segment('compute target', name)}"

    def _begun(self, method: str, name: str, body: Json | None = None, **params: str) -> str:
        url = self._compute(name)
        response = self._caller.call(method, url, body, params={**COMPUTE_VERSION, **params})
        return self._caller.own(named(response, method, url, "Azure-AsyncOperation"))


def named(response: httpx.Response, method: str, url: str, header: str) -> str:
    """The operation that an answer names.

    Raises:
        AksError: none.
    """
    operation = response.headers.get(header)
    if not operation:
        raise AksError(f"{method} {shown(url)}: the answer {response.status_code} has no {header} header")
    return str(operation)


def in_a_query(pairs: Pairs) -> str | None:
    """Filters as a query carries them: those that it can. `meant` looks after the others."""
    texts = [key if value is None else f"{key}={value}" for key, value in pairs if _carried(key, value)]
    return ",".join(texts) or None


def meant(document: Json, tags: Pairs, properties: Pairs) -> bool:
    """Whether a document has what a query could not carry."""
    return _has(document.get("kvTags"), tags) and _has(document.get("properties"), properties)


def _has(given: Any, pairs: Iterable[tuple[str, str | None]]) -> bool:
    rest = [(key, value) for key, value in pairs if not _carried(key, value)]
    return not rest or has(given or {}, rest)


def _carried(key: str, value: str | None) -> bool:
    """Whether a filter is the same when it has been read again: names are joined by commas, values by equals signs."""
    return bool(key) and "," not in key and "=" not in key and "," not in (value or "")
