"""The command `compare`. It imports the simulator and the client only when it is called."""

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from akstwin.scenarios.load import Prepared

_FILE = click.Path(path_type=Path)


class _Number(click.FloatRange):
    """A number in a range; what is no number compares with nothing, and so is not in it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click does."""
        number: float = super().convert(value, param, ctx)
        if isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


@click.command()
@click.argument("scenario", type=_FILE, metavar="SCENARIO.yaml")
@click.option(
    "--against", "url", required=True, metavar="URL", help="Of `akstwin serve`, such as http://127.0.0.1:8899."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Another seed than the file's.")
@click.option("--duration", metavar="D", help="Another duration than the file's, such as 30s.")
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How often, with other chance each time.",
)
@click.option("--set", "changes", multiple=True, metavar="PATH=VALUE", help="Change a setting, as often as you like.")
@click.option("--overwrite", is_flag=True, help="Replace a service of the same name and other settings.")
@click.option("--gate", is_flag=True, help="Exit with 1 if one of the following does not hold in every run.")
@click.option(
    "--same-status",
    type=_Number(0, 1),
    default=0.98,
    show_default=True,
    metavar="SHARE",
    help="Least share of paired requests with the same status.",
)
@click.option(
    "--refused-within",
    type=_Number(min=0),
    default=2.0,
    show_default=True,
    metavar="POINTS",
    help="Most by which the shares of 503 may differ.",
)
@click.option(
    "--latency-within",
    type=_Number(min=0),
    metavar="SHARE",
    help="Most by which the medians of p50 and p95 may be off; not asked for unless given.",
)
@click.option("--json", "json_file", type=_FILE, metavar="FILE", help="Write the result here; - is standard output.")
def compare(
    scenario: Path,
    url: str,
    seed: int | None,
    duration: str | None,
    runs: int,
    changes: tuple[str, ...],
    overwrite: bool,
    gate: bool,
    same_status: float,
    refused_within: float,
    latency_within: float | None,
    json_file: Path | None,
) -> None:
    """Replay a scenario on a server, and compare with the simulator."""
    from akstwin.scenarios import outputs  # noqa: PLC0415
    from akstwin.scenarios.compare import Gates  # noqa: PLC0415
    from akstwin.scenarios.load import load  # noqa: PLC0415

    outputs.check_targets({"--json": json_file}, scenario)
    told = changes if duration is None else (*changes, f"duration={duration}")
    prepared = load(scenario, told, seed=seed)
    gates = Gates(same_status, refused_within, latency_within)
    found = _compared(prepared, url, runs=runs, overwrite=overwrite, gates=gates)
    if json_file is not None:
        outputs.write_json(found, json_file)
    if str(json_file) != outputs.STANDARD_OUTPUT:
        from rich.console import Console  # noqa: PLC0415

        from akstwin.scenarios.compare_table import render_comparison  # noqa: PLC0415

        render_comparison(found, Console())
    if gate and not found["met"]:
        raise click.exceptions.Exit(1)


def _compared(prepared: "Prepared", url: str, **given: Any) -> dict[str, Any]:
    """Compare; what the scenario is refused for names its file."""
    from akstwin.errors import InvalidSetting  # noqa: PLC0415
    from akstwin.scenarios.compare import check  # noqa: PLC0415
    from akstwin.scenarios.compare import compare as run  # noqa: PLC0415
    from akstwin.scenarios.load import BadScenario  # noqa: PLC0415
    from akstwin.scenarios.progress import bar  # noqa: PLC0415

    try:
        check(prepared)
    except InvalidSetting as error:
        raise BadScenario(prepared.source, str(error)) from error
    with bar(prepared.name) as progress:
        return run(prepared, url, progress=progress, **given)
