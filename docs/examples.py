"""Runs every code block of the README and the pages, as a reader would: `python docs/examples.py PAGE [--update]`.

A `sh` block is run by a shell, a `python` block by Python: all of a page by one, as in a notebook. A `yaml` or `python` block
that begins with `# NAME.yaml` or `# NAME.py` is saved under that name, and any other `yaml` is read. A `text` block right after
one that runs is what that block prints. All blocks of a page share one folder: a copy of the checkout's files, so that commands
work as printed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Self

from markdown_it import MarkdownIt
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
ROOMS = tuple(name for name in ("sim", "scenarios", "router", "fake_api", "backend_aks") if (ROOT / name).is_dir())
COPIED = (
    "akstwin",
    *ROOMS,
    "docs",
    "Makefile",
    "README.md",
    "LICENSE",
    "pyproject.toml",
    "constraints.txt",
)
SECONDS = 600
SESSION = """
import contextlib, io, json, sys, traceback
asked, told, names = sys.stdin, sys.stdout, {"__name__": "__main__"}
for line in asked:
    printed, error = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(json.loads(line), "block", "exec"), names)
    except BaseException:
        error = traceback.format_exc()
    print(json.dumps([printed.getvalue(), error]), file=told, flush=True)
"""
"""Runs one block after another, and tells what each printed and why it failed."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text, and the lines of the page that its text takes."""

    language: str
    text: str
    lines: tuple[int, int]


class ExampleFailed(AssertionError):
    """A block does not do what the page says."""


class Session:
    """One Python for all `python` blocks of a page. It is started when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate(timeout=SECONDS)

    def run(self, text: str, where: str) -> str:
        """What the block prints.

        Raises:
            ExampleFailed: it raises, or ends the process.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SESSION], cwd=self._folder, env=_environment(), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        assert self._process.stdout is not None  # noqa: S101 - likewise
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        limit = Timer(SECONDS, self._process.kill)
        limit.start()
        answer = self._process.stdout.readline()
        limit.cancel()
        if not answer:
            raise ExampleFailed(f"{where}: the process has ended")
        printed, error = json.loads(answer)
        if error:
            raise ExampleFailed(f"{where}\n{printed}{error}")
        return str(printed)


def blocks(page: Path) -> list[Block]:
    """The page's fenced blocks in order."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [
        Block(token.info.strip(), token.content, (token.map[0] + 1, token.map[1] - 1))
        for token in tokens
        if token.type == "fence" and token.map
    ]


def pages() -> list[Path]:
    """Every page with blocks that a reader may run."""
    written = sorted(path for path in (ROOT / "docs").rglob("*.md") if "templates" not in path.parts)
    return [ROOT / "README.md", *written]


def run_page(page: Path, *, update: bool = False) -> None:
    """Run the page's blocks.

    Args:
        page: the Markdown file.
        update: write what commands print now into the page's text blocks.

    Raises:
        ExampleFailed: a block fails, or prints something else than the page says.
    """
    with tempfile.TemporaryDirectory() as taken:
        folder = Path(taken) / "akstwin"
        _copy_checkout(folder)
        printed = ""
        changes: list[tuple[Block, str]] = []
        with Session(folder) as session:
            for block in blocks(page):
                if block.language != "text":
                    printed = _run(block, folder, page, session)
                elif block.text != printed:
                    changes.append((block, printed))
    if changes and update:
        _write(page, changes)
    elif changes:
        block, printed = changes[0]
        raise ExampleFailed(f"{page.name}, line {block.lines[0]}: the command prints something else now:\n{printed}")


def _copy_checkout(folder: Path) -> None:
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))


def _run(block: Block, folder: Path, page: Path, session: Session) -> str:
    where = f"{page.name}, line {block.lines[0]}"
    named = re.match(r"# (\S+\.(ya?ml|py))\n", block.text)
    if named:
        (folder / named[1]).write_text(block.text, encoding="utf-8")
    match block.language:
        case "sh":
            return _shell(block.text, folder, where)
        case "python" if named:
            compile(block.text, named[1], "exec")
        case "python":
            return session.run(block.text, where)
        case "yaml":
            YAML(typ="safe", pure=True).load(block.text)
        case "csv":
            name, _, rows = block.text.partition("\n")
            (folder / name.removeprefix("# ")).write_text(rows, encoding="utf-8")
        case "json":
            json.loads(block.text)
        case "mermaid" | "console":  # to look at; to type, where it cannot run here
            pass
        case language:
            raise ExampleFailed(f"{where}: nothing knows how to run a block of {language!r}")
    return ""


def _shell(text: str, folder: Path, where: str) -> str:
    return _process(["bash", "-euo", "pipefail", "-c", text], folder, where)


def _environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}


def _process(command: list[str], folder: Path, where: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=_environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise ExampleFailed(f"{where}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _write(page: Path, changes: list[tuple[Block, str]]) -> None:
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    for block, printed in reversed(changes):
        lines[block.lines[0] : block.lines[1]] = [printed]
    page.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Run one page, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", nargs="*", type=Path)
    parser.add_argument("--update", action="store_true", help="write what commands print into the pages")
    arguments = parser.parse_args()
    for page in arguments.page or pages():
        run_page(page.resolve(), update=arguments.update)
        print(f"{page}: as printed")


if __name__ == "__main__":
    main()
