"""Clusters with TLS, images of old arguments, curated environments in a deployment (wire §6, §7.3)."""

from pathlib import Path

import requests
from azureml.core import Environment
from azureml.core.compute import AksCompute, ComputeTarget
from azureml.core.compute.aks import AksUpdateConfiguration, SslConfiguration
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AksWebservice
from azureml.exceptions import WebserviceException
from common import model, raised, script, workspace

ws = workspace("clusters")
registered = model(ws)
entry = script()
configuration = AksWebservice.deploy_configuration(autoscale_enabled=False, num_replicas=1)

# With TLS, scoring URIs begin with https and lead here; the variables make the certificate known.
with_tls = AksCompute.provisioning_configuration()
with_tls.enable_ssl(leaf_domain_label="shop", overwrite_existing_domain=True)
target = ComputeTarget.create(ws, "aks", with_tls)
target.wait_for_completion()
config = InferenceConfig(entry, environment=Environment.get(ws, "AzureML-Minimal"))
service = Model.deploy(ws, "fraud", [registered], config, configuration, target)
service.wait_for_deployment()
assert service.state == "Healthy"
assert service.scoring_uri.startswith("https://"), service.scoring_uri
assert service.swagger_uri.startswith("https://"), service.swagger_uri
assert service.run('{"data": [1]}') == {"answer": [2.0]}
key = {"Authorization": f"Bearer {service.get_keys()[0]}"}
assert requests.post(service.scoring_uri, data='{"data": [2]}', headers=key, timeout=60).json() == {"answer": [4.0]}

# Without it, they begin with http again.
target.update(AksUpdateConfiguration(SslConfiguration(status="Disabled")))
target.wait_for_completion()
service.update_deployment_state()
assert service.scoring_uri.startswith("http://"), service.scoring_uri
assert service.run('{"data": [1]}') == {"answer": [2.0]}

# Arguments that need an image are refused with the way out.
Path("steps").write_text("RUN true\n")
Path("env.yml").write_text("name: e\ndependencies:\n- python=3.6.2\n- pip:\n  - azureml-defaults\n")
old = InferenceConfig(entry, runtime="python", conda_file="env.yml", extra_docker_file_steps="steps")
message = raised(WebserviceException, Model.deploy, ws, "old", [registered], old, configuration, target)
assert "InferenceConfig(extra_docker_file_steps): use environment.docker.base_dockerfile" in message, message
