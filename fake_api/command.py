"""The command `serve`. It imports the server only when it is called."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from akstwin.backend import WorkspaceIdentity
    from akstwin.fake_api.clock import Mode
    from akstwin.fake_api.server import FakeServer


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8899, show_default=True, type=click.IntRange(0, 65535), help="For http; 0 picks one.")
@click.option(
    "--tls-port", default=8900, show_default=True, type=click.IntRange(0, 65535), help="For https; 0 picks one."
)
@click.option("--clock", default="live", show_default=True, type=click.Choice(["live", "paced", "jump", "manual"]))
@click.option("--rate", default=1.0, show_default=True, help="Virtual seconds a second, for --clock paced.")
@click.option(
    "--state", metavar="FILE", help="Keep what is made in FILE (SQLite) and beside it, also if the server is killed."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Of all chance; the scenario's, else 0.")
@click.option("--scenario", metavar="FILE", help="Begin with the scenario's cluster, service, traffic and faults.")
@click.option("--no-traffic", is_flag=True, help="The scenario's clients do not call.")
@click.option(
    "--assume", "assumed", multiple=True, metavar="KEY=VALUE", help="Change an assumption, as often as you like."
)
@click.option(
    "--workspace", metavar="ID", help="/subscriptions/…/resourceGroups/…/providers/…/workspaces/… that scripts ask for."
)
@click.option("--allow-remote", is_flag=True, help="Needed to listen where other machines can reach this one.")
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="A name that clients may call it by, as often as you like.",
)
@click.option(
    "--max-upload-files",
    default=10_000,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Files, folders and links that one upload, and one container, may hold.",
)
@click.option(
    "--max-upload-bytes",
    default="1GB",
    show_default=True,
    metavar="SIZE",
    help="What one upload, and one container, may hold unpacked.",
)
@click.option(
    "--insights",
    metavar="FILE",
    help="Append what services with app insights report to FILE: Application Insights rows, one line of JSON each.",
)
@click.option(
    "--otlp",
    metavar="URL",
    envvar="OTEL_EXPORTER_OTLP_ENDPOINT",
    show_envvar=True,
    help="Send the same to an OpenTelemetry collector, as spans.",
)
@click.option("--print-env", is_flag=True, help="Print what points an unmodified azureml-core at the server, too.")
def serve(
    host: str,
    port: int,
    tls_port: int,
    clock: str,
    rate: float,
    state: str | None,
    seed: int | None,
    scenario: str | None,
    no_traffic: bool,
    assumed: tuple[str, ...],
    workspace: str | None,
    allow_remote: bool,
    names: tuple[str, ...],
    max_upload_files: int,
    max_upload_bytes: str,
    insights: str | None,
    otlp: str | None,
    print_env: bool,
) -> None:
    """Serve a workspace over HTTP, as Azure ML does."""
    from akstwin.speedups import activate  # noqa: PLC0415

    activate()
    from akstwin.domain.units import read_size  # noqa: PLC0415
    from akstwin.errors import InvalidSetting  # noqa: PLC0415
    from akstwin.fake_api.host_check import is_name  # noqa: PLC0415
    from akstwin.fake_api.server import Settings, local, run  # noqa: PLC0415
    from akstwin.uploads import UploadLimits  # noqa: PLC0415

    if not local(host) and not allow_remote:
        raise InvalidSetting("--host", host, "a loopback address; --allow-remote lets other machines run code here")
    if not local(host):
        click.echo(f"akstwin: warning: whoever reaches {host} can run code on this machine", err=True)
    for name in names:
        if not is_name(name):
            raise InvalidSetting("--allow-host", name, "a host's name or address, without a port")
    if no_traffic and scenario is None:
        raise InvalidSetting("--no-traffic", True, "beside --scenario: without one nobody calls")
    max_bytes = read_size("--max-upload-bytes", max_upload_bytes)
    if max_bytes < 1:
        raise InvalidSetting("--max-upload-bytes", max_upload_bytes, "a size of 1 byte or more")
    assumptions = dict(read_pair(each) for each in assumed)

    def started(server: "FakeServer") -> None:
        _introduce(server, environment=print_env, calls=scenario is not None)

    identity = None if workspace is None else _identity(workspace)
    mode = cast("Mode", clock)
    settings = Settings(
        host,
        port,
        tls_port,
        mode,
        rate,
        seed,
        assumptions,
        None,
        identity,
        scenario=scenario,
        traffic=not no_traffic,
        names=names,
        state=None if state is None else Path(state),
        uploads=UploadLimits(max_upload_files, max_bytes),
        insights=None if insights is None else Path(insights),
        otlp=otlp or None,
    )
    run(settings, started)


def _introduce(server: "FakeServer", environment: bool, calls: bool) -> None:
    """Print where the server listens; the variables that lead to it; how its services are called."""
    place = server.first
    click.echo(f"listening on {place.http} {place.https}")
    if environment:
        from akstwin.testing.variables import variables  # noqa: PLC0415

        for name, value in variables(place.http, place.https, server.folder, server.authority or Path()).items():
            click.echo(f"export {name}={shlex.quote(value)}")
    if calls:
        from akstwin.fake_api.first_call import first_calls  # noqa: PLC0415

        comment = "# " if environment else ""  # the variables are for a shell to read
        for line in first_calls(place.workspace.backend, place.http, str(server.authority)):
            click.echo(comment + line)


def _identity(resource_id: str) -> "WorkspaceIdentity":
    from akstwin.backend import WorkspaceIdentity  # noqa: PLC0415
    from akstwin.errors import InvalidSetting  # noqa: PLC0415

    match resource_id.strip("/").split("/"):
        case ["subscriptions", subscription, group, group_name, "providers", _, workspaces, name] if (
            group.lower() == "resourcegroups" and workspaces.lower() == "workspaces"
        ):
            return WorkspaceIdentity(name, subscription, group_name)
    expected = "/subscriptions/…/resourceGroups/…/providers/Microsoft.MachineLearningServices/workspaces/…"
    raise InvalidSetting("--workspace", resource_id, expected)


def read_pair(text: str) -> tuple[str, object]:
    """A key and its value, which is read as in a scenario: 2 is a number, 5s is not."""
    from akstwin.plain_yaml import NotYaml, read_yaml  # noqa: PLC0415 - only a server with assumptions needs it

    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--assume {text}: expected KEY=VALUE")
    try:
        return name.strip(), read_yaml(value)
    except NotYaml as error:
        raise click.UsageError(f"--assume {name}: {error.problem}") from error
