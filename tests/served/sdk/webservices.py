"""An AksWebservice from its deployment to its end (wire §7, §8, §9)."""

import contextlib
import io
import json
from pathlib import Path

import requests
from azureml.core import Environment
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AksWebservice, Webservice
from azureml.exceptions import WebserviceException
from common import cluster, model, raised, script, workspace

ws = workspace("webservices")
target = cluster(ws)
registered = model(ws)
environment = Environment("tabular")
environment.environment_variables = {"LEVEL": "debug"}
config = InferenceConfig(entry_script=script("src"), source_directory="src", environment=environment)

# It is deployed, waited for, found.
service = Model.deploy(
    ws,
    "fraud",
    [registered],
    config,
    AksWebservice.deploy_configuration(
        autoscale_enabled=False,
        num_replicas=2,
        cpu_cores=1,
        memory_gb=1,
        tags={"team": "risk"},
        properties={"owner": "me"},
        description="finds fraud",
    ),
    target,
)
assert service.state == "Transitioning"
assert service.scoring_uri is None
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    service.wait_for_deployment(show_output=True)
assert "Succeeded" in printed.getvalue()
assert 'AKS service creation operation finished, operation "Succeeded"' in printed.getvalue()
assert service.state == "Healthy"
assert service.compute_name == "aks"
assert (service.num_replicas, service.autoscaler.autoscale_enabled) == (2, False)
assert service.models[0].id == "fraud:1"
assert service.environment.environment_variables["LEVEL"] == "debug"
assert Webservice(ws, "fraud").description == "finds fraud"

# It is asked, by anybody and by the SDK: the first request after the wait is answered.
headers = {"Authorization": f"Bearer {service.get_keys()[0]}", "Content-Type": "application/json"}
for _ in range(5):
    response = requests.post(service.scoring_uri, data='{"data": [3]}', headers=headers, timeout=10)
    assert response.status_code == 200, response.text
assert service.run(json.dumps({"data": [1, 2.5]})) == {"answer": [2.0, 5.0]}
primary, secondary = service.get_keys()
for key in (primary, secondary):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    response = requests.post(service.scoring_uri, data='{"data": [3]}', headers=headers, timeout=10)
    assert (response.status_code, response.json()) == (200, {"answer": [6.0]})
response = requests.post(service.scoring_uri, data='{"data": [3]}', headers={"Authorization": "Bearer no"}, timeout=10)
assert response.status_code == 401
assert requests.get(service.swagger_uri, headers=headers, timeout=10).status_code in {200, 404}
assert "loaded" in service.get_logs()
assert service.get_logs(num_lines=1, init=True)

# Keys.
service.regen_key("Primary")
service.regen_key("Secondary", set_key="mine")
assert service.get_keys()[0] not in {primary, secondary}
assert service.get_keys()[1] == "mine"
assert service.run(json.dumps({"data": [1]})) == {"answer": [2.0]}

# Updates.
service.update(tags={"team": "fraud"}, description="other words")
assert (service.tags, service.description) == ({"team": "fraud"}, "other words")
service.add_tags({"more": "x"})
service.remove_tags(["team"])
service.add_properties({"also": "this"})
assert Webservice(ws, "fraud").tags == {"more": "x"}
assert Webservice(ws, "fraud").properties == {"owner": "me", "also": "this"}
service.update(num_replicas=3, cpu_cores=0.5, scoring_timeout_ms=5000)
service.wait_for_deployment()
assert (service.num_replicas, service.scoring_timeout_ms) == (3, 5000)
assert service.container_resource_requirements.cpu == 0.5
for replicas in (2, 2):  # of a service that was just looked up; the second time it changes nothing
    found = AksWebservice(ws, "fraud")
    found.update(num_replicas=replicas)
    found.wait_for_deployment()
    assert (found.state, found.num_replicas) == ("Healthy", 2)
service.update(
    autoscale_enabled=True, autoscale_min_replicas=1, autoscale_max_replicas=4, autoscale_target_utilization=60
)
service.wait_for_deployment()
assert service.autoscaler.max_replicas == 4
Path("src/score.py").write_text(Path("src/score.py").read_text().replace("model * value", "model + value"))
service.update(inference_config=config)
service.wait_for_deployment()
assert service.run(json.dumps({"data": [5]})) == {"answer": [7.0]}

# Tokens instead of keys.
service.update(auth_enabled=False, token_auth_enabled=True)
service.wait_for_deployment()
assert service.run(json.dumps({"data": [5]})) == {"answer": [7.0]}
token, refresh_after = service.get_token()
assert token
assert refresh_after
raised(WebserviceException, service.get_keys)
response = requests.post(
    service.scoring_uri, data='{"data": [1]}', headers={"Authorization": f"Bearer {token}"}, timeout=10
)
assert response.json() == {"answer": [3.0]}

# Lists.
open_config = AksWebservice.deploy_configuration(auth_enabled=False, tags={"kind": "open", "more": "y"})
second = Model.deploy(ws, "second", [registered], config, open_config, target)
second.wait_for_deployment()
assert second.run(json.dumps({"data": [1]})) == {"answer": [3.0]}
for expected, given in (
    ({"fraud", "second"}, {}),
    ({"fraud", "second"}, {"compute_type": "AKS"}),
    (set(), {"compute_type": "AksEndpoint"}),
    ({"fraud"}, {"properties": ["owner"]}),
    ({"second"}, {"tags": [["kind", "open"]]}),
    ({"fraud", "second"}, {"tags": ["more"]}),
    ({"fraud", "second"}, {"model_name": "fraud"}),
    ({"fraud", "second"}, {"model_id": "fraud:1"}),
    (set(), {"model_id": "fraud:7"}),
):
    assert {one.name for one in Webservice.list(ws, **given)} == expected, given
assert "images" in raised(WebserviceException, Webservice.list, ws, image_name="any")
assert set(ws.webservices) == {"fraud", "second"}

# Refusals.
assert "exists" in raised(WebserviceException, Model.deploy, ws, "second", [registered], config, open_config, target), (
    "the name is taken"
)
assert "WebserviceNotFound" in raised(WebserviceException, Webservice, ws, "nothing")
assert "cannot be changed" in raised(WebserviceException, service.add_properties, {"owner": "you"})
raised(WebserviceException, registered.delete)
raised(WebserviceException, service.update, is_migration=True, compute_target=target)

# Overwriting, and the end.
again = Model.deploy(ws, "second", [registered], config, open_config, target, overwrite=True)
again.wait_for_deployment()
assert again.state == "Healthy"
service.delete()
again.delete()
assert Webservice.list(ws) == []
again.delete()  # says that there is no such service, and raises nothing
