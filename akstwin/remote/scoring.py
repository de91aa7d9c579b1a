"""Requests to a service's own address, as any client sends them."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Final

import httpx

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import SECOND, Micros
from akstwin.errors import InvalidSetting
from akstwin.remote.caller import Caller, unanswered
from akstwin.remote.control import Entry

_IDS: Final = ("x-ms-client-request-id", "x-request-id")
"""Headers that a journal knows a request by; the first one is looked at first."""
_LONGEST_ID: Final = 128
"""So many characters of it."""
_ROWS: Final = (100, 1_000_000)
"""So many of the latest rows are looked at, first a few."""


def prepared(caller: Caller, address: str, request: ScoreRequest) -> httpx.Request:
    """A request as it goes over the wire: with its own headers, and no others but Host and the length of the body.

    Args:
        caller: makes it.
        address: what a service's paths are below.
        request: what to send.
    """
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in request.headers
    ]
    url = f"{address}{request.path}{f'?{request.query}' if request.query else ''}"
    return caller.request(request.method, url, headers=headers, content=request.body, waits=True)


def named(request: ScoreRequest, request_id: str) -> tuple[ScoreRequest, str]:
    """The request with an id, and the id: its own if it has one."""
    for header in _IDS:
        for name, value in request.headers:
            if name.lower() == header:
                return request, value[:_LONGEST_ID]
    return replace(request, headers=(*request.headers, (_IDS[0], request_id))), request_id


def completed(answer: ScoreResponse, request_id: str, journal: Callable[..., list[Entry]]) -> ScoreResponse:
    """The answer with what a journal says of its request; as it was, if the journal says nothing of it."""
    for limit in _ROWS:
        for entry in reversed(journal(limit=limit)):
            if entry.client_request_id == request_id and entry.status == answer.status:
                latency = Micros(entry.answered - entry.arrived)
                return replace(answer, latency=latency, version=entry.version, reason=entry.reason)
    return answer


def send(caller: Caller, request: httpx.Request) -> ScoreResponse:
    """The answer; its latency is this machine's."""
    response = caller.send(request, stream=True)
    try:
        body = b"".join(response.iter_raw())
    except httpx.HTTPError as error:
        raise unanswered(request, error) from None
    finally:
        response.close()
    return _answer(response, body)


def send_all(
    requests: Sequence[tuple[Micros, httpx.Request]], client: Callable[[], httpx.AsyncClient]
) -> list[ScoreResponse]:
    """Send each at its time from now, whether others have been answered or not."""

    async def at_its_time(
        opened: httpx.AsyncClient, start: float, offset: Micros, request: httpx.Request
    ) -> ScoreResponse:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, start + offset / SECOND - loop.time()))
        try:
            response = await opened.send(request, stream=True)
            try:
                body = b"".join([part async for part in response.aiter_raw()])
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise unanswered(request, error) from None
        return _answer(response, body)

    async def everything() -> list[ScoreResponse]:
        async with client() as opened:
            start = asyncio.get_running_loop().time()
            return await asyncio.gather(*(at_its_time(opened, start, *each) for each in requests))

    with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop of its own running
        return thread.submit(asyncio.run, everything()).result()


def check_times(requests: Sequence[tuple[Micros, ScoreRequest]]) -> None:
    """Refuse times that cannot be kept.

    Raises:
        InvalidSetting: times before now, or that go back.
    """
    offsets = [offset for offset, _ in requests]
    if any(offset < 0 for offset in offsets) or any(later < earlier for earlier, later in pairwise(offsets)):
        raise InvalidSetting("requests", offsets, "instants from 0 on that never go back")


def _answer(response: httpx.Response, body: bytes) -> ScoreResponse:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw)
    latency = Micros(round(response.elapsed.total_seconds() * SECOND))
    return ScoreResponse(response.status_code, headers, body, latency)
