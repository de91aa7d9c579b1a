"""Routes to what lives in a simulated world beside services: its clients, its clusters, and what has happened in it."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query

from akstwin.domain.history import Wanted
from akstwin.fake_api.control.body import Given
from akstwin.fake_api.control.describing import refusals, takes
from akstwin.fake_api.control.reading import ClusterForm, TrafficForm, read
from akstwin.fake_api.insights_outlets import redacted
from akstwin.sim.traffic import Traffic

if TYPE_CHECKING:
    from akstwin.fake_api.control.center import Control

Json = dict[str, Any]
_Limit = Annotated[int | None, Query(ge=1)]


def add_world(app: FastAPI, control: "Control") -> None:
    """Add the routes of traffic, clusters and happenings.

    Args:
        app: gets them.
        control: the workspace's control side.
    """
    _add_traffic(app, control)
    workspace = control.workspace

    @app.post("/_akstwin/cluster/{name}", openapi_extra=takes(ClusterForm), responses=refusals(400))
    async def cluster(name: str, given: Given) -> Json:
        """The nodes of a compute target that will be attached under this name."""
        form = read(ClusterForm, given)
        async with workspace.commanding():
            workspace.backend.simulation.cluster(name, **_told(form))
        return {}

    @app.get("/_akstwin/nodes", responses=refusals(404))
    async def nodes(cluster: str | None = None) -> list[Json]:
        """The nodes of all compute targets, or of one, as they are now."""
        with workspace.clock.acting():
            return workspace.backend.simulation.nodes(cluster)

    @app.get("/_akstwin/pods", responses=refusals(404))
    async def pods(service: str | None = None, namespace: str | None = None, cluster: str | None = None) -> list[Json]:
        """The pods as they are now: all, or those of a service, of a namespace, of a compute target."""
        with workspace.clock.acting():
            return workspace.backend.simulation.pods(service, namespace=namespace, cluster=cluster)

    @app.get("/_akstwin/history", responses=refusals(400))
    async def history(
        kind: str | None = None, subject: str | None = None, since: str = "0s", limit: _Limit = None
    ) -> Json:
        """What has happened to clusters and services; `since` is counted from the clock's start, `limit` keeps the latest."""
        wanted = Wanted.read(kind, subject, since, limit)
        with workspace.clock.acting():
            happened = workspace.backend.driver.events
            chosen = wanted.choose(happened)
        names = ("at", "kind", "subject", "detail")
        shown = [dict(zip(names, each, strict=True)) for each in chosen]
        for each in shown:
            each["detail"] = control.journal.redaction.text(str(each["detail"]))
        return {"total": happened.total, "dropped": happened.dropped, "events": shown}

    @app.get("/_akstwin/insights", responses=refusals(400))
    async def insights(table: str = "requests", service: str | None = None) -> Json:
        """Rows that services with `enable_app_insights` have reported to Application Insights: requests, traces or exceptions."""
        with workspace.clock.acting():
            reported = workspace.backend.insights
            rows = workspace.backend.simulation.insights(table, service=service)
        return {
            "total": reported.total,
            "dropped": reported.dropped,
            "rows": [redacted(row, control.journal.redaction.text) for row in rows],
        }


def _add_traffic(app: FastAPI, control: "Control") -> None:
    workspace = control.workspace

    @app.get("/_akstwin/traffic")
    async def traffic_entries() -> list[Json]:
        """All simulated clients, with what they have sent so far."""
        with workspace.clock.acting():
            return [_shown(each) for each in workspace.backend.simulation.traffic_entries]

    @app.post("/_akstwin/traffic/{service}", openapi_extra=takes(TrafficForm), responses=refusals(400, 404))
    async def traffic(service: str, given: Given) -> Json:
        """Simulated clients that call a service from now on, beside those that already do."""
        form = read(TrafficForm, given)
        async with workspace.commanding():
            entry = workspace.backend.simulation.traffic(service, **_told(form))
            control.count_traffic(service)
            return _shown(entry)

    @app.delete("/_akstwin/traffic/{service}", responses=refusals(404))
    async def end_traffic(service: str) -> list[Json]:
        """Simulated clients call the service no more; those are told."""
        async with workspace.commanding():
            running = workspace.backend.driver.service(service)
            ended = [
                each
                for each in workspace.backend.simulation.traffic_entries
                if each.service == service and each.running
            ]
            for source in running.sources:  # a scenario's own, too
                source.stop()
            return [_shown(each) for each in ended]

    @app.delete("/_akstwin/traffic/{service}/{entry}", responses=refusals(404))
    async def end_traffic_entry(service: str, entry: str) -> Json:
        """Some of them call it no more. A second time is no mistake."""
        async with workspace.commanding():
            found = workspace.backend.simulation.traffic_entry(service, entry)
            found.stop()
            return _shown(found)


def _told(form: ClusterForm | TrafficForm) -> Json:
    return {name: getattr(form, name) for name in form.model_fields_set}


def _shown(entry: Traffic) -> Json:
    names = ("id", "service", "shape", "rate", "users", "sent", "retries", "running")
    return {name: getattr(entry, name) for name in names}
