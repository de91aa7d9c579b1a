"""What is given as False, 0 or empty reaches the service, which acts on it or says why not."""

from typing import Any

import pytest

from akstwin import AksWebservice, WebserviceException

ECHO = "import json\n\n\ndef init():\n    pass\n\n\ndef run(raw):\n    return json.loads(raw)\n"


def test_a_version_steps_back_only_for_another_one(lab: Any) -> None:
    """The default by itself cannot; one that is not the default says nothing new."""
    endpoint = lab.deploy(script=ECHO, version_name="blue")
    endpoint.create_version(
        "green", inference_config=lab.script(ECHO), num_replicas=1, is_default=False, is_control_version_type=False
    )
    lab.ready(endpoint)
    roles = {name: (each.is_default, each.version_type) for name, each in endpoint.versions.items()}
    assert roles == {"blue": (True, "Control"), "green": (False, "Treatment")}
    endpoint.update_version("green", is_default=False, is_control_version_type=False)
    with pytest.raises(WebserviceException, match="another version has to be the default first"):
        endpoint.update_version("blue", is_default=False)
    with pytest.raises(WebserviceException, match="another version has to be Control first"):
        endpoint.update_version("blue", is_control_version_type=False)


def test_models_tags_and_texts_can_be_emptied(lab: Any) -> None:
    """Of a service and of a model."""
    service = lab.deploy(script=lab.script(ECHO), models=[lab.model], tags={"a": "b"}, description="words")
    assert [model.id for model in service.models] == ["plain:1"]
    service.update(models=[], inference_config=lab.script(ECHO), tags={}, description="")
    lab.ready(service)
    assert (service.models, service.tags, service.description) == ([], {}, "")
    lab.model.update(tags={"a": "b"}, description="words")
    lab.model.update(tags={}, description="")
    assert (lab.model.tags, lab.model.description) == ({}, "")


def test_a_wait_of_no_time_looks_once(lab: Any) -> None:
    """It says that the operation runs, and succeeds when there is nothing to wait for."""
    service = lab.deploy(script=ECHO, wait=False)
    before = lab.now
    with pytest.raises(WebserviceException, match="Current status: Running"):
        service.wait_for_deployment(timeout_sec=0)
    assert lab.now == before
    lab.ready(service)
    found = AksWebservice(lab.ws, "svc")
    found.update(enable_app_insights=False)
    found.wait_for_deployment(timeout_sec=0)
    assert found.state == "Healthy"
