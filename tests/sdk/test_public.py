"""The public names."""

import subprocess
import sys

import pytest

import akstwin


def test_every_public_name_is_there() -> None:
    """And shows itself."""
    for name in akstwin.__all__:
        assert getattr(akstwin, name).__name__ == name
        assert name in dir(akstwin)


def test_names_are_imported_when_they_are_used() -> None:
    """`akstwin --help` needs none of them."""
    program = "import akstwin, sys; print([name for name in sys.modules if name.startswith(('akstwin.', 'pydantic'))])"

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert shown == "[]\n"


def test_another_name_is_no_attribute() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="AciWebservice"):
        akstwin.AciWebservice  # type: ignore[attr-defined]  # noqa: B018
