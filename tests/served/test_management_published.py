"""Orders, pages, deletions, assets, metrics and images as the published REST description has them (wire §12)."""

from collections.abc import Iterator
from typing import Any

import pytest

from akstwin.fake_api.management import pages
from akstwin.fake_api.management.pages import page

PATCH = {"Content-Type": "application/json-patch+json"}
ORDERS = ("CreatedAtDesc", "CreatedAtAsc", "UpdatedAtDesc", "UpdatedAtAsc")
KINDS = {"services": "name", "models": "id", "assets": "id"}


def patch(path: str, value: Any, op: str = "replace") -> list[dict[str, Any]]:
    """A patch of one operation."""
    return [{"op": op, "path": path, "value": value}]


def asset(management: Any, name: str, **given: Any) -> str:
    """The id of a new asset of one uploaded file."""
    made = management.mm(
        "POST", "/assets", json={"name": name, "artifacts": [{"prefix": "LocalUpload/model/weights.txt"}], **given}
    )
    assert made.status_code == 200, made.text
    return str(made.json()["id"])


@pytest.fixture(scope="module")
def several(stocked: Any) -> Iterator[Any]:
    """Three services, models and assets each, made one after the other; the oldest was changed last."""
    stocked.made = {"services": [], "models": [], "assets": []}
    for name in ("ordered-1", "ordered-2", "ordered-3"):
        stocked.deploy(name, kvTags={"listed": "yes"})
        stocked.made["services"].append(name)
        stocked.made["assets"].append(asset(stocked, name, kvTags={"listed": "yes"}))
        url = f"aml://asset/{stocked.made['assets'][-1]}"
        model = {"name": name, "url": url, "mimeType": "application/json", "kvTags": {"listed": "yes"}}
        stocked.made["models"].append(stocked.mm("POST", "/models", json=model).json()["id"])
    for kind, names in stocked.made.items():
        changed = stocked.mm("PATCH", f"/{kind}/{names[0]}", json=patch("/description", "changed"), headers=PATCH)
        assert changed.status_code == 200, changed.text
    return stocked


def listed(management: Any, kind: str, **query: Any) -> list[str]:
    """What a list has, page by page."""
    found, asked = [], {"tags": "listed=yes", **query}
    answer = management.mm("GET", f"/{kind}", params=asked)
    while True:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert len(body["value"]) <= asked.get("count", 1000)
        found += [each[KINDS[kind]] for each in body["value"]]
        if not body.get("nextLink"):
            return found
        answer = management.client.get(body["nextLink"])


@pytest.mark.parametrize("parameter", ["orderby", "orderBy"])
@pytest.mark.parametrize("kind", KINDS)
def test_lists_have_four_orders(several: Any, kind: str, parameter: str) -> None:
    """By creation and by last change, both ways; the parameter is written in both ways; pages keep the order."""
    first, second, third = several.made[kind]
    wanted = {
        "CreatedAtDesc": [third, second, first],
        "CreatedAtAsc": [first, second, third],
        "UpdatedAtDesc": [first, third, second],
        "UpdatedAtAsc": [second, third, first],
    }
    for order, names in wanted.items():
        assert listed(several, kind, **{parameter: order}) == names, order
        assert listed(several, kind, **{parameter: order}, count=1) == names, order
    refused = several.mm("GET", f"/{kind}", params={parameter: "updatedatdesc"})
    assert (refused.status_code, "CreatedAtDesc" in refused.json()["message"]) == (400, True)


def test_lists_have_an_order_of_their_own(several: Any) -> None:
    """Services by their last change, models and assets by their creation: the newest first."""
    assert listed(several, "services") == listed(several, "services", orderby="UpdatedAtDesc")
    for kind in ("models", "assets"):
        assert listed(several, kind) == listed(several, kind, orderby="CreatedAtDesc")


@pytest.mark.parametrize("kind", KINDS)
def test_pages_have_a_link_to_the_next_one(several: Any, kind: str) -> None:
    """It asks the same question; the last page has none: of services not even the key, which their reader fails on."""
    answer = several.mm("GET", f"/{kind}", params={"tags": "listed", "count": 2}).json()
    assert (len(answer["value"]), "count=2" in answer["nextLink"]) == (2, True)
    assert answer["nextLink"].startswith(several.http)
    last = several.client.get(answer["nextLink"]).json()
    assert len(last["value"]) == 1
    assert last.get("nextLink") is None
    assert ("nextLink" in last) == (kind != "services")
    for wrong in ("x", "MQ", "🐤"):
        refused = several.mm("GET", f"/{kind}", params={"$skipToken": wrong})
        assert (refused.status_code, refused.json()["details"][0]["target"]) == (400, "$skipToken")
    for wrong in (0, -1, 2**31, "many"):
        assert several.mm("GET", f"/{kind}", params={"count": wrong}).status_code == 400
    assert several.mm("GET", f"/{kind}", params={"count": 2**31 - 1}).status_code == 200


def test_nothing_is_left_out_between_pages() -> None:
    """What is added before a page's end or deleted there does not move the next page past an item."""
    shown, token = page("edcba", 2, "$skipToken", None, str)
    assert "".join(shown) == "ed"
    for then, rest in (("gfedcba", "cb"), ("ecba", "cb"), ("dcba", "cb"), ("cba", "ba"), ("e", "")):
        following, _ = page(then, 2, "$skipToken", token, str)
        if then != "cba":
            assert "".join(following) == rest, then
    assert page("ab", 2, "$skipToken", None, str) == ("ab", None)
    assert page([], 2, "$skipToken", None, str) == ([], None)
    whole = [str(number) for number in range(pages.MOST + 1)]
    assert [len(part) for part in (page(whole, 2**31 - 1, "c", None, str)[0],)] == [pages.MOST]


def test_environments_and_computes_have_pages(management: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of their own kind: a continuation token, and a link with `$skip`."""
    from akstwin.fake_api.management import computes, environments  # noqa: PLC0415

    monkeypatch.setattr(environments, "_PAGE", 3)
    monkeypatch.setattr(computes, "_PAGE", 1)
    base = f"/environment/v1.0{management.server.first.workspace.backend.identity.resource_id}/environments"
    found, token = [], None
    while True:
        body = management.client.get(base, params={"continuation": token} if token else {}).json()
        found += [each["name"] for each in body["value"]]
        token = body["continuationToken"]
        if token is None:
            break
        assert len(body["value"]) == 3
    assert len(found) == len(set(found)) > 3
    for name in ("page-1", "page-2"):
        made = management.arm("PUT", f"/computes/{name}", json={"properties": {"computeType": "AKS"}})
        assert management.client.get(made.headers["Azure-AsyncOperation"]).json()["status"] == "Succeeded"
    for below in ("", "/rp/workspaces"):
        identity = management.server.first.workspace.backend.identity.resource_id
        body = management.client.get(f"{below}{identity}/computes", params={"api-version": "2020-02-02"}).json()
        names = [each["name"] for each in body["value"]]
        while "nextLink" in body:
            body = management.client.get(body["nextLink"]).json()
            names += [each["name"] for each in body["value"]]
        assert {"page-1", "page-2"} <= set(names)
        assert len(names) == len(set(names))
    assert management.client.get(base, params={"continuation": "x"}).status_code == 400


def test_services_are_found_by_name_and_shown_with_or_without_models(several: Any) -> None:
    """Models come with `expand=true` alone, in a list and singly."""
    assert listed(several, "services", name="ordered-2") == ["ordered-2"]
    for path, query in (("/services/ordered-2", {}), ("/services", {"name": "ordered-2"})):
        bare = several.mm("GET", path, params=query).json()
        full = several.mm("GET", path, params={**query, "expand": "True"}).json()
        shown = [answer["value"][0] if "value" in answer else answer for answer in (bare, full)]
        assert "models" not in shown[0]
        assert [model["id"] for model in shown[1]["models"]] == ["fraud:1"]
    assert several.mm("GET", "/services", params={"expand": "maybe"}).status_code == 400


def test_models_are_found_by_description(several: Any) -> None:
    """All of it."""
    assert listed(several, "models", description="changed") == [several.made["models"][0]]
    assert listed(several, "models", description="chang") == []


def test_what_is_not_there_is_deleted_with_204(several: Any) -> None:
    """Services, models and assets; the check before a deletion has nothing against it."""
    for path in ("/services/nobody", "/models/nobody:1", "/models/nobody", "/assets/nobody", "/services/Not.A-Name"):
        answer = several.mm("DELETE", path)
        assert (answer.status_code, answer.content) == (204, b""), path
    asked = {"type": "Delete", "serviceName": "nobody", "createRequest": None, "updateRequest": None}
    assert several.mm("POST", "/services/validate", json=asked).json() == {}
    assert several.mm("GET", "/services/nobody").status_code == 404


def test_an_asset_is_changed_and_forgotten(several: Any) -> None:
    """Tags, description and metadata change, properties are only added; while a model has its files by it, it stays."""
    made = asset(several, "patched", properties={"a": "1"}, description="old", meta={"k": "v"})
    path = f"/assets/{made}"
    changed = several.mm(
        "PATCH", path, headers=PATCH,
        json=[*patch("/kvTags", {"x": "y"}), *patch("/properties/b.c", "2", "add"), *patch("/description", "new"),
              *patch("/meta", {"k": "w"})],
    ).json()  # fmt: skip
    assert changed == several.mm("GET", path).json()
    assert (changed["kvTags"], changed["properties"]) == ({"x": "y"}, {"a": "1", "b.c": "2"})
    assert (changed["description"], changed["meta"], changed["name"]) == ("new", {"k": "w"}, "patched")
    for wrong in (patch("/properties/a", "2"), patch("/name", "x"), patch("/artifacts", []), patch("/kvTags", "x")):
        refused = several.mm("PATCH", path, json=wrong, headers=PATCH)
        assert (refused.status_code, several.mm("GET", path).json()) == (400, changed)
    assert several.mm("PATCH", "/assets/nobody", json=patch("/kvTags", {}), headers=PATCH).status_code == 404
    assert several.mm("DELETE", path).status_code == 200
    assert several.mm("GET", path).status_code == 404
    used = several.mm("DELETE", f"/assets/{several.made['assets'][0]}")
    assert (used.status_code, several.made["models"][0] in used.json()["message"]) == (412, True)


def test_a_model_says_how_its_deployments_ended(several: Any) -> None:
    """Creations and updates that replaced its pods, from one instant to another; other changes are none."""
    prefix = "LocalUpload/model/weights.txt"
    model = {"name": "counted", "url": f"aml://asset/{asset(several, 'counted', artifacts=[{'prefix': prefix}])}"}
    assert several.mm("POST", "/models", json={**model, "mimeType": "application/json"}).json()["id"] == "counted:1"

    def metrics(**query: str) -> tuple[int, int]:
        body = several.mm("GET", "/models/counted:1/metrics", params=query).json()
        assert body["startTime"] <= body["endTime"]
        summary = body["deploymentSummary"]
        return summary["successfulDeployments"], summary["unsuccessfulDeployments"]

    assert metrics() == (0, 0)
    request = {**several.service("x")["environmentImageRequest"], "modelIds": ["counted:1"]}
    first = several.deploy("counted", environmentImageRequest=request)
    assert metrics() == (1, 0)
    several.mm("PATCH", "/services/counted", json=patch("/kvTags", {"a": "b"}), headers=PATCH)
    assert metrics() == (1, 0)
    moved = several.mm(
        "PATCH", "/services/counted", json=patch("/containerResourceRequirements/cpu", 100), headers=PATCH
    )
    assert several.client.get(moved.headers["Operation-Location"]).json()["state"] == "Failed"
    assert metrics() == (1, 1)
    assert metrics(endDate=first["createdTime"]) == (0, 0)
    assert metrics(startDate="2100-01-01", endDate="2100-01-02T00:00:00Z") == (0, 0)
    raw = "/models/counted:1/metrics?endDate=2100-01-01T00:00:00+00:00"
    assert several.mm("GET", raw).json()["deploymentSummary"]["successfulDeployments"] == 1
    for wrong in ({"startDate": "yesterday"}, {"endDate": "0001-01-01T00:00:00+14:00"}, {"startDate": "2100-01-01"}):
        assert several.mm("GET", "/models/counted:1/metrics", params=wrong).status_code == 400, wrong
    assert several.mm("GET", "/models/nobody:1/metrics").status_code == 404


def test_there_are_no_images_and_no_profiles(management: Any) -> None:
    """An empty page of the one; the others are refused by name, with what to do instead."""
    assert management.mm("GET", "/images").json() == {"value": []}
    assert management.mm("GET", "/images/mine:1").status_code == 404
    for method, path in (
        ("GET", "/images/mine:1/profiles"), ("POST", "/images/mine:1/profiles"), ("GET", "/images/mine:1/profiles/p"),
        ("GET", "/profiles"), ("POST", "/profiles"),
    ):  # fmt: skip
        refused = management.mm(method, path)
        assert refused.status_code == 400
        assert "is not served by akstwin: Model.profile" in refused.json()["message"]


def test_a_token_is_made(several: Any) -> None:
    """201."""
    several.deploy("with-token", aadAuthEnabled=True)
    issued = several.mm("POST", "/services/with-token/token")
    assert (issued.status_code, issued.json()["tokenType"]) == (201, "Bearer")
