"""The JSON Schema of the scenario file, made from the classes that read it."""

from typing import Any

from akstwin.scenarios.model import Scenario


def scenario_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    schema = Scenario.model_json_schema(mode="validation")
    _drop_hidden(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _drop_hidden(node: Any) -> None:
    if isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict):
            for name in [key for key, value in properties.items() if isinstance(value, dict) and value.get("hidden")]:
                del properties[name]
        for value in node.values():
            _drop_hidden(value)
    elif isinstance(node, list):
        for value in node:
            _drop_hidden(value)
