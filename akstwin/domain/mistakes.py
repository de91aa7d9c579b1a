"""Pydantic's findings in one line of plain words: where, what stood there, what was expected, the nearest right name."""

import math
import types
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo

from akstwin.clock import Micros
from akstwin.domain.units import DURATION_FORM, MEMORY_FORM, Bytes
from akstwin.domain.words import nearest
from akstwin.errors import AksError, shown_value

_Form = TypeVar("_Form", bound=BaseModel)


def read(form: type[_Form], given: Any) -> _Form:
    """A form as it was filled in.

    Raises:
        AksError: a setting that is refused, with its path, its value and what was expected.
    """
    try:
        return form.model_validate(given)
    except ValidationError as error:
        raise AksError(first_mistake(error, form)) from None


def read_at(place: str, form: Any, given: Any) -> Any:
    """A value of any form, which stands at a place that refusals name first.

    Raises:
        AksError: a setting that is refused, with its path, its value and what was expected.
    """
    return getattr(read(_root(place, form), {place: given}), place)


@lru_cache(maxsize=64)
def _root(place: str, form: Any) -> type[BaseModel]:
    made: type[BaseModel] = create_model("Root", **{place: (form, ...)})  # type: ignore[call-overload]  # the field is named by the caller
    return made


def first_mistake(error: ValidationError, root: type[BaseModel]) -> str:
    """The first finding; how many more there are is said at the end."""
    findings = error.errors()
    finding = min(findings, key=_rank)
    steps = finding["loc"]
    key = steps.index("[key]") if "[key]" in steps else len(steps)
    place, model = _walk(root, steps[:-1] if finding["type"] == "invalid_key" else steps[: min(key, len(steps))])
    if finding["type"] == "union_tag_invalid":
        place += f".{_label(finding)}"
    text = f"{place}: {_what(finding, model)}" if place else _what(finding, model)
    more = len({tuple(each["loc"][:2]) for each in findings}) - 1
    return " ".join(text.split()) + (f" (and {more} more)" if more > 0 else "")


def _rank(finding: Any) -> int:
    """An unknown name first: the missing one beside it is often what it should have been.

    Where a word or a mapping may stand and there is a mapping, what is wrong inside it comes before "not that word".
    """
    if finding["type"] in ("extra_forbidden", "invalid_key"):
        return 0
    return 2 if finding["type"] == "literal_error" and isinstance(finding["input"], dict) else 1


def _what(finding: Any, model: type[BaseModel] | None) -> str:
    kind, value, context = finding["type"], finding["input"], finding.get("ctx", {})
    name = str(finding["loc"][-1]) if finding["loc"] else ""
    hidden = model is not None and name in model.model_fields and name not in _settings(model)
    if kind == "extra_forbidden" or hidden:
        known = _settings(model)
        return "no such setting" + (nearest(name, known) or f"; expected one of {', '.join(known)}")
    match kind:
        case "invalid_key":
            return f"{_show(value)}: no such setting; expected one of {', '.join(_settings(model))}"
        case "missing":
            return "is missing" + _hint(model, name)
        case "literal_error":
            return f"{_show(value)} is not {context['expected']}" + _near_word(value, context["expected"])
        case "union_tag_invalid":
            expected, tag = str(context["expected_tags"]), str(context["tag"])
            return f"{tag!r} is not one of {expected}" + _near_word(tag, expected)
        case "union_tag_not_found":
            return f"{_show(value)} has no `{_label(finding)}:`"
        case "value_error" if isinstance(value, dict | BaseModel):
            return f"expected {context['error']}"
        case "value_error":
            return f"{_show(value)} is not {context['error']}"
        case "string_type" if "[key]" in finding["loc"]:
            return f"the name {_show(value)} is not text"
        case _:
            return f"{_show(value)} is not {_wanted(finding)}" + _unquoted(value, kind)


def _label(finding: Any) -> str:
    """What tells the members of a union apart: `shape`, `kind`, `distribution`."""
    return str(finding["ctx"]["discriminator"]).strip("'")


def _settings(model: type[BaseModel] | None) -> list[str]:
    """What a user may write beside each other."""
    return [name for name, field in model.model_fields.items() if not _hidden(field)] if model else []


def _hidden(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("hidden"))


_FORMS: Final[dict[Any, str]] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    Micros: DURATION_FORM,
    Bytes: MEMORY_FORM,
}


def _hint(model: type[BaseModel] | None, name: str) -> str:
    """What should have stood there, where that can be said in a few words."""
    field = model.model_fields.get(name) if model else None
    form = _FORMS.get(field.annotation) if field else None
    return f"; expected {form}" if form else ""


_WANTED: Final[dict[str, str]] = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a mapping of settings",
    "model_attributes_type": "a mapping of settings",
    "dict_type": "a mapping of settings",
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:.12g}",
    "too_short": "a list of at least {min_length}",
}


def _wanted(finding: Any) -> str:
    """What pydantic wants, in words of everyday."""
    words = _WANTED.get(finding["type"])
    if words is not None:
        return words.format_map(finding.get("ctx", {}))
    return str(finding["msg"]).removeprefix("Input should be ").removeprefix("Value should have ")


def _unquoted(value: object, kind: str) -> str:
    """A number in quotes is text to YAML, and few know."""
    if isinstance(value, str) and kind in ("int_type", "float_type"):
        try:
            float(value)
        except ValueError:
            return ""
        return "; write it without quotes"
    return ""


def _near_word(value: object, expected: str) -> str:
    return nearest(str(value), [word.strip(" '") for word in expected.replace(" or ", ",").split(",")])


def _show(value: object) -> str:
    """The value as YAML has it, near enough; long ones are cut."""
    match value:
        case dict() | BaseModel():
            return "a mapping"
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case float() if not math.isfinite(value):
            return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
        case date():
            return str(value)
        case _:
            text = shown_value(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _walk(root: Any, steps: tuple[int | str, ...]) -> tuple[str, type[BaseModel] | None]:
    """The path as the user wrote it, and the model whose settings stand beside the last step."""
    path, kind = "", root
    model: type[BaseModel] | None = root
    for step in steps:
        kind = _bare(kind)
        if get_origin(kind) is dict:
            path += f".{step}"
            kind = get_args(kind)[1]
        elif isinstance(step, int):
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
