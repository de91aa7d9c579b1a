"""What `akstwin calibrate` prints: YAML that a scenario takes as it stands, with everything else said in its comments."""

import io
import textwrap
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML

from akstwin.scenarios.wording import one_line, span

_WIDTH = 110


def as_yaml(found: dict[str, Any]) -> str:
    """The blocks `model:` and `traffic:`, and how they came about.

    Args:
        found: by `calibrate`.
    """
    lines = [f"# {line}" for line in _comments(found)]
    for name in ("model", "traffic"):
        if found[name] is not None:
            lines += ["", *_block({name: found[name]})]
    return "\n".join(lines) + "\n"


def _comments(found: dict[str, Any]) -> Iterator[str]:
    mean = found["requests"] / found["seconds"] if found["seconds"] else 0.0
    rate, about = found["rate"], found["service_time"]
    yield from _wrapped(
        f"{found['log']}: {found['requests']:,} requests in {span(found['seconds'])} ({mean:.4g}/s on average, "
        f"{rate['largest']:.4g}/s in the busiest of {rate['steps']} steps). duration: {int(found['seconds']) + 1}s covers them."
    )
    if about is not None:
        low, high = about["intervals"]["mean_ms"]
        least, most = about["intervals"]["cv"]
        yield from _wrapped(
            f"service_time: mean {about['mean_ms']:g} ms ({low:g} to {high:g}), cv {about['cv']:g} ({least:g} to {most:g}) at "
            f"95 %, from {about['rows']:,} requests answered 200."
        )
        if about["tried"]:
            tried = ", ".join(f"{each['distribution']} {each['distance']:g}" for each in about["tried"])
            yield from _wrapped(
                f"distribution: {about['distribution']}; by BIC, the best first, with the largest difference from the rows: "
                f"{tried} (taken up to {about['limit']:g})."
            )
    if found["queue"] is not None:
        yield from _wrapped(_queue(found["queue"]))
    for note in found["notes"]:
        yield from _wrapped(note)


def _queue(queue: dict[str, Any]) -> str:
    said = f"queue: durations are {queue['duration_mean_ms']:g} ms on average"
    if queue["mean_ms"] is not None:
        said += f", of which {queue['mean_ms']:g} ms is no service time"
    return f"{said}. {queue['said']}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(one_line(text), _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _block(content: dict[str, Any]) -> list[str]:
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = 10_000
    stream = io.StringIO()
    yaml.dump(content, stream)
    return stream.getvalue().rstrip("\n").split("\n")
