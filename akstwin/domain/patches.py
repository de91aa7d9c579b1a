"""RFC 6902 patches as the management service takes them (wire §5, §7.5, §7.6): wholly, or not at all."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Final

import jsonpatch
from jsonpointer import JsonPointer, JsonPointerException

from akstwin.domain.documents import Json
from akstwin.domain.nesting import check_nesting
from akstwin.errors import InvalidSetting

Tokens = tuple[str, ...]
"""A JSON pointer, taken apart."""

MOST_OPERATIONS: Final = 1000
"""In one patch; the SDK sends one for each setting that it changes."""
MOST_COPIED: Final = 100_000
"""Values that the copies of one patch may come to: a copy of what holds an earlier copy doubles it."""
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
    if len(patch) > MOST_OPERATIONS:
        raise InvalidSetting("patch", f"{len(patch)} operations", f"at most {MOST_OPERATIONS}")
    copied = 0
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
            else:
                copied += _size(after, source)
                if copied > MOST_COPIED:
                    raise InvalidSetting(path, f"copies of {copied} values", f"at most {MOST_COPIED} in one patch")
        if _reach(after, tokens, path, make=name in ("add", "replace")) and name == "replace":
            operation["op"] = "add"
        after = _applied(after, operation, path)
        if name != "test":
            written.append(tokens)
    return after, tuple(written)


def _operation(number: int, given: object) -> Json:
    where = f"patch[{number}]"
    if not isinstance(given, dict):
        raise InvalidSetting(where, given, "a JSON patch operation")
    check_nesting(where, given)
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


def _applied(document: Json, operation: Json, path: str) -> Json:
    try:
        after: Json = jsonpatch.apply_patch(document, [operation], in_place=True)
    except (jsonpatch.JsonPatchException, JsonPointerException) as error:
        raise InvalidSetting(path, operation["op"], f"possible: {error}") from None
    if "from" in operation:  # each part may be shallow, and what they come to together is not
        check_nesting(path, after)
    return after


def _size(document: Json, tokens: Tokens) -> int:
    """How many values the value at a place comes to; 0: nothing is there."""
    found = JsonPointer(pointer(tokens)).resolve(document, None)
    left, size = [found], 0
    while left:
        value = left.pop()
        size += 1
        if isinstance(value, dict | list):
            left += value.values() if isinstance(value, dict) else value
    return size


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
