"""What the containers of one deployment hold on disk: laid out when the first of them starts, removed after the last."""

from collections.abc import Callable
from pathlib import Path

from akstwin import scratch
from akstwin.uploads import Tally, UploadLimits
from akstwin.worker.spec import Limits, WorkerSpec


class ScriptContent:
    """The folder of one deployed content, and what is run in it.

    `lay_out` and `remove` read and write files, which takes real time: they may be called in another thread, one at a time.

    Args:
        folder: for its files; nothing else is in it. None: they stay.
        lay_out: fills the folder and says what is to be run; raises AksError and leaves no folder behind.
        uploads: how much it may lay out.
        limits: what the script may take.

    Attributes:
        limits: as given.
    """

    def __init__(
        self, folder: Path | None, lay_out: Callable[[Tally], WorkerSpec], uploads: UploadLimits, limits: Limits
    ) -> None:
        self._folder = folder
        self._lay_out = lay_out
        self._stopper = Tally(uploads)
        self.limits = limits

    @classmethod
    def of(cls, spec: WorkerSpec) -> "ScriptContent":
        """What is laid out already, and stays."""
        return cls(None, lambda _: spec, UploadLimits(), spec.limits)

    def lay_out(self) -> WorkerSpec:
        """Fill the folder.

        Raises:
            AksError: the content is not what a container can be made of, or is over a limit.
        """
        return self._lay_out(self._stopper.apart())

    def stop(self) -> None:
        """Nobody needs it any more: `lay_out` raises Conflict, also in the middle of its work. From any thread."""
        self._stopper.stop()

    def remove(self) -> None:
        """Remove the folder; nothing may run in it."""
        self.stop()
        if self._folder is not None:
            scratch.remove(self._folder)
