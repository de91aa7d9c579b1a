"""The process between the caller and the script: it ends the script's whole family, and dies with the caller.

    caller ── link (a socket; its end is the order to finish) ──> keeper ── fork ──> [init] ── fork ──> worker

Three things hold the family together, strongest first.

- A **process-id namespace** where Linux grants one (as root, or through a user namespace): the script can't name, signal or
  look into anything outside, `kill(-1)` reaches only its own, and when `init` dies the kernel kills all that is left.
- The worker's **process group**, and the keeper as **subreaper**: children that made a session of their own become the
  keeper's when their parents die, and are swept.
- **Parent-death signals** from keeper to worker. Not from caller to keeper: that signal follows the *thread* that
  started it, and callers start workers in threads that end. The link's end says the same about the process.

The keeper reports over the link how the worker ended ("exit 1", "signal 9"), because nobody but its parent can know.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
LINUX = sys.platform == "linux"


def keep(link: int, channel: int, work: Callable[[], None], *, namespace: bool) -> None:
    """Run `work` in a process of its own until it ends or the link does; then end all that came of it.

    Args:
        link: the socket to the caller.
        channel: the worker's socket, which is not ours.
        work: what the worker does; it does not return.
        namespace: whether to ask for one.
    """
    fenced = namespace and fence()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    keeper = os.getpid()
    child = os.fork()
    if not child:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(woken)
        os.close(wake)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if fenced:
            _be_init(link, channel, work)
        os.close(link)
        if os.getppid() == keeper:  # else it died before the signal was asked for
            os.setpgid(0, 0)
            work()
        os._exit(0)
    os.close(channel)
    if not fenced:
        with contextlib.suppress(OSError):
            os.setpgid(child, child)  # whoever of the two comes first
    ready = select.poll()
    ready.register(link, select.POLLIN)
    ready.register(woken, select.POLLIN)
    dead = ordered = False
    while not dead and not ordered:
        ordered = link in [descriptor for descriptor, _ in ready.poll()]
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 512)
        dead = _reap(link, child, report=not fenced)
    if not dead:
        _kill(os.kill, child)
    if not fenced:
        _kill(os.killpg, child)
    _sweep()


def fence() -> bool:
    """Whether the next child starts a namespace of processes."""
    if not LINUX:
        return False
    if _unshare(_CLONE_NEWPID | _CLONE_NEWNS):
        return True
    user, group = os.getuid(), os.getgid()
    if not _unshare(_CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNS):
        return False
    # The same numbers inside as outside, so that files belong to whom they belonged to.
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with contextlib.suppress(OSError), Path("/proc/self", name).open("w", encoding="ascii") as file:
            file.write(text)
    return True


def _be_init(link: int, channel: int, work: Callable[[], None]) -> None:
    """First in the namespace: start the worker, reap, and leave when it does. Never returns.

    The worker is not first itself: the first ignores signals that it sends to itself, `SIGKILL` included.
    """
    _own_proc()
    worker = os.fork()
    if not worker:
        os.close(link)
        os.setpgid(0, 0)  # `killpg(getpgrp())` is the script's own affair
        work()
        os._exit(0)
    os.close(channel)
    while not _reap(link, worker, report=True, wait=True):
        pass
    os._exit(0)


def _own_proc() -> None:
    """Make /proc show the namespace; where that is not granted, it shows the outside, read-only in effect."""
    libc = ctypes.CDLL(None)
    if not libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None):
        libc.mount(b"proc", b"/proc", b"proc", 0, None)


def _reap(link: int, child: int, *, report: bool, wait: bool = False) -> bool:
    """Collect the dead; whether `child` is among them."""
    while True:
        try:
            dead, status = os.waitpid(-1, 0 if wait else os.WNOHANG)
        except ChildProcessError:
            return True
        if not dead:
            return False
        if dead == child:
            if report:
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(OSError):
                    os.write(link, f"exit {code}\n".encode() if code >= 0 else f"signal {-code}\n".encode())
            return True


def _sweep() -> None:
    """Kill and collect our children, and those who become ours by that, until there are none."""
    while True:
        for orphan in _children():
            _kill(os.kill, orphan)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _kill(kill: Callable[[int, int], None], who: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        kill(who, signal.SIGKILL)


def _children() -> list[int]:
    own = os.getpid()
    try:
        return [int(word) for word in Path(f"/proc/self/task/{own}/children").read_text("ascii").split()]
    except OSError:
        return []


def _unshare(flags: int) -> bool:
    return bool(ctypes.CDLL(None).unshare(flags) == 0)


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
