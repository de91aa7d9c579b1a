"""Replicas that no cluster could hold are refused at the management core: in creations, patches and versions."""

from typing import Any

import pytest

from akstwin.clock import Micros
from akstwin.cores.management import ServiceLimits, ServiceRecord, change, create
from akstwin.domain.assumptions import Assumptions
from akstwin.errors import InvalidSetting
from akstwin.sdk import wire

NOW = Micros(0)
LIMITS = ServiceLimits.of(Assumptions(max_pods_per_node=30))
MOST = 5000 * 30
FIXED = {"num_replicas": MOST + 1}
SCALED = {"autoscale_enabled": True, "autoscale_min_replicas": MOST + 1, "autoscale_max_replicas": 10**9}


def webservice(limits: ServiceLimits = LIMITS, **arguments: Any) -> ServiceRecord:
    """What an AksWebservice's payload comes to."""
    payload = wire.service_payload(arguments, name="fraud", compute_name="aks", environment_image_request={})
    return create(payload, None, NOW, limits)


def endpoint(**arguments: Any) -> ServiceRecord:
    """What an AksEndpoint's payload comes to; its version is blue."""
    payload = wire.endpoint_payload(
        {"version_name": "blue", **arguments}, name="fraud", compute_name="aks", environment_image_request={}
    )
    return create(payload, None, NOW, LIMITS)


def refusal(name: str, value: int, most: int = MOST) -> str:
    """What a refusal says."""
    return f"^{name}: {value} is not at most {most}, the pods that the largest cluster holds$"


@pytest.mark.parametrize(("given", "name"), [(FIXED, "num_replicas"), (SCALED, "autoscale_min_replicas")])
def test_a_creation_is_refused(given: dict[str, Any], name: str) -> None:
    """A fixed number of replicas and the autoscaler's minimum; of an endpoint, under the version's name."""
    with pytest.raises(InvalidSetting, match=refusal(name, MOST + 1)):
        webservice(**given)
    with pytest.raises(InvalidSetting, match=refusal(f"versions.blue.{name}", MOST + 1)):
        endpoint(**given)


@pytest.mark.parametrize(("given", "name"), [(FIXED, "num_replicas"), (SCALED, "autoscale_min_replicas")])
def test_a_patch_is_refused(given: dict[str, Any], name: str) -> None:
    """Of a service, of a version, and with a version that is added."""
    with pytest.raises(InvalidSetting, match=refusal(name, MOST + 1)):
        change(webservice(), wire.update_patch(given), NOW, limits=LIMITS)
    patch = wire.version_patch("blue", ["blue"], given)
    with pytest.raises(InvalidSetting, match=refusal(f"versions.blue.{name}", MOST + 1)):
        change(endpoint(), patch, NOW, limits=LIMITS)
    added = wire.version_added_patch(
        "green", ["blue"], given, compute_name="aks", environment_image_request={"modelIds": []}
    )
    with pytest.raises(InvalidSetting, match=refusal(f"versions.green.{name}", MOST + 1)):
        change(endpoint(), added, NOW, limits=LIMITS)


def test_what_a_cluster_could_hold_is_taken() -> None:
    """The largest number itself; and any upper bound of the autoscaler, which need not be reached."""
    assert webservice(num_replicas=MOST).versions[0].settings["numReplicas"] == MOST
    scaled = webservice(autoscale_enabled=True, autoscale_min_replicas=MOST, autoscale_max_replicas=10**12)
    assert scaled.versions[0].settings["autoScaler"]["maxReplicas"] == 10**12
    change(webservice(), wire.update_patch({"num_replicas": MOST}), NOW, limits=LIMITS)


def test_the_limit_follows_the_assumption() -> None:
    """More pods on a node, more replicas."""
    assert webservice(ServiceLimits.of(Assumptions()), **FIXED).versions[0].settings["numReplicas"] == MOST + 1
    with pytest.raises(InvalidSetting, match=refusal("num_replicas", 550_001, 550_000)):
        webservice(ServiceLimits.of(Assumptions()), num_replicas=550_001)
