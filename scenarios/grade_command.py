"""`akstwin grade`: a policy's error rates."""

from pathlib import Path

import click

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("scenario", type=_FILE, metavar="SCENARIO.yaml")
@click.option("--budget", default="2m", show_default=True, metavar="TIME", help="How long it may take: 30s, 2m, 1h.")
@click.option("--replications", type=click.IntRange(min=1), metavar="N", help="Worlds of each kind at most.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Another seed than the file's.")
@click.option("--set", "changes", multiple=True, metavar="PATH=VALUE", help="Change a setting, as often as you like.")
@click.option("--json", "json_file", type=_FILE, metavar="FILE", help="Write the grading here; - is standard output.")
@click.option("--report", type=_FILE, metavar="F.html", help="Write the operating characteristic as a plot.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes at most; a world does not depend on it."
)
def grade(
    scenario: Path,
    budget: str,
    replications: int | None,
    seed: int | None,
    changes: tuple[str, ...],
    json_file: Path | None,
    report: Path | None,
    jobs: int | None,
) -> None:
    """Tell how often a rollout promotes what is worse, and rolls back what is as good.

    The scenario's version gets its control's model, and is made worse in several ways and by several sizes. The policy is run in
    these worlds beside four references: never, always, step analysis, failed checks. Each kind of world is run at least once,
    whatever the budget.
    """
    from akstwin.clock import SECOND  # noqa: PLC0415
    from akstwin.domain.units import read_duration  # noqa: PLC0415
    from akstwin.scenarios import outputs  # noqa: PLC0415
    from akstwin.scenarios.grade import grade as graded  # noqa: PLC0415
    from akstwin.scenarios.load import load  # noqa: PLC0415
    from akstwin.scenarios.progress import bar  # noqa: PLC0415

    outputs.check_targets({"--json": json_file, "--report": report}, scenario)
    seconds = read_duration("--budget", budget) / SECOND
    prepared = load(scenario, changes, seed=seed)
    with bar("grading") as progress:
        found = graded(prepared, budget=seconds, replications=replications, jobs=jobs, progress=progress)
    if json_file is not None:
        outputs.write_json(found, json_file)
    if report is not None:
        from akstwin.scenarios.grade_plot import write_plot  # noqa: PLC0415

        write_plot(found, report)
    if not any(map(outputs.is_standard_output, (json_file, report))):
        from akstwin.scenarios.grade_table import render_grading  # noqa: PLC0415
        from akstwin.scenarios.terminal import Terminal  # noqa: PLC0415

        console = Terminal()
        render_grading(found, console)
        if report is not None:
            console.print(f"report: {report}", soft_wrap=True, highlight=False, markup=False)
