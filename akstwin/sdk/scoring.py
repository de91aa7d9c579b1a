"""A scoring request as azureml-core sends it: repeated after some answers, once more with fresh keys after 401."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from akstwin.backend import Backend, ScoreRequest, ScoreResponse
from akstwin.clock import Micros
from akstwin.domain.workload import Clients
from akstwin.sdk.answers import from_the_service
from akstwin.sdk.exceptions import WebserviceException

RETRY_503_BASE_SECONDS: Final = 6
"""The first wait after a 503, s; later ones double. azureml-core draws a number from 2 to 10 when it is imported."""
_RETRIES: Final = Clients(retry="azureml-core")

Headers = tuple[tuple[str, str], ...]


def scored(backend: Backend, name: str, input_data: Any, headers: Callable[[], Headers]) -> Any:
    """Send a request and wait for its answer.

    Args:
        backend: the world.
        name: of the service.
        input_data: the body: text or bytes.
        headers: makes those that say who asks, with fresh keys each time.

    Returns:
        What the answer's JSON says.

    Raises:
        WebserviceException: the answer is not 200, or no JSON; or the body is of another type.
    """
    body = _body(input_data)
    response = _sent(backend, name, body, headers())
    if response.status == 401:
        response = _sent(backend, name, body, headers())
    if response.status != 200:
        raise _bad_answer(response)
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise _bad_answer(response, "the answer is no JSON.") from error


def _sent(backend: Backend, name: str, body: bytes, headers: Headers) -> ScoreResponse:
    """The answer to a request, repeated as azureml-core repeats it (wire §9)."""
    common = (("Content-Type", "application/json"), ("Accept", "application/json"))
    request = ScoreRequest(body=body, headers=(*common, *headers))
    attempts = count(1)
    while True:
        with from_the_service():
            response = backend.score(name, request)
        delay = _RETRIES.wait_before_retry(response.status, next(attempts), RETRY_503_BASE_SECONDS)
        if delay is None:
            return response
        backend.clock.sleep_until(Micros(backend.clock.now() + delay))


def _body(input_data: Any) -> bytes:
    if isinstance(input_data, str):
        return input_data.encode()
    if isinstance(input_data, bytes | bytearray):
        return bytes(input_data)
    raise WebserviceException(f"input_data: {input_data!r} is not text or bytes; json.dumps makes text of it")


def _bad_answer(response: ScoreResponse, why: str = "get_logs() may say more.") -> WebserviceException:
    return WebserviceException(
        f"Received bad response from service: {why}\nResponse Code: {response.status}\n"
        f"Headers: {dict(response.headers)}\nContent: {response.body!r}",
        status_code=response.status,
    )
