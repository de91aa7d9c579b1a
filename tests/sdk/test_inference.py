"""The script that scores."""

from pathlib import Path
from typing import Any

import pytest

from akstwin import CondaDependencies, Environment, InferenceConfig, Model, WebserviceException, Workspace
from akstwin.sdk.upload import files_below, hash_of_files

SCRIPT = "def init(): ...\ndef run(data): ...\n"


def message(function: Any, *given: Any, **arguments: Any) -> str:
    """What a call says when it refuses."""
    with pytest.raises(WebserviceException) as caught:
        function(*given, **arguments)
    return caught.value.message


@pytest.mark.usefixtures("ws")
@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nowhere.py", None, "entry_script: 'nowhere.py' is not a file; it is looked for in the current directory"),
        ("", None, "entry_script: '' is not the path of a Python file"),
        (None, None, "entry_script: None is not the path of a Python file"),
        ("score.sh", SCRIPT, "entry_script: 'score.sh' is not a Python file: its name ends in .py"),
        ("my-score.py", SCRIPT, "entry_script: 'my-score.py' is not a module that can be imported"),
        ("class.py", SCRIPT, "entry_script: 'class.py' is not a module that can be imported"),
        ("broken.py", "def init(:", "entry_script: 'broken.py' is not Python: "),
        ("null.py", "\0", "entry_script: 'null.py' is not Python: "),
    ],
)
def test_the_script_is_one(name: Any, content: str | None, expected: str) -> None:
    """It is there, can be imported by its name, and is Python."""
    if content is not None:
        Path(name).write_text(content)

    assert message(InferenceConfig, name).startswith(expected)


@pytest.mark.usefixtures("ws")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"source_directory": "nowhere"}, "source_directory: "),
        ({"source_directory": "score.py"}, "source_directory: "),
        ({"environment": "env"}, "environment: 'env' is not an Environment"),
        (
            {"environment": Environment("e"), "runtime": "python"},
            "runtime: 'python' is not allowed together with environment",
        ),
        (
            {"environment": Environment("e"), "conda_file": "c"},
            "conda_file: 'c' is not allowed together with environment",
        ),
        ({"runtime": "spark-py"}, "runtime='spark-py' is not offered here: python is"),
        ({"enable_gpu": True}, "enable_gpu=True is not offered here: use environment, which came after"),
        ({"cuda_version": "9.0"}, "cuda_version='9.0' is not offered here"),
        (
            {"extra_docker_file_steps": "steps"},
            (
                "extra_docker_file_steps='steps' is not offered here: use environment, which came after, with the steps in "
                "environment.docker.base_dockerfile"
            ),
        ),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], expected: str) -> None:
    """By name and value."""
    assert message(InferenceConfig, "score.py", **arguments).startswith(expected)


def test_the_users_environment_stays_as_it_is(ws: Workspace, model: Model) -> None:
    """The script's name goes into what is sent."""
    environment = Environment("env")
    environment.environment_variables["MINE"] = "1"
    script = InferenceConfig("score.py", environment=environment)

    request = script.environment_image_request(ws, "fraud", [])

    assert request["environment"]["environmentVariables"] == {"MINE": "1", "AZUREML_ENTRY_SCRIPT": "score.py"}
    assert environment.environment_variables == {"MINE": "1"}
    assert request["modelIds"] == []


def test_equal_content_is_uploaded_alike(ws: Workspace, backend: Any) -> None:
    """Whatever its times and modes; other content has another name."""
    for folder in ("a/source", "b/source", "c/source"):
        Path(folder).mkdir(parents=True)
        Path(folder, "score.py").write_text(SCRIPT)
    Path("b/source/score.py").chmod(0o600)
    Path("c/source/data.txt").write_text("other")

    requests = [
        InferenceConfig("score.py", source_directory=f"{folder}/source").environment_image_request(ws, "fraud", [])
        for folder in "abc"
    ]

    assert requests[0] == requests[1]
    assert requests[0]["assets"] != requests[2]["assets"]
    packed = (backend.folder / requests[0]["assets"][0]["url"].removeprefix("aml://artifact/")).read_bytes()
    assert packed[3:8] == bytes(5), "neither a name nor a time"


@pytest.mark.usefixtures("ws")
def test_what_cannot_be_packed(ws: Workspace) -> None:
    """A link to a folder is not followed, and not left out either."""
    Path("source").mkdir()
    Path("source/score.py").write_text(SCRIPT)
    Path("source/loop").symlink_to(".")
    script = InferenceConfig("score.py", source_directory="source")

    assert "is not a file or a folder that can be uploaded" in message(script.environment_image_request, ws, "f", [])
    assert "nowhere" in message(list, files_below("source_directory", Path("nowhere")))
    assert "nowhere" in message(hash_of_files, [("a", Path("nowhere"))])


def test_old_scripts_parameters(ws: Workspace) -> None:
    """A conda file and a base image become an environment, with a warning."""
    CondaDependencies.create(conda_packages=["scipy"]).save("conda.yml")
    with pytest.warns(DeprecationWarning, match="runtime, conda_file, base_image: use environment"):
        script = InferenceConfig("score.py", runtime="python", conda_file="conda.yml", base_image="mine:1")

    environment = script.environment_image_request(ws, "fraud", [])["environment"]

    assert environment["name"] == "fraud-env"
    assert "scipy" in environment["python"]["condaDependencies"]["dependencies"]
    assert environment["docker"]["baseImage"] == "mine:1"
    assert message(InferenceConfig, "score.py", conda_file="no.yml") == "conda_file: 'no.yml' is not a file"


def test_what_is_shown(ws: Workspace, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    """The script where it will stand in the image."""
    Path("source").mkdir()
    Path("source/score.py").write_text(SCRIPT)
    Model.print_configuration([], InferenceConfig("score.py", source_directory="source"), None, None)
    assert capsys.readouterr().out == "Entry script: source/score.py\n"


def test_a_change_is_checked_when_it_is_sent(ws: Workspace) -> None:
    """Configurations can be changed after they were made."""
    script = InferenceConfig("score.py")
    Path("score.py").write_text("def")

    assert message(script.environment_image_request, ws, "fraud", []).startswith(
        "entry_script: 'score.py' is not Python"
    )
    assert "score.py" in repr(script)
