"""How to call the services of a scenario, for whoever has started a server: score URL, credential, a line for curl."""

import shlex
from collections.abc import Iterator

from akstwin.backend import Backend, ServiceQuery
from akstwin.domain.service_urls import SERVICE_PREFIX

_BODY = '{"data": [1]}'


def first_calls(backend: Backend, base: str, authority: str) -> Iterator[str]:
    """A few lines for each service.

    Args:
        backend: has the services.
        base: the server's http URL.
        authority: the file with the server's certificate authority, for services with TLS.
    """
    for service in backend.list_services(ServiceQuery()):
        name = service["name"]
        url = service["scoringUri"] or f"{base}{SERVICE_PREFIX}{name}/score"
        command = ["curl", "-i", url, "-H", "Content-Type: application/json", "-d", _BODY]
        yield f"{name}: {url}"
        if service["aadAuthEnabled"]:
            token = backend.issue_token(name).token
            yield f"  token: {token}"
            command[3:3] = ["-H", f"Authorization: Bearer {token}"]
        elif service["authEnabled"]:
            key = backend.get_keys(name).primary
            yield f"  key: {key}"
            command[3:3] = ["-H", f"Authorization: Bearer {key}"]
        if url.startswith("https:"):
            command[1:1] = ["--cacert", authority]
        yield f"  {shlex.join(command)}"
        if service["state"] != "Healthy":
            yield f"  {name} is {service['state']}: it answers 503 until its replicas are ready"
