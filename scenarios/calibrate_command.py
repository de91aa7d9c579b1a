"""The command `calibrate`. It imports numbers and statistics only when it is called."""

import sys
from pathlib import Path
from typing import Any

import click

from akstwin.errors import InvalidSetting

_FILE = click.Path(path_type=Path)
_UNIT = click.Choice(["ns", "us", "ms", "s"])


@click.command()
@click.argument("log", type=_FILE, metavar="LOG")
@click.option("--json", "json_file", type=_FILE, metavar="FILE", help="Write all figures here; - is standard output.")
@click.option(
    "--times", "times_file", type=_FILE, metavar="FILE.csv", help="Write the service times here if no family fits."
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1, max=100_000),
    metavar="N",
    help="Requests that were served at once (replicas times their workers): takes the time in the queue out.",
)
@click.option(
    "--overhead",
    metavar="D",
    help="What each duration holds beside queue and model, such as 3ms; the twin adds its own.",
)
@click.option("--column", metavar="HEADING", help="Of the times, where they are not found.")
@click.option("--unit", type=_UNIT, help="Of plain numbers in that column.")
@click.option("--zone", metavar="ZONE", help="Of times that do not say it, such as Europe/Berlin; else UTC.")
@click.option("--duration", metavar="HEADING", help="Of the durations, where they are not found.")
@click.option("--duration-unit", type=_UNIT, help="Of plain numbers in that column.")
@click.option(
    "--only",
    "only",
    multiple=True,
    metavar="HEADING=TEXT",
    help="Only rows with this in a column; * stands for anything.",
)
@click.option(
    "--repeats",
    type=click.Choice(["keep", "leave_out"]),
    help="What to do with rows that have the id of an earlier one.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, metavar="N", help="Of the resampling behind the intervals."
)
def calibrate(
    log: Path,
    json_file: Path | None,
    times_file: Path | None,
    concurrency: int | None,
    overhead: str | None,
    column: str | None,
    unit: Any,
    zone: str | None,
    duration: str | None,
    duration_unit: Any,
    only: tuple[str, ...],
    repeats: Any,
    seed: int,
) -> None:
    """Print the model: and traffic: blocks that a log of requests gives."""
    from akstwin.domain.units import read_duration  # noqa: PLC0415
    from akstwin.scenarios import outputs  # noqa: PLC0415
    from akstwin.scenarios.calibrate import calibrate as run  # noqa: PLC0415
    from akstwin.scenarios.calibrate_text import as_yaml  # noqa: PLC0415
    from akstwin.scenarios.logs.records import Reading  # noqa: PLC0415

    outputs.check_targets({"--json": json_file, "--times": times_file}, log)
    chosen = dict(map(_pair, only))
    reading = Reading("", column, unit, zone, chosen, repeats, duration, duration_unit, timed=True)
    taken = 0 if overhead is None else read_duration("--overhead", overhead)
    found = run(log, reading, concurrency=concurrency, overhead=taken, times_file=times_file, seed=seed)
    if json_file is not None:
        outputs.write_json(found, json_file)
    if str(json_file) != outputs.STANDARD_OUTPUT:
        sys.stdout.write(as_yaml(found))


def _pair(text: str) -> tuple[str, str]:
    heading, equals, value = text.partition("=")
    if not equals or not heading:
        raise InvalidSetting("--only", text, "HEADING=TEXT, such as request=POST*")
    return heading, value
