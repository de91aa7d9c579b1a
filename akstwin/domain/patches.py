"""RFC 6902 patches as the management service takes them (wire §5, §7.5, §7.6): wholly, or not at all."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Final

import jsonpatch
from jsonpointer import JsonPointerException

from akstwin.domain.documents import Json
from akstwin.errors import InvalidSetting

Tokens = tuple[str, ...]
"""A JSON pointer, taken apart."""

OPERATIONS: Final = ("add", "remove", "replace", "move", "copy", "test")


def pointer(tokens: Tokens) -> str:
    """A JSON pointer, put together."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


def patched(
    document: Json, patch: Sequence[Json], place: Callable[[str, Tokens], Tokens]
) -> tuple[Json, tuple[Tokens, ...]]:
    """A document after a patch. The one given is left as it is.

    What lies above a place is made where it is null, for `add` and for `replace`.

    Args:
        document: what is patched.
        patch: the operations.
        place: says where in the document an operation (its name, its path) acts, or refuses it.

    Returns:
        The document, and the places that were written to.

    Raises:
        InvalidSetting: the patch is none, or one of its operations cannot be applied.
    """
    if not isinstance(patch, Sequence) or isinstance(patch, str):
        raise InvalidSetting("patch", patch, "a list of JSON patch operations")
    after = deepcopy(document)
    written: list[Tokens] = []
    for number, given in enumerate(patch):
        operation = _operation(number, given)
        name, path = operation["op"], operation["path"]
        tokens = place(name, _tokens(path))
        operation["path"] = pointer(tokens)
        if "from" in operation:
            source = place("remove" if name == "move" else "test", _tokens(operation["from"]))
            operation["from"] = pointer(source)
            if name == "move":
                written.append(source)
        if _reach(after, tokens, path, make=name in ("add", "replace")) and name == "replace":
            operation["op"] = "add"
        try:
            after = jsonpatch.apply_patch(after, [operation])
        except (jsonpatch.JsonPatchException, JsonPointerException) as error:
            raise InvalidSetting(path, name, f"possible: {error}") from None
        if name != "test":
            written.append(tokens)
    return after, tuple(written)


def _operation(number: int, given: object) -> Json:
    where = f"patch[{number}]"
    if not isinstance(given, dict):
        raise InvalidSetting(where, given, "a JSON patch operation")
    operation: Json = deepcopy(given)
    if operation.get("op") not in OPERATIONS:
        raise InvalidSetting(f"{where}.op", operation.get("op"), f"one of {', '.join(OPERATIONS)}")
    for key in ("path", "from") if operation["op"] in ("move", "copy") else ("path",):
        if not isinstance(operation.get(key), str) or not operation[key].startswith("/"):
            raise InvalidSetting(f"{where}.{key}", operation.get(key), "a path that begins with /")
    if operation["op"] in ("add", "replace", "test") and "value" not in operation:
        raise InvalidSetting(f"{where}.value", None, "a value")
    return operation


def _tokens(path: str) -> Tokens:
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/"))


def _reach(document: Json, tokens: Tokens, path: str, *, make: bool) -> bool:
    """Go down to what holds a place; with `make`, null on the way becomes an object. Whether one did."""
    made = False
    parent: Any = document
    for token in tokens[:-1]:
        key: Any = int(token) if isinstance(parent, list) and token.isdecimal() else token
        there = key < len(parent) if isinstance(key, int) else isinstance(parent, dict) and key in parent
        if not there:
            raise InvalidSetting(path, token, "there: nothing of that name is")
        if parent[key] is None and make:
            parent[key] = {}
            made = True
        parent = parent[key]
        if not isinstance(parent, dict | list):
            raise InvalidSetting(path, parent, f"an object: nothing can lie below {token}")
    return made
