"""Whatever schemathesis makes of the management side's OpenAPI document, the answers are documented, and none is a 5xx."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

DOCUMENT = "/openapi.json"


@pytest.mark.slow
def test_no_answer_is_undocumented(wire: Any, explorer: Any) -> None:
    """1,000 cases at least: status, headers, content type and schema of the answers to good and bad requests."""
    world = wire.world
    uploaded = world.artifacts("GET", "/contentinfo/LocalUpload/model/weights.txt").json()["contentUri"]
    operation = world.mm("POST", "/services/there/regenerateKeys", json={"keyType": "Primary"}).headers[
        "Operation-Location"
    ]
    log = urlsplit(world.client.get(operation).json()["operationLog"])
    identity = world.server.first.workspace.backend.identity
    found = explorer(
        world,
        {
            "subscription_id": [identity.subscription_id],
            "resource_group": [identity.resource_group],
            "workspace": [identity.name],
            "name": ["there", "aks", "tab"],
            "model_id": ["fraud:1"],
            "operation_id": [urlsplit(operation).path.rpartition("/")[2]],
            "path": [urlsplit(uploaded).path.removeprefix("/blob/"), "score.py"],
            "sig": [parse_qs(urlsplit(each).query)["sig"][0] for each in (uploaded, log.geturl())],
            "api-version": ["2022-05-01"],
            "label": ["latest"],
        },
    )
    assert found.explore(DOCUMENT, 11) >= 1000
    assert not found.defects, "\n\n".join(f"{kind}\n{case}" for kind, case in found.defects.items())
    assert found.statuses[200] > 100, found.statuses  # else it was always the same refusal
    assert len(found.statuses) > 5, found.statuses


def test_each_route_is_documented_in_full(wire: Any) -> None:
    """An answer that is allowed to be anything would never be found wrong."""
    document = httpx.get(f"{wire.world.http}{DOCUMENT}").json()
    assert len(document["paths"]) >= 40
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            where = f"{verb} {path}"
            assert operation["description"], where
            assert "400" in operation["responses"], where
            assert not [status for status in operation["responses"] if not status.isdecimal()], where
            for status, answer in operation["responses"].items():
                for content in answer.get("content", {}).values():
                    assert content["schema"], (where, status)
            if verb in ("post", "put", "patch") and "requestBody" in operation:
                assert {"413", "415"} <= set(operation["responses"]), where


def test_the_schemas_are_those_of_the_answers(wire: Any) -> None:
    """What was never answered with success in the search is looked at here: a service, a model, a cluster, an environment."""
    import jsonschema  # noqa: PLC0415 - for this one

    world = wire.world
    document = httpx.get(f"{world.http}{DOCUMENT}").json()
    environment = f"/environment/v1.0{world.server.first.workspace.backend.identity.resource_id}/environments/tab"
    answers = {
        "Service": world.mm("GET", "/services/there"),
        "Model": world.mm("GET", "/models/fraud:1"),
        "Compute": world.arm("GET", "/computes/aks"),
        "Environment": world.client.put(environment, json={"Name": "tab"}),
        "Error": world.mm("GET", "/services/nobody"),
        "ResourceError": world.arm("GET", "/computes/nobody"),
    }
    for name, answer in answers.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.validate(answer.json(), schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({}, schema)
