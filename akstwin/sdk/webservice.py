"""What all deployed services have in common: `Webservice`."""

import json
from collections.abc import Callable
from datetime import datetime
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Self, cast

from akstwin.backend import Json, ServiceQuery
from akstwin.clock import Micros
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import NotFound
from akstwin.sdk.answers import Filters, filters, from_the_service, instant, iso, not_offered, require
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.given import check_text
from akstwin.sdk.waiting import POLL_EVERY, wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from akstwin.sdk.workspace import Workspace

_TYPES: Final = ("ACI", "AKSENDPOINT", "AKS", "IOT", "MIR")
"""What `list` may be asked for, as in azureml-core; services of the others are never found."""
_NONE: Final = ""
"""Stands for an operation that was not needed: the last change was of description, tags or properties."""
_TIP: Final = "Tip: get_logs() shows what the containers say, if the deployment takes long."


_KINDS: "Final[dict[str, type[Webservice]]]" = {}
"""Classes by the `computeType` of their services; `akstwin.sdk.workspace` imports those that there are."""


class Webservice:
    """A deployed service or endpoint.

    The constructor finds one; `Model.deploy` makes one. Attributes show the service as it was when it was last looked
    at; `update_deployment_state` looks again.

    Args:
        workspace: where it is.
        name: of the service.

    Attributes:
        workspace: as given.
        name: as given.
        compute_type: `AKS`, or `AKSENDPOINT`.
        compute_name: of the cluster.
        state: Transitioning, Healthy, Unhealthy, Unschedulable, Failed or Deleting.
        error: why the last deployment failed.
        deployment_status: numbers of replicas, or None.
        scoring_uri: where requests go; None: not yet deployed.
        swagger_uri: where the description of the API is.
        auth_enabled: whether requests need a key.
        token_auth_enabled: whether requests need a token.
        enable_app_insights: whether requests are logged.
        namespace: the Kubernetes namespace.
        description: for people.
        tags: pairs that can be changed.
        properties: pairs that can only be added to.
        created_time: when it was made.
        updated_time: when it was last changed; its creation until then.
        created_by: who made it.
        image: None; there are no image objects here.
        image_id: of the image, where the world says.
        image_digest: likewise.

    Raises:
        WebserviceException: there is none of that name.
    """

    _type: ClassVar[str] = ""
    _keys: ClassVar[tuple[str, ...]] = ("computeType", "createdTime", "description", "kvTags", "name", "properties")

    name: str
    state: str | None
    workspace: "Workspace"
    _operation: str | None

    def __init_subclass__(cls) -> None:
        """Services of the class's kind are instances of it."""
        super().__init_subclass__()
        if cls._type:
            _KINDS.setdefault(cls._type, cls)

    def __new__(cls, workspace: "Workspace", name: str) -> Self:
        """Find a service; it is of the class that the service is of."""
        if not isinstance(name, str) or not name:
            raise WebserviceException(f"name: {name!r} is not the name of a service")
        with from_the_service():
            try:
                document = workspace.backend.get_service(name)
            except NotFound as error:
                raise WebserviceException(
                    f"WebserviceNotFound: Webservice with name {name} not found in provided workspace", status_code=404
                ) from error
        return cast("Self", _made(workspace, document))

    @staticmethod
    def list(
        workspace: "Workspace",
        compute_type: str | None = None,
        image_name: str | None = None,
        image_id: str | None = None,
        model_name: str | None = None,
        model_id: str | None = None,
        tags: Filters | None = None,
        properties: Filters | None = None,
        image_digest: str | None = None,
    ) -> "list[Webservice]":
        """The services that all that is given holds of, by name.

        Args:
            workspace: where they are.
            compute_type: `AKS` or `AKSENDPOINT`.
            image_name: not offered.
            image_id: not offered.
            model_name: of a deployed model.
            model_id: of a deployed model, `name:version`.
            tags: keys that it must have, or lists of a key and a value.
            properties: likewise.
            image_digest: not offered.

        Raises:
            WebserviceException: naming the parameter that is refused, its value and what was expected.
        """
        for name, value in (("image_name", image_name), ("image_id", image_id), ("image_digest", image_digest)):
            if value is not None:
                not_offered(f"{name}={value!r}", "services are not found by image")
        check_text(compute_type=compute_type, model_name=model_name, model_id=model_id)
        if compute_type is not None and compute_type.upper() not in _TYPES:
            raise WebserviceException(f"compute_type: {compute_type!r} is not one of {', '.join(_TYPES)}")
        query = ServiceQuery(
            compute_type=compute_type,
            tags=filters("tags", tags),
            properties=filters("properties", properties),
            model_name=model_name,
            model_id=model_id,
        )
        with from_the_service():
            documents = workspace.backend.list_services(query)
        return [_made(workspace, document) for document in documents]

    @staticmethod
    def check_for_existing_webservice(
        workspace: "Workspace",
        name: str,
        overwrite: bool = False,
        request_func: Callable[[], Any] | None = None,
        check_func: Callable[[Any], Any] | None = None,
    ) -> None:
        """Refuse a name that is taken.

        Args:
            workspace: where to look.
            name: of the service that is to be.
            overwrite: whether it may be taken.
            request_func: not offered.
            check_func: not offered.

        Raises:
            WebserviceException: the name is taken.
        """
        if request_func is not None or check_func is not None:
            not_offered("request_func and check_func")
        if overwrite:
            return
        with from_the_service():
            if any(document["name"] == name for document in workspace.backend.list_services(ServiceQuery())):
                raise WebserviceException(f"name: {name!r} is not free: there is a service of that name")

    @staticmethod
    def deploy(
        workspace: "Workspace",  # noqa: ARG004 - azureml-core's
        name: str,  # noqa: ARG004
        model_paths: "Sequence[str]",  # noqa: ARG004
        image_config: object,  # noqa: ARG004
        deployment_config: object = None,  # noqa: ARG004
        deployment_target: object = None,  # noqa: ARG004
        overwrite: bool = False,  # noqa: ARG004
    ) -> NoReturn:
        """Refuse: images came before environments.

        Raises:
            WebserviceException: always.
        """
        not_offered("Webservice.deploy", "use Model.register and Model.deploy")

    @staticmethod
    def deploy_from_model(
        workspace: "Workspace",  # noqa: ARG004 - azureml-core's
        name: str,  # noqa: ARG004
        models: "Sequence[Any]",  # noqa: ARG004
        image_config: object,  # noqa: ARG004
        deployment_config: object = None,  # noqa: ARG004
        deployment_target: object = None,  # noqa: ARG004
        overwrite: bool = False,  # noqa: ARG004
    ) -> NoReturn:
        """Refuse: images came before environments.

        Raises:
            WebserviceException: always.
        """
        not_offered("Webservice.deploy_from_model", "use Model.deploy")

    @staticmethod
    def deploy_from_image(
        workspace: "Workspace",  # noqa: ARG004 - azureml-core's
        name: str,  # noqa: ARG004
        image: object,  # noqa: ARG004
        deployment_config: object = None,  # noqa: ARG004
        deployment_target: object = None,  # noqa: ARG004
        overwrite: bool = False,  # noqa: ARG004
    ) -> NoReturn:
        """Refuse: images came before environments.

        Raises:
            WebserviceException: always.
        """
        not_offered("Webservice.deploy_from_image", "use Model.deploy")

    @staticmethod
    def deploy_local_from_model(
        workspace: "Workspace",  # noqa: ARG004 - azureml-core's
        name: str,  # noqa: ARG004
        models: "Sequence[Any]",  # noqa: ARG004
        image_config: object,  # noqa: ARG004
        deployment_config: object = None,  # noqa: ARG004
        wait: bool = False,  # noqa: ARG004
    ) -> NoReturn:
        """Refuse: nothing is deployed in Docker on this machine.

        Raises:
            WebserviceException: always.
        """
        not_offered("Webservice.deploy_local_from_model", "use Model.deploy")

    @classmethod
    def deserialize(cls, workspace: "Workspace", webservice_payload: Any) -> Self:
        """The service of a document.

        Raises:
            WebserviceException: it is none of such a service; what is missing is named.
        """
        require(webservice_payload, ("computeType",), cls.__name__)
        made: Any = _made(workspace, webservice_payload)
        if not isinstance(made, cls) or (cls._type and cls._type != webservice_payload["computeType"]):
            kind = webservice_payload["computeType"]
            raise WebserviceException(f"{cls.__name__}: computeType: {kind!r} is not {cls._type!r}")
        return made

    @classmethod
    def _of(cls, workspace: "Workspace", document: Json) -> Self:
        """The service of a document; each kind of service makes its own."""
        raise NotImplementedError

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.name,
            "description": self.description,
            "tags": self.tags,
            "properties": self.properties,
            "state": self.state,
            "createdTime": iso(self.created_time),
            "updatedTime": iso(self.updated_time),
            "error": self.error,
            "computeType": self.compute_type,
            "workspaceName": self.workspace.name,
            "imageId": self.image_id,
            "imageDigest": self.image_digest,
            "imageDetails": None,
            "scoringUri": self.scoring_uri,
            "createdBy": self.created_by,
        }

    def run(self, input: str | bytes) -> Any:  # noqa: A002 - azureml-core's
        """Score: send a request, and wait for its answer.

        Raises:
            WebserviceException: the answer is not 200, or no JSON.
        """
        raise NotImplementedError  # both classes below have their own

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Change the service.

        Raises:
            WebserviceException: naming each parameter that is refused, its value and the limit.
        """
        raise NotImplementedError  # both classes below have their own

    def get_token(self) -> tuple[str, datetime]:
        """A token, and when to fetch the next one.

        Raises:
            WebserviceException: the service has no token auth.
        """
        raise NotImplementedError  # both classes below have their own

    def wait_for_deployment(self, show_output: bool = False, timeout_sec: float | None = None) -> None:
        """Wait for the operation that `Model.deploy`, or the last change, began.

        A change of description, tags or properties alone has none, and is done.

        Args:
            show_output: whether to print its progress.
            timeout_sec: how long to wait, s, looked at every 5 s; 0 looks once; None: without end.

        Raises:
            WebserviceException: it did not succeed, the time is up, or no operation is known.
        """
        self._no_version("wait_for_deployment")
        seconds = _seconds(timeout_sec)
        if show_output:
            print(_TIP)  # noqa: T201 - a call of the SDK's that prints
        if self._operation is None:
            self.update_deployment_state()
            raise WebserviceException(
                f"Long running operation information not known, unable to poll. Current state is {self.state}"
            )
        state = OperationState.SUCCEEDED
        if self._operation != _NONE:
            with from_the_service():
                operation = wait(self.workspace.backend, self._operation, show=show_output, timeout_seconds=seconds)
            self.update_deployment_state()
            state = operation.state
            if state != OperationState.SUCCEEDED:
                raise _failed(self, operation.id, operation.error or self.error)
        print(f'{self._type} service creation operation finished, operation "{state}"')  # noqa: T201

    def update_deployment_state(self) -> None:
        """Look at the service again.

        Raises:
            WebserviceException: it is not there any more.
        """
        with from_the_service():
            document = self.workspace.backend.get_service(self.name)
        self._read(document)

    def get_logs(self, num_lines: int = 5000, init: bool = False) -> str:
        """What the containers wrote.

        Args:
            num_lines: the last lines.
            init: whether of the init containers.

        Raises:
            WebserviceException: the world refuses.
        """
        with from_the_service():
            return self.workspace.backend.get_logs(self._address(), num_lines, init=init)

    def get_keys(self) -> tuple[str, str]:
        """The primary and the secondary key.

        Raises:
            WebserviceException: the service has no key auth.
        """
        with from_the_service():
            keys = self.workspace.backend.get_keys(self._address())
        return keys.primary, keys.secondary

    def regen_key(self, key: str, set_key: str | None = None) -> None:
        """Replace a key, and wait until that is done.

        Args:
            key: `Primary` or `Secondary`.
            set_key: the new one; one is made.

        Raises:
            WebserviceException: it is none of the two, or the world refuses.
        """
        self._no_version("regen_key")
        key_type = key.capitalize() if isinstance(key, str) else key
        if key_type not in ("Primary", "Secondary"):
            raise WebserviceException(f"key: {key!r} is not Primary or Secondary")
        check_text(set_key=set_key)
        with from_the_service():
            backend = self.workspace.backend
            begun = backend.regenerate_key(self.name, key_type, set_key)
            # azureml-core looks after 5 s for the first time: by then routers know the key.
            backend.clock.sleep_until(Micros(backend.clock.now() + POLL_EVERY))
            operation = wait(backend, begun, show=False)
        if operation.state != OperationState.SUCCEEDED:
            raise WebserviceException(f"key: replacing {key_type} has ended as {operation.state}: {operation.error}")

    def delete(self) -> None:
        """Delete the service, and wait until it is gone.

        Raises:
            WebserviceException: another operation is running, it is not there any more, or deleting failed.
        """
        self._no_version("delete", "use AksEndpoint.delete_version")
        with from_the_service():
            self._operation = self.workspace.backend.delete_service(self.name)
            self.state = "Deleting"
            operation = wait(self.workspace.backend, self._operation, show=True)
        if operation.state != OperationState.SUCCEEDED:
            raise _failed(self, operation.id, operation.error)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(workspace={self.workspace.name!r}, name={self.name!r}, "
            f"compute_type={self.compute_type!r}, state={self.state!r}, scoring_uri={self.scoring_uri!r}, "
            f"tags={self.tags!r}, properties={self.properties!r})"
        )

    def _read(self, document: Json) -> None:
        """Take over what a document says."""
        self.name = document["name"]
        self.compute_type: str = document["computeType"]
        self.compute_name: str | None = document.get("computeName")
        self.description: str | None = document["description"]
        self.tags: dict[str, str] | None = document["kvTags"]
        self.properties: dict[str, str] | None = document["properties"]
        self.created_time = instant(document["createdTime"])
        self.updated_time = instant(document.get("updatedTime"))
        self.created_by: Any = document.get("createdBy")
        self.state = document.get("state")
        self.error: Any = document.get("error")
        self.deployment_status: Any = document.get("deploymentStatus")
        self.image = None
        self.image_id: str | None = document.get("imageId")
        self.image_digest: str | None = document.get("imageDigest")
        self.auth_enabled: bool | None = document.get("authEnabled")
        self.token_auth_enabled: bool | None = document.get("aadAuthEnabled")
        self.enable_app_insights: bool | None = document.get("appInsightsEnabled")
        self.namespace: str | None = document.get("namespace")
        self.scoring_uri: str | None = document.get("scoringUri")
        self.swagger_uri = f"{self.scoring_uri.rpartition('/')[0]}/swagger.json" if self.scoring_uri else None

    def _address(self) -> str:
        """The name that requests, keys, tokens and logs go by."""
        return self.name

    def _no_version(self, call: str, instead: str = "") -> None:
        """Refuse what a version of an endpoint cannot do by itself."""

    def _changed(self, operation: str | None) -> None:
        """Note what a change began, and look at the service again."""
        if operation is not None:
            self._operation = operation
        elif not self._busy():
            self._operation = _NONE
        self.update_deployment_state()

    def _busy(self) -> bool:
        """Whether the operation that is known still runs."""
        if not self._operation:
            return False
        with from_the_service():
            return self.workspace.backend.get_operation(self._operation).state == OperationState.RUNNING


def created(workspace: "Workspace", name: str, payload: Json) -> Webservice:
    """Create a service, and look at it.

    Args:
        workspace: where to.
        name: of the service.
        payload: of `wire`.

    Raises:
        WebserviceException: the world refuses.
    """
    with from_the_service():
        operation = workspace.backend.create_service(payload)
    service = Webservice(workspace, name)
    service._operation = operation  # noqa: SLF001 - the same module
    return service


def _made(workspace: "Workspace", document: Json) -> Webservice:
    """A service of the class that it is."""
    kind = document["computeType"]
    known = _KINDS.get(kind)
    if known is None:
        raise WebserviceException(f"computeType: {kind!r} is not AKS or AKSENDPOINT: the service is of another kind")
    return known._of(workspace, document)  # noqa: SLF001 - of our own classes


def _seconds(timeout_sec: Any) -> float | None:
    """What is a number of seconds, or text of one."""
    if timeout_sec is None:
        return None
    try:
        seconds = float(timeout_sec)
    except (TypeError, ValueError):
        seconds = nan
    if isinstance(timeout_sec, bool) or not seconds >= 0:
        raise WebserviceException(f"timeout_sec: {timeout_sec!r} is not a number of seconds, 0 or more")
    return seconds


def _failed(service: Webservice, operation_id: str, error: Any) -> WebserviceException:
    """An operation has ended without success."""
    told = json.dumps(error, indent=2, ensure_ascii=False) if error else "There is no error message."
    return WebserviceException(
        "Service deployment polling reached non-successful terminal state, "
        f"current service state: {service.state}\nOperation ID: {operation_id}\n"
        f"get_logs() may say more.\nError:\n{told}"
    )
