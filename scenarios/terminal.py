"""Where answers are printed."""

from rich.console import Console


class Terminal(Console):
    """A console whose reader may leave early, as `| head` does.

    rich would end the process with status 1 then, which is the gate's. The command decides instead.
    """

    def on_broken_pipe(self) -> None:
        """Pass on that nobody reads any more."""
        raise  # noqa: PLE0704 - rich calls this while it handles the BrokenPipeError
