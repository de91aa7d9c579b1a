"""From what was uploaded to a folder that runs: both shapes of requests, models, archives that are not what they should be."""

import datetime as dt
import io
import json
import tarfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from akstwin.errors import Conflict, InvalidSetting, NotFound
from akstwin.uploads import Tally
from akstwin.worker import DataCollection, InitFailed, Limits, Ready, Reply, Request, Worker, WorkerSpec
from akstwin.worker.unpack import ModelFiles, unpack

ECHO = b"def init(): pass\ndef run(data): return data\n"
DRIVER = """
import importlib.util as loader, os, sys
{}
script_location = os.path.join(os.path.dirname(os.path.realpath(__file__)), {!r})
found = loader.spec_from_file_location("service_driver", script_location)
"""
"""The structure of what azureml-core generates; `test_azureml_requests` has the real one."""
SOURCE = "sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)), {!r}))"


class Uploads(dict[str, bytes]):
    """Uploaded files by their `LocalUpload/…` path, and `Backend.download` for them."""

    def fetch(self, prefix: str, target: Path, tally: Tally) -> list[Path]:
        """Write what begins with the prefix, by whole segments."""
        found = [path for path in sorted(self) if f"{path}/".startswith(f"{prefix}/")]
        if not found:
            raise NotFound(f"no artifact {prefix}")
        for path in found:
            (target / relative(path)).parent.mkdir(parents=True, exist_ok=True)
            tally.count_file()
            tally.count_bytes(len(self[path]))
            (target / relative(path)).write_bytes(self[path])
        return [relative(path) for path in found]


def relative(path: str) -> Path:
    """Without `LocalUpload/{container}`."""
    return Path(*PurePosixPath(path).parts[2:])


def member(name: str, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    """One member of an archive."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in more.items():
        setattr(info, field, value)
    return info, data


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A gzip tar of these."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """A gzip tar of files."""
    return packed(*(member(name, data) for name, data in files.items()))


def url(path: str) -> str:
    """As assets name an upload."""
    return f"aml://artifact/LocalUpload/{path}"


def bare(variables: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The request for an uploaded script, as our SDK sends it."""
    variables = {"AZUREML_ENTRY_SCRIPT": "score.py"} | dict(variables or {})
    asset = {"id": "score.py", "mimeType": "application/octet-stream", "url": url("aa11/score.py")} | more
    return {"assets": [asset], "modelIds": [], "environment": {"name": "e", "environmentVariables": variables}}


def folder_request(**more: Any) -> dict[str, Any]:
    """The request for an uploaded source directory `src`, as our SDK sends it."""
    asset = {"id": "1234abcd.tar.gz", "mimeType": "application/octet-stream", "url": url("bb22/1234abcd.tar.gz")}
    variables = {"AZUREML_ENTRY_SCRIPT": "src/score.py", "AZUREML_SOURCE_DIRECTORY": "src"}
    environment = {"name": "e", "environmentVariables": variables}
    return {"assets": [asset | {"unpack": True} | more], "modelIds": [], "environment": environment}


@pytest.fixture
def lay(tmp_path: Path) -> Callable[..., WorkerSpec | None]:
    """Unpack into a new folder."""

    def call(request: Mapping[str, Any], uploads: Uploads, models: Sequence[ModelFiles] = (), **more: Any) -> Any:
        names = {"service_name": "fraud", "service_version": "1", "workspace_name": "ws"}
        return unpack(
            request, fetch=uploads.fetch, models=models, folder=more.pop("folder", tmp_path / "app"), **names | more
        )

    return call


def tree(folder: Path) -> list[str]:
    """Its files and empty folders."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or not any(path.iterdir())
    )


def answer(spec: WorkerSpec, body: bytes = b"1") -> Any:
    """What the script makes of a request."""
    at = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    with Worker(spec) as worker:
        started = worker.start(at)
        assert isinstance(started, Ready), started
        reply = worker.run(Request(at, body, (("Content-Type", "application/json"),)))
    assert isinstance(reply, Reply)
    return json.loads(reply.body)


def test_a_bare_script_runs_with_the_users_variables(lay: Any) -> None:
    """What only tells the script's name is no variable of the user's."""
    script = (
        b"import os\ndef init(): pass\ndef run(data): return [data, os.environ['COLOUR'], os.environ['SERVICE_NAME']]\n"
    )
    spec = lay(bare({"COLOUR": "blue"}), Uploads({"LocalUpload/aa11/score.py": script}), limits=Limits(run_seconds=7))
    assert spec.environment == {"COLOUR": "blue"}
    assert (spec.entry_script, spec.source_directory) == ("score.py", None)
    assert (spec.service_version, spec.workspace_name, spec.path_prefix) == ("1", "ws", "/api/v1/service/fraud")
    assert spec.limits.run_seconds == 7
    assert tree(spec.folder) == ["azureml-models", "score.py"]
    assert answer(spec) == ["1", "blue", "fraud"]


def test_a_source_directory_runs(lay: Any) -> None:
    """With its modules and its data, beside the script and from the working directory."""
    script = """
        import other, pathlib
        def init(): pass
        def run(data): return [other.NUMBER, pathlib.Path("src/data/a.txt").read_text(), (other.HERE / "data/a.txt").exists()]
    """
    files = {
        "src/score.py": textwrap.dedent(script).encode(),
        "src/other.py": b"import pathlib\nNUMBER = 7\nHERE = pathlib.Path(__file__).parent\n",
        "src/data/a.txt": b"text",
    }
    spec = lay(folder_request(), Uploads({"LocalUpload/bb22/1234abcd.tar.gz": archive_of(files)}))
    assert (spec.entry_script, spec.source_directory) == ("src/score.py", "src")
    assert answer(spec) == [7, "text", True]
    assert tree(spec.folder) == ["azureml-models", *sorted(files)]


@pytest.mark.parametrize("environment", [True, False])
@pytest.mark.parametrize("source", [True, False])
def test_azureml_cores_shape_runs(lay: Any, environment: bool, source: bool) -> None:
    """With a driver program; without an environment only that names the script."""
    request = folder_request() if source else bare()
    if not environment:
        del request["environment"]
    request["driverProgram"] = "tmpx1.py"
    driver = {"id": "tmpx1.py", "mimeType": "application/x-python", "url": url("cc33/tmpx1.py")}
    request["assets"].insert(0, driver)
    script = "src/score.py" if source else "score.py"
    text = DRIVER.format(SOURCE.format("src") if source else "", script)
    uploads = Uploads({"LocalUpload/cc33/tmpx1.py": text.encode()})
    uploads["LocalUpload/bb22/1234abcd.tar.gz"] = archive_of({"src/score.py": ECHO})
    uploads["LocalUpload/aa11/score.py"] = ECHO
    spec = lay(request, uploads)
    assert (spec.entry_script, spec.source_directory) == (script, "src" if source else None)
    assert answer(spec, b"5") == "5"


@pytest.mark.parametrize(
    "text",
    [
        "import importlib.util\nimportlib.util.spec_from_file_location('d', 'a/b.py')\n",
        "from importlib.util import spec_from_file_location\nat = 'a/b.py'\nspec_from_file_location('d', at)\n",
        "import os, x\nx.y.spec_from_file_location('d', os.path.join(f(), 'a', 'b.py'))\n",
    ],
)
def test_a_driver_is_read_by_what_it_does(lay: Any, text: str) -> None:
    """Names of modules and variables may change from one version of azureml-core to the next."""
    request = {"driverProgram": "d.py", "assets": [{"id": "d.py", "url": url("c/d.py")}]}
    assert lay(request, Uploads({"LocalUpload/c/d.py": text.encode()})).entry_script == "a/b.py"


@pytest.mark.parametrize(
    "text",
    [
        ECHO.decode(),
        "not Python",
        "nul \0",
        "spec_from_file_location('d', f())",
        "spec_from_file_location('d')",
        "spec_from_file_location('d', 'a.py'); spec_from_file_location('d', 'b.py')",
        "f" + "()" * 20_000,
    ],
)
def test_any_other_driver_is_the_script_itself(lay: Any, text: str) -> None:
    """If it can't be that either, the container says so when it starts."""
    request = {"driverProgram": "d.py", "assets": [{"id": "d.py", "url": url("c/d.py")}]}
    spec = lay(request, Uploads({"LocalUpload/c/d.py": text.encode()}))
    assert spec.entry_script == "d.py"
    with Worker(spec) as worker:
        started = worker.start(dt.datetime(2026, 7, 1, tzinfo=dt.UTC))
    assert isinstance(started, Ready if text == ECHO.decode() else InitFailed)


def test_without_a_script_there_is_nothing_to_run(lay: Any, tmp_path: Path) -> None:
    """A no-code deployment sends models only, or with an environment of no interest; nothing is fetched for it."""
    for request in (
        {"modelIds": ["m:1"]},
        {"modelIds": ["m:1"], "assets": [], "environment": None, "driverProgram": None},
        {"modelIds": ["m:1"], "environment": {"name": "e", "environmentVariables": None}},
        {"modelIds": ["m:1"], "environment": {}},
    ):
        assert lay(request, Uploads(), [ModelFiles("m", 1, ("LocalUpload/x/m",))]) is None
    assert not (tmp_path / "app").exists()


def test_a_script_that_was_not_uploaded_fails_the_container(lay: Any) -> None:
    """Not the deployment, as in the service."""
    spec = lay(folder_request(), Uploads({"LocalUpload/bb22/1234abcd.tar.gz": archive_of({"src/main.py": ECHO})}))
    with Worker(spec) as worker:
        started = worker.start(dt.datetime(2026, 7, 1, tzinfo=dt.UTC))
    assert isinstance(started, InitFailed)
    assert "score.py" in started.reason


def test_an_asset_may_be_a_folder(lay: Any) -> None:
    """A URL stands for all uploads below it."""
    uploads = Uploads({"LocalUpload/aa11/p/lib/a.py": b"1", "LocalUpload/aa11/p/lib/b/c.py": b"2"})
    uploads["LocalUpload/aa11/p/library.py"] = b"3"
    spec = lay(bare(id="code", url=url("aa11/p/lib")), uploads)
    assert tree(spec.folder) == ["azureml-models", "code/a.py", "code/b/c.py"]


# -- models


def test_one_model(lay: Any) -> None:
    """`AZUREML_MODEL_DIR` is its own folder; its files stand in it as `Model.download` would write them."""
    uploads = Uploads({"LocalUpload/aa11/score.py": ECHO, "LocalUpload/m1/outputs/model.pkl": b"weights"})
    spec = lay(bare(), uploads, [ModelFiles("fraud-model", 3, ("LocalUpload/m1/outputs/model.pkl",))])
    assert spec.model_dir == spec.folder / "azureml-models" / "fraud-model" / "3"
    assert (spec.model_dir / "model.pkl").read_bytes() == b"weights"
    assert tree(spec.folder) == ["azureml-models/fraud-model/3/model.pkl", "score.py"]


def test_several_models(lay: Any) -> None:
    """`AZUREML_MODEL_DIR` is the folder above; versions stand side by side; a model may be a folder, or in pieces."""
    uploads = Uploads({"LocalUpload/aa11/score.py": ECHO, "LocalUpload/m1/a.pkl": b"1", "LocalUpload/m2/a.pkl": b"2"})
    uploads |= {"LocalUpload/m3/net/w.bin": b"w", "LocalUpload/m3/net/v/x": b"x", "LocalUpload/m4/vocabulary": b"v"}
    models = [
        ModelFiles("a", 1, ("LocalUpload/m1/a.pkl",)),
        ModelFiles("a", 12, ("LocalUpload/m2/a.pkl",)),
        ModelFiles("net", 1, ("LocalUpload/m3/net", "LocalUpload/m4/vocabulary")),
    ]
    spec = lay(bare(), uploads, models)
    assert spec.model_dir == spec.folder / "azureml-models"
    assert tree(spec.model_dir) == ["a/1/a.pkl", "a/12/a.pkl", "net/1/net/v/x", "net/1/net/w.bin", "net/1/vocabulary"]


def test_the_same_model_twice_is_one(lay: Any) -> None:
    """There is one folder for it."""
    uploads = Uploads({"LocalUpload/aa11/score.py": ECHO, "LocalUpload/m1/a.pkl": b"1"})
    spec = lay(bare(), uploads, [ModelFiles("a", 1, ("LocalUpload/m1/a.pkl",))] * 2)
    assert spec.model_dir == spec.folder / "azureml-models" / "a" / "1"


def test_no_models(lay: Any) -> None:
    """`AZUREML_MODEL_DIR` is an empty folder, as in azureml-core's local containers: scripts that list it go on."""
    script = b"import os\ndef init(): pass\ndef run(data): return os.listdir(os.environ['AZUREML_MODEL_DIR'])\n"
    spec = lay(bare(), Uploads({"LocalUpload/aa11/score.py": script}))
    assert answer(spec) == []


def test_collection_knows_the_models(lay: Any, tmp_path: Path) -> None:
    """The newest deployed version of each."""
    uploads = Uploads({"LocalUpload/aa11/score.py": ECHO, "LocalUpload/m/x": b""})
    models = [ModelFiles(name, version, ("LocalUpload/m/x",)) for name, version in (("a", 11), ("a", 2), ("b", 1))]
    collection = DataCollection(tmp_path / "data", "sub", "group")
    spec = lay(bare(), uploads, models, collection=collection)
    assert spec.collection is not None
    assert spec.collection.models == {"a": 11, "b": 1}
    assert collection.models == {}


PATHS = """
from azureml.core.model import Model
import azureml.core
def init():
    assert azureml.core.Model is Model
def run(data):
    name, version = eval(data)
    try:
        return str(Model.get_model_path(name, version) if version else Model.get_model_path(model_name=name))
    except Exception as error:
        import azureml.exceptions
        assert type(error) is getattr(azureml.exceptions, type(error).__name__)
        return f"{type(error).__name__}: {error.message}"
"""


def test_get_model_path(lay: Any) -> None:
    """The file, or the folder that holds all; the newest version by its number; what is missing is named."""
    uploads = Uploads({"LocalUpload/aa11/score.py": PATHS.encode(), "LocalUpload/m1/a.pkl": b"1"})
    uploads |= {"LocalUpload/m3/net/w.bin": b"w", "LocalUpload/m3/net/v": b"x"}
    models = [ModelFiles("a", version, ("LocalUpload/m1/a.pkl",)) for version in (2, 11)]
    models += [
        ModelFiles("net", 1, ("LocalUpload/m3/net",)),
        ModelFiles("parts", 1, tuple(f"LocalUpload/m3/net/{x}" for x in ("v", "w.bin"))),
    ]
    spec = lay(bare(), uploads, models)
    root = spec.folder / "azureml-models"
    here = "a:11, a:2, net:1, parts:1"
    expected = {
        ("a", None): f"{root}/a/11/a.pkl",
        ("a", 2): f"{root}/a/2/a.pkl",
        ("net", None): f"{root}/net/1/net",
        ("score.py", None): "score.py",  # the working directory is looked at last
        ("b", None): f"ModelNotFoundException: There is no model b in this container; there are: {here}",
        ("a", 3): f"WebserviceException: There is no model a:3 in this container; there are: {here}",
        ("a", "2"): "WebserviceException: version: '2' is not an int",
        (None, None): "WebserviceException: model_name: None is not the name of a model",
        (
            "parts",
            None,
        ): f"WebserviceException: {root}/parts/1 holds ['v', 'w.bin']; the path of a model is that of one "
        "file or folder. AZUREML_MODEL_DIR leads to all of them.",
    }
    at = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    with Worker(spec) as worker:
        assert isinstance(worker.start(at), Ready)
        for question, path in expected.items():
            reply = worker.run(Request(at, repr(question).encode()))
            assert isinstance(reply, Reply)
            assert json.loads(reply.body) == path


# -- what is wrong


HOSTILE = {
    "above": (member("../evil", b"x"), "'../evil' is not a path within the archive"),
    "above, later": (member("src/../../evil", b"x"), "'src/../../evil' is not a path within the archive"),
    "absolute": (member("/etc/evil", b"x"), "'/etc/evil' is not a path within the archive"),
    "link out": (
        member("src/out", type=tarfile.SYMTYPE, linkname="../../x"),
        "'src/out -> ../../x' is not a link within the archive",
    ),
    "absolute link": (
        member("src/out", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "'src/out -> /etc/passwd' is not a link within the archive",
    ),
    "hard link out": (
        member("src/out", type=tarfile.LNKTYPE, linkname="../../etc/passwd"),
        "'src/out -> ../../etc/passwd' is not a link within the archive",
    ),
    "device": (member("src/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "'src/null' is not a file, a folder"),
    "pipe": (member("src/pipe", type=tarfile.FIFOTYPE), "'src/pipe' is not a file, a folder or a link"),
    "through a link": (member("src/in/x", b"x"), "'src/in/x' is not a member that is not written through a link"),
    "over a link": (member("src/in", b"x"), "'src/in' is not a member that is not written through a link"),
    "hard link to a link": (
        member("src/y", type=tarfile.LNKTYPE, linkname="src/in/score.py"),
        "'src/y' is not a member that is not written through a link",
    ),
    "over a folder": (member("src", b"x"), "at src' is not an archive that can be unpacked"),
    "over the models": (member("azureml-models", b"x"), "at azureml-models' is not an archive that can be unpacked"),
    "below a file": (member("src/score.py/x", b"x"), "at src/score.py/x' is not an archive that can be unpacked"),
    "link to nothing": (
        member("src/h", type=tarfile.LNKTYPE, linkname="src/nothing"),
        "at src/h' is not an archive that can be unpacked",
    ),
    "long": (member("src/" + "n" * 300, b"x"), "is not an archive that can be unpacked"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_members_are_refused(lay: Any, tmp_path: Path, case: str) -> None:
    """By name, and with the asset's; nothing is left, inside or outside."""
    wrong, message = HOSTILE[case]
    link = member("src/in", type=tarfile.SYMTYPE, linkname=".")
    archive = packed(member("src/score.py", ECHO), link, wrong, member("src/last.py", b""))
    outside = tmp_path / "x"
    outside.write_text("untouched")
    with pytest.raises(InvalidSetting) as caught:
        lay(folder_request(), Uploads({"LocalUpload/bb22/1234abcd.tar.gz": archive}))
    assert message in str(caught.value)
    assert "environmentImageRequest.assets[0]" in caught.value.setting
    assert "1234abcd.tar.gz" in str(caught.value)
    assert tree(tmp_path) == ["x"]
    assert outside.read_text() == "untouched"


def test_links_within_the_archive_are_kept(lay: Any) -> None:
    """Source directories have them."""
    links = [
        member("src/link.txt", type=tarfile.SYMTYPE, linkname="data/a.txt"),
        member("src/hard.txt", type=tarfile.LNKTYPE, linkname="src/data/a.txt"),
    ]
    archive = packed(member("src", type=tarfile.DIRTYPE, mode=0o555), member("src/data/a.txt", b"a", mode=0), *links)
    spec = lay(folder_request(), Uploads({"LocalUpload/bb22/1234abcd.tar.gz": archive}))
    assert (spec.folder / "src/link.txt").read_bytes() == (spec.folder / "src/hard.txt").read_bytes() == b"a"


GOOD = archive_of({"src/score.py": ECHO, "src/noise": bytes(range(256)) * 100})


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", GOOD[:40], GOOD[:-30], GOOD[:60] + b"\0" * 9 + GOOD[69:]],
    ids=["empty", "no archive", "its head", "without its end", "a hole"],  # gzip keeps the time: no id of its bytes
)
def test_broken_archives_are_refused(lay: Any, tmp_path: Path, data: bytes) -> None:
    """Whatever the tar module makes of them."""
    with pytest.raises(
        InvalidSetting, match=r"assets\[0\]: '1234abcd.tar.gz.*' is not an archive that can be unpacked"
    ):
        lay(folder_request(), Uploads({"LocalUpload/bb22/1234abcd.tar.gz": data}))
    assert tree(tmp_path) == []


def test_every_damaged_archive_is_unpacked_or_refused(lay: Any, tmp_path: Path) -> None:
    """One byte after the other; no other error, and no file outside."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in (member("src/é.py", ECHO, mtime=1.5), member("src/l", type=tarfile.SYMTYPE, linkname="é.py")):
            archive.addfile(info, io.BytesIO(data))
    good = file.getvalue()
    refused = 0
    for number in range(0, 4 * 512, 7):
        bad = bytearray(good)
        bad[number] ^= 0xFF if number % 2 else 0x07
        try:
            lay(
                folder_request(),
                Uploads({"LocalUpload/bb22/1234abcd.tar.gz": bytes(bad)}),
                folder=tmp_path / f"{number}" / "app",
            )
        except InvalidSetting:
            refused += 1
        assert [path.name for path in (tmp_path / f"{number}").iterdir()] in ([], ["app"])
    assert refused > 50


def test_what_is_missing_is_named(lay: Any, tmp_path: Path) -> None:
    """Assets and models."""
    with pytest.raises(NotFound, match=r"assets\[0\]: LocalUpload/aa11/score.py is not there"):
        lay(bare(), Uploads())
    script = Uploads({"LocalUpload/aa11/score.py": ECHO})
    with pytest.raises(NotFound, match="model a:2: LocalUpload/m/gone is not there"):
        lay(bare(), script, [ModelFiles("a", 2, ("LocalUpload/m/gone",))])
    with pytest.raises(NotFound, match="is not there"):
        unpack(
            bare(), fetch=lambda _prefix, _target, _tally: [], models=(), folder=tmp_path / "app",
            service_name="s", service_version="1", workspace_name="w",
        )  # fmt: skip
    assert tree(tmp_path) == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"assets": "x"}, "environmentImageRequest.assets: 'x' is not a list"),
    ({"assets": ["x"]}, "environmentImageRequest.assets[0]: 'x' is not an object"),
    ({"assets": [{"id": "a"}]}, "environmentImageRequest.assets[0].url: is missing; expected an uploaded file"),
    (bare(id=None), "assets[0].id: is missing; expected a path within the uploaded folder"),
    (bare(id="../x"), "assets[0].id: '../x' is not a path within the uploaded folder"),
    (bare(id="/x"), "assets[0].id: '/x' is not a path within"),
    (bare(id="a\0b"), "assets[0].id: 'a\\x00b' is not a path within"),
    (bare(id="."), "assets[0].id: '.' is not a path that is free for a file"),
    (bare(id="azureml-models"), "assets[0].id: 'azureml-models' is not a path that is free for a file"),
    (bare(url="https://example.com/score.py"), "assets[0].url: 'https://example.com/score.py' is not an uploaded file"),
    (bare(url=url("aa11")), "is not an uploaded file"),
    (bare(url=url("aa11/../score.py")), "is not an uploaded file"),
    (bare(url="aml://artifact/ExperimentRun/aa11/score.py"), "is not an uploaded file"),
    (bare(unpack="yes"), "assets[0].unpack: 'yes' is not true or false"),
    (bare({"AZUREML_ENTRY_SCRIPT": "../x.py"}), "environmentVariables.AZUREML_ENTRY_SCRIPT: '../x.py' is not a path within"),
    (bare({"AZUREML_ENTRY_SCRIPT": ""}), "environmentVariables.AZUREML_ENTRY_SCRIPT: '' is not a path within"),
    (bare({"AZUREML_SOURCE_DIRECTORY": "/x"}), "environmentVariables.AZUREML_SOURCE_DIRECTORY: '/x' is not a path within"),
    (bare({"N": 1}), "environmentVariables.N: 1 is not an environment variable"),
    (bare({"A=B": "1"}), "environmentVariables.A=B: '1' is not an environment variable"),
    (bare() | {"environment": "e"}, "environmentImageRequest.environment: 'e' is not an object"),
    (bare() | {"environment": None}, "AZUREML_ENTRY_SCRIPT: is missing; expected the entry script's path"),
    (bare() | {"driverProgram": "no.py"}, "driverProgram: 'no.py' is not the id of one of its files"),
    (bare(unpack=True) | {"driverProgram": "score.py"}, "driverProgram: 'score.py' is not the id of one of its files"),
    ({"driverProgram": "d.py"}, "driverProgram: 'd.py' is not the id of one of its files"),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "message"), WRONG)
def test_wrong_requests_are_refused_by_setting_and_value(
    lay: Any, tmp_path: Path, request_: dict[str, Any], message: str
) -> None:
    """And nothing is left of them."""
    with pytest.raises(InvalidSetting) as caught:
        lay(request_, Uploads({"LocalUpload/aa11/score.py": ECHO}))
    assert message in str(caught.value)
    assert tree(tmp_path) == []


@pytest.mark.parametrize("location", ["/etc/x.py", "../x.py"])
def test_a_driver_that_leads_elsewhere_is_refused(lay: Any, location: str) -> None:
    """The script is one of the uploaded files."""
    request = {"driverProgram": "d.py", "assets": [{"id": "d.py", "url": url("c/d.py")}]}
    with pytest.raises(InvalidSetting, match=r"driverProgram \(d.py\): .* is not a path within the uploaded folder"):
        lay(request, Uploads({"LocalUpload/c/d.py": DRIVER.format("", location).encode()}))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\0"])
def test_a_model_is_a_folders_name(name: str) -> None:
    """Registration is stricter; this is the last word before the disk."""
    with pytest.raises(InvalidSetting, match=r"model\.name"):
        ModelFiles(name, 1, ())


def test_an_archive_is_one_file(lay: Any) -> None:
    """A folder of them is not one."""
    with pytest.raises(InvalidSetting, match="there are 2 files"):
        lay(folder_request(url=url("bb22/x")), Uploads({"LocalUpload/bb22/x/a": GOOD, "LocalUpload/bb22/x/b": GOOD}))


def test_a_folder_with_something_in_it_is_left_alone(lay: Any, tmp_path: Path) -> None:
    """It may be another deployment's."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/theirs").write_text("x")
    with pytest.raises(Conflict, match="is not empty"):
        lay(bare(), Uploads({"LocalUpload/aa11/score.py": ECHO}))
    assert tree(tmp_path) == ["app/theirs"]
