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
        "all_at_once",
        "AksEndpoint.deploy_configuration",
        "version_name and traffic_percentile are looked at only when all else is right.",
        "All problems are reported together.",
    ),
)
"""What is refused here at once, and there later, elsewhere or not at all."""
