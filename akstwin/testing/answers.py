"""Answers to requests: what they say, and in a few words."""

import json
from typing import Any

from akstwin.backend import ScoreResponse
from akstwin.testing.promise import holds
from akstwin.testing.words import seconds


def body(answer: ScoreResponse) -> Any:
    """What the body says: of JSON, else as text."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return answer.body.decode(errors="replace")


def outcome(answer: ScoreResponse) -> tuple[int, Any, str | None]:
    """Status, what the body says, and the reason."""
    return answer.status, body(answer), None if answer.reason is None else str(answer.reason)


def shown(answer: ScoreResponse) -> str:
    """An answer in a few words."""
    return f"{answer.status} after {seconds(answer.latency)}, {str(body(answer))[:120]}"


def says(call: str, answer: ScoreResponse, word: str) -> None:
    """The script of that word has answered."""
    seen = body(answer)
    good = answer.status == 200 and isinstance(seen, dict) and seen.get("word") == word
    holds(good, call, shown(answer), f"200 from the script {word!r}")
