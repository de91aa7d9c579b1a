"""What a scenario asks, in its own words: the cluster, each service with its versions and traffic, objectives, faults."""

from collections.abc import Mapping
from typing import Any, Final

from akstwin.scenarios.load import Prepared
from akstwin.scenarios.wording import one_line

_LONGEST: Final = 400
"""Characters of one setting: a recorded list of rates is told by its beginning."""
_OF_A_SERVICE: Final = ("traffic", "clients", "operations", "policies", "objectives")
_OF_ALL: Final = ("objectives", "faults")


def asked_of(prepared: Prepared, document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was asked, as names and what they stand for.

    Args:
        prepared: the scenario.
        document: its file's content, with the changes of `--set`.
    """
    facts = [
        ("cluster", _cluster(prepared, (document.get("cluster") or {}).get("vm_size"))),
        ("start", prepared.scenario.start),
    ]
    sections = document.get("services") or [document.get("webservice") or document.get("endpoint") or {}]
    several = bool(prepared.services)
    for part, section in zip(prepared.parts, sections, strict=True):
        versions = section.get("versions") or [section]
        for version, given in zip(part.service.versions, versions, strict=True):
            name = part.service.name if version.name == part.service.name else f"{part.service.name}/{version.name}"
            facts += [
                (
                    name,
                    _flow({key: value for key, value in given.items() if key in ("deploy", "model")}),
                )
            ]
        owner = section if several else document
        facts += [
            (f"{part.service.name}: {key}" if several else key, _flow(owner[key]))
            for key in _OF_A_SERVICE
            if owner.get(key)
        ]
    shared = _OF_ALL if several else ("faults",)
    facts += [
        (f"total: {key}" if key == "objectives" else key, _flow(document[key])) for key in shared if document.get(key)
    ]
    return [(one_line(name), one_line(text)) for name, text in facts if text]


def _cluster(prepared: Prepared, named: Any) -> str:
    cluster = prepared.scenario.cluster
    nodes = f"{cluster.nodes} nodes" if cluster.max_nodes is None else f"{cluster.nodes} to {cluster.max_nodes} nodes"
    size = f"{cluster.vm_size.cpu_cores:g} cores and {cluster.vm_size.memory_gb:g} GB"
    return f"{nodes} of {f'{named} ({size})' if isinstance(named, str) else size}, {cluster.purpose}"


def _flow(value: Any) -> str:
    text = _written(value, outermost=True)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"


def _written(value: Any, *, outermost: bool = False) -> str:
    """As YAML's flow style would have it, without the outermost braces."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}: {_written(each)}" for key, each in value.items())
        return inner if outermost else f"{{{inner}}}"
    if isinstance(value, list | tuple):
        inner = ("; " if outermost else ", ").join(_written(each, outermost=outermost) for each in value)
        return inner if outermost else f"[{inner}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
