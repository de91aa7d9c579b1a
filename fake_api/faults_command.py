"""The command `faults`: break something on a server that runs, see what is broken, end it. The server decides what may be."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from akstwin.remote.caller import Caller

Json = dict[str, Any]
_PATH: Final = "/_akstwin/faults"
_OUTPUT: Final = "-"
_STATE: Final = ("id", "kind", "state", "struck", "met", "begins", "ends", "refused")
"""What a server tells of a fault beside how it was made."""
HELP: Final = {
    "service": "Whose requests or replicas.",
    "cluster": "Whose nodes; may be left out where there is one.",
    "version": "Whose requests or replicas, of an endpoint.",
    "operation": "score, swagger, management or one management operation.",
    "at": "When it begins, from now.",
    "lasts": "For how long; else until it is ended.",
    "share": "Of the requests that it is meant for, above 0 and up to 1.",
    "count": "How many replicas, the oldest first; of connections and calls, how many at most.",
    "seed": "Of the share's draw, beside the server's own.",
    "slower_than": "Only answers that took longer.",
    "node": "Which, from 1.",
    "factor": "Times as long.",
    "request": "Which one kills, from 1, counted from the beginning of the fault.",
    "every": "Each further such request, too.",
    "times": "How often at most, with --every.",
    "by": "How much later.",
    "before": "Before anybody has seen the request.",
    "status": "409, 429, 500, 502 or 503.",
    "retry_after": "Seconds, sent as Retry-After.",
    "keep": "Which share of the body gets through.",
}
"""What each setting is, by its name; the server's forms say which kinds have it, and what it may be."""


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """What all of them take."""
    for option in (
        click.option(
            "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE",
            help="Write the answer here; - is standard output.",
        ),
        click.option(
            "--server", default="http://127.0.0.1:8899", show_default=True, metavar="URL",
            help="The server's; of a further workspace, its own.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def faults() -> None:
    """Break something on a running server, by its cause; list and end what is broken."""


class _Add(click.Command):
    """Its options are what the server's forms of faults have; they are read when somebody asks for them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The options of all kinds, beside its own."""
        own = super().get_params(ctx)
        if not any(isinstance(each, _Setting) for each in self.params):
            self.params.extend(_settings())
            own = super().get_params(ctx)
        return own


class _Setting(click.Option):
    """A setting of a fault. What is no number is sent as it is: the server says what was expected."""

    def __init__(self, name: str, kinds: list[str], schema: Json) -> None:
        types = {each.get("type") for each in (schema, *schema.get("anyOf", ()))}
        self._number = "string" not in types and bool(types & {"integer", "number"})
        of = "" if len(kinds) == len(_kinds()) else f" Of {', '.join(kinds)}."
        super().__init__(
            [f"--{name.replace('_', '-')}", name],
            is_flag=types == {"boolean"},
            default=None,
            metavar=None if types == {"boolean"} else "N" if self._number else "TEXT",
            help=f"{HELP[name]}{of}",
        )

    def sent(self, given: Any) -> Any:
        """The value as JSON has it."""
        if not self._number:
            return given
        try:
            number = json.loads(given)
        except ValueError:
            return given
        return number if type(number) in (int, float) else given


def _kinds() -> dict[str, Json]:
    """The settings of each kind, as JSON Schema."""
    from akstwin.fake_api.control.forms import CauseForm, WireForm  # noqa: PLC0415 - the forms take a while to be made

    found: dict[str, Json] = {}
    for form, more in ((CauseForm, ("service", "cluster")), (WireForm, ())):
        for schema in form.model_json_schema()["$defs"].values():
            settings = dict(schema["properties"])
            kind = settings.pop("kind")["const"]
            found[kind] = {**{name: {"type": "string"} for name in more}, **settings}
    return found


def _settings() -> Iterator[_Setting]:
    kinds = _kinds()
    for name in dict.fromkeys(name for settings in kinds.values() for name in settings):
        having = [kind for kind, settings in kinds.items() if name in settings]
        described = [kinds[kind][name] for kind in having]
        yield _Setting(name, having, next((each for each in described if "description" in each), described[0]))


@faults.command(cls=_Add)
@click.argument("kind")
@_common
@click.pass_context
def add(ctx: click.Context, /, kind: str, server: str, json_file: Path | None, **given: Any) -> None:
    """Break something. KIND is node_loss, replica_kill, replica_hang, slow_replica, init_failure, image_pull_slow,
    crash_on_request, drop_connection, reset_connection, truncate_body, delay_answer or refuse_management.

    Durations are such as 250ms, 10s or 5m; `--at` counts from now, by the server's clock.
    """  # noqa: D205
    options = {each.name: each for each in ctx.command.params if isinstance(each, _Setting)}
    told = {name: options[name].sent(value) for name, value in given.items() if value is not None}
    _check_target(json_file)
    _show(_calling(server).json("POST", _url(server), {"kind": kind, **told}), json_file)


@faults.command("list")
@_common
def list_faults(server: str, json_file: Path | None) -> None:
    """What is broken, and how often it struck."""
    _check_target(json_file)
    _show(_calling(server).json("GET", _url(server)), json_file)


@faults.command()
@click.argument("identity", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="All that can be ended.")
@_common
def remove(identity: str | None, everything: bool, server: str, json_file: Path | None) -> None:
    """End one fault, or all of them; what it has done is undone as far as that can be."""
    from akstwin.errors import InvalidSetting  # noqa: PLC0415 - `--help` needs none of it
    from akstwin.remote.caller import segment  # noqa: PLC0415 - see above

    if everything == (identity is not None):
        raise InvalidSetting("ID", identity, "the name of a fault, as `akstwin faults list` shows it, or --all")
    _check_target(json_file)
    caller, url = _calling(server), _url(server)
    if identity is not None:
        _show(caller.json("DELETE", f"{url}/{segment('fault', identity)}"), json_file)
        return
    _show(caller.json("DELETE", url), json_file)
    left = [f"{each['id']} {each['kind']}" for each in caller.json("GET", url)]
    if left:
        click.echo(f"akstwin: cannot be ended: {', '.join(left)}", err=True)


def _calling(server: str) -> "Caller":
    from akstwin.errors import InvalidSetting  # noqa: PLC0415 - `--help` needs no client
    from akstwin.remote.caller import Caller  # noqa: PLC0415 - see above

    try:
        return Caller(server)
    except InvalidSetting as error:
        raise InvalidSetting("--server", server, error.expected) from None


def _url(server: str) -> str:
    return f"{server.rstrip('/')}{_PATH}"


def _check_target(path: Path | None) -> None:
    """Refuse a file that cannot be written before anything is done."""
    from akstwin.errors import InvalidSetting  # noqa: PLC0415 - `--help` needs none of it

    if path is not None and str(path) != _OUTPUT and (path.is_dir() or not path.parent.is_dir()):
        raise InvalidSetting("--json", str(path), "a file in a folder that exists")


def _show(told: Any, json_file: Path | None) -> None:
    if json_file is not None:
        text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
        if str(json_file) == _OUTPUT:
            click.echo(text, nl=False)
            return
        json_file.write_text(text, encoding="utf-8")
    rows = told if isinstance(told, list) else [told]
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo("no faults")


def _line(row: Json) -> str:
    met = f" of {row['met']}" if "met" in row else ""
    settings = "  ".join(f"{name}={value}" for name, value in row.items() if name not in _STATE)
    refused = f"  refused: {row['refused']}" if "refused" in row else ""
    return (
        f"{row['id']:<4} {row['kind']:<18} {row['state']:<8} struck {row['struck']}{met}  {settings}{refused}".rstrip()
    )
