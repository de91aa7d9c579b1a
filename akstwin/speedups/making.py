"""Makes the compiled modules, with mypyc and a C compiler."""

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from akstwin.errors import AksError
from akstwin.speedups import MODULES, PACKAGE, SUFFIX, folder, native
from akstwin.speedups.native import making as native_making


def make() -> Path:
    """Compile the modules, unless that was done before.

    Returns:
        The folder that they are in.

    Raises:
        AksError: mypyc or the C compiler is not there, or refuses.
    """
    target = folder()
    if target.is_dir():
        return target
    for needed in ("mypyc", "setuptools"):
        if find_spec(needed) is None:
            raise AksError(f"akstwin compile: {needed} is not installed; expected the extra akstwin[compile]")
    with tempfile.TemporaryDirectory(prefix="akstwin-compile-") as name:
        work = Path(name)
        shutil.copytree(PACKAGE, work / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
        sources = [str(Path(*module.split(".")).with_suffix(".py")) for module in MODULES]
        ran = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "mypyc", *sources], cwd=work, capture_output=True, text=True, check=False
        )
        made = [file for file in work.rglob(f"*{SUFFIX}") if "build" not in file.relative_to(work).parts[:1]]
        if ran.returncode or len(made) <= len(MODULES):
            raise AksError(f"akstwin compile: mypyc ended with {ran.returncode}:\n{_last(ran.stdout + ran.stderr)}")
        for file in made:
            kept = work / "made" / file.relative_to(work)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, kept)
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in target.parent.iterdir():
            shutil.rmtree(old)
        shutil.move(work / "made", target)
    return target


def make_kernel() -> Path:
    """Make the compiled engine's kernel, unless that was done before.

    Returns:
        The folder that it is in; kernels of former sources are removed.

    Raises:
        AksError: Cython or the C compiler is not there, or refuses.
    """
    target = native.folder()
    if (target / f"kernel{SUFFIX}").is_file():
        return target
    with tempfile.TemporaryDirectory(prefix="akstwin-compile-") as name:
        try:
            made = native_making.make(Path(name))
        except native_making.NotMade as reason:
            raise AksError(f"akstwin compile: the compiled engine cannot be made: {reason}") from None
        shutil.rmtree(target.parent, ignore_errors=True)
        target.mkdir(parents=True)
        shutil.move(made, target)
    return target


def _last(text: str) -> str:
    return "\n".join(text.splitlines()[-20:])
