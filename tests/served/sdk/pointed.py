"""`sdk_env` around an unmodified azureml-core, which is imported before it or inside: `pointed.py URL OTHER before|inside`.

Only the standard library and azureml-core are here. What is left of real sleeping is counted.
"""
# ruff: noqa: PLC0415 - when the SDK is imported is what it is about

import contextlib
import io
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from akstwin.testing import CloudRefused, SdkEnvironment, sdk_env

warnings.simplefilter("ignore")
url, other, when = sys.argv[1:]
real, slept = time.sleep, []  # noqa: TID251 - counted


def counting(seconds: float) -> None:
    """Sleep, and count."""
    slept.append(seconds)
    real(seconds)


time.sleep = counting  # noqa: TID251 - see above
SCRIPT = "import json\n\ndef init():\n    pass\n\ndef run(text):\n    return sum(json.loads(text)['data'])\n"


def opened(env: SdkEnvironment, name: str | None = None) -> Any:
    """The workspace of the server, or another one beside it."""
    from azureml.core import Workspace
    from azureml.core.authentication import TokenAuthentication

    auth = TokenAuthentication(lambda _: env.token, cloud="AzureCloud")
    return Workspace.get(
        name or env.workspace, auth=auth, subscription_id=env.subscription_id, resource_group=env.resource_group
    )


def deployed(ws: Any) -> Any:
    """A service on a cluster: polled every 5 s until it is there."""
    from azureml.core import Environment
    from azureml.core.compute import AksCompute, ComputeTarget
    from azureml.core.model import InferenceConfig, Model
    from azureml.core.webservice import AksWebservice

    cluster = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
    cluster.wait_for_completion()
    Path("weights.txt").write_text("2")
    model = Model.register(ws, model_path="weights.txt", model_name="fraud")
    Path("score.py").write_text(SCRIPT)
    config = InferenceConfig("score.py", environment=Environment("plain"))
    configuration = AksWebservice.deploy_configuration(num_replicas=1, cpu_cores=1, memory_gb=1)
    service = Model.deploy(ws, "fraud", [model], config, configuration, cluster)
    with contextlib.redirect_stdout(io.StringIO()):
        service.wait_for_deployment(show_output=True)
    assert service.state == "Healthy", service.state
    return service


def refused(env: SdkEnvironment) -> None:
    """Azure's hosts are out of reach, for the SDK's own libraries too; they do not try again."""
    import requests
    from azureml._vendor.azure_cli_core.cloud import HARD_CODED_CLOUD_LIST

    from akstwin.testing.cloud import in_cloud

    told = ""
    try:
        requests.get("https://management.azure.com/subscriptions", timeout=5)
    except CloudRefused as error:
        told = str(error)
    assert told.startswith("management.azure.com: "), told
    assert env.refused == ["management.azure.com"], env.refused
    known = [cloud for cloud in HARD_CODED_CLOUD_LIST if env.https_url not in vars(cloud.endpoints).values()]
    hosts = {urlsplit(each).hostname for cloud in known for each in vars(cloud.endpoints).values() if each}
    assert len(hosts) > 20, hosts
    free = {host for host in hosts if host and not in_cloud(host)}
    assert free <= {"raw.githubusercontent.com"}, free


before = dict(os.environ)
if when == "before":
    import azureml.core  # noqa: F401 - the whole of it
    from azureml._vendor.azure_cli_core import azureml_cloud, cloud  # the table of clouds has been read

    table = cloud.KNOWN_CLOUDS
    assert table[0].endpoints.resource_manager.startswith("https://management.azure.com")

with sdk_env(url) as env:
    mode, begun = env.clock.mode, env.clock.now()
    ws = opened(env)
    assert ws.location
    service = deployed(ws)
    if mode == "jump":  # who scores waits for time to pass; a manual clock stands still
        assert service.run(json.dumps({"data": [1, 2]})) == 3
    else:
        assert env.slept >= 10, env.slept
        assert env.clock.now() - begun == env.slept * 1_000_000, (env.clock.now(), env.slept)
    refused(env)
    beside = opened(env, "beside")  # a workspace of its own, with a clock of its own
    assert deployed(beside).state == "Healthy"
    with sdk_env(other) as inner:
        assert opened(inner).name == inner.workspace != env.workspace
        assert inner.refused == []
    assert opened(env).name == env.workspace

with sdk_env(other) as env:
    assert opened(env).name == env.workspace
    assert deployed(opened(env)).state == "Healthy"

assert all(seconds < 0.01 for seconds in slept), f"really slept: {slept}"
assert time.sleep is counting  # noqa: TID251 - see above
assert {**os.environ} == before, set(os.environ.items()) ^ set(before.items())
if when == "before":
    assert cloud.KNOWN_CLOUDS is azureml_cloud.KNOWN_CLOUDS is table
    assert table[0].endpoints.resource_manager.startswith("https://management.azure.com")
print("done")
