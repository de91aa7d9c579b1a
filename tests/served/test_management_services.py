"""Services, keys, tokens, logs and operations over HTTP (wire §7, §8)."""

from typing import Any

import httpx

PATCH = {"Content-Type": "application/json-patch+json"}


def patch(path: str, value: Any, op: str = "replace") -> list[dict[str, Any]]:
    """A patch of one operation."""
    return [{"op": op, "path": path, "value": value}]


def test_a_service_is_created_and_shown(stocked: Any) -> None:
    """202 and where its operation is polled; the document is there at once, with its URI when it is up."""
    made = stocked.mm("POST", "/services", json=stocked.service("first", kvTags={"a": "b"}))

    assert made.status_code == 202
    assert made.headers["Operation-Location"].startswith(f"{stocked.http}/modelmanagement/v1.0/subscriptions/")
    assert (made.json()["state"], made.json()["scoringUri"]) == ("Transitioning", None)
    operation = stocked.client.get(made.headers["Operation-Location"]).json()
    assert operation["state"] == "Succeeded"
    assert operation["operationDetails"] == {"subOperationType": "DeployService", "subOperationState": "Succeeded"}
    assert "streamingOperationLog" not in operation
    document = stocked.mm("GET", "/services/first", params={"expand": "true"}).json()
    assert document["scoringUri"] == f"{stocked.http}/api/v1/service/first/score"
    assert document["environmentImageRequest"]["environment"]["name"] == "tabular"
    assert (document["id"], document["deploymentType"]) == ("first", "HttpRealtimeEndpoint")
    assert document["operationId"] == operation["id"]
    assert document["updatedTime"] == document["createdTime"]
    assert "imageDetails" not in document


def test_an_operation_says_what_it_was_about_and_when(stocked: Any) -> None:
    """Of a service, a key and a compute target alike; the end is missing until it has come."""
    made = stocked.mm("POST", "/services", json=stocked.service("about"))
    running = stocked.client.get(made.headers["Operation-Location"], headers={"Prefer": "wait=0"}).json()
    assert (running["state"], running["operationDetails"]["subOperationState"]) == ("Running", "Running")
    assert (running["createdTime"] == made.json()["createdTime"], running["endTime"]) == (True, None)

    operation = stocked.client.get(made.headers["Operation-Location"]).json()
    service = stocked.client.get(operation["resourceLocation"]).json()
    assert (operation["operationType"], service["name"]) == ("Service", "about")
    assert operation["createdTime"] == service["createdTime"] < operation["endTime"]

    changed = stocked.mm("POST", "/services/about/regenerateKeys", json={"keyType": "Primary", "keyValue": None})
    key = stocked.client.get(changed.headers["Operation-Location"]).json()
    assert (key["operationType"], key["resourceLocation"]) == ("Service", operation["resourceLocation"])
    assert operation["endTime"] <= key["createdTime"] < key["endTime"]

    put = stocked.arm(
        "PUT", "/computes/beside", json={"properties": {"computeType": "AKS", "properties": {"agentCount": 3}}}
    )
    asked = put.headers["Azure-AsyncOperation"].partition("?")[0].rpartition("/")[2]
    compute = stocked.mm("GET", f"/operations/{asked}").json()
    assert compute["operationType"] == "Compute"
    found = stocked.client.get(compute["resourceLocation"], params={"api-version": "2020-02-02"}).json()
    assert found["name"] == "beside"


def test_an_operations_log_goes_on_from_an_offset(stocked: Any) -> None:
    """Entries of time and text; people find it at a signed URL without a token."""
    made = stocked.mm("POST", "/services", json=stocked.service("logged"))
    where = made.headers["Operation-Location"]
    whole = stocked.client.get(where, params={"offset": 0}).json()
    assert (
        stocked.client.get(where, params={"offset": 20}).json()["streamingOperationLog"]
        == (whole["streamingOperationLog"][20:])
    )
    assert all(entry.count("|") == 1 for entry in whole["streamingOperationLog"].split("#"))
    shown = httpx.get(whole["operationLog"])
    assert shown.text.count("\n") == whole["streamingOperationLog"].count("#") + 1
    assert httpx.get(whole["operationLog"] + "0").status_code == 403
    assert stocked.client.get(where, params={"offset": -1}).status_code == 400


def test_an_https_client_is_told_https_urls(stocked: Any) -> None:
    """Who polls with a token does not want to send it in the clear."""
    with httpx.Client(
        base_url=stocked.https, headers=stocked.client.headers, verify=stocked.context, timeout=30
    ) as client:
        path = str(stocked.mm("GET", "/services").url).removeprefix(stocked.http)
        made = client.post(path, json=stocked.service("secure"))
        assert made.headers["Operation-Location"].startswith(stocked.https)
        assert client.get(made.headers["Operation-Location"]).json()["state"] == "Succeeded"


def test_a_patch_says_whether_there_is_something_to_wait_for(stocked: Any) -> None:
    """200 for what only describes, else 202 and an operation too, which has the lock if pods are replaced."""
    stocked.deploy("patched")

    at_once = stocked.mm("PATCH", "/services/patched", json=patch("/kvTags", {"x": "y"}), headers=PATCH)
    assert (at_once.status_code, at_once.json()["kvTags"]) == (200, {"x": "y"})
    assert "Operation-Location" not in at_once.headers
    timed = patch("/scoringTimeoutMs", 5000)
    adjusted = stocked.mm("PATCH", "/services/patched", json=timed, headers=PATCH)
    assert (adjusted.status_code, adjusted.json()["state"], adjusted.json()["scoringTimeoutMs"]) == (
        202,
        "Healthy",
        5000,
    )
    assert stocked.client.get(adjusted.headers["Operation-Location"]).json()["state"] == "Succeeded"
    later = stocked.mm(
        "PATCH", "/services/patched", json=patch("/containerResourceRequirements/cpu", 0.2), headers=PATCH
    )
    assert later.status_code == 202
    meanwhile = stocked.mm("PATCH", "/services/patched", json=timed, headers=PATCH)
    assert (meanwhile.status_code, meanwhile.json()["state"]) == (202, "Transitioning")
    busy = stocked.mm(
        "PATCH", "/services/patched", json=patch("/containerResourceRequirements/cpu", 0.3), headers=PATCH
    )
    assert (busy.status_code, busy.json()["code"]) == (409, "Conflict")
    assert stocked.client.get(later.headers["Operation-Location"]).json()["state"] == "Succeeded"


def test_keys_tokens_and_logs(stocked: Any) -> None:
    """As the SDK reads them."""
    stocked.deploy("keyed")
    before = stocked.mm("POST", "/services/keyed/listkeys").json()
    changed = stocked.mm("POST", "/services/keyed/regenerateKeys", json={"keyType": "Primary", "keyValue": None})
    assert changed.status_code == 202
    assert stocked.client.get(changed.headers["Operation-Location"]).json()["state"] == "Succeeded"
    after = stocked.mm("POST", "/services/keyed/listkeys").json()
    assert after["primaryKey"] != before["primaryKey"]
    assert after["secondaryKey"] == before["secondaryKey"]
    for wrong in ({"keyType": "Third"}, {"keyType": []}, {}, {"keyType": "Primary", "keyValue": 3}):
        assert stocked.mm("POST", "/services/keyed/regenerateKeys", json=wrong).status_code == 400
    assert stocked.mm("POST", "/services/keyed/token").status_code == 400
    assert (
        "ready" in stocked.mm("GET", "/services/keyed/logs", params={"tail": "5000", "init": "False"}).json()["content"]
    )
    assert stocked.mm("GET", "/services/keyed/logs", params={"init": "True"}).json()["content"]
    assert stocked.mm("GET", "/services/keyed/logs", params={"tail": "0"}).status_code == 400

    stocked.deploy("tokened", aadAuthEnabled=True, authEnabled=False)
    token = stocked.mm("POST", "/services/tokened/token").json()
    assert set(token) == {"accessToken", "tokenType", "refreshAfter", "expiryOn"}


def test_lists_are_filtered_and_have_no_null_link(stocked: Any) -> None:
    """`nextLink` is absent: null breaks the SDK."""
    stocked.deploy("listed", kvTags={"team": "risk", "a": "1,5"}, properties={"by": "me"})
    for given, there in (
        ({"tags": "team=risk"}, True),
        ({"tags": "team"}, True),
        ({"tags": "team=other"}, False),
        ({"tags": "team,nothing"}, False),
        ({"properties": "by=me", "computeType": "aks"}, True),
        ({"computeType": "AKSENDPOINT"}, False),
        ({"modelName": "fraud", "modelId": "fraud:1"}, True),
        ({"modelId": "fraud:2"}, False),
    ):
        answer = stocked.mm("GET", "/services", params=given).json()
        assert ("listed" in [one["name"] for one in answer["value"]]) == there, given
        assert "nextLink" not in answer
    refused = stocked.mm("GET", "/services", params={"imageDigest": "sha"})
    assert (refused.status_code, "imageDigest" in refused.json()["message"]) == (400, True)


def test_a_service_ends(stocked: Any) -> None:
    """202, then it is not there, and another deletion is 204."""
    stocked.deploy("ending")
    ended = stocked.mm("DELETE", "/services/ending")
    assert ended.status_code == 202
    assert stocked.client.get(ended.headers["Operation-Location"]).json()["state"] == "Succeeded"
    assert stocked.mm("DELETE", "/services/ending").status_code == 204
    for method, path in (("GET", ""), ("POST", "/listkeys"), ("POST", "/token"), ("GET", "/logs")):
        gone = stocked.mm(method, f"/services/ending{path}")
        assert (gone.status_code, gone.json()["statusCode"]) == (404, 404)


def objection(answer: httpx.Response) -> str | None:
    """What a validation says against it; None: a 200 without an error."""
    assert answer.status_code == 200
    told = answer.json()
    return told["error"]["message"] if told else None


def test_validation_says_what_the_real_call_would_and_changes_nothing(stocked: Any) -> None:
    """For names, creations, changes and deletions (wire §7.1)."""
    stocked.deploy("judged")
    before = stocked.state()

    def judged(kind: str, name: str, create: Any = None, update: Any = None) -> str | None:
        asked = {"type": kind, "serviceName": name, "createRequest": create, "updateRequest": update}
        return objection(stocked.mm("POST", "/services/validate", json=asked))

    good, bad = stocked.service("coming"), stocked.service("coming", computeName="nowhere")
    assert judged("Create", "coming", good) is None
    assert "nowhere" in str(judged("Create", "coming", bad))
    assert "exists" in str(judged("Create", "judged", stocked.service("judged")))
    assert judged("Create", "judged", stocked.service("judged", overwrite=True)) is None
    assert judged("Update", "judged", update=patch("/description", "words")) is None
    assert "no such setting" in str(judged("Update", "judged", update=patch("/descriptoin", "words")))
    assert "is not there" in str(judged("Update", "nothing", update=[]))
    assert judged("Delete", "judged") is None
    assert judged("Delete", "nothing") is None  # it would be answered with 204
    assert objection(stocked.mm("POST", "/services/validate/name/coming", json={})) is None
    assert "exists" in str(objection(stocked.mm("POST", "/services/validate/name/judged", json={})))
    assert "3" in str(objection(stocked.mm("POST", "/services/validate/name/A", json={})))
    assert objection(stocked.mm("POST", "/services/validate/resource", json=good)) is None
    assert "nowhere" in str(objection(stocked.mm("POST", "/services/validate/resource", json=bad)))
    assert stocked.mm("POST", "/services/validate", json={"type": ["Create"]}).status_code == 400
    assert stocked.state() == before


def test_what_would_have_to_wait_is_objected_to(stocked: Any) -> None:
    """An operation runs: nothing that needs one is possible."""
    stocked.deploy("busy")
    change = patch("/containerResourceRequirements/cpu", 0.2)
    begun = stocked.mm("PATCH", "/services/busy", json=change, headers=PATCH)
    for asked in (
        {"type": "Delete", "serviceName": "busy"},
        {"type": "Update", "serviceName": "busy", "updateRequest": patch("/containerResourceRequirements/cpu", 0.3)},
        {"type": "Create", "serviceName": "busy", "createRequest": stocked.service("busy", overwrite=True)},
    ):
        assert "is busy" in str(objection(stocked.mm("POST", "/services/validate", json=asked))), asked
    assert stocked.client.get(begun.headers["Operation-Location"]).json()["state"] == "Succeeded"


def test_nothing_migrates(stocked: Any) -> None:
    """Said plainly."""
    stocked.deploy("staying")
    for name, status in (("staying", 400), ("nothing", 404), (["staying"], 404)):
        answer = stocked.mm("POST", "/services/migrate", json={"serviceName": name, "computeTarget": "x"})
        assert answer.status_code == status


def test_an_endpoint_gets_and_loses_versions(stocked: Any) -> None:
    """Through patches (wire §7.6)."""
    version = stocked.service("blue", trafficPercentile=100)
    payload = {"name": "split", "computeType": "AKSENDPOINT", "computeName": "aks", "versions": {"blue": version}}
    made = stocked.mm("POST", "/services", json=payload)
    assert stocked.client.get(made.headers["Operation-Location"]).json()["state"] == "Succeeded"
    green = stocked.service("green", trafficPercentile=20)
    added = stocked.mm("PATCH", "/services/split", json=patch("/versions/green", green, "add"), headers=PATCH)
    assert added.status_code == 202
    assert stocked.client.get(added.headers["Operation-Location"]).json()["state"] == "Succeeded"
    assert set(stocked.mm("GET", "/services/split").json()["versions"]) == {"blue", "green"}
    unknown = stocked.mm("PATCH", "/services/split", json=patch("/versions/red/trafficPercentile", 3), headers=PATCH)
    assert unknown.status_code == 404
    taken = stocked.mm("PATCH", "/services/split", json=[{"op": "remove", "path": "/versions/blue"}], headers=PATCH)
    assert taken.status_code == 400, "it is the default version"
