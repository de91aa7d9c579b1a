"""Deployments that fail, each with the exception that says why (wire §8, semantics §2.4)."""

import contextlib
import io
from typing import Any

from azureml.core import Environment
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AksWebservice, Webservice
from azureml.exceptions import WebserviceException
from common import SCRIPT, cluster, model, raised, script, workspace

ws = workspace("failures")
target = cluster(ws)
registered = model(ws)


def deploy(name: str, text: str = SCRIPT, **given: Any) -> Any:
    """A deployment of a script."""
    config = InferenceConfig(entry_script=script(name, text), source_directory=name, environment=Environment("tabular"))
    return Model.deploy(ws, name, [registered], config, AksWebservice.deploy_configuration(**given), target)


# The script's init() fails.
broken = deploy("broken", SCRIPT.replace('print("loaded")', 'raise RuntimeError("no weights")'))
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    message = raised(WebserviceException, broken.wait_for_deployment, show_output=True)
assert "Service deployment polling reached non-successful terminal state" in message
assert "CrashLoopBackOff" in message
assert broken.state == "Failed"
assert "no weights" in broken.get_logs()
assert Webservice(ws, "broken").state == "Failed"
assert "scoring_uri unavailable" in raised(WebserviceException, broken.run, "{}")

# It can be mended.
config = InferenceConfig(entry_script=script("broken"), source_directory="broken", environment=Environment("tabular"))
broken.update(inference_config=config)
broken.wait_for_deployment()
assert broken.state == "Healthy"
assert broken.run('{"data": [1]}') == {"answer": [2.0]}

# There is no room.
large = deploy("large", autoscale_enabled=False, num_replicas=40, cpu_cores=2, memory_gb=2)
message = raised(WebserviceException, large.wait_for_deployment)
assert "Unschedulable" in message, message
assert large.state == "Unschedulable"
large.delete()

# run() fails: 502 (semantics §3), which the SDK asks for four times.
failing = deploy("failing", SCRIPT.replace("data = json", 'raise ValueError("no such column")\n    data = json'))
failing.wait_for_deployment()
message = raised(WebserviceException, failing.run, '{"data": [1]}')
assert "no such column" in message or "no such column" in failing.get_logs(), message

# What is refused before anything happens.
assert "compute target nowhere is not there" in raised(
    WebserviceException,
    Model.deploy,
    ws,
    "nowhere",
    [registered],
    config,
    AksWebservice.deploy_configuration(compute_target_name="nowhere"),
)
slow = deploy("slow")
assert "is busy" in raised(WebserviceException, slow.update, cpu_cores=1)
assert "is busy" in raised(WebserviceException, slow.delete)
slow.wait_for_deployment()
