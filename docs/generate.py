"""Makes the pages that come from the code: `python docs/generate.py` writes them, a test holds them against the code."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import griffe

from akstwin.cli import SUMMARIES, app
from akstwin.domain.assumptions import assumption_rows
from akstwin.domain.lifecycles import OPERATION, POD, REPLICA, SERVICE
from akstwin.scenarios.schema import scenario_schema

DOCS = Path(__file__).parent
SCENARIO_INTRODUCTION = """\
A YAML file. Unknown settings are refused. Durations are written `250ms`, `10s`, `5m`, `24h`, or as a number of seconds;
rates are per second; memory is in GB. `akstwin schema` prints the JSON Schema, which also lies in
[scenario.schema.json](scenario.schema.json).
"""
PYTHON_INTRODUCTION = """\
Made from the docstrings. Times are whole microseconds unless a name says otherwise. What they cite as "semantics" and
"design" is on the pages [rules](../explanation/rules.md) and [design](../explanation/design.md).
"""
MADE = "<!-- Made by docs/generate.py; change the code it is made from. -->\n\n"

PUBLIC_MODULES = (
    "akstwin.clock",
    "akstwin.errors",
    "akstwin.domain.units",
    "akstwin.domain.deployment",
    "akstwin.domain.service",
    "akstwin.domain.profile",
    "akstwin.domain.workload",
    "akstwin.domain.faults",
    "akstwin.domain.cluster",
    "akstwin.domain.histogram",
    "akstwin.dataplane",
    "akstwin.cores.routing",
    "akstwin.cores.replies",
    "akstwin.cores.container",
    "akstwin.cores.autoscaling",
    "akstwin.cores.liveness",
    "akstwin.cores.scheduling",
    "akstwin.cores.rollout",
    "akstwin.cores.management",
    "akstwin.policies.observation",
    "akstwin.policies.canary",
    "akstwin.scenarios.load",
    "akstwin.scenarios.run",
    "akstwin.scenarios.plan",
)


def pages() -> dict[str, str]:
    """Every page that is made, by its path below docs/."""
    return {
        "explanation/fidelity.md": fidelity(),
        "reference/scenario.md": scenario(),
        "reference/scenario.schema.json": json.dumps(scenario_schema(), indent=1, ensure_ascii=False) + "\n",
        "reference/command-line.md": command_line(),
        "reference/life-cycles.md": life_cycles(),
        "reference/python.md": python(),
    }


# -- fidelity


def fidelity() -> str:
    """The table of assumptions within its text."""
    lines = ["| key | default | how we know | source | acts | meaning |", "|---|---|---|---|---|---|"]
    for row in assumption_rows():
        acts = {"simulated": "yes", "decided": "decided", "later": "later"}[row.acts]
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
    meanings = dict(_attributes(text[2]))
    yield "| setting | takes | default | meaning |\n|---|---|---|---|"
    for setting, kind in definition["properties"].items():
        needed = setting in definition.get("required", ())
        default = "needed" if needed else _default(kind.get("default"))
        meaning = meanings.get(setting) or kind.get("description", "")
        yield f"| `{setting}` | {_takes(kind)} | {default} | {meaning} |"
    yield ""


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
        parts.append(f"## akstwin {name}\n\n{(command.help or '').strip()}\n")
        rows = [_option(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            parts += ["| | | meaning |\n|---|---|---|", *rows, ""]
    return MADE + "\n".join(parts)


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.opts) if parameter.param_type_name == "option" else ""
    value = parameter.metavar or ""
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


# -- Python


def python() -> str:
    """Public classes and functions with their docstrings."""
    parts = [
        "# Python reference\n",
        PYTHON_INTRODUCTION,
    ]
    package = griffe.load("akstwin", search_paths=[DOCS.parent], allow_inspection=False)
    for name in PUBLIC_MODULES:
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
            if inner.is_function and inner.is_public and not inner.name.startswith("__"):
                yield from _member(inner, level + 1)


def _parameters(function: Any) -> str:
    return ", ".join(parameter.name for parameter in function.parameters if parameter.name != "self")


def _docstring(member: Any) -> str:
    if member.docstring is None:
        return ""
    shown = []
    for section in member.docstring.parse("google", warnings=False):
        if section.kind.value == "text":
            shown.append(section.value)
        elif section.kind.value in ("parameters", "attributes", "raises", "returns"):
            shown.append(f"*{section.title or section.kind.value.capitalize()}*\n")
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
