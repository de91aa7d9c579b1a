"""Environments and compute targets (wire §6, §10)."""

from azureml.core import Environment
from azureml.core.compute import AksCompute, ComputeTarget
from azureml.core.compute.aks import AksUpdateConfiguration
from azureml.core.conda_dependencies import CondaDependencies
from azureml.exceptions import ComputeTargetException
from common import raised, workspace

ws = workspace("computes")

# Environments.
environment = Environment("tabular")
environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["numpy==1.26.4"])
environment.environment_variables = {"LEVEL": "debug"}
registered = environment.register(ws)
assert (registered.name, registered.version) == ("tabular", "1")
assert registered.environment_variables == {"LEVEL": "debug"}
assert environment.register(ws).version == "1"  # nothing new
environment.environment_variables = {"LEVEL": "info"}
assert environment.register(ws).version == "2"
found = Environment.get(ws, "tabular")
assert found.version == "2"
assert "numpy==1.26.4" in found.python.conda_dependencies.serialize_to_string()
assert Environment.get(ws, "tabular", version="1").environment_variables == {"LEVEL": "debug"}
assert Environment.get(ws, "tabular", label="latest").version == "2"
own = {name for name in Environment.list(ws) if not name.startswith("AzureML-")}
assert own == {"tabular"} < set(ws.environments) == set(Environment.list(ws))
assert "environment nothing is not registered" in raised(Exception, Environment.get, ws, "nothing")

# Curated ones are in every workspace; one's own come from them under names of their own.
minimal = Environment.get(ws, "AzureML-Minimal")
assert minimal.name in Environment.list(ws)
assert "azureml-defaults" in minimal.python.conda_dependencies.serialize_to_string()
assert Environment.get(ws, "AzureML-sklearn-1.0-ubuntu20.04-py38-cpu", version=44).version == "44"
copy = minimal.clone("mine")
copy.environment_variables["TEST_VAR"] = "1"
assert copy.register(ws).version == "1"
assert "clone(new_name) makes one of your own" in raised(Exception, minimal.register, ws)
assert "did you mean AzureML-Minimal?" in raised(Exception, Environment.get, ws, "AzureML-Minmal")

# A cluster is made.
made = ComputeTarget.create(
    ws, "made", AksCompute.provisioning_configuration(agent_count=4, vm_size="Standard_D4s_v3", location="westeurope")
)
assert made.provisioning_state == "Creating"
made.wait_for_completion(show_output=True)
assert made.provisioning_state == "Succeeded"
assert (made.agent_count, made.agent_vm_size, made.is_attached) == (4, "Standard_D4s_v3", False)

# A cluster is attached, found, listed, updated, detached.
attached = ComputeTarget.attach(
    ws,
    "attached",
    AksCompute.attach_configuration(resource_group="theirs", cluster_name="big", cluster_purpose="DevTest"),
)
attached.wait_for_completion()
assert attached.cluster_resource_id.endswith("managedClusters/big")
assert ComputeTarget(ws, "attached").is_attached
assert {name: target.type for name, target in ws.compute_targets.items()} == {"attached": "AKS", "made": "AKS"}
attached.update(AksUpdateConfiguration())
attached.wait_for_completion()
attached.refresh_state()
assert attached.get_status() == "Succeeded"
assert "have none" in raised(ComputeTargetException, made.get_credentials)
attached.detach()
made.delete()
assert "ComputeTargetNotFound" in raised(ComputeTargetException, ComputeTarget, ws, "made")
assert ws.compute_targets == {}

# What is refused.
small = AksCompute.provisioning_configuration(agent_count=2)
assert "at least 3 for a FastProd cluster" in raised(ComputeTargetException, ComputeTarget.create, ws, "small", small)
