"""The command `explain`. It imports the simulator only when it is called."""

from pathlib import Path

import click

from akstwin.errors import InvalidSetting

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=_FILE, metavar="RESULT|TRACE")
@click.option(
    "--request", metavar="[ENTRY:]N", help="The request's number in its traffic entry (entry 0 unless given), from 0."
)
@click.option(
    "--first", "status", type=click.IntRange(100, 599), metavar="STATUS", help="The first that was answered so."
)
@click.option(
    "--attempt", type=click.IntRange(min=1), metavar="K", help="Which of its attempts; the first unless given."
)
@click.option(
    "--replication", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Where to look."
)
@click.option("--service", metavar="NAME", help="Of several services, the one that the request came to.")
@click.option("--scenario", type=_FILE, metavar="F.yaml", help="Of a result, where it is not beside it.")
def explain(
    file: Path,
    request: str | None,
    status: int | None,
    attempt: int | None,
    replication: int,
    service: str | None,
    scenario: Path | None,
) -> None:
    """Tell the story of one request: when it came, where it waited, why it was answered so."""
    from akstwin.scenarios.explain import explain as run  # noqa: PLC0415
    from akstwin.scenarios.story import Asked  # noqa: PLC0415

    if (request is None) == (status is None):
        raise click.UsageError("give either --request N or --first STATUS")
    if request is None:
        if attempt is not None:
            raise click.UsageError("--attempt goes with --request")
        asked = Asked(replication, status=status, service=service)
    else:
        entry, number = _place(request)
        asked = Asked(replication, number, entry, attempt or 1, service=service)
    for line in run(file, asked, scenario):
        click.echo(line)


def _place(text: str) -> tuple[int, int]:
    entry, colon, number = text.rpartition(":")
    if not number.isdecimal() or (colon and not entry.isdecimal()):
        raise InvalidSetting("--request", text, "a number, or ENTRY:NUMBER, each from 0")
    return int(entry or 0), int(number)
