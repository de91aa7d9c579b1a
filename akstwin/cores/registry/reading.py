"""Reading payloads: values of the kind that was expected, or a refusal by name."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from akstwin.domain.documents import Json, as_json
from akstwin.errors import InvalidSetting

NAME_FORM: Final = "1 to 255 letters, digits, dashes, underscores and dots, first a letter or digit"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{,254}\Z")


class Kept(BaseModel):
    """A frozen value that survives JSON unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


def read_object(setting: str, value: object) -> Json:
    """An object; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidSetting(setting, value, "an object")
    content: Json = as_json(setting, dict(value))
    return content


def read_text(setting: str, value: Any) -> str | None:
    """Text or null."""
    if value is not None and not isinstance(value, str):
        raise InvalidSetting(setting, value, "text")
    return value


def read_name(setting: str, value: object) -> str:
    """The name of a model, an asset or an environment."""
    if not isinstance(value, str) or not _NAME.match(value):
        raise InvalidSetting(setting, value, NAME_FORM)
    return value


def read_list(setting: str, value: object) -> list[Json]:
    """A list of objects; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise InvalidSetting(setting, value, "a list of objects")
    items: list[Json] = as_json(setting, [dict(item) for item in value])
    return items
