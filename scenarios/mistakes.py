"""Pydantic's findings in one line of plain words: where, what stood there, what was expected, the nearest right name."""

import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from akstwin.domain.words import nearest


def first_mistake(error: ValidationError, root: type[BaseModel]) -> str:
    """The first finding; how many more there are is said at the end."""
    findings = error.errors()
    finding = min(findings, key=_rank)
    place, model = _walk(root, finding["loc"])
    text = f"{place}: {_what(finding, model)}" if place else _what(finding, model)
    more = len({tuple(each["loc"][:2]) for each in findings}) - 1
    return " ".join(text.split()) + (f" (and {more} more)" if more > 0 else "")


def _rank(finding: Any) -> int:
    """An unknown name first: the missing one beside it is often what it should have been."""
    return 0 if finding["type"] == "extra_forbidden" else 1


def _what(finding: Any, model: type[BaseModel] | None) -> str:
    kind, value, context = finding["type"], finding["input"], finding.get("ctx", {})
    name = str(finding["loc"][-1]) if finding["loc"] else ""
    match kind:
        case "extra_forbidden":
            known = list(model.model_fields) if model else []
            return "no such setting" + (nearest(name, known) or f"; expected one of {', '.join(known)}")
        case "missing":
            return "is missing"
        case "literal_error":
            return f"{_show(value)} is not {context['expected']}" + _near_word(value, context["expected"])
        case "union_tag_invalid":
            expected = str(context["expected_tags"])
            tag = str(context["tag"])
            label = str(context["discriminator"]).strip("'")
            return f"{label}: {tag!r} is not one of {expected}" + _near_word(tag, expected)
        case "union_tag_not_found":
            label = str(context["discriminator"]).strip("'")
            return f"{_show(value)} has no `{label}:`"
        case "value_error":
            return f"{_show(value)} is not {context['error']}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{_show(value)} is not a mapping of settings"
        case _:
            wanted = str(finding["msg"]).removeprefix("Input should be ").removeprefix("Value should have ")
            return f"{_show(value)} is not {wanted}"


def _near_word(value: object, expected: str) -> str:
    return nearest(str(value), [word.strip(" '") for word in expected.replace(" or ", ",").split(",")])


def _show(value: object) -> str:
    if isinstance(value, dict):
        return "the mapping"
    if isinstance(value, BaseModel):
        return "it"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _walk(root: Any, steps: tuple[int | str, ...]) -> tuple[str, type[BaseModel] | None]:
    """The path as the user wrote it, and the model whose settings stand beside the last step."""
    path, kind = "", root
    model: type[BaseModel] | None = root
    for step in steps:
        kind = _bare(kind)
        if isinstance(step, int):
            path += f"[{step}]"
            kind = get_args(kind)[0] if get_args(kind) else Any
        elif _is_model(kind):
            model = kind
            path += f".{step}" if path else step
            field = kind.model_fields.get(step)
            kind = Annotated[field.annotation, *field.metadata] if field and field.metadata else (
                field.annotation if field else Any
            )  # fmt: skip
        elif (chosen := _member(kind, step)) is not None:
            kind = chosen
            model = chosen if _is_model(chosen) else model
        elif get_origin(kind) is dict:
            path += f".{step}"
            kind = get_args(kind)[1]
    return path, model


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _bare(kind: Any) -> Any:
    """Without Annotated, and without None."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, types.UnionType):
        members = [member for member in get_args(kind) if member is not type(None)]
        if len(members) == 1:
            return _bare(members[0])
    return kind


def _member(kind: Any, step: str) -> Any:
    """The member of a union that a step of pydantic's path names: by its tag, or by its class."""
    if get_origin(kind) not in (Union, types.UnionType):
        return None
    for member in get_args(kind):
        bare = _bare(member)
        if _is_model(bare):
            tags = [get_args(field.annotation) for field in bare.model_fields.values()]
            if bare.__name__ == step or any(step in tag for tag in tags):
                return bare
        elif get_origin(bare) in (Union, types.UnionType) and (inner := _member(bare, step)) is not None:
            return inner
    return None
