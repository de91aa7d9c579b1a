"""What a script runs in."""

import io
import logging
from pathlib import Path
from typing import Any

import pytest

from akstwin import CondaDependencies, Environment, WebserviceException, Workspace
from akstwin.sdk.environment import ContainerRegistry, EnvironmentReference, environment_of


def message(function: Any, *given: Any, **arguments: Any) -> str:
    """What a call says when it refuses."""
    with pytest.raises(WebserviceException) as caught:
        function(*given, **arguments)
    return caught.value.message


def test_there_and_back() -> None:
    """All that can be set comes back; what is of no use to services is kept as it is."""
    made = Environment("env")
    made.environment_variables["A"] = "1"
    made.inferencing_stack_version = "latest"
    made.docker.base_image_registry = ContainerRegistry("mine.azurecr.io", "me", "secret")
    assert made.python.conda_dependencies is not None
    made.python.conda_dependencies.add_pip_package("numpy==1.26.4")
    form = made.serialize() | {"r": {"rVersion": "4"}}

    assert Environment.deserialize(form).serialize() == form
    made.docker.base_dockerfile = "FROM a\n"
    assert Environment.deserialize(made.serialize()).serialize() == made.serialize()
    assert "secret" not in repr(made.docker.base_image_registry)
    assert "name='env'" in repr(made)


def test_an_image_or_a_dockerfile(ws: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    """Each takes the other's place, with a warning; a Dockerfile is content, a path or an open file."""
    made = Environment("env")
    with caplog.at_level(logging.WARNING):
        made.docker.base_dockerfile = "FROM a\n"
    assert (made.docker.base_image, made.docker.base_dockerfile) == (None, "FROM a\n")
    assert "takes the place of base_image" in caplog.text
    Path("Dockerfile").write_text("FROM b\n")
    for given in ("Dockerfile", Path("Dockerfile"), io.StringIO("FROM b\n")):
        made.docker.base_dockerfile = given
        assert made.docker.base_dockerfile == "FROM b\n"
    with caplog.at_level(logging.WARNING):
        made.docker.base_image = "c:1"
    assert (made.docker.base_image, made.docker.base_dockerfile) == ("c:1", None)
    assert "takes the place of base_dockerfile" in caplog.text
    assert "c:1" in repr(made.docker)
    assert "nowhere" in message(Environment.from_dockerfile, "env", Path("nowhere"))


def test_gpu_support_does_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Of old scripts."""
    made = Environment("env")
    with caplog.at_level(logging.WARNING):
        made.docker.gpu_support = True
    assert made.docker.gpu_support
    assert "gpu_cores of the deployment decides" in caplog.text


def test_what_is_unknown_cannot_be_set() -> None:
    """A mistyped or a training setting is not taken in silence."""
    made = Environment("env")
    for owner, name in ((made, "enviroment_variables"), (made.docker, "base_imge"), (made.python, "conda")):
        with pytest.raises(AttributeError):
            setattr(owner, name, "x")


def test_made_from_packages(ws: Workspace) -> None:
    """A conda specification, requirements, an image, a Dockerfile."""
    Path("conda.yml").write_text("dependencies: [scipy]\n")
    Path("requirements.txt").write_text("# comment\nnumpy==1.26.4\n\n--pre\n")

    conda = Environment.from_conda_specification("env", "conda.yml").python.conda_dependencies
    pip = Environment.from_pip_requirements("env", "requirements.txt", pip_version="23.0").python.conda_dependencies
    image = Environment.from_docker_image("env", "mine:1", ContainerRegistry("mine.azurecr.io"))
    dockerfile = Environment.from_dockerfile("env", "FROM a\n", pip_requirements="requirements.txt")

    assert conda is not None
    assert list(conda.conda_packages) == ["scipy", "python=3.10.18"]
    assert pip is not None
    assert (list(pip.pip_packages), list(pip.pip_options)) == (["numpy==1.26.4"], ["--pre"])
    assert "pip=23.0" in pip.conda_packages
    assert image.python.user_managed_dependencies
    assert image.docker.base_image_registry.address == "mine.azurecr.io"
    assert dockerfile.docker.base_image is None
    assert "pip" in (dockerfile.python.conda_dependencies or CondaDependencies()).conda_packages
    assert Environment.from_docker_image("env", "i", conda_specification="conda.yml").docker.base_image == "i"
    assert message(Environment.from_docker_image, "env", "i", None, "conda.yml", "requirements.txt").startswith(
        "pip_requirements: 'requirements.txt' is not allowed together with conda_specification"
    )


def test_registering(ws: Workspace, backend: Any) -> None:
    """The registered one has a version; the newest is found without."""
    made = Environment("env")

    assert made.register(ws).version == "1"
    made.version = "5"
    assert made.register(ws).version == "5"
    assert Environment.get(ws, "env", version=5).name == "env"
    assert Environment.get(ws, "env", label="Latest").version == "5"
    assert Environment.list(ws).keys() == {"env"}
    assert backend.said("put_environment") == [("env", None), ("env", "5")]
    assert backend.said("get_environment") == [("env", "5"), ("env", None)]
    assert EnvironmentReference("env", "5").get_environment(ws).version == "5"
    assert "Response Code: 404" in message(Environment.get, ws, "none")
    assert message(Environment.get, ws, "env", label="old").startswith("label='old' is not offered here")
    assert "label: 'latest' is not allowed together with version" in message(Environment.get, ws, "env", "1", "latest")


def test_a_clone_is_another_one() -> None:
    """Changing it leaves the first as it was."""
    made = Environment("env")
    made.version = "3"
    copy = made.clone("other")
    copy.environment_variables["A"] = "1"
    assert (copy.name, copy.version, made.environment_variables) == ("other", None, {})
    assert message(made.clone, "").startswith("name: '' is not a text")
    assert message(Environment, None).startswith("name: None is not a text")


def test_on_disk(ws: Workspace) -> None:
    """In the files that azureml-core writes."""
    made = Environment("env")
    made.docker.base_dockerfile = "FROM a\n"
    made.save_to_directory("folder/env")

    assert sorted(path.name for path in Path("folder/env").iterdir()) == [
        "BaseDockerfile",
        "azureml_environment.json",
        "conda_dependencies.yml",
    ]
    assert Environment.load_from_directory("folder/env").serialize() == made.serialize()
    assert message(made.save_to_directory, "folder/env").startswith("path: 'folder/env' is not a folder")
    made.save_to_directory("folder/env", overwrite=True)
    assert message(Environment.load_from_directory, "folder").startswith("path: 'folder/azureml_environment.json'")
    Path("folder/azureml_environment.json").write_text("{")
    assert "is not a JSON file" in message(Environment.load_from_directory, "folder")


def test_what_a_service_says_of_its_environment() -> None:
    """All of it, its name, or nothing."""
    assert environment_of(None) is environment_of({}) is None
    reference = environment_of({"name": "env", "version": "1"})
    assert isinstance(reference, EnvironmentReference)
    assert reference.serialize() == {"name": "env", "version": "1"}
    assert isinstance(environment_of(Environment("env").serialize()), Environment)
    assert message(environment_of, {"version": "1", "docker": {}}).endswith("it lacks name")
    assert message(environment_of, {"name": "env", "docker": {"buildContext": {"location": "x"}}}).startswith(
        "docker.buildContext is not offered here"
    )


def test_what_is_not_offered(ws: Workspace) -> None:
    """Each says so."""
    made = Environment("env")
    for function, given in (
        (Environment.from_docker_build_context, ("env", None)), (made.build, (ws,)), (made.build_local, (ws,)),
        (Environment.from_existing_conda_environment, ("env", "base")), (made.get_image_details, (ws,)),
        (Environment.add_private_pip_wheel, (ws, "a.whl")), (Environment.label, (ws, "env", "1", ["a"])),
    ):  # fmt: skip
        assert message(function, *given).startswith(f"Environment.{function.__name__} is not offered here")


def test_packages_are_added_and_taken_away() -> None:
    """By name, whatever the version."""
    made = CondaDependencies.create(
        pip_packages=["numpy==1", "scipy"], conda_packages=["pip", "python=3.9"], python_version="3.11"
    )
    made.add_pip_package("numpy==2")
    made.remove_pip_package("scipy")
    made.add_conda_package("pip")
    made.add_conda_package("libgcc")
    made.remove_conda_package("libgcc")
    made.remove_conda_package("never")
    made.add_channel("mine")
    made.add_channel("mine")
    made.remove_channel("anaconda")
    made.remove_channel("never")
    made.set_pip_option("--index-url a")
    made.set_pip_option("--index-url b")
    made.set_pip_option("--pre")
    made.remove_pip_option("--pre")

    assert list(made.pip_packages) == ["numpy==2"]
    assert list(made.conda_packages) == ["python=3.9", "pip"]
    assert made.get_python_version() == "3.9"
    assert list(made.conda_channels) == ["conda-forge", "mine"]
    assert list(made.pip_options) == ["--index-url b"]
    assert CondaDependencies.of(made.as_dict()) == made
    assert "numpy==2" in made.serialize_to_string()
    assert "numpy==2" in repr(made)


def test_what_there_was_not_is_made() -> None:
    """An empty specification grows."""
    made = CondaDependencies.of({})
    assert made.get_python_version() is None
    made.remove_pip_package("a")
    made.add_pip_package("dist/mine-1.0-py3-none-any.whl")
    made.set_python_version("3.11")
    made.add_channel("c")
    made.remove_pip_package("mine")
    assert made.as_dict() == {"dependencies": [{"pip": []}, "python=3.11"], "channels": ["c"]}
    assert CondaDependencies.of({"dependencies": ["python"]}).get_python_version() is None
    assert list(CondaDependencies.create(pip_indexurl="https://mine").pip_options) == [
        "--find-links https://mine",
        "--extra-index-url https://pypi.python.org/simple",
    ]
    assert CondaDependencies.merge_requirements(["a>1", "b", "a<3"]) == ["a>1,<3", "b"]


def test_wrong_packages() -> None:
    """Refused by name and value."""
    made = CondaDependencies()
    assert message(made.add_pip_package, "--pre") == "pip_package: '--pre' is not a package, such as numpy==1.26.4"
    assert message(made.add_conda_package, None).startswith("conda_package: None is not")
    assert message(made.set_pip_option, "pre") == "pip_option: 'pre' is not an option such as --pre"
    assert message(made.remove_conda_package, "python=3.8.13").endswith("it is Python itself")
    assert message(CondaDependencies.of, []).startswith("condaDependencies: [] is not a conda specification")
    assert "'depends' is not a key" in message(CondaDependencies.of, {"depends": []})
    assert "channels: 'x' is not a list" in message(CondaDependencies.of, {"channels": "x"})
    assert "dependencies" in message(CondaDependencies.of, {"dependencies": [{"npm": []}]})


def test_specifications_on_disk(ws: Workspace) -> None:
    """Written and read; what cannot be is named."""
    made = CondaDependencies()
    assert made.save("conda.yml") == "conda.yml"
    assert made.save_to_file(".") == "conda_dependencies.yml"
    assert CondaDependencies("conda.yml") == CondaDependencies("conda_dependencies.yml") == made
    assert message(made.save).startswith("path: None")
    assert message(made.save, "no/where.yml").startswith("path: 'no/where.yml' is not a file")
    Path("bad.yml").write_text("a: [")
    assert message(CondaDependencies, "bad.yml").startswith("bad.yml: is not a conda specification")
    assert message(CondaDependencies, "nowhere.yml").startswith("nowhere.yml: is not a conda specification")
