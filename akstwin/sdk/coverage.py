"""What each parameter, method and attribute of the nine classes comes to: it acts, is stored only, or is missing.

The documentation shows this table. `tests/coverage` holds it against azureml-core's names, shows that what *acts* acts by
changing it alone, and looks for what is *stored only* in the service's document.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """What something comes to."""

    ACTS = "acts"
    STORED = "stored only"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: of the parameter, the method or the attribute.
        status: what it comes to.
        meaning: what can be seen of it.
        of: the classes that it is about; of a parameter, the calls; empty: all that take it and that no other row names.
        takes: of a method, the parameters that it holds for.
        rolls: of a parameter, whether another value replaces the pods, one by one.
    """

    name: str
    status: Status
    meaning: str
    of: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    rolls: bool = False


def _of(classes: tuple[str, ...], *rows: Row) -> Iterator[Row]:
    return (replace(row, of=classes) for row in rows)


_ACTS: Final = Status.ACTS
_STORED: Final = Status.STORED
_MISSING: Final = Status.MISSING

_VERSION_CALLS: Final = ("AksEndpoint.create_version", "AksEndpoint.update_version")
CALLS: Final = (
    "AksWebservice.deploy_configuration",
    "AksServiceDeploymentConfiguration",
    "AksEndpoint.deploy_configuration",
    "AksEndpointDeploymentConfiguration",
    "AksWebservice.update",
    "AksEndpoint.update",
    *_VERSION_CALLS,
)
"""Calls that take settings of a service or of a version."""
SERVICES: Final = ("AksWebservice", "AksEndpoint")
CONFIGURATIONS: Final = ("AksServiceDeploymentConfiguration", "AksEndpointDeploymentConfiguration")
VALUES: Final = (
    "AutoScaler",
    "ContainerResourceRequirements",
    "DataCollection",
    "LivenessProbeRequirements",
    "AksServiceAccessToken",
)
CLASSES: Final = (*SERVICES, *CONFIGURATIONS, *VALUES)

PARAMETERS: Final = (
    Row("autoscale_enabled", _ACTS, "The number of replicas follows the load, or stays at `num_replicas`."),
    Row("autoscale_min_replicas", _ACTS, "So many replicas stay without any load."),
    Row("autoscale_max_replicas", _ACTS, "No more replicas come; what they cannot take is refused with 503."),
    Row("autoscale_refresh_seconds", _ACTS, "So long a step of load goes unnoticed."),
    Row("autoscale_target_utilization", _ACTS, "A lower target keeps more replicas for the same load."),
    Row(
        "collect_model_data", _ACTS, "What the script's `ModelDataCollector` collects is written to files.", rolls=True
    ),
    Row("auth_enabled", _ACTS, "Requests without a key are answered 401, or are let in."),
    Row("token_auth_enabled", _ACTS, "Requests without a token are answered 401; `get_access_token` gives one."),
    Row("cpu_cores", _ACTS, "Pods that ask for more than any node has left find no room: Unschedulable.", rolls=True),
    Row("memory_gb", _ACTS, "Likewise.", rolls=True),
    Row("gpu_cores", _ACTS, "Pods find room on nodes with GPUs only.", rolls=True),
    Row(
        "cpu_cores_limit",
        _ACTS,
        "If the profile tells a busy worker's CPU, less of it stretches run times.",
        rolls=True,
    ),
    Row(
        "memory_gb_limit", _ACTS, "If the profile tells its memory, a container that takes more is killed.", rolls=True
    ),
    Row(
        "enable_app_insights", _ACTS, "Containers report requests, prints and failed runs: `ws.simulation.insights()`."
    ),
    Row("scoring_timeout_ms", _ACTS, "Answers that take longer become 504."),
    Row("replica_max_concurrent_requests", _ACTS, "The router sends so many requests to one replica at once."),
    Row("max_request_wait_time", _ACTS, "Requests that would wait longer in the queue become 503."),
    Row("num_replicas", _ACTS, "So many pods."),
    Row("primary_key", _ACTS, "Requests with this key are let in."),
    Row("secondary_key", _ACTS, "Likewise."),
    Row("tags", _ACTS, "`Webservice.list` finds services by them."),
    Row("tags", _STORED, "Of a version: `list` looks at the endpoint's own.", _VERSION_CALLS),
    Row("properties", _ACTS, "`Webservice.list` finds services by them. One that is there cannot be changed."),
    Row("properties", _STORED, "Of a version: likewise.", _VERSION_CALLS),
    Row("description", _STORED, "For people."),
    Row("models", _ACTS, "Their files are where the script looks for them.", rolls=True),
    Row("inference_config", _ACTS, "The script that answers.", rolls=True),
    Row("image", _MISSING, "Refused: images came before environments."),
    Row("period_seconds", _ACTS, "Probes further apart notice a hanging container later.", rolls=True),
    Row("initial_delay_seconds", _ACTS, "Until then nobody notices a hanging container.", rolls=True),
    Row("timeout_seconds", _ACTS, "A container that is busy for longer fails its probe.", rolls=True),
    Row(
        "success_threshold",
        _ACTS,
        "Applied as 1, as Kubernetes insists for liveness probes; an event names another value.",
    ),
    Row("failure_threshold", _ACTS, "So many failed probes in a row restart a container.", rolls=True),
    Row("namespace", _ACTS, "The pods live there: `ws.simulation.pods()`, `get_logs(init=True)`.", rolls=True),
    Row("version_name", _ACTS, "What the version goes by."),
    Row("traffic_percentile", _ACTS, "The version's share of the requests, unless it is the default."),
    Row("is_default", _ACTS, "The version gets what the shares of the others leave."),
    Row("is_control_version_type", _STORED, "A label: the version is `Control`, all others are `Treatment`."),
    Row("compute_target_name", _ACTS, "The cluster whose nodes take the pods."),
    Row(
        "blobfuse_enabled",
        _ACTS,
        "`get_logs(init=True)` says how models come into the containers, mounted or copied; no time depends on it.",
    ),
)
"""Parameters of `CALLS`."""

METHODS: Final = (
    *_of(
        SERVICES,
        Row("constructor", _ACTS, "Finds a service; refused if there is none.", takes=("workspace", "name")),
        Row("deploy_configuration", _ACTS, "Makes a configuration: see the parameters."),
        Row("update", _ACTS, "Changes a service: see the parameters."),
        Row("delete", _ACTS, "The pods end, requests are answered 404, and the name is free."),
        Row("run", _ACTS, "A request, and what azureml-core does when it is refused.", takes=("input_data",)),
        Row(
            "wait_for_deployment",
            _ACTS,
            "Virtual time goes on to the operation's end.",
            takes=("show_output", "timeout_sec"),
        ),
        Row("update_deployment_state", _ACTS, "The attributes show the service as it is now."),
        Row("get_logs", _ACTS, "What the scripts wrote; of `init`, how the pods came up.", takes=("num_lines", "init")),
        Row("get_keys", _ACTS, "The keys that are let in."),
        Row("regen_key", _ACTS, "The old key is answered 401, the new one let in.", takes=("key", "set_key")),
        Row("get_access_token", _ACTS, "A token that is let in until it expires by the virtual clock."),
        Row("get_token", _ACTS, "Likewise, in an older form."),
        Row("add_tags", _ACTS, "As `update(tags=…)` with the present ones.", takes=("tags",)),
        Row("remove_tags", _ACTS, "As `update(tags=…)` without these.", takes=("tags",)),
        Row("add_properties", _ACTS, "As `update(properties=…)`.", takes=("properties",)),
        Row("serialize", _ACTS, "The JSON form."),
        Row("deserialize", _ACTS, "The service of a document.", takes=("workspace", "webservice_payload")),
        Row(
            "list",
            _ACTS,
            "The services that all that is given holds of.",
            takes=("workspace", "compute_type", "model_name", "model_id", "tags", "properties"),
        ),
        Row(
            "list",
            _MISSING,
            "Refused: services are not found by image.",
            takes=("image_name", "image_id", "image_digest"),
        ),
        Row(
            "check_for_existing_webservice",
            _ACTS,
            "Refuses a name that is taken.",
            takes=("workspace", "name", "overwrite"),
        ),
        Row(
            "check_for_existing_webservice",
            _MISSING,
            "Refused: azureml-core's own helpers.",
            takes=("request_func", "check_func"),
        ),
        Row("deploy", _MISSING, "Refused: use `Model.deploy`."),
        Row("deploy_from_model", _MISSING, "Likewise."),
        Row("deploy_from_image", _MISSING, "Likewise."),
        Row("deploy_local_from_model", _MISSING, "Refused: nothing is deployed in Docker."),
    ),
    *_of(
        ("AksEndpoint",),
        Row("create_version", _ACTS, "Brings up another version: see the parameters."),
        Row("update_version", _ACTS, "Changes a version: see the parameters."),
        Row("delete_version", _ACTS, "The version's pods end, and others get its share.", takes=("version_name",)),
    ),
    *_of(
        CONFIGURATIONS,
        Row("constructor", _ACTS, "Makes a configuration: see the parameters."),
        Row("validate_configuration", _ACTS, "Refuses what was changed to a value that is not allowed."),
        Row("print_deploy_configuration", _ACTS, "Prints what containers ask for."),
        Row("validate_image", _MISSING, "Refused: images came before environments.", takes=("image",)),
    ),
    *_of(
        ("AksEndpointDeploymentConfiguration",),
        Row("validate_endpoint_configuration", _ACTS, "Refuses a version's name or share that is not allowed."),
    ),
    *_of(
        VALUES,
        Row("constructor", _ACTS, "Makes a value: see its attributes."),
        Row("serialize", _ACTS, "The JSON form."),
        Row("deserialize", _ACTS, "The value of a JSON form.", takes=("payload_obj",)),
    ),
)
"""Methods of `CLASSES`, with the parameters that `PARAMETERS` and `ATTRIBUTES` do not have."""

ATTRIBUTES: Final = (
    *_of(
        SERVICES,
        Row("workspace", _ACTS, "The world."),
        Row("name", _ACTS, "What requests and calls go by."),
        Row("compute_type", _ACTS, "`AKS`, or `AKSENDPOINT`."),
        Row("compute_name", _ACTS, "The cluster that has the pods."),
        Row("state", _ACTS, "Follows operations and pods."),
        Row("error", _ACTS, "Why the last operation failed."),
        Row("deployment_status", _ACTS, "Numbers of replicas when it was last looked at."),
        Row("created_time", _ACTS, "By the virtual clock."),
        Row("updated_time", _ACTS, "Likewise."),
        Row(
            "scoring_uri", _STORED, "There once a deployment has succeeded. Nothing listens in virtual time: use `run`."
        ),
        Row("swagger_uri", _STORED, "Likewise."),
        Row("auth_enabled", _ACTS, "As the parameter, like the next six."),
        Row("token_auth_enabled", _ACTS, ""),
        Row("enable_app_insights", _ACTS, "Whether containers report."),
        Row("namespace", _ACTS, "Where the pods live."),
        Row("description", _STORED, ""),
        Row("tags", _ACTS, ""),
        Row("properties", _ACTS, ""),
        Row("image", _MISSING, "None: images came before environments."),
    ),
    *_of(
        ("AksWebservice",),
        Row("image_id", _MISSING, "None: likewise."),
        Row("image_digest", _MISSING, "None: likewise."),
        Row("created_by", _MISSING, "None: a simulated workspace has no users."),
        Row("autoscaler", _ACTS, "The settings in force, like the next three."),
        Row("container_resource_requirements", _ACTS, ""),
        Row("data_collection", _ACTS, ""),
        Row("liveness_probe_requirements", _ACTS, ""),
        Row("max_concurrent_requests_per_container", _ACTS, "As `replica_max_concurrent_requests`."),
        Row("max_request_wait_time", _ACTS, "As the parameter."),
        Row("num_replicas", _ACTS, "As the parameter; None with the autoscaler."),
        Row("scoring_timeout_ms", _ACTS, "As the parameter."),
        Row("environment", _ACTS, "Its variables reach the script. Its packages are not installed."),
        Row("models", _ACTS, "As the parameter."),
        Row("is_default", _ACTS, "Of a version: as the parameter."),
        Row("traffic_percentile", _ACTS, "Of a version: as the parameter."),
        Row("version_type", _STORED, "Of a version: `Control` or `Treatment`."),
    ),
    *_of(("AksEndpoint",), Row("versions", _ACTS, "The versions by name, each an `AksWebservice`.")),
    *_of(CONFIGURATIONS, Row("location", _MISSING, "None: a cluster has its own.")),
    *_of(
        ("AutoScaler",),
        Row("autoscale_enabled", _ACTS, "As the parameter."),
        Row("min_replicas", _ACTS, "As `autoscale_min_replicas`."),
        Row("max_replicas", _ACTS, "As `autoscale_max_replicas`."),
        Row("refresh_period_seconds", _ACTS, "As `autoscale_refresh_seconds`."),
        Row("target_utilization", _ACTS, "As `autoscale_target_utilization`."),
    ),
    *_of(
        ("ContainerResourceRequirements",),
        Row("cpu", _ACTS, "As `cpu_cores`."),
        Row("memory_in_gb", _ACTS, "As `memory_gb`."),
        Row("gpu", _ACTS, "As `gpu_cores`."),
        Row("cpu_limit", _ACTS, "As `cpu_cores_limit`."),
        Row("memory_in_gb_limit", _ACTS, "As `memory_gb_limit`."),
    ),
    *_of(
        ("DataCollection",),
        Row("storage_enabled", _ACTS, "As `collect_model_data`."),
        Row("event_hub_enabled", _STORED, "False: no parameter sets it."),
    ),
    *_of(
        ("LivenessProbeRequirements",),
        Row("period_seconds", _ACTS, "As the parameter, and so do the next four."),
        Row("initial_delay_seconds", _ACTS, ""),
        Row("timeout_seconds", _ACTS, ""),
        Row("success_threshold", _ACTS, ""),
        Row("failure_threshold", _ACTS, ""),
    ),
    *_of(
        ("AksServiceAccessToken",),
        Row("access_token", _ACTS, "Lets requests in."),
        Row("token_type", _STORED, "`Bearer`."),
        Row("refresh_after", _ACTS, "`token_refresh` after it was issued."),
        Row("expiry_on", _ACTS, "`token_lifetime` after it was issued; 401 from then on."),
    ),
)
"""Attributes of `CLASSES`. Those of the configurations are their parameters, and can be changed until they are deployed."""
