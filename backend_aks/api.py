"""The Kubernetes API as JSON: requests, server-side apply, and the lines of a watch.

Configuration, credentials and TLS are the official client's; its models are not used: what is watched by the thousand is read as
it comes.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config

from akstwin.errors import AksError, Conflict, InvalidSetting, NotFound

Json = dict[str, Any]
FIELD_MANAGER: Final = "akstwin"
"""Owns, by server-side apply, the fields that we write."""
REQUEST_SECONDS: Final = 30
WATCH_SECONDS: Final = 300
"""After which the server ends a watch, and another one begins."""
_UNREACHABLE: Final = (aiohttp.ClientError, OSError, TimeoutError)


class ApiRefused(AksError):
    """The Kubernetes API has refused a request.

    Args:
        status: the HTTP status.
        reason: its machine-readable reason, as `AlreadyExists`.
        message: its words.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(status, reason, message)
        self.status, self.reason, self.message = status, reason, message

    def __str__(self) -> str:
        return f"the Kubernetes API has refused: {self.message} ({self.status} {self.reason})"


class Unreachable(AksError):
    """The Kubernetes API does not answer, or says that it cannot now: another try may help."""

    status_hint = 503
    code = "ServiceUnavailable"


class Outdated(AksError):
    """A watch asks for more than the server remembers (410): a new list is needed."""


class KubernetesApi:
    """Requests to one cluster.

    Args:
        configuration: host, credentials and TLS.
    """

    def __init__(self, configuration: client.Configuration) -> None:
        configuration.connection_pool_maxsize = 0  # watches hold connections; nothing may wait for theirs
        self._client = client.ApiClient(configuration)
        self._configuration = configuration
        self.host = str(configuration.host)

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None, context: str | None = None) -> Self:
        """The cluster of a kubeconfig file's context.

        Args:
            kubeconfig: the file; None: the usual one.
            context: None: the current one.

        Raises:
            InvalidSetting: there is no such file or context.
        """
        configuration = client.Configuration()
        try:
            await config.load_kube_config(  # type: ignore[no-untyped-call]  # the client has no types
                None if kubeconfig is None else str(kubeconfig),
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
        except config.ConfigException as error:
            setting, value = ("--kubeconfig", kubeconfig) if context is None else ("--context", context)
            raise InvalidSetting(
                setting, None if value is None else str(value), f"one of a kubeconfig file: {error}"
            ) from None
        return cls(configuration)

    @classmethod
    def in_cluster(cls) -> Self:
        """The cluster that this process' pod runs on, as its service account.

        Raises:
            InvalidSetting: this process runs in no pod.
        """
        configuration = client.Configuration()
        try:
            config.load_incluster_config(  # type: ignore[no-untyped-call]  # the client has no types
                client_configuration=configuration
            )
        except config.ConfigException as error:
            raise InvalidSetting("--in-cluster", True, f"possible outside of a pod: {error}") from None
        return cls(configuration)

    async def close(self) -> None:
        """End all connections."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the client has no types

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """One request.

        Raises:
            NotFound: no such object.
            Conflict: it exists, or has changed meanwhile.
            ApiRefused: any other refusal.
            Unreachable: no answer, or none now.
        """
        answer: Json = json.loads(await self._text(method, path, body, query or {}, content_type))
        return answer

    async def _text(self, method: str, path: str, body: Any, query: Mapping[str, str], content_type: str) -> str:
        response = await self._send(method, path, body, query, content_type, REQUEST_SECONDS)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                text = await response.text()
        except _UNREACHABLE as error:
            raise Unreachable(f"{self.host} has not answered {method} {path} to the end: {error!r}") from error
        if response.status >= 400:
            raise _refusal(response.status, text)
        return text

    async def get(self, path: str, **query: str) -> Json:
        """Read an object or a list."""
        return await self.request("GET", path, query=query)

    async def create(self, path: str, manifest: Json) -> Json:
        """Create an object (Conflict: it exists)."""
        return await self.request("POST", path, manifest, query={"fieldManager": FIELD_MANAGER})

    async def apply(self, path: str, manifest: Json) -> Json:
        """Server-side apply: our fields are as in the manifest, others' stay."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self.request("PATCH", path, manifest, query=query, content_type="application/apply-patch+yaml")

    async def merge(self, path: str, patch: Json) -> Json:
        """Merge a patch: null deletes a key."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self.request("PATCH", path, patch, query=query, content_type="application/merge-patch+json")

    async def delete(self, path: str, **options: Any) -> None:
        """Delete an object; one that is not there is deleted."""
        try:
            await self.request("DELETE", path, {"propagationPolicy": "Background", **options})
        except NotFound:
            return

    async def text(self, path: str, **query: str) -> str:
        """What is no JSON: a pod's log."""
        return await self._text("GET", path, None, query, "application/json")

    async def watch(self, path: str, version: str, query: Mapping[str, str]) -> AsyncIterator[Json]:
        """Events after a version of a list, until the server ends the watch.

        Raises:
            Outdated: the server does not remember that version any more.
            Unreachable: the connection is lost.
            ApiRefused: any other refusal.
        """
        asked = {
            **query,
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        response = await self._send("GET", path, None, asked, "application/json", None)
        try:
            if response.status >= 400:
                raise _refusal(response.status, await response.text())
            while line := await response.content.readline():
                if not line.endswith(b"\n"):
                    return
                event: Json = json.loads(line)
                if event["type"] == "ERROR":
                    raise _refusal(int(event["object"].get("code") or 500), json.dumps(event["object"]))
                yield event
        except _UNREACHABLE as error:
            raise Unreachable(f"the watch of {path} was cut: {error!r}") from error
        finally:
            response.close()

    async def _send(
        self, method: str, path: str, body: Any, query: Mapping[str, str], content_type: str, seconds: int | None
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        settings: dict[str, Any] = dict(await self._configuration.auth_settings())
        for setting in settings.values():
            headers[setting["key"]] = setting["value"]
        timeout = aiohttp.ClientTimeout(
            total=seconds, sock_connect=10, sock_read=None if seconds else WATCH_SECONDS + 60
        )
        url = f"{self.host}{path}?{urlencode(query)}" if query else f"{self.host}{path}"
        try:
            answer = await self._client.rest_client.request(  # type: ignore[no-untyped-call]  # the client has no types
                method, url, headers=headers, body=body, _request_timeout=timeout
            )
        except _UNREACHABLE as error:
            raise Unreachable(f"{self.host} cannot be reached: {error}") from error
        response: aiohttp.ClientResponse = answer.response
        return response


def _refusal(status: int, text: str) -> AksError:
    """The error that a refusal is."""
    try:
        said = json.loads(text)
        reason, message = str(said.get("reason") or ""), str(said.get("message") or text)
    except (ValueError, AttributeError):
        reason, message = "", text[:500]
    match status:
        case 404:
            return NotFound(message)
        case 409:
            return Conflict(message)
        case 410:
            return Outdated(message)
        case 429 | 500 | 502 | 503 | 504:
            return Unreachable(f"{message} ({status} {reason})")
        case _:
            return ApiRefused(status, reason, message)
