"""The management service's verbs for services: what is kept, what the runtime is told, what callers see."""

from typing import Any

import pytest

from akstwin.backend import ServiceQuery
from akstwin.clock import HOUR, SECOND
from akstwin.cores.management import Facts
from akstwin.cores.routing import KeyAuth, TokenAuth
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import AksError, Conflict, InvalidSetting, NotFound
from akstwin.sdk import wire

ENVIRONMENT = {"name": "a", "docker": {"baseImage": "base"}}
OTHER = {"name": "b", "docker": {"baseImage": "other"}}


def test_a_service_is_created(bench: Any) -> None:
    """The runtime gets all that it needs, the caller an operation and a document."""
    bench.cluster()
    model = bench.model()
    request = {"modelIds": [model], "assets": [], "environment": ENVIRONMENT}
    operation = bench.management.services.create(bench.payload(request, num_replicas=2, primary_key="mine"))
    document = bench.management.services.get("fraud")

    assert bench.runtime.told[-1] == ("create", "fraud", "aks", "BuildImage")
    assert bench.runtime.contents["fraud"]["fraud"].request == request
    assert [found["id"] for found in bench.runtime.contents["fraud"]["fraud"].models] == [model]
    assert bench.runtime.auth["fraud"] == KeyAuth("mine", "secret-1")
    assert (document["state"], document["scoringUri"], document["numReplicas"]) == ("Transitioning", None, 2)
    assert document["models"][0]["tags"] == {}
    assert bench.management.operations.get(operation).state is OperationState.RUNNING
    bench.runtime.settle()
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
    assert bench.management.services.get("fraud")["state"] == "Healthy"
    assert bench.management.services.get("fraud")["scoringUri"] == "http://127.0.0.1:8899/api/v1/service/fraud/score"
    assert bench.management.services.get("fraud")["deploymentStatus"]["availableReplicas"] == 1


def test_an_operations_log_says_what_the_service_prints(bench: Any) -> None:
    """With the times at which it happened, in UTC."""
    bench.cluster()
    operation = bench.management.services.create(bench.payload({"environment": ENVIRONMENT}))
    begun = bench.management.operations.get(operation)
    assert begun.stage == "BuildImage"
    assert begun.log == (
        "20200913123640|Creating Container Registry if not exists.#20200913123640|Registering the environment.#"
        "20200913123640|Building image.."
    )
    bench.clock.turn(60)
    bench.runtime.lives["fraud"].deploying(bench.clock.now())
    bench.clock.turn(1)
    bench.runtime.settle()
    ended = bench.management.operations.get(operation)
    assert ended.stage == "DeployService"
    assert ended.log.removeprefix(begun.log).split("#") == [
        "",
        "20200913123740|Submitting deployment to compute.",
        "20200913123740|Checking the status of deployment fraud..",
        "20200913123741|Checking the status of inference endpoint fraud.",
    ]


def test_an_image_is_built_once(bench: Any) -> None:
    """Another service with the same environment, and a management service made anew, use it."""
    bench.cluster()
    bench.management.services.create(bench.payload({"environment": ENVIRONMENT}))
    bench.runtime.settle()
    other = {**bench.payload({"environment": {**ENVIRONMENT, "name": "x"}}), "name": "other"}
    operation = bench.another().services.create(other)

    assert bench.runtime.told[-1] == ("create", "other", "aks", "DeployService")
    assert "Use the existing image." in bench.management.operations.get(operation).log


def test_an_image_that_was_never_finished_is_not_there(bench: Any) -> None:
    """An operation that timed out while building has built nothing."""
    bench.cluster()
    operation = bench.management.services.create(bench.payload({"environment": ENVIRONMENT}))
    bench.clock.turn(1200)
    bench.runtime.lives["fraud"].observe(Facts(1, 0, rolled=False, routed=False), bench.clock.now())
    failed = bench.management.operations.get(operation)

    assert (failed.state, failed.stage) == (OperationState.TIMED_OUT, "BuildImage")
    assert failed.error is not None
    assert (failed.error["code"], failed.error["statusCode"]) == ("DeploymentTimedOut", 504)
    assert bench.management.services.get("fraud")["error"] == failed.error
    bench.management.services.create({**bench.payload({"environment": ENVIRONMENT}), "name": "other"})
    assert bench.runtime.told[-1][-1] == "BuildImage"


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"computeName": "nope"}, NotFound, "compute target nope is not there"),
        ({"environmentImageRequest": {"modelIds": ["nope:1"]}}, NotFound, "model nope:1 is not registered"),
        (
            {"environmentImageRequest": {"assets": [{"url": "aml://artifact/LocalUpload/c/nope"}]}},
            NotFound, "no file LocalUpload/c/nope",
        ),
        (
            {"environmentImageRequest": {"assets": [{"url": "http://x/y"}]}},
            InvalidSetting, r"assets\[0\].url: 'http://x/y' is not an uploaded file",
        ),
        ({"numReplicas": 0}, InvalidSetting, "num_replicas: 0"),
        ({"name": "x"}, InvalidSetting, "name: 'x'"),
        ({"name": 3}, InvalidSetting, "name: 3"),
    ],
)  # fmt: skip
def test_a_refused_create_changes_nothing(
    bench: Any, changed: dict[str, Any], error: type[AksError], text: str
) -> None:
    """Nothing is kept, nobody is told, no secret is drawn."""
    bench.cluster()
    kept, told = bench.kept(), list(bench.runtime.told)
    with pytest.raises(error, match=text):
        bench.management.services.create({**bench.payload(), **changed})

    assert (bench.kept(), bench.runtime.told, bench.secrets) == (kept, told, 0)


def test_a_cluster_that_is_not_ready_takes_no_services(bench: Any) -> None:
    """Until its provisioning ends."""
    bench.management.computes.put("aks", {"properties": {"computeType": "AKS"}})
    with pytest.raises(Conflict, match="provisioning state is Creating"):
        bench.management.services.create(bench.payload())
    bench.clock.turn(600)
    bench.management.services.create(bench.payload())


def test_one_operation_at_a_time(bench: Any) -> None:
    """Updates that replace pods, overwrites and deletions are refused meanwhile; what needs no lock is not."""
    bench.cluster()
    bench.management.services.create(bench.payload())
    bench.runtime.told.clear()
    kept = bench.kept()
    for refused in (
        lambda: bench.update(cpu_cores=2),
        lambda: bench.management.services.delete("fraud"),
        lambda: bench.management.services.create({**bench.payload(), "overwrite": True}),
        lambda: bench.management.services.create(bench.payload()),
    ):
        with pytest.raises(Conflict):
            refused()
    assert (bench.kept(), bench.runtime.told) == (kept, [])

    assert bench.update(max_request_wait_time=900)
    assert bench.runtime.told == [("change", "fraud", ["SettingsChanged"])]
    assert bench.management.services.get("fraud")["maxQueueWaitMs"] == 900


def test_updates(bench: Any) -> None:
    """With an operation if pods are replaced, without one if not, and without the runtime if nothing of it changes."""
    first = bench.service()

    assert bench.update(tags={"a": 1}) is None
    assert bench.runtime.told == []
    assert bench.management.services.get("fraud")["kvTags"] == {"a": "1"}
    operation = bench.update(cpu_cores=2)
    assert bench.runtime.told == [("change", "fraud", ["PodsReplaced"])]
    assert operation not in (None, first)
    assert bench.management.operations.get(operation).state is OperationState.RUNNING
    assert bench.management.services.get("fraud")["state"] == "Transitioning"
    assert bench.runtime.specs["fraud"].versions[0].settings.request.cpu == 2000
    bench.runtime.settle()
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
    assert bench.management.operations.get(first).state is OperationState.SUCCEEDED


def test_a_refused_patch_changes_nothing(bench: Any) -> None:
    """Neither what is kept nor the runtime."""
    bench.service()
    kept = bench.kept()
    missing = {"modelIds": ["nope:1"]}
    for arguments in ({"num_replicas": -1}, {"environment_image_request": missing, "tags": {"a": "b"}}):
        with pytest.raises((InvalidSetting, NotFound)):
            bench.update(**arguments)

    assert (bench.kept(), bench.runtime.told) == (kept, [])


def test_versions_come_and_go(bench: Any) -> None:
    """Coming takes the lock, going does not, and is refused while somebody has it."""
    bench.endpoint()
    add = wire.version_added_patch(
        "green",
        ["blue"],
        {"traffic_percentile": 10},
        compute_name="aks",
        environment_image_request={"environment": OTHER},
    )
    operation = bench.management.services.patch("fraud", add)

    assert bench.runtime.told == [("change", "fraud", ["VersionAdded", "SplitChanged"])]
    assert set(bench.runtime.contents["fraud"]) == {"blue", "green"}
    assert bench.management.operations.get(operation).stage == "BuildImage"
    with pytest.raises(Conflict):
        bench.management.services.patch("fraud", wire.version_removed_patch("green"))
    bench.runtime.settle()
    removal = bench.management.services.patch("fraud", wire.version_removed_patch("green"))
    assert bench.management.operations.get(removal).state is OperationState.RUNNING
    assert bench.management.services.get("fraud")["state"] == "Healthy"
    assert bench.runtime.told[-1] == ("change", "fraud", ["VersionRemoved", "SplitChanged"])
    assert list(bench.management.services.get("fraud")["versions"]) == ["blue"]


def test_an_overwrite_replaces_all_pods_and_keeps_the_keys(bench: Any) -> None:
    """As an update operation."""
    bench.service()
    keys = bench.management.keys.get("fraud")
    operation = bench.management.services.create({**bench.payload(num_replicas=4), "overwrite": True})

    assert bench.runtime.told == [("change", "fraud", ["PodsReplaced"])]
    assert bench.management.operations.get(operation).state is OperationState.RUNNING
    assert bench.management.keys.get("fraud") == keys
    assert bench.management.services.get("fraud")["numReplicas"] == 4


def test_a_deleted_service_is_forgotten_but_not_its_operations(bench: Any) -> None:
    """While it goes it can be seen, and not be changed."""
    created = bench.service()
    operation = bench.management.services.delete("fraud")

    assert bench.runtime.told == [("end", "fraud")]
    assert bench.management.services.get("fraud")["state"] == "Deleting"
    for refused in (lambda: bench.update(tags={}), lambda: bench.management.keys.regenerate("fraud", "Primary")):
        with pytest.raises(Conflict, match="is being deleted"):
            refused()
    bench.runtime.vanish()
    for verb in (bench.management.services.get, bench.management.services.delete, bench.management.keys.get):
        with pytest.raises(NotFound):
            verb("fraud")
    with pytest.raises(NotFound):
        bench.update(tags={})
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
    assert bench.management.operations.get(created).state is OperationState.SUCCEEDED
    again = bench.service()
    assert len({again, created, operation}) == 3
    assert bench.management.keys.get("fraud").primary != "secret-1"


def test_lists(bench: Any) -> None:
    """By name, and only what the query means."""
    bench.service(tags={"team": "a"})
    bench.management.services.create({**bench.payload(), "name": "another"})

    assert [found["name"] for found in bench.management.services.find(ServiceQuery())] == ["another", "fraud"]
    found = bench.management.services.find(ServiceQuery(compute_type="aks", tags=(("team", None),)))
    assert [document["name"] for document in found] == ["fraud"]


def test_a_manager_made_anew_knows_everything(bench: Any) -> None:
    """Services, lives, operations, models; and its lives go on."""
    operation = bench.service()
    bench.update(cpu_cores=2)
    again = bench.another()

    assert again.services.get("fraud") == bench.management.services.get("fraud")
    assert again.operations.get(operation) == bench.management.operations.get(operation)
    assert again.services.life("fraud").running is not None
    with pytest.raises(Conflict):
        again.services.delete("fraud")


# -- keys and tokens


def test_a_key_is_regenerated(bench: Any) -> None:
    """The other one stays; the operation ends when the router knows."""
    bench.service()
    before = bench.management.keys.get("fraud")
    operation = bench.management.keys.regenerate("fraud", "Primary")
    after = bench.management.keys.get("fraud")

    assert after.primary != before.primary
    assert after.secondary == before.secondary
    assert bench.runtime.auth["fraud"] == KeyAuth(after.primary, after.secondary)
    assert bench.management.operations.get(operation).state is OperationState.RUNNING
    bench.clock.turn(1.999)
    assert bench.management.operations.get(operation).state is OperationState.RUNNING
    bench.clock.turn(0.001)
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
    bench.management.keys.regenerate("fraud", "Secondary", "mine")
    assert bench.management.keys.get("fraud").secondary == "mine"


def test_what_there_are_no_keys_for_is_refused(bench: Any) -> None:
    """Another kind of key, a service without keys, one without tokens."""
    bench.service()
    with pytest.raises(InvalidSetting, match="key_type: 'Third' is not Primary or Secondary"):
        bench.management.keys.regenerate("fraud", "Third")
    with pytest.raises(InvalidSetting, match="set_key"):
        bench.management.keys.regenerate("fraud", "Primary", 3)
    with pytest.raises(InvalidSetting, match="token_auth_enabled: false is not true"):
        bench.management.keys.issue_token("fraud")
    bench.update(auth_enabled=False, token_auth_enabled=True)
    assert bench.runtime.auth["fraud"] == TokenAuth()
    for refused in (bench.management.keys.get, lambda name: bench.management.keys.regenerate(name, "Primary")):
        with pytest.raises(InvalidSetting, match="auth_enabled: false is not true"):
            refused("fraud")
    bench.update(token_auth_enabled=False)
    assert bench.runtime.auth["fraud"] is None
    bench.update(auth_enabled=True)
    assert bench.runtime.auth["fraud"] == KeyAuth("secret-1", "secret-2")


def test_tokens_expire_by_the_clock(bench: Any) -> None:
    """And are only for the service that they were issued for, in this life of it."""
    bench.service(token_auth_enabled=True)
    bench.clock.turn(100)
    token = bench.management.keys.issue_token("fraud")

    assert (token.token_type, token.refresh_after, token.expiry_on) == ("Bearer", 1_600_036_700, 1_600_043_900)
    credential = bench.management.keys.read_token("fraud", token.token)
    assert (credential.genuine, credential.expires) == (True, 700 * SECOND + 12 * HOUR)
    assert not bench.management.keys.read_token("fraud", token.token + "x").genuine
    bench.management.services.create({**bench.payload(token_auth_enabled=True), "name": "other"})
    assert not bench.management.keys.read_token("other", token.token).genuine
    bench.management.services.delete("fraud")
    bench.runtime.vanish()
    bench.service(token_auth_enabled=True)
    assert not bench.management.keys.read_token("fraud", token.token).genuine
