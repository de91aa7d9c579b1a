"""Replies that look at what is asked: an echo, a fixed answer, and the first of several rules that matches."""

import json
from typing import Any, Final

from jsonpointer import JsonPointer

from akstwin.domain.identity import Identities, client_id, drawn
from akstwin.domain.patterns import Pattern, Search, TooMuchWork
from akstwin.domain.replying import Echo, Fixed, Match, Rule, Rules, Simple
from akstwin.worker.inside.http import AMLRequest, AMLResponse
from akstwin.worker.inside.script import Function
from akstwin.worker.replies import Constant, LocalReplies, constant, of_callable
from akstwin.worker.spec import MEGABYTE

UNMATCHED: Final = "No rule of the reply matches the request, and there is no $otherwise."
"""What the answer says, and the log."""
_NOTHING: Final = object()
"""What is at a place that is not there, and in a body that is no JSON."""


class RuleReply(LocalReplies):
    """Answers by what is asked.

    Where no rule matches and nothing is told for the rest, the run has failed, as if `run()` had raised: 500 here, so that the
    router answers 502 (R12), with a body that says why.

    Args:
        reply: what answers.
        seed: of the draws of rules with a share.
        place: where they are drawn: the same seed and place draw the same.
        service_name: of the service; stands in its API description.
        log_bytes: how much of the log is kept.

    Raises:
        InvalidSetting: a value that JSON can't say, or a function that is not a plain one.
    """

    def __init__(
        self,
        reply: Simple | Rules,
        *,
        seed: int = 0,
        place: str = "",
        service_name: str = "ML service",
        log_bytes: int = MEGABYTE,
    ) -> None:
        function = _Choice(reply, f"{seed}\0{place}") if isinstance(reply, Rules) else _function(reply)
        super().__init__(function, service_name, log_bytes)


def _function(reply: Simple) -> Function:
    match reply:
        case Echo():
            return _OfRequest(_echo)
        case Fixed():
            return Constant(_fixed(reply))
        case _:
            given = reply.value
            return of_callable(given, reply.place) if callable(given) else constant(given, reply.place)


class _OfRequest(Function):
    """A function of the whole request, whatever its body is."""

    def __init__(self, function: Any) -> None:
        super().__init__(function, reads=False)

    def arguments(self, request: AMLRequest, raw: Any) -> dict[str, Any]:
        """The request, if its method is one that scores."""
        return {**super().arguments(request, raw), "body": request}


def _echo(request: AMLRequest) -> AMLResponse:
    content_type = request.content_type
    response = AMLResponse(request.get_data(), 200)
    if content_type is not None:
        response.headers["Content-Type"] = content_type
    return response


def _fixed(fixed: Fixed) -> Any:
    content = fixed.content

    def answer(_: str) -> AMLResponse:
        response = AMLResponse(None if fixed.is_json else content, fixed.status)
        response.set_data(content)
        for name, value in fixed.headers.items():  # as they are: `AMLResponse` cuts them at commas
            response.headers[name] = value
        return response

    return answer


class _Failed(Function):
    """The run has failed, as if `run()` had raised; the answer says why."""

    def __init__(self, why: str) -> None:
        def answer(_: str) -> AMLResponse:
            return AMLResponse({"message": f"No rule of the reply answers: {why}."}, 500, json_str=True)

        super().__init__(answer, reads=False)


def _unmatched(_: str) -> AMLResponse:
    return AMLResponse({"message": UNMATCHED}, 500, json_str=True)


class _Choice(Function):
    """The function of the first rule that matches. It reads the body as that one does: what is wrong with it is a 400."""

    def __init__(self, reply: Rules, place: str) -> None:
        super().__init__(_unmatched, reads=False)
        self._rules = [_Fitted(rule, f"{place}\0{at}") for at, rule in enumerate(reply.rules)]
        self._otherwise = Function(_unmatched, reads=False) if reply.otherwise is None else _function(reply.otherwise)

    def arguments(self, request: AMLRequest, raw: Any) -> dict[str, Any]:
        """Which function, and what it is called with."""
        super().arguments(request, raw)
        asked = _Asked(request)
        try:
            chosen = next((rule.function for rule in self._rules if rule.fits(asked)), self._otherwise)
        except TooMuchWork as error:
            chosen = _Failed(str(error))
        return {"chosen": chosen, "given": chosen.arguments(request, raw)}

    def score(self, arguments: dict[str, Any], request_id: str, limit_ms: int) -> Any:
        """Call it."""
        chosen: Function = arguments["chosen"]
        return chosen.score(arguments["given"], request_id, limit_ms)


class _Asked:
    """A request as rules look at it. What several of them need is read once."""

    def __init__(self, request: AMLRequest) -> None:
        self.request = request
        self.text = request.get_data().decode(errors="replace")
        self.search = Search(self.text)
        try:
            self.document: Any = json.loads(request.get_data())
        except (ValueError, RecursionError):
            self.document = _NOTHING


class _Fitted:
    """A rule, made ready."""

    def __init__(self, rule: Rule, place: str) -> None:
        self.function = _function(rule.reply)
        self._match: Match = rule.match
        self._pointers = [(JsonPointer(pointer), value) for pointer, value in rule.match.pointer.items()]
        self._regex = None if rule.match.regex is None else Pattern(rule.match.regex)
        self._place = place
        self._identities = Identities()

    def fits(self, asked: _Asked) -> bool:
        """Whether the request is one that the rule is for."""
        return self._fits_body(asked) and self._fits_head(asked.request) and self._is_drawn(asked.request)

    def _fits_body(self, asked: _Asked) -> bool:
        match = self._match
        if match.text is not None and match.text not in asked.text:
            return False
        if self._regex is not None and not asked.search.finds(self._regex):
            return False
        if (match.asks_body or self._pointers) and asked.document is _NOTHING:
            return False
        return (not match.asks_body or contains(asked.document, match.body)) and all(
            same(pointer.resolve(asked.document, _NOTHING), value) for pointer, value in self._pointers
        )

    def _fits_head(self, request: AMLRequest) -> bool:
        for found, wanted in ((request.headers, self._match.headers), (request.args, self._match.query)):
            for name, value in wanted.items():
                values = found.getlist(name)
                if values if value is None else value not in values:
                    return False
        return True

    def _is_drawn(self, request: AMLRequest) -> bool:
        """Whoever is asked so is counted, so it comes last: what other rules answer moves no draw."""
        if self._match.share >= 1:
            return True
        identity = self._identities.next("", client_id(request.headers))
        return drawn(self._match.share, "reply", self._place, identity)


def same(found: Any, wanted: Any) -> bool:
    """Whether two values are the same to JSON: numbers by their size, truth values like nothing else."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    match found, wanted:
        case dict(), dict():
            return found.keys() == wanted.keys() and all(same(found[name], value) for name, value in wanted.items())
        case list(), list():
            return len(found) == len(wanted) and all(map(same, found, wanted))
        case _:
            return bool(found == wanted)


def contains(found: Any, wanted: Any) -> bool:
    """Whether a document has all of another in it: of a mapping the names that are wanted, of a list each element."""
    match found, wanted:
        case dict(), dict():
            return all(name in found and contains(found[name], value) for name, value in wanted.items())
        case list(), list():
            return len(found) == len(wanted) and all(map(contains, found, wanted))
        case _:
            return same(found, wanted)
