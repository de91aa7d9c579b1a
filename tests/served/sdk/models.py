"""Models: files, folders, blocks, downloads, lists, tags, properties, refusals (wire §4, §5)."""

from pathlib import Path

from azureml.core.model import Model
from azureml.core.resource_configuration import ResourceConfiguration
from azureml.exceptions import WebserviceException
from common import raised, workspace

ws = workspace("models")

# One file, and what a model says of itself.
Path("one.txt").write_text("one")
first = Model.register(
    ws,
    model_path="one.txt",
    model_name="letters",
    tags={"area": "mail", "hot": ""},
    properties={"author": "me"},
    description="letters",
    model_framework=Model.Framework.SCIKITLEARN,
    model_framework_version="1.0",
    resource_configuration=ResourceConfiguration(cpu=1, memory_in_gb=2),
)
assert (first.id, first.version, first.tags["area"], first.properties["author"]) == ("letters:1", 1, "mail", "me")
assert first.resource_configuration.cpu == 1
assert Path(first.download("down", exist_ok=True)).read_text() == "one"

# A folder, with more files than one batch takes.
for number in range(60):
    path = Path("folder", f"part {number % 3}", f"{number} ü.txt")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(number))
second = Model.register(ws, model_path="folder", model_name="letters")
assert second.version == 2
down = Path(second.download("again"))
assert {path.read_text() for path in down.rglob("*.txt")} == {str(number) for number in range(60)}
assert (down / "part 1" / "7 ü.txt").read_text() == "7"
assert second.get_sas_urls()

# A file that goes in blocks.
size = 70 * 1024 * 1024
with Path("large.bin").open("wb") as file:
    file.write(b"begin")
    file.truncate(size)
    file.seek(size - 3)
    file.write(b"end")
large = Model.register(ws, model_path="large.bin", model_name="large")
fetched = Path(large.download("large"))
assert fetched.stat().st_size == size
with fetched.open("rb") as file:
    assert file.read(5) == b"begin"
    file.seek(size - 3)
    assert file.read() == b"end"

# Finding them.
assert Model(ws, name="letters").version == 2
assert Model(ws, name="letters", version=1).description == "letters"
assert Model(ws, id="letters:2").name == "letters"
assert [model.version for model in Model.list(ws, name="letters")] == [2, 1]
assert [model.id for model in Model.list(ws, latest=True)] == ["large:1", "letters:2"]
assert [model.id for model in Model.list(ws, tags=[["area", "mail"], "hot"])] == ["letters:1"]
assert [model.id for model in Model.list(ws, tags=[["area", "post"]])] == []
assert [model.id for model in Model.list(ws, properties=["author"])] == ["letters:1"]
assert set(ws.models) == {"letters", "large"}

# Changing them.
first.add_tags({"new": "tag"})
first.remove_tags(["hot"])
first.add_properties({"also": "this"})
first.update(description="other words", sample_input_dataset=None)
again = Model(ws, id="letters:1")
assert again.tags == {"area": "mail", "new": "tag"}
assert again.properties == {"author": "me", "also": "this"}
assert again.description == "other words"

# What is not there, and what goes.
assert "ModelNotFound" in raised(WebserviceException, Model, ws, name="nothing")
assert "ModelNotFound" in raised(WebserviceException, Model, ws, id="letters:9")
second.delete()
second.delete()  # the same
assert [model.version for model in Model.list(ws, name="letters")] == [1]
