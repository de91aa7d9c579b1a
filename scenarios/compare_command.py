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
    "--against",
    "url",
    required=True,
    metavar="URL",
    help="Of `akstwin serve`, such as http://127.0.0.1:8899; or of any scoring path.",
)
@click.option("--key-env", metavar="NAME", help="Of a scoring path: the environment variable that holds its key.")
@click.option("--body", type=_FILE, metavar="FILE", help="Of a scoring path: what each request sends; {} unless given.")
@click.option(
    "--ca", type=_FILE, metavar="FILE", help="Of a scoring path: certificates to trust beside the system's (PEM)."
)
@click.option(
    "--max-rate",
    type=_Number(min=0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="R",
    help="Of a scoring path: requests in any second up to which it is not asked first.",
)
@click.option("--yes", is_flag=True, help="Of a scoring path: do not ask, whatever the rate.")
@click.option(
    "--most-at-once",
    type=click.IntRange(1, 10_000),
    default=500,
    show_default=True,
    metavar="N",
    help="Of a scoring path: requests under way, beyond which none are sent.",
)
@click.option("--evidence", type=_FILE, metavar="FILE", help="Of a scoring path: write the figures as rows of a table.")
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
@click.pass_context
def compare(
    context: click.Context,
    scenario: Path,
    url: str,
    key_env: str | None,
    body: Path | None,
    ca: Path | None,
    max_rate: float,
    yes: bool,
    most_at_once: int,
    evidence: Path | None,
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
    from akstwin.scenarios.outside import Outside, is_outside  # noqa: PLC0415

    outputs.check_targets({"--json": json_file, "--evidence": evidence}, scenario)
    told = changes if duration is None else (*changes, f"duration={duration}")
    prepared = load(scenario, told, seed=seed)
    if is_outside(url):
        _refuse_given(context, ("overwrite", "same_status"), "goes with a server of the twin, not with a scoring path")
        outside = Outside(url, _key(key_env), _body(body), ca, most_at_once)
        agreed = None if yes else max_rate
        found = _from_outside(
            prepared, outside, agreed, runs=runs, refused_within=refused_within, latency_within=latency_within
        )
        _show_outside(found, json_file, evidence)
        if gate and not found["met"]:
            raise click.exceptions.Exit(1)
        return
    _refuse_given(
        context,
        ("key_env", "body", "ca", "max_rate", "yes", "most_at_once", "evidence"),
        "goes with a scoring path, such as https://any.example/score",
    )
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


def _refuse_given(context: click.Context, names: tuple[str, ...], why: str) -> None:
    """Options that would do nothing are refused."""
    for name in names:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} {why}")


def _key(name: str | None) -> str:
    """The key, which no command line shows."""
    import os  # noqa: PLC0415

    from akstwin.errors import InvalidSetting  # noqa: PLC0415

    if name is None:
        return ""
    key = os.environ.get(name, "")
    if not key or not key.isascii() or not key.isprintable():
        raise InvalidSetting("--key-env", name, "the name of an environment variable that holds a key")
    return key


def _body(path: Path | None) -> bytes:
    from akstwin.errors import UnreadableFile  # noqa: PLC0415

    if path is None:
        return b"{}"
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(str(path), f"cannot be read: {error.strerror}") from None


def _from_outside(prepared: "Prepared", outside: Any, agreed: float | None, **given: Any) -> dict[str, Any]:
    """Compare, once it is agreed how much is sent."""
    from akstwin.errors import InvalidSetting  # noqa: PLC0415
    from akstwin.scenarios.load import BadScenario  # noqa: PLC0415
    from akstwin.scenarios.outside import check_outside, compare_outside, peak_rate  # noqa: PLC0415
    from akstwin.scenarios.progress import bar  # noqa: PLC0415

    try:
        check_outside(prepared)
    except InvalidSetting as error:
        raise BadScenario(prepared.source, str(error)) from error
    if agreed is not None:
        peak = peak_rate(prepared, given["runs"])
        if peak > agreed:
            _ask(peak, agreed, outside.url)
    with bar(prepared.name) as progress:
        return compare_outside(prepared, outside, progress=progress, **given)


def _ask(peak: int, agreed: float, url: str) -> None:
    """Ask whoever sits there; where nobody does, refuse."""
    import sys  # noqa: PLC0415
    from urllib.parse import urlsplit  # noqa: PLC0415

    from akstwin.errors import InvalidSetting  # noqa: PLC0415

    if not sys.stdin.isatty():
        raise InvalidSetting(
            "--max-rate", f"{agreed:g}", f"at least the {peak} requests that come in one second; give more, or --yes"
        )
    click.confirm(f"Send up to {peak} requests in a second to {urlsplit(url).hostname}?", abort=True, err=True)


def _show_outside(found: dict[str, Any], json_file: Path | None, evidence: Path | None) -> None:
    from akstwin.scenarios import outputs  # noqa: PLC0415
    from akstwin.scenarios.outside import evidence as rows  # noqa: PLC0415

    if evidence is not None:
        outputs.write_whole(evidence, outputs.text(rows(found)), "--evidence")
    if json_file is not None:
        outputs.write_json(found, json_file)
    if str(json_file) != outputs.STANDARD_OUTPUT:
        from rich.console import Console  # noqa: PLC0415

        from akstwin.scenarios.outside_table import render_outside  # noqa: PLC0415

        render_outside(found, Console())
