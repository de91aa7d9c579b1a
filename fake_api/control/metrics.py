"""What was counted, as Prometheus metrics: read only when somebody asks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from akstwin.clock import SECOND, Micros
from akstwin.domain.observation import Observation
from akstwin.fake_api.control.counting import BOUNDS, Metrics

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.registry import Collector

    from akstwin.fake_api.control.center import Control

WINDOW: Final = Micros(10 * SECOND)
"""Over which utilisation is measured."""


def exposition(control: "Control") -> tuple[bytes, str]:
    """All metrics in the text format, and its content type."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - needed by who asks only
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()
    registry.register(_collector(control))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_1_0_0


def _collector(control: "Control") -> "Collector":
    from prometheus_client.registry import Collector  # noqa: PLC0415 - see above

    class Reading(Collector):
        def collect(self) -> Iterator["Metric"]:
            control.workspace.backend.calendar.collect()
            yield from _answers(control.metrics)
            yield from _state(control)

    return Reading()


def _answers(metrics: Metrics) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415 - see above

    requests = CounterMetricFamily(
        "akstwin_requests", "Answers to requests.", labels=["service", "version", "status", "reason"]
    )
    latency = HistogramMetricFamily(
        "akstwin_request_latency_seconds", "From arrival to answer, virtual time.", labels=["service", "version"]
    )
    together: dict[tuple[str, str], list[int]] = {}
    for (service, version, status, reason), row in metrics.answers.items():
        requests.add_metric([service, version or "", str(status), str(reason or "")], sum(row[:-1]))
        total = together.setdefault((service, version or ""), [0] * len(row))
        for at, value in enumerate(row):
            total[at] += value
    for key, row in together.items():
        buckets, below = [], 0
        for bound, count in zip((*(f"{bound / SECOND:g}" for bound in BOUNDS), "+Inf"), row, strict=False):
            below += count
            buckets.append((bound, below))
        latency.add_metric(list(key), buckets, row[-1] / SECOND)
    yield requests
    yield latency


def _state(control: "Control") -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - see above

    both = ["service", "version"]
    queue = GaugeMetricFamily("akstwin_queue_length", "Requests waiting in the router.", labels=both)
    busy = GaugeMetricFamily("akstwin_busy_slots", "Requests being processed.", labels=both)
    replicas = GaugeMetricFamily("akstwin_replicas", "Pods by state.", labels=[*both, "state"])
    desired = GaugeMetricFamily("akstwin_replicas_desired", "Replicas asked for.", labels=both)
    share = GaugeMetricFamily("akstwin_traffic_share_percent", "Effective share of the traffic.", labels=both)
    utilisation = GaugeMetricFamily("akstwin_utilisation_ratio", "As the autoscaler counts it, over 10 s.", labels=both)
    clock = GaugeMetricFamily("akstwin_clock_seconds", "Virtual time since its start.")
    dropped = CounterMetricFamily("akstwin_journal_dropped", "Rows that had to go for later ones.")
    struck = CounterMetricFamily("akstwin_faults_struck", "How often a fault struck.", labels=["fault", "kind"])
    with control.workspace.clock.acting() as now:
        for service, observed in observations(control, WINDOW).items():
            controller = control.workspace.backend.driver.services[service].controller
            for version, seen in observed.versions.items():
                labels = [service, version]
                queue.add_metric(labels, seen.queue_length)
                busy.add_metric(labels, controller.usage(version).busy)
                desired.add_metric(labels, seen.desired)
                share.add_metric(labels, seen.traffic_share)
                if seen.utilisation is not None:
                    utilisation.add_metric(labels, seen.utilisation)
                for state, count in seen.replicas.items():
                    replicas.add_metric([*labels, state], count)
    clock.add_metric([], now / SECOND)
    dropped.add_metric([], control.journal.dropped)
    for fault in control.faults.listing():
        struck.add_metric([fault["id"], fault["kind"]], fault["struck"])
    yield from (queue, busy, replicas, desired, share, utilisation, clock, dropped, struck)


def observations(control: "Control", window: Micros) -> dict[str, Observation]:
    """What was seen lately of each service that is up; to be asked while the clock is held."""
    driver = control.workspace.backend.driver
    return {
        name: driver.watches[name].observe(window)
        for name, service in driver.services.items()
        if not service.controller.ended
    }
