"""What is deployed: without code, with and without an environment, with and without a folder (wire §7.3)."""

from azureml.core import Environment
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AksWebservice
from azureml.exceptions import WebserviceException
from common import cluster, model, raised, script, workspace

ws = workspace("deployments")
target = cluster(ws)
registered = model(ws)
environment = Environment("tabular")
script("folder")
script()
for number, config in enumerate(
    (
        InferenceConfig(entry_script="score.py", source_directory="folder", environment=environment),
        InferenceConfig(entry_script="score.py", source_directory="folder"),
        InferenceConfig(entry_script="score.py", environment=environment),
        InferenceConfig(entry_script="score.py"),
    )
):
    service = Model.deploy(
        ws, f"service-{number}", [registered], config, AksWebservice.deploy_configuration(auth_enabled=False), target
    )
    service.wait_for_deployment()
    assert service.run('{"data": [4]}') == {"answer": [8.0]}, number
    assert bool(service.environment) == (config.environment is not None)

# Several models at once.
two = Model.deploy(
    ws, "two-models", [registered, model(ws, "other")], config, AksWebservice.deploy_configuration(), target
)
assert [one.id for one in two.models] == ["fraud:1", "other:1"]

# Without code: the service brings a script, the twin says that it has none.
sklearn = model(ws, "sklearn-model", model_framework=Model.Framework.SCIKITLEARN, model_framework_version="1.0")
bare = Model.deploy(
    ws, "no-code", [sklearn], deployment_config=AksWebservice.deploy_configuration(), deployment_target=target
)
bare.wait_for_deployment()
assert bare.state == "Healthy"
assert "There is no entry script to run here" in raised(WebserviceException, bare.run, '{"data": [1]}')
