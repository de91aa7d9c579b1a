"""The pages say what is so: their code runs as printed, and what is made from the code is up to date."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


examples = _load("examples")
PAGES = [page for page in examples.pages() if examples.blocks(page)]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_code_block_works_as_printed(page: Path) -> None:
    """A reader who copies a block gets what the page shows."""
    examples.run_page(page)


def test_pages_made_from_the_code_are_up_to_date() -> None:
    """`make docs` would change nothing."""
    for name, text in _load("generate").pages().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, f"docs/{name} is stale: run make docs"


@pytest.mark.parametrize("page", examples.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_docs_lead_somewhere(page: Path) -> None:
    """No page points at a file that is not there."""
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} points at {target}"


def test_a_block_that_prints_something_else_is_noticed(tmp_path: Path) -> None:
    """The checker itself can fail."""
    page = tmp_path / "page.md"
    page.write_text("```sh\necho one\n```\n\n```text\ntwo\n```\n")

    with pytest.raises(examples.ExampleFailed, match="prints something else"):
        examples.run_page(page)


def test_python_blocks_of_a_page_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """As in a notebook, and beside the files that the page writes."""
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n# kept.py\nvalue = 6\n```\n\n```python\nimport kept\n```\n\n"
        "```python\nprint(kept.value * 7)\n```\n\n```text\n42\n```\n"
    )

    examples.run_page(page)


@pytest.mark.parametrize("block", ["1 / 0", "import os\nos._exit(3)", "raise SystemExit"])
def test_a_python_block_that_fails_is_noticed(tmp_path: Path, block: str) -> None:
    """The checker itself can fail."""
    page = tmp_path / "page.md"
    page.write_text(f"```python\n{block}\n```\n")

    with pytest.raises(examples.ExampleFailed, match=r"page\.md, line 1"):
        examples.run_page(page)


def test_a_block_that_fails_is_noticed(tmp_path: Path) -> None:
    """The checker itself can fail."""
    page = tmp_path / "page.md"
    page.write_text("```sh\nfalse\n```\n")

    with pytest.raises(examples.ExampleFailed, match="exit status 1"):
        examples.run_page(page)
