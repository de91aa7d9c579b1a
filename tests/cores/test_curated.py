"""Curated environments: which names there are, and what nobody may register."""

import pytest

from akstwin.clock import Micros
from akstwin.cores.registry import CURATED_ENVIRONMENTS, curated_environment, register_environment
from akstwin.errors import InvalidSetting


def test_each_has_a_document() -> None:
    """With its name, a version and a Python that is the one of its name."""
    for name in CURATED_ENVIRONMENTS:
        document = curated_environment(name)
        assert document is not None
        assert (document["name"], document["version"]) == (name, "1")
        python = document["python"]["condaDependencies"]["dependencies"][0]
        assert python == "python=3.7" if "-py37-" in name else python.startswith("python=3.")
    assert len(set(CURATED_ENVIRONMENTS)) == len(CURATED_ENVIRONMENTS) > 50


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("AzureML-Minimal", True),
        ("AzureML-TensorFlow-2.3-CPU", True),
        ("AzureML-PyTorch-1.9-GPU", True),
        ("AzureML-sklearn-1.1-ubuntu22.04-py39-cpu", True),
        ("AzureML-acpt-pytorch-2.0-cuda11.7", True),
        ("AzureML-Minmal", False),
        ("AzureML-", False),
        ("AzureML-Nonsense-1.0-CPU", False),
        ("Minimal", False),
        ("sklearn-env", False),
    ],
)
def test_further_versions_of_the_same_frameworks_are_there(name: str, there: bool) -> None:
    """There were hundreds; a name that none of them could have is not found."""
    assert (curated_environment(name) is not None) is there


@pytest.mark.parametrize(
    ("version", "there"), [(None, True), ("1", True), ("107", True), ("latest", False), ("", False)]
)
def test_every_version_number_is_there(version: str | None, there: bool) -> None:
    """Scripts name the number of their month."""
    document = curated_environment("AzureML-Minimal", version)
    assert (document is not None) is there
    assert document is None or document["version"] == (version or "1")


@pytest.mark.parametrize("name", ["AzureML-Minimal", "AzureML-mine", "Microsoft-mine"])
def test_their_names_are_taken(name: str) -> None:
    """The refusal says how to make one of one's own."""
    with pytest.raises(InvalidSetting, match=r"curated environments; clone\(new_name\)"):
        register_environment(name, None, {"docker": {}}, [], Micros(0))
