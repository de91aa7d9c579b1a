"""What answers instead of an entry script, as a document: an echo, a fixed answer, or rules by what is asked.

A reply is one of

- a value: anything JSON can say, bytes, or in this process a function; answered as `run()`'s own,
- `{"$echo": true}`: the request's body and content type come back,
- `{"$fixed": {"status": 200, "headers": {}, "body": …}}`, or `text`, or `body_base64` in place of `body`,
- `{"$match": [{"match": {…}, "reply": …}, …], "$otherwise": …}`: the first rule that matches answers.

A mapping with a name that begins with `$` is such a document, never a value; `{"$fixed": {"body": …}}` says any value.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from jsonpointer import JsonPointer, JsonPointerException
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from akstwin.domain import mistakes
from akstwin.domain.nesting import check_nesting
from akstwin.domain.patterns import Pattern
from akstwin.domain.spec import Spec
from akstwin.domain.words import nearest
from akstwin.errors import InvalidSetting

_MOST_RULES: Final = 1000
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SERVERS_OWN: Final = frozenset({
    "connection", "content-length", "date", "keep-alive", "server", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that frame an answer, or that the inference server writes itself."""


def _json(value: Any) -> Any:
    """A copy of the value, as it is on the wire."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"JSON: {error}") from None


def _pointer(value: str) -> str:
    try:
        JsonPointer(value)
    except JsonPointerException:
        raise ValueError('a JSON pointer, such as "/data/0/amount"') from None
    return value


def _pattern(value: str) -> str:
    Pattern(value)
    return value


def _header(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("the name of a header")
    if name.lower() in _SERVERS_OWN:
        raise ValueError("a header of the answer's own: the server writes it")
    return name


def _line(value: str) -> str:
    if any(not (sign == "\t" or " " <= sign <= "~" or "\xa0" <= sign <= "\xff") for sign in value):
        raise ValueError("one line of Latin-1 text")
    return value


def _base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("base64") from None
    return value


_Json = Annotated[Any, BeforeValidator(_json)]


class Match(Spec):
    """Which requests a rule is for. All that is given must hold; `{}` is for every request.

    Attributes:
        body: JSON that the body contains: of a mapping the names that are given, of a list each element, else the same.
        pointer: values at places in the body, by JSON pointer (RFC 6901), each the same as given.
        text: stands somewhere in the body.
        regex: a regular expression, in RE2's syntax, that is found somewhere in the body (`akstwin.domain.patterns`).
        headers: values by name, whatever the case of the names; null: there is no such header.
        query: values of the query by name; null: there is no such name.
        share: of the requests for which all else holds, drawn by the seed and the request's identity: what its client
            calls it (`x-ms-client-request-id`) and the attempt, else its number.
    """

    body: _Json = None
    pointer: dict[Annotated[str, AfterValidator(_pointer)], _Json] = {}
    text: str | None = None
    regex: Annotated[str, AfterValidator(_pattern)] | None = None
    headers: dict[str, str | None] = {}
    query: dict[str, str | None] = {}
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def asks_body(self) -> bool:
        """Whether the body as a whole is looked at; null is JSON, too."""
        return "body" in self.model_fields_set


class Fixed(Spec):
    """An answer as `run()` would return it with `AMLResponse`.

    Attributes:
        status: of the answer; from 500 on it is a failed run, of which the router makes a 502 (R12).
        headers: more of them. `Content-Type` is that of `AMLResponse` unless it is given.
        body: anything JSON can say.
        text: in place of it.
        body_base64: bytes, in place of both.
    """

    status: Annotated[int, Field(ge=200, le=599)] = 200
    headers: dict[Annotated[str, AfterValidator(_header)], Annotated[str, AfterValidator(_line)]] = {}
    body: _Json = None
    text: str | None = None
    body_base64: Annotated[str, AfterValidator(_base64)] | None = None

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if len(self.model_fields_set & {"body", "text", "body_base64"}) > 1:
            raise ValueError("one of body, text and body_base64")
        return self

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return "body" in self.model_fields_set

    @property
    def content(self) -> bytes:
        """The body, bytes."""
        if self.is_json:
            return json.dumps(self.body).encode()
        return (self.text or "").encode() if self.body_base64 is None else base64.b64decode(self.body_base64)


@dataclass(frozen=True, slots=True)
class Echo:
    """The request's body and content type."""


@dataclass(frozen=True, slots=True)
class Value:
    """What `run()` returns.

    Attributes:
        value: JSON, bytes, or a function of the body.
        place: where it stands, for errors.
    """

    value: Any
    place: str


@dataclass(frozen=True, slots=True)
class Script:
    """The entry script again, as if no reply had been told."""


Simple = Echo | Fixed | Value


@dataclass(frozen=True, slots=True)
class Rule:
    """One of several.

    Attributes:
        match: which requests it is for.
        reply: what they get.
    """

    match: Match
    reply: Simple


@dataclass(frozen=True, slots=True)
class Rules:
    """The first that matches answers.

    Attributes:
        rules: in their order.
        otherwise: what answers if none matches; None: the run fails.
    """

    rules: tuple[Rule, ...]
    otherwise: Simple | None


class _Rule(Spec):
    match: Match
    reply: Any


def read_reply(given: Any, place: str = "reply") -> Simple | Rules | Script:
    """A reply as somebody wrote it.

    Args:
        given: the document, or the value.
        place: where it stands, for errors.

    Raises:
        AksError: something that is refused, with its place.
    """
    check_nesting(place, given)
    if not _is_document(given):
        return Value(given, place)
    _check_names(given, place, ("$script", "$echo", "$fixed", "$match", "$otherwise"))
    if "$script" in given:
        _only_true(given["$script"], f"{place}.$script")
        return Script()
    if "$match" not in given:
        return _simple(given, place)
    if isinstance(given["$match"], list) and len(given["$match"]) > _MOST_RULES:
        raise InvalidSetting(f"{place}.$match", f"{len(given['$match'])} rules", f"at most {_MOST_RULES} rules")
    rules = mistakes.read_at(f"{place}.$match", list[_Rule], given["$match"])
    read = tuple(Rule(rule.match, _simple(rule.reply, f"{place}.$match[{at}].reply")) for at, rule in enumerate(rules))
    otherwise = _simple(given["$otherwise"], f"{place}.$otherwise") if "$otherwise" in given else None
    return Rules(read, otherwise)


def _simple(given: Any, place: str) -> Simple:
    """A reply without rules of its own."""
    if not _is_document(given):
        return Value(given, place)
    _check_names(given, place, ("$echo", "$fixed"))
    if "$echo" in given:
        _only_true(given["$echo"], f"{place}.$echo")
        return Echo()
    fixed: Fixed = mistakes.read_at(f"{place}.$fixed", Fixed, given["$fixed"])
    return fixed


def _is_document(given: Any) -> bool:
    return isinstance(given, Mapping) and any(isinstance(name, str) and name.startswith("$") for name in given)


def _check_names(given: Mapping[Any, Any], place: str, known: tuple[str, ...]) -> None:
    listed = ", ".join(known)
    for name in given:
        if name not in known:
            hint = nearest(str(name), known) or f"; {listed}; a value whose names begin with $ is said by $fixed.body"
            raise InvalidSetting(place, name, f"a name that a reply here may have{hint}")
    leading = [name for name in given if name != "$otherwise"]
    if len(leading) != 1 or ("$otherwise" in given and leading != ["$match"]):
        expected = f"one of {listed}" if "$match" not in known else f"one of {listed}; $otherwise beside $match"
        raise InvalidSetting(place, ", ".join(given), expected)


def _only_true(value: Any, place: str) -> None:
    if value is not True:
        raise InvalidSetting(place, value, "true")
