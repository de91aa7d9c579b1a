"""An AksEndpoint from its deployment to its end (wire §7.4, §7.6)."""

from collections import Counter

import requests
from azureml.core import Environment
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AksEndpoint, Webservice
from azureml.exceptions import WebserviceException
from common import SCRIPT, cluster, model, raised, script, sleep, workspace

ws = workspace("endpoints")
target = cluster(ws)
registered = model(ws)
environment = Environment("tabular")


def config(name: str) -> InferenceConfig:
    """A script that says its name."""
    text = SCRIPT.replace('return {"answer"', f'return {{"by": "{name}", "answer"')
    return InferenceConfig(entry_script=script(name, text), source_directory=name, environment=environment)


def shares(count: int) -> Counter[str]:
    """Who answers."""
    headers = {"Authorization": f"Bearer {endpoint.get_keys()[0]}", "Content-Type": "application/json"}
    found: Counter[str] = Counter()
    for _ in range(count):
        response = requests.post(endpoint.scoring_uri, data='{"data": [1]}', headers=headers, timeout=10)
        found[response.json()["by"]] += 1
        sleep(0.2)
    return found


# The first version is the default one.
endpoint = Model.deploy(
    ws,
    "fraud",
    [registered],
    config("blue"),
    AksEndpoint.deploy_configuration(
        version_name="blue", traffic_percentile=100, autoscale_enabled=False, num_replicas=2, tags={"team": "risk"}
    ),
    target,
)
endpoint.wait_for_deployment(show_output=True)
assert (endpoint.state, endpoint.compute_type, set(endpoint.versions)) == ("Healthy", "AKSENDPOINT", {"blue"})
assert endpoint.versions["blue"].is_default
assert endpoint.versions["blue"].traffic_percentile == 100
assert endpoint.run('{"data": [1]}') == {"by": "blue", "answer": [2.0]}

# A second one.
endpoint.create_version(
    version_name="green",
    models=[registered],
    inference_config=config("green"),
    traffic_percentile=30,
    autoscale_enabled=False,
    num_replicas=1,
)
endpoint.wait_for_deployment()
endpoint.update_version("blue", traffic_percentile=70)
endpoint.wait_for_deployment()
assert set(endpoint.versions) == {"blue", "green"}
assert endpoint.versions["green"].traffic_percentile == 30
assert not endpoint.versions["green"].is_default
found = shares(60)
assert found["blue"] > found["green"] > 0, found

# It becomes the default one, and more of it.
endpoint.update_version("green", traffic_percentile=100, is_default=True, num_replicas=2, description="the new one")
endpoint.wait_for_deployment()
endpoint.update_version("blue", traffic_percentile=0)
endpoint.wait_for_deployment()
assert endpoint.versions["green"].is_default
assert endpoint.versions["green"].num_replicas == 2
assert shares(10) == {"green": 10}

# Refusals.
for text, given in (
    ("is not a percentage from 0 to 100", {"version_name": "green", "traffic_percentile": 150}),
    ("has no version red", {"version_name": "red", "traffic_percentile": 10}),
):
    message = raised(WebserviceException, endpoint.update_version, **given)
    assert text in message, message
assert "another version has to be the default" in raised(WebserviceException, endpoint.delete_version, "green")
assert "exists" in raised(
    WebserviceException, Model.deploy, ws, "fraud", [], config("blue"), AksEndpoint.deploy_configuration(), target
)

# Keys, logs, lists, and the end.
endpoint.regen_key("Secondary", set_key="mine")
assert endpoint.get_keys()[1] == "mine"
assert "blue" in endpoint.get_logs()
assert [one.name for one in Webservice.list(ws, compute_type="AKSENDPOINT")] == ["fraud"]
assert Webservice.list(ws, compute_type="AKS") == []
assert [one.name for one in Webservice.list(ws, tags=[["team", "risk"]])] == ["fraud"]
endpoint.delete_version("blue")
assert set(Webservice(ws, "fraud").versions) == {"green"}
endpoint.delete()
assert Webservice.list(ws) == []
