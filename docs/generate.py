"""Makes the pages that come from the code: `python docs/generate.py` writes them, a test holds them against the code."""

import inspect
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import griffe

import akstwin
from akstwin.cli import SUMMARIES, app
from akstwin.clock import Micros
from akstwin.domain.assumptions import assumption_rows
from akstwin.domain.lifecycles import OPERATION, POD, REPLICA, SERVICE
from akstwin.domain.spec import Spec
from akstwin.domain.units import format_duration
from akstwin.fake_api.management.conformance import ROUTES
from akstwin.scenarios.schema import scenario_schema
from akstwin.sdk import coverage as covered
from akstwin.sdk.differences import REPAIRED, STRICTER, Difference

DOCS = Path(__file__).parent
SCENARIO_INTRODUCTION = """\
A YAML file. Unknown settings are refused. Durations are written `250ms`, `10s`, `5m`, `24h`, or as a number of seconds, which
a note in the result then repeats; latency objectives and values in files must say their unit. Rates are per second; memory is
in GB. `akstwin schema` prints the JSON Schema, which also lies in
[scenario.schema.json](scenario.schema.json).
"""
PYTHON_INTRODUCTION = """\
Made from the docstrings. Times are whole microseconds unless a name says otherwise. What they cite as "semantics" and
"design" is on the pages [rules](../explanation/rules.md) and [design](../explanation/design.md).
"""
SDK_INTRODUCTION = """\
Names, parameters, their order and their defaults are azureml-core 1.61's. Made from the docstrings; what they cite as
"semantics" and "design" is on the pages [rules](../explanation/rules.md) and [design](../explanation/design.md), and "wire"
is what azureml-core sends. [Coverage](coverage.md) says what acts in virtual time and what does not.
"""
COVERAGE_INTRODUCTION = """\
Every parameter, method and attribute of the nine classes of the class reference, and what becomes of it in virtual time:

- **acts**: it makes a difference in the simulated world. A test changes it, and nothing else, and sees that difference.
- **stored only**: it is kept, comes back in the service's document, and makes no other difference.
- **missing**: it is refused, or an attribute that is always None.

A test fails when azureml-core has a name that stands in no row, and when a row says something else than what is seen.
"""
CONFORMANCE_INTRODUCTION = """\
What `akstwin serve` answers on its management side. `{WS}` is the workspace's resource id, `{MM}` is `/modelmanagement/v1.0{WS}`.
The published description is azure-rest-api-specs' `modelManagement.json` of 2019-09-30. What is refused is answered 400, or 404
for a name that nothing can have, with the reason; so is a route that is not in these tables. `/openapi.json` on the server says
what each route takes and answers; a test compares it with these tables.
"""
SETTINGS_INTRODUCTION = """\
*deploy* is `deploy_configuration`, and the class that it makes; *create* and *update* of a version are `create_version` and
`update_version`. What *replaces the pods* does so one by one and is an operation to wait for; all else acts at once.
"""
METHODS_INTRODUCTION = """\
*Both services* are `AksWebservice` and `AksEndpoint`, *both configurations* what their `deploy_configuration` makes, and *the
values* `AutoScaler`, `ContainerResourceRequirements`, `DataCollection`, `LivenessProbeRequirements` and `AksServiceAccessToken`.
"""
ATTRIBUTES_INTRODUCTION = """\
An attribute *acts* if it shows what acts. The configurations have their parameters as attributes, which can be changed until
they are deployed.
"""
DIFFERENCES_INTRODUCTION = """\
Where a script meets something else here than with azureml-core 1.61. Each row is shown by a test on both sides.
"""
MADE = "<!-- Made by docs/generate.py; change the code it is made from. -->\n\n"

SDK_MODULES = (
    "akstwin.sdk.workspace",
    "akstwin.sim.simulation",
    "akstwin.domain.observation",
    "akstwin.sdk.aks",
    "akstwin.sdk.webservice",
    "akstwin.sdk.configuration",
    "akstwin.sdk.requirements",
    "akstwin.sdk.token",
    "akstwin.sdk.model",
    "akstwin.sdk.inference",
    "akstwin.sdk.environment",
    "akstwin.sdk.conda_dependencies",
    "akstwin.sdk.resource_configuration",
    "akstwin.sdk.compute",
    "akstwin.sdk.compute_configuration",
    "akstwin.sdk.exceptions",
)
PUBLIC_MODULES = (
    "akstwin.clock",
    "akstwin.errors",
    "akstwin.backend",
    "akstwin.sim.backend",
    "akstwin.domain.units",
    "akstwin.domain.credentials",
    "akstwin.domain.service_urls",
    "akstwin.domain.deployment",
    "akstwin.domain.service",
    "akstwin.domain.profile",
    "akstwin.domain.workload",
    "akstwin.domain.faults",
    "akstwin.domain.cluster",
    "akstwin.domain.vm_sizes",
    "akstwin.domain.histogram",
    "akstwin.domain.observation",
    "akstwin.domain.changes",
    "akstwin.dataplane",
    "akstwin.ports.routing_plane",
    "akstwin.ports.container_runtime",
    "akstwin.cores.routing",
    "akstwin.cores.router_http",
    "akstwin.cores.serving",
    "akstwin.cores.autoscaling",
    "akstwin.cores.management.life",
    "akstwin.cores.management.changes",
    "akstwin.cores.management.patching",
    "akstwin.cores.management.tokens",
    "akstwin.kubernetes_model.rollout",
    "akstwin.kubernetes_model.scheduling",
    "akstwin.kubernetes_model.kubelet",
    "akstwin.kubernetes_model.liveness",
    "akstwin.kubernetes_model.container",
    "akstwin.policies.policy",
    "akstwin.policies.actions",
    "akstwin.policies.running",
    "akstwin.policies.canary",
    "akstwin.policies.blue_green",
    "akstwin.policies.ab_test",
    "akstwin.policies.scheduled",
    "akstwin.policies.specs",
    "akstwin.policies.limiting",
    "akstwin.policies.runner",
    "akstwin.policies.journal",
    "akstwin.policies.statistics",
    "akstwin.scenarios.load",
    "akstwin.scenarios.run",
    "akstwin.scenarios.plan",
    "akstwin.testing.check",
    "akstwin.testing.report",
    "akstwin.testing.promise",
    "akstwin.testing.strategies",
    "akstwin.testing.worlds",
    "akstwin.testing.properties",
    "akstwin.testing.checkers",
    "akstwin.testing.histories",
)


def pages() -> dict[str, str]:
    """Every page that is made, by its path below docs/."""
    return {
        "explanation/fidelity.md": fidelity(),
        "reference/scenario.md": scenario(),
        "reference/scenario.schema.json": json.dumps(scenario_schema(), indent=1, ensure_ascii=False) + "\n",
        "reference/command-line.md": command_line(),
        "reference/life-cycles.md": life_cycles(),
        "reference/sdk.md": modules("The SDK", SDK_INTRODUCTION, SDK_MODULES),
        "reference/coverage.md": coverage(),
        "reference/conformance.md": conformance(),
        "reference/differences.md": differences(),
        "reference/python.md": modules("Python reference", PYTHON_INTRODUCTION, PUBLIC_MODULES),
    }


# -- fidelity


def fidelity() -> str:
    """The table of assumptions within its text."""
    lines = ["| key | default | how we know | source | acts | meaning |", "|---|---|---|---|---|---|"]
    for row in assumption_rows():
        acts = {"simulated": "everywhere", "decided": "in workspaces", "later": "later"}[row.acts]
        lines.append(f"| `{row.key}` | {row.default} | {row.evidence} | {row.source} | {acts} | {row.meaning} |")
    text = (DOCS / "templates/fidelity.md").read_text(encoding="utf-8")
    return MADE + text.replace("{assumptions}", "\n".join(lines))


# -- the scenario file


def scenario() -> str:
    """Every setting of the scenario file, section by section."""
    schema = scenario_schema()
    parts = [
        "# The scenario file\n",
        SCENARIO_INTRODUCTION,
        *_section("Scenario", schema),
    ]
    for name, definition in schema["$defs"].items():
        if "properties" in definition and name != "Assumptions":
            parts += _section(name, definition)
    parts.append("## Assumptions\n\nSee [fidelity](../explanation/fidelity.md#assumptions).\n")
    return MADE + "\n".join(parts)


def _section(name: str, definition: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}\n"
    text = definition.get("description", "").partition("Attributes:")
    yield text[0].strip() + "\n"
    meanings = {**_inherited(name), **dict(_attributes(text[2]))}
    yield "| setting | takes | default | meaning |\n|---|---|---|---|"
    for setting, kind in definition["properties"].items():
        needed = setting in definition.get("required", ())
        value = kind.get("default")
        span = isinstance(value, int) and value > 0 and _takes(kind) == "duration"
        default = "needed" if needed else f"`{format_duration(Micros(value))}`" if span else _default(value)
        meaning = meanings.get(setting) or kind.get("description", "")
        yield f"| `{setting}` | {_takes(kind)} | {default} | {meaning} |"
    yield ""


def _inherited(name: str) -> dict[str, str]:
    """What the bases of a section's class say of its settings: the schema has only its own words."""
    found: dict[str, str] = {}
    pending = [Spec]
    while pending:
        each = pending.pop()
        pending += each.__subclasses__()
        if each.__name__ == name:
            for base in each.__mro__[-1:0:-1]:
                if issubclass(base, Spec):
                    found |= dict(_attributes((inspect.getdoc(base) or "").partition("Attributes:")[2]))
    return found


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    name, meaning = "", ""
    for line in text.splitlines():
        head, colon, rest = line.strip().partition(":")
        if colon and head.isidentifier():
            if name:
                yield name, meaning
            name, meaning = head, rest.strip()
        elif line.strip():
            meaning += " " + line.strip()
    if name:
        yield name, meaning


def _default(value: object) -> str:
    if value is None:
        return "–"
    if value in ({}, []):
        return "none"
    return "see there" if isinstance(value, dict) else f"`{json.dumps(value)}`"


def _takes(kind: dict[str, Any]) -> str:
    if "$ref" in kind:
        name = kind["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in kind:
        return f"`{kind['const']}`"
    if "enum" in kind:
        return " or ".join(f"`{value}`" for value in kind["enum"])
    members = kind.get("anyOf") or kind.get("oneOf")
    if members:
        if {member.get("type") for member in members} == {"string", "number"}:
            return "duration"
        shown = [_takes(member) for member in members if member.get("type") != "null"]
        return " or ".join(dict.fromkeys(shown))
    if kind.get("type") == "array":
        return f"list of {_takes(kind.get('items', {}))}"
    if kind.get("type") == "object":
        return "mapping"
    names = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
    return names.get(str(kind.get("type")), "any") + _bounds(kind)


def _bounds(kind: dict[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {kind[name]:g}" for name, sign in words.items() if name in kind]
    return f" {', '.join(found)}" if found else ""


# -- the command line


def command_line() -> str:
    """What `--help` says of every command, as tables."""
    parts = ["# The command line\n", "Exit status: 0 done, 1 an objective is not met (`--gate`), 2 bad input.\n"]
    context = click.Context(app, info_name="akstwin")
    for name in SUMMARIES:
        command = app.get_command(context, name)
        assert command is not None  # noqa: S101 - every summary has its command
        parts += _command("##", f"akstwin {name}", command, context)
    return MADE + "\n".join(parts)


def _command(heading: str, name: str, command: click.Command, context: click.Context) -> list[str]:
    """What a command's page says, its own commands after it."""
    parts = [f"{heading} {name}\n\n{(command.help or '').strip()}\n"]
    rows = [_option(parameter) for parameter in command.get_params(context) if "--help" not in parameter.opts]
    if rows:
        parts += ["| | | meaning |\n|---|---|---|", *rows, ""]
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None  # noqa: S101 - it is listed
            parts += _command(f"{heading}#", f"{name} {each}", found, context)
    return parts


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.opts) if parameter.param_type_name == "option" else ""
    value = parameter.metavar or ("" if names else parameter.human_readable_name)
    return f"| {names or f'`{value}`'} | {value if names else ''} | {getattr(parameter, 'help', '') or ''} |"


# -- life cycles


def life_cycles() -> str:
    """The transition tables, drawn."""
    heading = (
        "# Life cycles\n\nDrawn from the tables in `akstwin.domain.lifecycles`; what is not drawn cannot happen.\n"
    )
    drawn = [
        f"## {table.name.capitalize()}\n\n```mermaid\n{table.mermaid()}\n```\n"
        for table in (SERVICE, OPERATION, POD, REPLICA)
    ]
    return MADE + "\n".join([heading, *drawn])


# -- the nine classes


def coverage() -> str:
    """What acts, what is stored only, and what is missing."""
    parts = ["# Coverage\n", COVERAGE_INTRODUCTION, "## Settings\n", SETTINGS_INTRODUCTION]
    parts.append("| parameter | | service | endpoint | version | what can be seen |\n|---|---|---|---|---|---|")
    for row in covered.PARAMETERS:
        meaning = f"{row.meaning} *Replaces the pods.*" if row.rolls else row.meaning
        parts.append(f"| `{row.name}` | {row.status} | {' | '.join(_takers(row))} | {meaning} |")
    parts += ["\n## Methods\n", METHODS_INTRODUCTION, "| of | method | | what can be seen |\n|---|---|---|---|"]
    parts += [
        f"| {_whose(row)} | `{row.name}({', '.join(row.takes)})` | {row.status} | {row.meaning} |"
        for row in covered.METHODS
    ]
    parts += ["\n## Attributes\n", ATTRIBUTES_INTRODUCTION, "| of | attribute | | what it shows |\n|---|---|---|---|"]
    parts += [f"| {_whose(row)} | `{row.name}` | {row.status} | {row.meaning} |" for row in covered.ATTRIBUTES]
    return MADE + "\n".join(parts) + "\n"


def conformance() -> str:
    """Every route of the served world, by where it comes from."""
    parts = ["# Routes of the served world\n", CONFORMANCE_INTRODUCTION]
    for source, title in (
        ("published", "In the published REST description"),
        ("azureml-core", "Asked for by azureml-core"),
        ("own", "Of our own"),
    ):
        parts.append(f"\n## {title}\n\n| method | route | | tested by |\n|---|---|---|---|")
        parts += [
            f"| {route.method} | `{route.path}` | {'served' if route.refused is None else f'refused: {route.refused}'} "
            f"| `tests/{route.test}` |"
            for route in ROUTES
            if route.source == source
        ]
    return MADE + "\n".join(parts) + "\n"


def _takers(row: covered.Row) -> Iterator[str]:
    """Which calls of a service, an endpoint and a version a setting's row is about."""
    others = {call for other in covered.PARAMETERS if other.name == row.name and other is not row for call in other.of}
    for of in _CALLS:
        calls = {call: word for call, word in of.items() if call in (row.of or of) and call not in others}
        yield ", ".join(word for call, word in calls.items() if row.name in _parameters_of(call))


_CALLS = (
    {"AksWebservice.deploy_configuration": "deploy", "AksWebservice.update": "update"},
    {"AksEndpoint.deploy_configuration": "deploy", "AksEndpoint.update": "update"},
    {"AksEndpoint.create_version": "create", "AksEndpoint.update_version": "update"},
)


def _parameters_of(call: str) -> Sequence[str]:
    class_name, _, method = call.partition(".")
    return tuple(inspect.signature(getattr(getattr(akstwin, class_name), method)).parameters)


def _whose(row: covered.Row) -> str:
    """The classes that a method's or an attribute's row is about."""
    names = {
        covered.SERVICES: "both services",
        covered.CONFIGURATIONS: "both configurations",
        covered.VALUES: "the rest",
    }
    return names.get(row.of) or ", ".join(row.of)


def differences() -> str:
    """Where azureml-core does something else."""
    parts = ["# Differences from azureml-core\n", DIFFERENCES_INTRODUCTION]
    parts += ["## Defects that are none here\n", *_differences(REPAIRED)]
    parts += ["\n## Refused here, and there later or not at all\n", *_differences(STRICTER)]
    return MADE + "\n".join(parts) + "\n"


def _differences(rows: Sequence[Difference]) -> Iterator[str]:
    yield "| call | azureml-core | here |\n|---|---|---|"
    for row in rows:
        yield f"| `{row.where}` | {row.there} | {row.here} |"


# -- Python


def modules(title: str, introduction: str, names: Sequence[str]) -> str:
    """Public classes and functions of modules with their docstrings."""
    parts = [f"# {title}\n", introduction]
    package = griffe.load("akstwin", search_paths=[DOCS.parent], allow_inspection=False)
    for name in names:
        module = package[name.removeprefix("akstwin.")]
        parts.append(f"## {name}\n\n{_docstring(module)}\n")
        for member in module.members.values():
            if not member.is_alias and member.is_public and (member.is_class or member.is_function):
                parts += _member(member, 3)
    return MADE + "\n".join(parts)


def _member(member: Any, level: int) -> Iterator[str]:
    signature = f"{member.name}({_parameters(member)})" if member.is_function else f"class {member.name}"
    yield f"{'#' * level} `{signature}`\n\n{_docstring(member)}\n"
    if member.is_class:
        for inner in member.members.values():
            if not inner.is_public or inner.name.startswith("__"):
                continue
            if inner.is_function:
                yield from _member(inner, level + 1)
            elif "property" in inner.labels:
                yield f"{'#' * (level + 1)} `{inner.name}`\n\n{_docstring(inner)}\n"


def _parameters(function: Any) -> str:
    return ", ".join(parameter.name for parameter in function.parameters if parameter.name not in ("self", "cls"))


def _docstring(member: Any) -> str:
    if member.docstring is None:
        return ""
    shown = []
    for section in member.docstring.parse("google", warnings=False):
        if section.kind.value == "text":
            shown.append(section.value)
        elif section.kind.value in ("parameters", "attributes", "raises", "returns"):
            shown.append(f"\n*{section.title or section.kind.value.capitalize()}*\n")
            for item in section.value:
                name = getattr(item, "name", "") or (item.annotation and str(item.annotation)) or ""
                shown.append(f"- {f'`{name}`: ' if name else ''}{' '.join(item.description.split())}")
    return "\n".join(shown)


def main() -> None:
    """Write every page."""
    for name, text in pages().items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
