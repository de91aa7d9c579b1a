"""What stands around a workspace: clouds, ARM, discovery, logins, clusters, other workspaces (wire §1-§3, §6)."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin.cores.registry import CURATED_ENVIRONMENTS
from akstwin.fake_api.management.desk import is_token
from akstwin.testing.variables import variables

VERSION = {"api-version": "2022-05-01"}


def test_the_cloud_is_this_server(management: Any) -> None:
    """Asked for without a token, at the import of the SDK."""
    azures, cloud = httpx.get(f"{management.http}/metadata/endpoints?api-version=2022-09-01").json()
    assert (azures["name"], cloud["name"]) == ("AzureCloud", "AkstwinCloud")
    assert azures == {**cloud, "name": "AzureCloud"}
    assert cloud["resourceManager"] == management.https
    assert cloud["authentication"]["loginEndpoint"] == management.https
    assert cloud["authentication"]["audiences"]
    assert cloud["portal"].count(".") == 2


def test_discovery_tells_where_all_services_are(management: Any) -> None:
    """Six keys, the scheme that was asked with, no slash at the end; without a token."""
    keys = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "studio")
    assert httpx.get(f"{management.http}/discovery").json() == dict.fromkeys(keys, management.http)
    told = httpx.get(f"{management.https}/discovery", verify=management.context).json()
    assert told == dict.fromkeys(keys, management.https)


def test_a_login_gives_a_token(management: Any) -> None:
    """Where the well-known document says."""
    base = f"{management.https}/adfs"
    where = httpx.get(f"{base}/.well-known/openid-configuration", verify=management.context).json()
    form = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s"}
    given = httpx.post(where["token_endpoint"], data=form, verify=management.context).json()
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 3599)
    assert is_token(given["access_token"])
    answer = management.client.get(
        "/subscriptions", params=VERSION, headers={"Authorization": f"Bearer {given['access_token']}"}
    )
    assert answer.status_code == 200
    refused = httpx.post(where["token_endpoint"], data={"grant_type": "magic"}, verify=management.context)
    assert (refused.status_code, refused.json()["error"]) == (400, "unsupported_grant_type")
    odd = httpx.post(where["token_endpoint"], content=b"%%", verify=management.context)
    assert odd.status_code in {400, 415}


def test_arm_knows_subscriptions_and_workspaces(management: Any) -> None:
    """The SDK looks for its subscription before anything else."""
    listed = management.client.get("/subscriptions", params=VERSION).json()["value"]
    identity = management.server.first.workspace.backend.identity
    assert identity.subscription_id in [each["subscriptionId"] for each in listed]
    assert management.client.get(f"/subscriptions/{identity.subscription_id}", params=VERSION).json() == listed[0]
    assert management.client.get("/subscriptions/none", params=VERSION).status_code == 404
    workspace = management.arm("GET").json()
    assert workspace["properties"]["workspaceId"] == identity.workspace_id
    assert workspace["properties"]["discoveryUrl"] == f"{management.http}/discovery"
    assert (workspace["location"], workspace["sku"]["tier"]) == ("westeurope", "Basic")


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (None, {"akstwin", "beside"}),
        ("resourceType eq 'Microsoft.MachineLearningServices/workspaces'", {"akstwin", "beside"}),
        ("resourceGroup eq 'ELSEWHERE' and resourceType eq 'microsoft.machinelearningservices/workspaces'", {"beside"}),
        ("name eq 'akstwin'", {"akstwin"}),
        ("name eq 'of mine and eq ''theirs'''", set()),
        ("resourceType eq 'Microsoft.Storage/storageAccounts'", set()),
    ],
)
def test_the_workspaces_of_a_subscription_are_listed(management: Any, condition: str | None, names: set[str]) -> None:
    """As resources among others, and as workspaces: of the subscription, and of one of its groups."""
    identity = management.server.first.workspace.backend.identity
    subscription = f"/subscriptions/{identity.subscription_id}"
    kind = "providers/Microsoft.MachineLearningServices/workspaces"
    beside = management.client.get(f"{subscription}/resourceGroups/elsewhere/{kind}/beside", params=VERSION).json()

    asked = {**VERSION, **({} if condition is None else {"$filter": condition})}
    listed = management.client.get(f"{subscription}/resources", params=asked).json()["value"]
    assert {each["name"] for each in listed if each["name"] in {"akstwin", "beside"}} == names
    assert all(each["type"] == "Microsoft.MachineLearningServices/workspaces" for each in listed)

    everywhere = management.client.get(f"{subscription}/{kind}", params=VERSION).json()["value"]
    assert beside in everywhere
    assert management.arm("GET").json() in everywhere
    for group in ("elsewhere", "ELSEWHERE"):
        url = f"{subscription.replace('s/', 'S/')}/RESOURCEGROUPS/{group}/{kind.lower()}"
        assert management.client.get(url, params=VERSION).json() == {"value": [beside]}
    assert management.client.get(f"{subscription}/resourceGroups/no/{kind}", params=VERSION).json() == {"value": []}


def test_a_list_of_resources_refuses_what_it_cannot_answer(management: Any) -> None:
    """Another subscription, and a condition of another form."""
    subscription = f"/subscriptions/{management.server.first.workspace.backend.identity.subscription_id}"
    one = management.client.get(f"{subscription}/resources", params={**VERSION, "$top": "1"}).json()["value"]
    assert len(one) == 1
    for condition in ("tagName eq 'a'", "substringof('x', name)", "name eq akstwin", "name eq 'a' or name eq 'b'"):
        answer = management.client.get(f"{subscription}/resources", params={**VERSION, "$filter": condition})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
        assert condition in answer.json()["error"]["message"]
    for path in ("resources", "providers/Microsoft.MachineLearningServices/workspaces"):
        assert management.client.get(f"/subscriptions/none/{path}", params=VERSION).status_code == 404


def test_azure_reads_its_own_words_in_any_case(management: Any) -> None:
    """And forgives slashes that are too many at the start."""
    path = management.server.first.workspace.backend.identity.resource_id
    for odd in (path.lower(), path.upper(), f"//{path[1:]}"):
        url = f"{management.http}{odd}?api-version=2020-02-02"
        assert httpx.get(url, headers=management.client.headers).status_code == 200, odd


def test_a_cluster_is_made_changed_and_taken_away(management: Any) -> None:
    """In ARM and below `/rp/workspaces`; each change has an operation, with ARM's words."""
    body = {"location": "westeurope", "properties": {"computeType": "AKS", "properties": {"agentCount": 4}}}
    made = management.arm("PUT", "/computes/made", json=body)
    assert made.status_code == 202
    assert made.json()["properties"]["provisioningState"] == "Creating"
    rp = f"{management.http}/rp/workspaces{management.server.first.workspace.backend.identity.resource_id}"
    shown = management.client.get(f"{rp}/computes/made", params=VERSION).json()
    assert shown["properties"]["properties"]["agentCount"] == 4
    assert "sslConfiguration" in shown["properties"]["properties"], "the SDK's update takes it out of the document"
    assert management.client.get(made.headers["Azure-AsyncOperation"]).json()["status"] == "Succeeded"
    listed = management.client.get(f"{rp}/computes", params=VERSION).json()
    assert [each["name"] for each in listed["value"]] == ["made"]
    assert "nextLink" not in listed
    changed = management.arm("PUT", "/computes/made", json=management.arm("GET", "/computes/made").json())
    assert changed.status_code == 202, changed.text
    keys = management.arm("POST", "/computes/made/listKeys")
    assert (keys.status_code, keys.json()["error"]["code"]) == (400, "BadRequest")
    for action, status in ((None, 400), ("destroy", 400), ("delete", 202), ("delete", 404)):
        params = {} if action is None else {"underlyingResourceAction": action}
        answer = management.arm("DELETE", "/computes/made", params=params)
        assert answer.status_code == status
    assert management.arm("GET", "/computes/made").status_code == 404


def test_workspaces_share_nothing(management: Any) -> None:
    """One is opened when it is asked for, with ports of its own, and found again in any case of letters."""
    other = management.server.first.workspace.backend.identity.resource_id.replace(
        "workspaces/akstwin", "workspaces/Second"
    )
    told = management.client.get(other, params=VERSION).json()
    assert told["properties"]["workspaceId"] != management.arm("GET").json()["properties"]["workspaceId"]
    discovery = httpx.get(told["properties"]["discoveryUrl"]).json()
    assert discovery["modelmanagement"] != management.http
    environments = f"/environment/v1.0{other}/environments"
    assert management.client.put(f"{environments}/only-here", json={}).status_code == 200
    for base in (management.http, discovery["experimentation"]):
        for path in (environments, environments.replace("Second", "SECOND")):
            answer = management.client.get(f"{base}{path}").json()
            assert [each["name"] for each in answer["value"]] == sorted([*CURATED_ENVIRONMENTS, "only-here"])
    first = environments.replace("Second", "akstwin")
    answer = management.client.get(f"{discovery['api']}{first}").json()
    assert [each["name"] for each in answer["value"]] == sorted(CURATED_ENVIRONMENTS)


def test_a_files_signature_is_one_workspaces(management: Any) -> None:
    """A URL of one workspace opens nothing in another."""
    url = httpx.URL(management.upload_url("c", "x"))
    other = management.server.first.workspace.backend.identity.resource_id.replace(
        "workspaces/akstwin", "workspaces/third"
    )
    told = management.client.get(other, params=VERSION).json()
    base = httpx.URL(told["properties"]["discoveryUrl"])
    assert (
        httpx.put(url.copy_with(port=base.port), content=b"x", headers={"x-ms-blob-type": "BlockBlob"}).status_code
        == 403
    )


def test_there_are_only_so_many_workspaces(management: Any) -> None:
    """Whoever guesses names does not use up this machine."""
    path = management.server.first.workspace.backend.identity.resource_id
    before = len(management.server.places)
    try:
        for number in range(before, 64):
            management.server.places[f"taken-{number}"] = management.server.first
        answer = management.client.get(f"{path}-more", params=VERSION)
        assert (answer.status_code, "at most 64" in answer.json()["error"]["message"]) == (404, True)
    finally:
        for number in range(before, 64):
            del management.server.places[f"taken-{number}"]


# -- variables


def test_variables_point_at_a_server_and_at_nothing_that_was_kept_before(tmp_path: Path) -> None:
    """Home and configuration are new each time: the SDK believes them more than anything."""
    one, two = (variables("http://h:1", "https://h:2", tmp_path, tmp_path / "ca.pem") for _ in range(2))
    assert one["ARM_CLOUD_METADATA_URL"].startswith("https://h:2/")
    assert one["REQUESTS_CA_BUNDLE"] == one["SSL_CERT_FILE"] == str(tmp_path / "ca.pem")
    assert one["AZUREML_CURRENT_CLOUD"] == "AkstwinCloud"
    for name in ("HOME", "AZURE_CONFIG_DIR"):
        assert one[name] != two[name]
        assert Path(one[name]).is_dir()


def test_what_is_printed_is_what_a_shell_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the folder is called."""
    import shlex  # noqa: PLC0415 - as `serve --print-env` does it

    folder = tmp_path / 'it\'s a "folder" $HOME'
    given = variables("http://h:1", "https://h:2", folder, folder / "ca.pem")
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in given.items())
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    shown = subprocess.run(
        ["/bin/sh", "-c", 'eval "$0"; exec python3 -c "$1"', lines, code],
        env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert given.items() <= json.loads(shown.stdout).items()


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.eA", True),
        ("eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0", False),
        ("eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.", False),
        ("eyJhbGciOiJub25lIn0.W10.eA", False),
        ("eyJhbGciOiJub25lIn0.!!!!.eA", False),
        ("a.b.c", False),
        ("ü.ü.ü", False),
        ("", False),
    ],
)
def test_a_token_is_told_by_its_form(text: str, good: bool) -> None:
    """Three parts, the first two of them objects."""
    assert is_token(text) == good
