"""The management service's verbs for services and operations over HTTP (wire §7, §8)."""

from typing import Any, Final
from urllib.parse import quote, urlsplit

from akstwin.backend import AccessToken, Json, JsonPatch, Keys, Operation, ServiceQuery
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import AksError
from akstwin.remote.caller import JSON_PATCH, segment
from akstwin.remote.refusals import objection, shown
from akstwin.remote.verbs import COMPUTE_VERSION, Verbs, in_a_query, meant, named

_LOCATION: Final = "Operation-Location"
_OVER: Final = "over:"
"""What the id of an operation begins with that the server did at once, and gave none."""
_FINAL: Final = {
    "succeeded": OperationState.SUCCEEDED,
    "failed": OperationState.FAILED,
    "cancelled": OperationState.CANCELLED,
    "canceled": OperationState.CANCELLED,
    "timedout": OperationState.TIMED_OUT,
}


class Services(Verbs):
    """Services, their operations, keys, tokens and logs."""

    @property
    def _how_to_poll(self) -> dict[str, str]:
        """Headers of a poll of an operation."""
        return {}

    def create_service(self, payload: Json) -> str:
        """Create or replace a service; returns the operation's id."""
        url = self._management("services")
        return _last(named(self._caller.call("POST", url, payload), "POST", url, _LOCATION))

    def patch_service(self, name: str, patch: JsonPatch) -> str | None:
        """Change a service; returns the operation's id, None for description, tags and properties."""
        url = self._service(name)
        response = self._caller.call("PATCH", url, patch, content_type=JSON_PATCH)
        if response.headers.get(_LOCATION):
            return _last(response.headers[_LOCATION])
        if response.status_code == 202:
            named(response, "PATCH", url, _LOCATION)
        if self._place.control is not None:
            return None  # done; the operationId of its document is that of the latest operation, not of this change
        try:
            document = response.json()
        except ValueError:
            return None
        operation = document.get("operationId") if isinstance(document, dict) else None
        return str(operation) if operation else None

    def delete_service(self, name: str) -> str:
        """Delete a service; returns the operation's id (NotFound)."""
        url = self._service(name)
        response = self._delete(f"service {name} is not there", url)
        location = response.headers.get(_LOCATION)
        if not location and response.status_code == 202:
            named(response, "DELETE", url, _LOCATION)
        return _last(location) if location else f"{_OVER}delete/{name}"

    def get_service(self, name: str) -> Json:
        """The service's document (NotFound)."""
        return self._object("GET", self._service(name), params={"expand": "true"})

    def list_services(self, query: ServiceQuery) -> list[Json]:
        """The documents of the services that the query means, in its order: by name unless it has one."""
        params = {
            "expand": "true",
            "computeType": query.compute_type,
            "tags": in_a_query(query.tags),
            "properties": in_a_query(query.properties),
            "modelName": query.model_name,
            "modelId": query.model_id,
            "name": query.name,
            "orderby": query.order,
        }
        pages = self._values(self._management("services"), params)
        found = [each for each in pages if meant(each, query.tags, query.properties)]
        return found if query.order else sorted(found, key=lambda each: str(each.get("name")))

    def validate_name(self, name: str) -> None:
        """Refuse the name of a service that is to come (InvalidSetting, Conflict)."""
        self._validate(self._management("services", "validate", "name", segment("service", name)), {})

    def validate_create(self, payload: Json) -> None:
        """Refuse what `create_service` would refuse now (InvalidSetting, NotFound, Conflict)."""
        self._validate_change(
            "Create", payload.get("name") if isinstance(payload, dict) else None, createRequest=payload
        )

    def validate_patch(self, name: str, patch: JsonPatch) -> None:
        """Refuse what `patch_service` would refuse now (InvalidSetting, NotFound, Conflict)."""
        self._validate_change("Update", name, updateRequest=patch)

    def validate_delete(self, name: str) -> None:
        """Refuse what `delete_service` would refuse now (NotFound, Conflict).

        A server of this project does not object to the deletion of what is not there: it would answer that with 204.
        """
        self._validate_change("Delete", name)
        if self._place.control is not None:
            self.get_service(name)

    def _validate_change(self, kind: str, name: Any, **request: Any) -> None:
        body = {"type": kind, "serviceName": name, "createRequest": None, "updateRequest": None, **request}
        self._validate(self._management("services", "validate"), body)

    def _validate(self, url: str, body: Json) -> None:
        """Ask whether the server objects: it then answers 200 with an error in the body (wire §7.1)."""
        response = self._caller.call("POST", url, body)
        if not response.content:
            return
        try:
            document = response.json()
        except ValueError:
            raise AksError(f"POST {shown(url)}: the answer is no JSON") from None
        error = document.get("error") if isinstance(document, dict) else None
        if isinstance(error, dict) and isinstance(error.get("message"), str):
            raise objection(error)

    def get_operation(self, operation_id: str) -> Operation:
        """An operation of a service, a key or a compute target (NotFound)."""
        if operation_id.startswith(_OVER):
            return Operation(operation_id, OperationState.SUCCEEDED)
        if operation_id.startswith(("http://", "https://")):
            return self._compute_operation(operation_id)
        url = self._management("operations", segment("operation", operation_id))
        document = self._object("GET", url, params={"offset": "0"}, more=self._how_to_poll)
        details = document.get("operationDetails")
        stage = details.get("subOperationType") if isinstance(details, dict) else None
        return Operation(
            operation_id,
            _state(document.get("state"), url),
            str(stage or "DeployService"),
            _error(document.get("error")),
            str(document.get("streamingOperationLog") or ""),
            _resource(document.get("resourceLocation")),
        )

    def get_keys(self, name: str) -> Keys:
        """The keys (NotFound, InvalidSetting)."""
        url = f"{self._service(name)}/listkeys"
        document = self._object("POST", url)
        return Keys(*(str(_needed(document, key, url)) for key in ("primaryKey", "secondaryKey")))

    def regenerate_key(self, name: str, key_type: str, value: str | None = None) -> str:
        """Replace a key; returns the operation's id."""
        url = f"{self._service(name)}/regenerateKeys"
        body = {"keyType": key_type, "keyValue": value}
        return _last(named(self._caller.call("POST", url, body), "POST", url, _LOCATION))

    def issue_token(self, name: str) -> AccessToken:
        """A token (NotFound, InvalidSetting)."""
        url = f"{self._service(name)}/token"
        document = self._object("POST", url)
        needed = ("accessToken", "tokenType", "refreshAfter", "expiryOn")
        token, kind, refresh, expiry = (_needed(document, key, url) for key in needed)
        return AccessToken(str(token), str(kind), int(refresh), int(expiry))

    def get_logs(self, name: str, lines: int = 5000, *, init: bool = False) -> str:
        """The last lines of the containers' logs (NotFound, InvalidSetting)."""
        url = f"{self._service(name)}/logs"
        document = self._object("GET", url, params={"tail": str(lines), "init": str(init)})
        return str(document.get("content") or "")

    def _service(self, name: str) -> str:
        return self._management("services", segment("service", name))

    def _compute_operation(self, operation_id: str) -> Operation:
        params = None if "api-version=" in urlsplit(operation_id).query else COMPUTE_VERSION
        document = self._object("GET", operation_id, params=params, more=self._how_to_poll)
        error = document.get("error")
        while isinstance(error, dict) and isinstance(error.get("error"), dict):
            error = error["error"]
        return Operation(operation_id, _state(document.get("status"), operation_id), error=_error(error))


def _last(location: str) -> str:
    """The operation's id: the last segment of its address."""
    return quote(urlsplit(location).path.rstrip("/").rpartition("/")[2], safe="%")


def _resource(location: Any) -> str | None:
    """What an operation is about, below the workspace: the last two segments of its address."""
    segments = urlsplit(location).path.rstrip("/").rsplit("/", 2) if isinstance(location, str) else []
    return "/".join(segments[-2:]) if len(segments) == 3 else None


def _state(state: Any, url: str) -> OperationState:
    if not isinstance(state, str):
        raise AksError(f"GET {shown(url)}: the operation has no state")
    return _FINAL.get(state.lower(), OperationState.RUNNING)


def _error(error: Any) -> Json | None:
    return error if isinstance(error, dict) and error else None


def _needed(document: Json, key: str, url: str) -> Any:
    if document.get(key) is None:
        raise AksError(f"POST {shown(url)}: the answer has no {key}")
    return document[key]
