"""What the control plane spends on a pod does not grow with the number of pods."""

import pytest
from support.calls import counted_calls
from support.worlds import open_endpoint

from akstwin.clock import SECOND, Micros


def calls_of_a_cold_start(replicas: int) -> int:
    """Function calls, from the creation of a service to the time at which all its replicas serve."""
    deploy = {"num_replicas": replicas, "cpu_cores": 0.1, "memory_gb": 0.1, "initial_delay_seconds": 10**8}
    cluster = {"nodes": 40, "vm_size": {"cpu_cores": 64, "memory_gb": 256}}
    with counted_calls() as calls:
        opened = open_endpoint([{"name": "blue", "deploy": deploy}], start="cold", cluster=cluster)
        opened.world.run_until(Micros(400 * SECOND))
    assert sum(pod.ready for pod in opened.service.controller.pods_of("blue")) == replicas
    assert opened.service.controller.life.state == "Healthy"
    opened.close()
    return calls.count


@pytest.mark.slow
def test_a_thousand_pods_cost_five_times_two_hundred() -> None:
    """A cold start of 1,000 pods on 40 nodes: at most eight times the function calls of one of 200."""
    few, many = calls_of_a_cold_start(200), calls_of_a_cold_start(1000)

    assert many <= 8 * few, f"{many / few:.2f} times"
