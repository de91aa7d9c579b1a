"""`akstwin sizes`: the table of virtual machine sizes on the command line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from akstwin.domain.vm_sizes import VM_SIZES
from akstwin.errors import InvalidSetting
from akstwin.scenarios.sizes_command import sizes


def test_it_lists_each_size_with_source_and_date() -> None:
    """A line for each, with a price where there is one."""
    said = CliRunner().invoke(sizes).stdout
    assert "Standard_D4s_v5                  4         16                 0.23" in said.splitlines()
    assert "Standard_NC6s_v3                 6        112     1" in said.splitlines()
    assert all(f"\n{name} " in said for name in VM_SIZES)
    assert "Source: Azure documentation, sizes for virtual machines, as of 2025-01." in said


@pytest.mark.parametrize("to_file", [True, False])
def test_as_json(tmp_path: Path, to_file: bool) -> None:
    """In a file beside the table, or alone on standard output."""
    file = tmp_path / "sizes.json"
    ran = CliRunner().invoke(sizes, ["--json", str(file) if to_file else "-"])
    document = json.loads(file.read_text() if to_file else ran.stdout)
    assert bool(to_file) is ran.stdout.startswith("name")
    assert set(document) == {"source", "as_of", "price_source", "sizes"}
    assert {each["name"] for each in document["sizes"]} == set(VM_SIZES)
    assert {
        "name": "Standard_D4s_v5",
        "cpu_cores": 4.0,
        "memory_gb": 16.0,
        "gpu_cores": 0,
        "hourly_price": 0.23,
    } in document["sizes"]


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """By the option's name."""
    ran = CliRunner().invoke(sizes, ["--json", str(tmp_path / "no" / "sizes.json")])
    assert isinstance(ran.exception, InvalidSetting)
    assert "--json" in str(ran.exception)
