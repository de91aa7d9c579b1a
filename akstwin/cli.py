"""The `akstwin` command. Commands are found by entry point and imported when they are called, so `--help` is quick."""

import gc
import os
import signal
import sys
import threading
from importlib.metadata import entry_points
from types import FrameType
from typing import Final

import click

from akstwin.errors import AksError

# What `akstwin --help` says of our own commands without importing them; a test holds it against the commands.
SUMMARIES = {
    "run": "Answer a scenario's question on the simulator.",
    "plan": "Find the smallest, largest or cheapest value of a setting that meets all objectives.",
    "explain": "Tell the story of one request: when it came, where it waited, why it was answered so.",
    "grade": "Tell how often a rollout promotes what is worse, and rolls back what is as good.",
    "calibrate": "Print the model: and traffic: blocks that a log of requests gives.",
    "compare": "Replay a scenario on a server, and compare with the simulator.",
    "schema": "Print the JSON Schema of the scenario file.",
    "sizes": "List the virtual machine sizes that are known, with source and date.",
    "serve": "Serve a workspace over HTTP, as Azure ML does.",
    "cluster": "Run services on a Kubernetes cluster.",
    "compile": "Compile what each request goes through: `akstwin serve` is then about twice as fast.",
    "faults": "Break something on a running server, by its cause; list and end what is broken.",
}


_OBJECTS_BETWEEN_COLLECTIONS: Final = 20_000
"""Imports make many objects that stay: Python's own 700 would look through them again and again, for a tenth of a short run."""


class _Terminated(BaseException):
    """Somebody has told the process to end."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


class _ReaderGone(Exception):
    """The reader of our output closed the pipe. click would end with status 1 on the error itself, which is the gate's."""


class Commands(click.Group):
    """All commands that are installed, ours and others'."""

    def invoke(self, ctx: click.Context) -> object:
        """The command, with a reader that leaves early told apart from a missed objective."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGone from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Ours in the order of the README, then others' by name."""
        found = {point.name for point in entry_points(group="akstwin.commands")}
        return [name for name in SUMMARIES if name in found] + sorted(found - set(SUMMARIES))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of that name, imported now."""
        for point in entry_points(group="akstwin.commands", name=cmd_name):
            command: click.Command = point.load()
            return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A command that is not there is answered with the nearest one."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            from akstwin.domain.words import nearest  # noqa: PLC0415 - only on the way to an error

            known = self.list_commands(ctx)
            hint = nearest(args[0], known) or f"; there are {', '.join(known)}"
            raise click.UsageError(f"no such command: {args[0]}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line for each command; only others' have to be imported for it."""
        rows = []
        for name in self.list_commands(ctx):
            summary = SUMMARIES.get(name)
            if summary is None:
                command = self.get_command(ctx, name)
                summary = command.get_short_help_str() if command else ""
            rows.append((name, summary))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="akstwin")
def app() -> None:
    """The digital twin of Azure ML's AKS model serving: simulated, served and real."""


def main() -> None:
    """Run the command; bad input ends with one line on standard error and exit status 2."""
    _end_in_order()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        status = app.main(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        _fail(error.format_message())
    except click.Abort:
        sys.exit(130)
    except _Terminated as ended:
        signal.signal(ended.number, signal.SIG_IGN)  # what was begun has been undone
        _fail(f"ended by {ended.number.name}; nothing was written", 128 + ended.number)
    except AksError as error:
        _fail(str(error))
    except MemoryError:
        _fail("there is not enough memory for this")
    except (_ReaderGone, BrokenPipeError):  # nothing is wrong: what a shell says of SIGPIPE
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - else Python writes at exit
        sys.exit(141)
    except OSError as error:
        _fail(f"cannot write: {error.strerror or error}")


def _end_in_order() -> None:
    """Let signals that end a process leave nothing half written: whatever runs is unwound as by Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        return  # Python lets only the main thread set handlers

    def end(number: int, _: FrameType | None) -> None:
        raise _Terminated(signal.Signals(number))

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored
            signal.signal(number, end)
            os.register_at_fork(after_in_child=lambda number=number: signal.signal(number, signal.SIG_DFL))


def _fail(message: str, status: int = 2) -> None:
    click.echo(f"akstwin: {' '.join(message.split())}", err=True)
    sys.exit(status)
