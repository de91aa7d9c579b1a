"""The commands `run`, `plan` and `schema`. They import the simulator only when they are called."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from akstwin.errors import AksError, InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Callable

    from akstwin.scenarios.load import Prepared
    from akstwin.scenarios.tried import Direction

_FILE = click.Path(path_type=Path)


def _common(command: "Callable[..., None]") -> "Callable[..., None]":
    """What `run` and `plan` share."""
    for option in (
        click.option(
            "--engine",
            default="auto",
            metavar="NAME",
            help="auto (default): compiled where it can, with the same result; compiled; reference.",
        ),
        click.option("--gate", is_flag=True, help="Exit with 1 if an objective is not met."),
        click.option(
            "--json", "json_file", type=_FILE, metavar="FILE", help="Write the result here; - is standard output."
        ),
        click.option(
            "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Change a setting, as often as you like."
        ),
        click.option("--replications", type=click.IntRange(min=1), metavar="N", help="Other than the file's."),
        click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Another seed than the file's."),
        click.argument("scenario", type=_FILE, metavar="SCENARIO.yaml"),
    ):
        command = option(command)
    return command


@click.command()
@_common
@click.option("--report", type=_FILE, metavar="F.html", help="Write an HTML report.")
@click.option("--trace", type=_FILE, metavar="F.parquet", help="Write every request and event.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes at most; the result does not depend on it."
)
def run(
    scenario: Path,
    seed: int | None,
    replications: int | None,
    engine: str,
    changes: tuple[str, ...],
    json_file: Path | None,
    report: Path | None,
    trace: Path | None,
    gate: bool,
    jobs: int | None,
) -> None:
    """Answer a scenario's question on the simulator."""
    from akstwin.scenarios import outputs  # noqa: PLC0415
    from akstwin.scenarios.answer import all_met  # noqa: PLC0415
    from akstwin.scenarios.engines import check_asked, choose  # noqa: PLC0415
    from akstwin.scenarios.load import BadScenario, load  # noqa: PLC0415

    check_asked(engine)
    outputs.check_targets({"--json": json_file, "--report": report, "--trace": trace}, scenario)
    prepared = load(scenario, changes, seed=seed, replications=replications)
    if gate and not prepared.any_objective:
        raise BadScenario(
            str(scenario), "objectives: is missing; expected at least one, as --gate has nothing to judge"
        )
    why = choose(prepared, engine).why
    if why:
        click.echo(f"engine: reference: {why}", err=True)
    result = _with_trace(prepared, trace, jobs, engine)
    if json_file is not None:
        outputs.write_json(result, json_file)
    if report is not None:
        from akstwin.scenarios.asked import asked_of  # noqa: PLC0415
        from akstwin.scenarios.load import document_of  # noqa: PLC0415
        from akstwin.scenarios.report import write_report  # noqa: PLC0415

        write_report(result, report, asked_of(prepared, document_of(scenario, changes)))
    if not any(map(outputs.is_standard_output, (json_file, report, trace))):
        _show(result, report, trace)
    if gate and not all_met(result):
        raise click.exceptions.Exit(1)


@click.command()
@_common
@click.option(
    "--over",
    "overs",
    multiple=True,
    required=True,
    metavar="PATH=LOW..HIGH|A,B,C",
    help="The setting to find, and where to look: numbers or a list of words. Given twice, a grid of both.",
)
@click.option(
    "--prefer",
    type=click.Choice(["low", "high", "cheapest"]),
    help="Which value is sought: the smallest (default of numbers), the largest, or the cheapest (default of lists and grids).",
)
@click.option(
    "--max-replications",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of a value at most, where fewer cannot tell; four times the first look's unless given.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes at most; the answer does not depend on it."
)
def plan(
    scenario: Path,
    overs: tuple[str, ...],
    prefer: "Direction | None",
    max_replications: int | None,
    jobs: int | None,
    seed: int | None,
    replications: int | None,
    engine: str,
    changes: tuple[str, ...],
    json_file: Path | None,
    gate: bool,
) -> None:
    """Find the smallest, largest or cheapest value of a setting that meets all objectives.

    Each value is run ten times at first (or as often as --replications or the scenario says), then more often, until it is met,
    not met, or --max-replications is reached and it cannot be told. With --replications alone it is run just so often.
    """
    from akstwin.scenarios import outputs  # noqa: PLC0415
    from akstwin.scenarios.engines import check_asked  # noqa: PLC0415
    from akstwin.scenarios.load import document_of  # noqa: PLC0415
    from akstwin.scenarios.plan import Stopping, parse_over, stopping_of  # noqa: PLC0415
    from akstwin.scenarios.plan import plan as search  # noqa: PLC0415
    from akstwin.scenarios.progress import plan_watcher  # noqa: PLC0415

    outputs.check_targets({"--json": json_file}, scenario)
    check_asked(engine)
    document = document_of(scenario, changes, seed=seed, replications=replications)
    sought = [parse_over(over) for over in overs]
    stopping = stopping_of(document) if replications is None else Stopping(replications, replications)
    if max_replications is not None:
        if max_replications < stopping.first:
            raise InvalidSetting(
                "--max-replications", max_replications, f"at least the {stopping.first} replications of the first look"
            )
        stopping = Stopping(stopping.first, max_replications)
    with plan_watcher() as watcher:
        found = search(
            document, scenario, sought, prefer=prefer, stopping=stopping, jobs=jobs, watcher=watcher, engine=engine
        )
    if json_file is not None:
        outputs.write_json(found, json_file)
    if not outputs.is_standard_output(json_file):
        from akstwin.scenarios.plan_table import render_plan  # noqa: PLC0415

        render_plan(found, _console())
    if gate and found["value"] is None:
        raise click.exceptions.Exit(1)


@click.command()
def schema() -> None:
    """Print the JSON Schema of the scenario file."""
    from akstwin.scenarios.schema import scenario_schema  # noqa: PLC0415

    sys.stdout.write(json.dumps(scenario_schema(), indent=1, ensure_ascii=False) + "\n")


def _with_trace(prepared: "Prepared", trace: Path | None, jobs: int | None, engine: str) -> dict[str, Any]:
    """Run it, with a trace if one was asked for: the file appears when all is well."""
    from akstwin.scenarios.run import run as run_scenario  # noqa: PLC0415

    from akstwin.scenarios.progress import bar  # noqa: PLC0415 # isort: skip

    def simulate(**given: Any) -> dict[str, Any]:
        try:
            return run_scenario(prepared, progress=progress, engine=engine, **given)
        except AksError as error:
            from akstwin.scenarios.load import BadScenario  # noqa: PLC0415

            raise BadScenario(prepared.source, str(error)) from error

    with bar(prepared.name) as progress:
        if trace is None:
            return simulate(jobs=jobs)
        from akstwin.scenarios.outputs import write_whole  # noqa: PLC0415
        from akstwin.scenarios.trace import TraceWriter  # noqa: PLC0415
        from akstwin.scenarios.users import waiting_entries  # noqa: PLC0415

        results: list[dict[str, Any]] = []

        def write(stream: BinaryIO) -> None:
            writer = TraceWriter(stream, waiting_entries(prepared))
            try:
                results.append(simulate(recorder=writer.recorder))
                writer.close()
            except BaseException:
                writer.abandon()
                raise

        write_whole(trace, write, "--trace")
        return results[0]


def _show(result: dict[str, Any], report: Path | None, trace: Path | None) -> None:
    from akstwin.scenarios.tables import render  # noqa: PLC0415

    console = _console()
    render(result, console)
    for label, path in (("report", report), ("trace", trace)):
        if path is not None:
            console.print(f"{label}: {path}", soft_wrap=True, highlight=False, markup=False)


def _console() -> Any:
    from akstwin.scenarios.terminal import Terminal  # noqa: PLC0415

    return Terminal()
