"""Makes the kernel, with Cython and a C compiler. Builds of wheels load this file alone: it knows nothing of the rest."""

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_PROGRAM: Final = """\
from Cython.Build import cythonize
from setuptools import Extension, setup
made = Extension("kernel", ["kernel.pyx"], extra_compile_args={arguments!r})
setup(name="kernel", script_args=["--quiet", "build_ext", "--inplace"], ext_modules=cythonize([made], quiet=True))
"""
_OPTIMISED: Final = ["-O3", "-ffp-contract=off"]
"""No multiplication may be joined with an addition: the result would be another one than the reference's."""


class NotMade(Exception):
    """The kernel cannot be made here; the message says what is missing."""


def make(target: Path) -> Path:
    """Make the kernel.

    Args:
        target: the folder that it is put in.

    Returns:
        The extension.

    Raises:
        NotMade: Cython, setuptools or a C compiler is not there, or refuses.
    """
    for needed in ("Cython", "setuptools"):
        if find_spec(needed) is None:
            raise NotMade(f"{needed} is not installed")
    with tempfile.TemporaryDirectory(prefix="akstwin-kernel-") as name:
        work = Path(name)
        for source in Path(__file__).resolve().parent.glob("*.p[xy][xid]"):
            shutil.copy(source, work)
        program = _PROGRAM.format(arguments=[] if sys.platform == "win32" else _OPTIMISED)
        ran = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", program], cwd=work, capture_output=True, text=True, check=False
        )
        made = [*work.glob("kernel*.so"), *work.glob("kernel*.pyd")]
        if ran.returncode or len(made) != 1:
            said = "\n".join((ran.stdout + ran.stderr).splitlines()[-20:])
            raise NotMade(f"setuptools ended with {ran.returncode}:\n{said}")
        target.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(made[0], target / made[0].name))
