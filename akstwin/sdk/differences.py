"""Where azureml-core 1.61 is defective or checks nothing, and what holds here instead.

The documentation shows this table; a test in `tests/azureml` shows each row on both sides.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where this SDK does not do what azureml-core does.

    Attributes:
        key: its name in the tests.
        where: the call.
        there: what azureml-core does.
        here: what holds here.
    """

    key: str
    where: str
    there: str
    here: str


REPAIRED: Final = (
    Difference(
        "create_version_resources",
        "AksEndpoint.create_version",
        "cpu_cores, cpu_cores_limit, memory_gb and memory_gb_limit end in an AttributeError.",
        "They are taken, and checked as in deploy_configuration.",
    ),
    Difference(
        "endpoint_update",
        "AksEndpoint.update, add_tags, remove_tags, add_properties",
        "Every call ends in a TypeError.",
        "They do what the reference says.",
    ),
    Difference(
        "update_version_properties",
        "AksEndpoint.update_version(properties=...)",
        "Taken, and not sent.",
        "Added to the version.",
    ),
    Difference(
        "update_version_no_tags",
        "AksEndpoint.update_version(tags={})",
        "Taken, and not sent: tags cannot be emptied.",
        "Empties the version's tags, as AksWebservice.update does.",
    ),
    Difference(
        "no_gpu",
        "AksWebservice.update, AksEndpoint.update_version(gpu_cores=0)",
        "Counts as not given: a GPU cannot be given up.",
        "Gives it up.",
    ),
    Difference(
        "no_description",
        "AksWebservice.update, AksEndpoint.update_version(description='')",
        "Counts as not given: a description cannot be emptied.",
        "Empties it.",
    ),
    Difference(
        "stepping_back",
        "AksEndpoint.create_version, AksEndpoint.update_version(is_default=False, is_control_version_type=False)",
        "Taken, and not sent.",
        "Sent: the service refuses what leaves a role to nobody.",
    ),
    Difference(
        "model_update_empties",
        "Model.update(tags={}, description='')",
        "Count as not given: neither can be emptied.",
        "Empties them.",
    ),
    Difference(
        "no_models_left",
        "AksWebservice.update(models=[], inference_config=...)",
        "Counts as not given: the script keeps the service's models.",
        "The script has no models.",
    ),
    Difference(
        "no_time_to_wait",
        "wait_for_deployment(timeout_sec=0)",
        "Counts as not given: waits without end.",
        "Looks once.",
    ),
    Difference(
        "secondary_key_alone",
        "deploy_configuration(secondary_key=...) without primary_key",
        "Taken, and not sent.",
        "Sent; the service makes the primary key.",
    ),
    Difference(
        "configuration_keeps_its_name",
        "Model.deploy with an AksEndpointDeploymentConfiguration without version_name",
        "Writes the endpoint's name into the configuration: deployed again, it names another endpoint's version.",
        "The configuration stays as it is.",
    ),
    Difference(
        "properties_stay_the_users",
        "properties=... of any call",
        "Facts about the git repository are written into the dictionary that was given.",
        "The dictionary stays as it is.",
    ),
    Difference(
        "property_keys",
        "AksWebservice.update(properties={'team/name': ...})",
        "A slash or a tilde in a key gives a JSON pointer to somewhere else.",
        "Escaped, as JSON Pointer says (RFC 6901).",
    ),
    Difference(
        "token_round_trip",
        "AksServiceAccessToken.serialize",
        "Times are datetime objects: neither JSON nor deserialize takes them.",
        "Times are Unix seconds, as on the wire.",
    ),
    Difference(
        "nothing_to_wait_for",
        "wait_for_deployment after a change of description, tags or properties alone",
        "Raises: the operation is not known.",
        "Returns at once with the line of an operation that succeeded.",
    ),
    Difference(
        "environment_stays_the_users",
        "InferenceConfig with an Environment",
        "The script's name is written into the environment that was given, and registered with it later.",
        "The environment stays as it is.",
    ),
    Difference(
        "update_without_environment",
        "AksWebservice.update(inference_config=...) of a service without an environment",
        "Falls back to the image API that came before environments.",
        "Sends the script as for any other service.",
    ),
    Difference(
        "versions_know_their_endpoint",
        "A version in AksEndpoint.versions: run, get_keys, get_logs, update_deployment_state",
        "They ask for a service that is called as the version.",
        "They ask the endpoint; run reaches that version alone. What changes a version says that the endpoint does it.",
    ),
    Difference(
        "refused_tags",
        "add_tags, remove_tags, add_properties that the service refuses",
        "The object shows them all the same.",
        "The object stays as it is.",
    ),
    Difference(
        "delete_that_fails",
        "AksWebservice.delete whose operation does not succeed",
        "Returns as if it had.",
        "Raises.",
    ),
    Difference(
        "log_entries",
        "wait_for_deployment(show_output=True)",
        "An entry of the log with a bar in its text is a dot, one with an odd time ends in a ValueError.",
        "Both are shown.",
    ),
    Difference(
        "error_text",
        "wait_for_deployment of an operation that fails",
        "Backslashes and letters beyond ASCII in the error are garbled.",
        "The error is JSON, as it came.",
    ),
    Difference(
        "token_refused",
        "get_access_token that the service refuses",
        "Says that accessToken is missing.",
        "Says status and reason.",
    ),
    Difference(
        "answer_without_json",
        "run, answered 200 with something else than JSON",
        "Ends in a JSONDecodeError.",
        "Ends in a WebserviceException that shows the answer.",
    ),
    Difference(
        "exists_ok",
        "Model.download(exists_ok=...)",
        "Every call is refused.",
        "Means what exist_ok means.",
    ),
    Difference(
        "cluster_without_tls",
        "AksCompute.update of a cluster without TLS",
        "Ends in a KeyError.",
        "Changes the load balancer.",
    ),
    Difference(
        "filters_are_sequences",
        "tags=[('team', 'a')], properties=[...] of the list calls",
        "A tuple ends in a TypeError.",
        "A tuple is as good as a list.",
    ),
)
"""Defects of azureml-core that are none here."""

STRICTER: Final = (
    Difference(
        "types",
        "deploy_configuration and every update",
        "Numbers given as text or lists end in a TypeError; booleans and NaN pass as numbers, anything as a flag or text.",
        "Each is refused with a WebserviceException that names the parameter, the value and what was expected.",
    ),
    Difference(
        "namespace_newline",
        "namespace='team\\n'",
        "A line break at the end passes.",
        "Refused: Kubernetes would.",
    ),
    Difference(
        "empty_version_name",
        "AksEndpoint.deploy_configuration(version_name='')",
        "Taken; the version has no name.",
        "Refused.",
    ),
    Difference(
        "update_version_checks",
        "AksEndpoint.update_version",
        "Nothing is checked: 150 % of the traffic, minus one replica and unknown versions are sent.",
        "Checked as in create_version, against the version as it is.",
    ),
    Difference(
        "update_zero",
        "deploy_configuration, create_version, AksWebservice.update: autoscale_max_replicas=0, and the autoscaler's others",
        "Counts as not given: alone it is nothing to update, beside others it is lost.",
        "Refused: an argument is given unless it is None.",
    ),
    Difference(
        "empty_values",
        "namespace='', primary_key='', compute_target_name='', child_paths=[], run_id='', set_key='', compute_type='', "
        "ssl_cname='', load_balancer_type='' and whatever else would mean nothing",
        "Count as not given.",
        "Refused by the argument's name: an argument is given unless it is None.",
    ),
    Difference(
        "all_at_once",
        "AksEndpoint.deploy_configuration",
        "version_name and traffic_percentile are looked at only when all else is right.",
        "All problems are reported together.",
    ),
    Difference(
        "one_exception",
        "Model.register, InferenceConfig, Model.deploy, Model.list, ComputeTarget.create",
        "FileNotFoundError, PermissionError and UserErrorException are raised beside the two exceptions of the SDK.",
        "Models, scripts and services raise WebserviceException, clusters ComputeTargetException.",
    ),
    Difference(
        "model_path_beside",
        "Model.register(model_path='../project2/model') in a folder called project",
        "Passes for a path below the current directory.",
        "Refused, as other paths outside are.",
    ),
    Difference(
        "run_input",
        "AksWebservice.run with a dictionary",
        "Sent as an HTML form.",
        "Refused: text or bytes are taken.",
    ),
    Difference(
        "cluster_values",
        "AksCompute.provisioning_configuration, attach_configuration",
        "cluster_purpose, and load_balancer_type of a new cluster, are not looked at.",
        "Values that Azure does not know are refused.",
    ),
    Difference(
        "unknown_version_deleted",
        "AksEndpoint.delete_version of a version that is not there",
        "Sent.",
        "Refused.",
    ),
    Difference(
        "no_default_target",
        "Model.deploy without deployment_config and deployment_target",
        "Deploys on Azure Container Instances.",
        "Refused: only clusters are known here.",
    ),
)
"""What is refused here at once, and there later, elsewhere or not at all."""
