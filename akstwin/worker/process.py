"""The worker as a process: how it is started and how it is ended, for any driver.

Three descriptors belong to it, all non-blocking: `channel` (messages, both ways), `output` (stdout and stderr) and `link`
(the keeper's word on how the worker ended; its end says that the whole family is gone).
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
from pathlib import Path
from typing import Final

from akstwin.errors import UnreadableFile
from akstwin.worker import inside
from akstwin.worker.spec import WorkerSpec

_INSIDE: Final = Path(inside.__file__).parent
BOOT: Final = """
import importlib.util, sys
folder, link, channel, namespace = sys.argv[1:]
spec = importlib.util.spec_from_file_location("_akstwin_inside", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["_akstwin_inside"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from _akstwin_inside.serve import main
main(int(link), int(channel), namespace=bool(int(namespace)))
"""
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
"""What passes from our environment: what an interpreter needs to find its libraries, and no credentials."""


class Process:
    """A started worker process.

    Args:
        spec: what it is to run. It learns that only from the first message.

    Raises:
        UnreadableFile: there is no such folder, or no such interpreter.
    """

    def __init__(self, spec: WorkerSpec) -> None:
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            self.channel, worker_channel = socket.socketpair()
            self.link, keeper_link = socket.socketpair()
            output, worker_output = os.pipe()
            self.output = os.fdopen(output, "rb", buffering=0)
            for end in (self.channel, self.link, self.output):
                ours.callback(end.close)
            theirs.callback(worker_channel.close)
            theirs.callback(keeper_link.close)
            theirs.callback(os.close, worker_output)
            numbers = (keeper_link.fileno(), worker_channel.fileno())
            arguments = [str(_INSIDE), *map(str, (*numbers, int(spec.namespace)))]
            command = [spec.python, "-P", "-X", "utf8", "-c", BOOT, *arguments]
            try:
                self._keeper = subprocess.Popen(  # noqa: S603 - to run the user's script is the purpose
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=worker_output,
                    stderr=worker_output,
                    pass_fds=numbers,
                    cwd=spec.folder,
                    env=environment(spec),
                    start_new_session=True,
                )
            except OSError as error:
                raise UnreadableFile(str(error.filename or spec.folder), error.strerror or str(error)) from error
            self.channel.setblocking(False)
            self.link.setblocking(False)
            os.set_blocking(self.output.fileno(), False)
            ours.pop_all()

    @property
    def pid(self) -> int:
        """The keeper's process, which is also its session and its group."""
        return self._keeper.pid

    def order_end(self) -> None:
        """Tell the keeper to end everything; it closes its side of the link when that is done. Does not wait."""
        with contextlib.suppress(OSError):
            self.link.shutdown(socket.SHUT_WR)

    def end(self, seconds: float, grace: float = 0.0) -> bytes:
        """End everything and wait until it has ended, up to `seconds`; after that the keeper is killed, too.

        Args:
            seconds: how long the operating system may take.
            grace: how long to wait before for an end that comes by itself (`Talk.grace`).

        Returns:
            What the keeper said.
        """
        word, over = self._listen(grace) if grace else (b"", False)
        if not over:
            self.order_end()
            more, over = self._listen(seconds)
            word += more
        if not over:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._keeper.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(seconds)
        return word

    def _listen(self, seconds: float) -> tuple[bytes, bool]:
        """What comes over the link, and whether its end came: the keeper has finished."""
        word = b""
        poll = select.poll()
        poll.register(self.link, select.POLLIN)
        while poll.poll(seconds * 1000):
            try:
                data = self.link.recv(256)
            except OSError:
                return word, True
            if not data:
                return word, True
            word += data
        return word, False

    def close(self) -> None:
        """Give the descriptors back, after `end`."""
        for end in (self.channel, self.link, self.output):
            end.close()


def environment(spec: WorkerSpec) -> dict[str, str]:
    """The worker's environment: the user's variables, and over them what the platform sets (semantics §3)."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # As in the containers; and one hash seed, so that a script that walks a set gives the same reply in every run.
    fixed = {"TZ": "UTC", "PYTHONHASHSEED": "0"}
    platform = {
        "AML_APP_ROOT": str(spec.folder.absolute()),
        "AZUREML_ENTRY_SCRIPT": spec.entry_script,
        "AZUREML_MODEL_DIR": None if spec.model_dir is None else str(spec.model_dir.absolute()),
        "AZUREML_SOURCE_DIRECTORY": spec.source_directory,
        "SERVICE_NAME": spec.service_name,
        "SERVICE_PATH_PREFIX": spec.path_prefix,
        "SERVICE_VERSION": spec.service_version,
        "WORKSPACE_NAME": spec.workspace_name,
        "AML_MODEL_DC_STORAGE_ENABLED": "false" if spec.collection is None else "true",
    }
    given = {name: value for name, value in platform.items() if value is not None}
    return {**kept, **fixed, **spec.environment, **given}
