"""The logs beside the pages are what their scripts make."""

import importlib.util
from pathlib import Path

LOGS = Path(__file__).parents[2] / "docs" / "logs"


def test_the_log_of_the_sizing_page_is_what_its_script_makes() -> None:
    """So that the truth that the page tells is the log's."""
    spec = importlib.util.spec_from_file_location("make_access", LOGS / "make_access.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    same = module.text() == (LOGS / "access.csv").read_text(
        encoding="utf-8"
    )  # by itself: pytest would compare for minutes
    assert same, "access.csv is not what make_access.py makes: run it again, and the page with it"
