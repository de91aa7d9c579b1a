"""Runs every code block of the README and the pages, as a reader would: `python docs/examples.py PAGE [--update]`.

A `sh` block is run by a shell, a `python` block by Python, a `yaml` block that begins with `# NAME.yaml` is saved under that
name and any other is read; a `text` block right after a `sh` block is what that block prints. All blocks of a page share one
folder: a copy of the checkout's files, so that commands work as printed.
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

from markdown_it import MarkdownIt
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "akstwin",
    "sim",
    "scenarios",
    "docs",
    "Makefile",
    "README.md",
    "LICENSE",
    "pyproject.toml",
    "constraints.txt",
)
SECONDS = 600


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text, and the lines of the page that its text takes."""

    language: str
    text: str
    lines: tuple[int, int]


class ExampleFailed(AssertionError):
    """A block does not do what the page says."""


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
        for block in blocks(page):
            if block.language == "text":
                if block.text != printed:
                    changes.append((block, printed))
                continue
            printed = _run(block, folder, page)
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


def _run(block: Block, folder: Path, page: Path) -> str:
    where = f"{page.name}, line {block.lines[0]}"
    match block.language:
        case "sh":
            return _shell(block.text, folder, where)
        case "python":
            return _process([sys.executable, "-c", block.text], folder, where)
        case "yaml":
            named = re.match(r"# (\S+\.ya?ml)\n", block.text)
            if named:
                (folder / named[1]).write_text(block.text, encoding="utf-8")
            YAML(typ="safe", pure=True).load(block.text)
        case "csv":
            name, _, rows = block.text.partition("\n")
            (folder / name.removeprefix("# ")).write_text(rows, encoding="utf-8")
        case "json":
            json.loads(block.text)
        case "mermaid":
            pass
        case language:
            raise ExampleFailed(f"{where}: nothing knows how to run a block of {language!r}")
    return ""


def _shell(text: str, folder: Path, where: str) -> str:
    return _process(["bash", "-euo", "pipefail", "-c", text], folder, where)


def _process(command: list[str], folder: Path, where: str) -> str:
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
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
