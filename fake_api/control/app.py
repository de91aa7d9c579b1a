"""The control API: what a simulated workspace's `ws.simulation` can do, over HTTP. Nothing is decided here."""

from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from akstwin.domain.units import read_duration
from akstwin.errors import AksError, InvalidSetting
from akstwin.fake_api.control.batch import score_all
from akstwin.fake_api.control.body import Given
from akstwin.fake_api.control.describing import describe, page, refusals, takes, takes_fault, takes_requests
from akstwin.fake_api.control.events import Feed
from akstwin.fake_api.control.journal import Wanted
from akstwin.fake_api.control.metrics import exposition
from akstwin.fake_api.control.reading import (
    LATEST,
    ChanceForm,
    ClockForm,
    PolicyForm,
    ProfileForm,
    answer_json,
    decoded,
    observation_json,
    read,
    read_batch,
)
from akstwin.fake_api.control.world import add_world

if TYPE_CHECKING:
    from akstwin.fake_api.control.center import Control

Json = dict[str, Any]
PAGE: Final = Path(__file__).with_name("page.html")
_POLICY: Final = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"
_STREAM: Final[Json] = {"content": {"text/event-stream": {}}}


_Since = Annotated[int, Query(ge=0, le=1 << 62)]


def make_control(control: "Control") -> FastAPI:
    """The application for all paths under `/_akstwin`.

    Args:
        control: the workspace's control side.
    """
    app = FastAPI(
        title="akstwin control",
        version=metadata.version("akstwin"),
        openapi_url="/_akstwin/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    _add_time(app, control)
    _add_ways(app, control)
    _add_world(app, control)
    add_world(app, control)
    _add_requests(app, control)
    _add_faults(app, control)
    _add_pages(app)
    _add_refusals(app)
    describe(app)
    return app


def _add_time(app: FastAPI, control: "Control") -> None:
    workspace = control.workspace

    @app.get("/_akstwin/health")
    async def health() -> Json:
        """That it runs, and what it is."""
        return dict(control.health())

    @app.get("/_akstwin/clock")
    async def clock() -> Json:
        """The present, in µs, and how time passes."""
        return _clock(control)

    @app.post("/_akstwin/clock", openapi_extra=takes(ClockForm), responses=refusals(400, 409))
    async def set_clock(given: Given) -> Json:
        """Let time pass at once, make it faster or slower, or wait for an instant."""
        form = read(ClockForm, given)
        told = {name for name in form.model_fields_set if getattr(form, name) is not None}
        if len(told) != 1:
            raise InvalidSetting("body", sorted(told), "exactly one of advance, rate, sleep_until")
        if form.advance is not None:
            if workspace.clock.now() + form.advance > LATEST // 2:
                raise InvalidSetting(
                    "advance", form.advance, f"short enough: no instant is later than {LATEST // 2} µs"
                )
            await workspace.clock.advance(form.advance)
        if form.rate is not None:
            async with workspace.clock.commanding():
                workspace.clock.set_rate(form.rate)
        if form.sleep_until is not None:
            await control.sleep_until(form.sleep_until)
        return _clock(control)

    @app.post("/_akstwin/reset")
    async def reset() -> Json:
        """The workspace as new, of the same seed; journal, metrics and faults too."""
        async with workspace.clock.commanding():
            control.reset()
        return _clock(control)


def _add_ways(app: FastAPI, control: "Control") -> None:
    @app.get("/_akstwin/environment")
    async def environment() -> Json:
        """In which ways the workspace can be reached, and whom https clients must trust."""
        return control.ways()


def _add_world(app: FastAPI, control: "Control") -> None:
    workspace = control.workspace

    @app.get("/_akstwin/assumptions")
    async def assumptions() -> Json:
        """What is assumed about the retired service, with what was changed."""
        return workspace.backend.assumptions.model_dump(mode="json")

    @app.get("/_akstwin/observe/{service}", responses=refusals(400, 404))
    async def observe(service: str, window: Annotated[str, Query()] = "60s") -> Json:
        """What users and operators saw of a service in the last `window`."""
        with workspace.clock.acting():
            return observation_json(workspace.backend.observe(service, read_duration("window", window)))

    @app.post("/_akstwin/profile/{service}", openapi_extra=takes(ProfileForm), responses=refusals(400, 404))
    async def profile(service: str, given: Given) -> Json:
        """What a model costs, and what it answers."""
        form = read(ProfileForm, given)
        told = {name: getattr(form, name) for name in form.model_fields_set - {"reply_base64"}}
        if form.reply_base64 is not None:
            if "reply" in told:
                raise InvalidSetting("reply_base64", form.reply_base64[:80], "given beside reply: one of them")
            told["reply"] = decoded("reply_base64", form.reply_base64)
        async with workspace.commanding():
            workspace.backend.simulation.profile(service, **told)
        return {}

    @app.post("/_akstwin/policies/{service}", openapi_extra=takes(PolicyForm), responses=refusals(400, 404))
    async def policy(service: str, given: Given) -> Json:
        """What a policy that runs in a client's process has seen or done: one more happening."""
        form = read(PolicyForm, given)
        async with workspace.commanding():
            workspace.backend.simulation.note_policy(service, form.kind, form.policy, form.words)
        return {}

    @app.post("/_akstwin/chance/{service}", openapi_extra=takes(ChanceForm), responses=refusals(400))
    async def chance(service: str, given: Given) -> Json:
        """Let a service take the chance of a scenario's run: requests say which of it they are (x-akstwin-request)."""
        form = read(ChanceForm, given)
        async with workspace.commanding():
            workspace.backend.simulation.chance(service, seed=form.seed, replication=form.replication)
        return {}


def _add_requests(app: FastAPI, control: "Control") -> None:
    workspace = control.workspace

    @app.post("/_akstwin/score/{service}", openapi_extra=takes_requests(), responses=refusals(400, 404))
    async def score(service: str, given: Given) -> list[Json]:
        """Several requests, each at its own virtual time; the answers in their order."""
        forms = read_batch(given)
        answers = await score_all(workspace, service, [(form.at, form.request()) for form in forms])
        return [answer_json(answer) for answer in answers]

    @app.get("/_akstwin/journal", responses=refusals(400))
    async def journal(
        service: str | None = None,
        version: str | None = None,
        status: int | None = None,
        reason: str | None = None,
        since: _Since = 0,
        limit: Annotated[int, Query(ge=1, le=1_000_000)] = 100,
    ) -> Json:
        """What came of the latest requests. `since` is an instant, µs; `limit` keeps the latest."""
        return control.journal.document(Wanted(service, version, status, reason, since, limit))

    @app.get("/_akstwin/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counts, latencies, queues and replicas, for Prometheus."""
        text, content_type = exposition(control)
        return Response(text, media_type=content_type)

    @app.get("/_akstwin/events", responses={**refusals(400), 200: _STREAM}, response_class=StreamingResponse)
    async def events(
        last_event_id: Annotated[str | None, Header()] = None, follow: Annotated[bool, Query()] = True
    ) -> StreamingResponse:
        """What happens, as server-sent events; without `follow`, only what there is now."""
        known = int(last_event_id) if last_event_id is not None and last_event_id.isdecimal() else None
        stream: AsyncIterator[str] = Feed(control, known).follow(endless=follow)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})


def _add_faults(app: FastAPI, control: "Control") -> None:
    @app.get("/_akstwin/faults")
    async def faults() -> list[Json]:
        """What is broken on purpose, and how often it struck."""
        with control.workspace.clock.acting():
            return control.faults.listing()

    @app.post("/_akstwin/faults", openapi_extra=takes_fault(), status_code=201, responses=refusals(400, 404, 409))
    async def add_fault(given: Given) -> Json:
        """Break something."""
        async with control.workspace.clock.commanding():
            return control.faults.add(given)

    @app.delete("/_akstwin/faults")
    async def end_faults() -> list[Json]:
        """End all that can be ended; those are told."""
        async with control.workspace.clock.commanding():
            return control.faults.end_all()

    @app.delete("/_akstwin/faults/{fault}", responses=refusals(404, 409))
    async def end_fault(fault: str) -> Json:
        """End one."""
        async with control.workspace.clock.commanding():
            return control.faults.end(fault)


def _add_pages(app: FastAPI) -> None:
    headers = {"content-security-policy": _POLICY, "cache-control": "no-store"}

    @app.get("/_akstwin/", include_in_schema=False)
    @app.get("/_akstwin", include_in_schema=False)
    async def live() -> HTMLResponse:
        return HTMLResponse(PAGE.read_bytes(), headers=headers)

    @app.get("/_akstwin/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app), headers=headers)


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(AksError)
    async def refused(_: Request, error: AksError) -> JSONResponse:
        return JSONResponse(error.body(), error.status_hint)

    @app.exception_handler(RequestValidationError)
    async def unreadable(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"] if not isinstance(step, int))
        return JSONResponse(AksError(f"{place}: {first['msg']}").body(), 400)

    @app.exception_handler(HTTPException)
    async def not_served(request: Request, error: HTTPException) -> JSONResponse:
        text = f"{request.method} {request.url.path}: {error.detail}; /_akstwin/docs lists what is served"
        body = {**AksError(text).body(), "statusCode": error.status_code}
        return JSONResponse(body, error.status_code, headers=error.headers)


def _clock(control: "Control") -> Json:
    workspace = control.workspace
    with workspace.clock.acting() as now:
        return {
            "now": now,
            "epoch": workspace.backend.epoch,
            "mode": workspace.clock.mode,
            "rate": workspace.clock.rate,
        }
