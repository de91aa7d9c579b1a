"""Models and environments, and that they reach the script."""

from akstwin import AksCompute, ComputeTarget, Environment, Model, Webservice
from akstwin.testing.answers import body, shown
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import Trial


@promise("wire §5")
def models_have_versions(trial: Trial) -> None:
    """A model that is registered under a name that there is gets the next version; all are found and listed."""
    first, second = trial.model("one"), trial.model("two")
    other = trial.model("three", name="other")
    seen = [(model.id, model.version) for model in (first, second, other)]
    equal("Model.register(…): id, version", seen, [("risk:1", 1), ("risk:2", 2), ("other:1", 1)])
    equal("Model(workspace, 'risk').version", Model(trial.workspace, "risk").version, 2)
    equal("Model(workspace, 'risk', version=1).id", Model(trial.workspace, "risk", version=1).id, "risk:1")
    equal("Model(workspace, id='risk:1').version", Model(trial.workspace, id="risk:1").version, 1)
    listed = [model.id for model in Model.list(trial.workspace, "risk")]
    equal("Model.list(workspace, 'risk'), the newest first", listed, ["risk:2", "risk:1"])
    newest = sorted(model.id for model in Model.list(trial.workspace, latest=True))
    equal("Model.list(workspace, latest=True)", newest, ["other:1", "risk:2"])
    with trial.refused("Model(workspace, 'nobody')", 404):
        Model(trial.workspace, "nobody")
    with trial.refused("Model(workspace, id='risk:3')", 404):
        Model(trial.workspace, id="risk:3")


@promise("wire §5")
def models_have_tags(trial: Trial) -> None:
    """Tags of a model change, properties are only added to, and models are found by both."""
    model = trial.model(tags={"stage": "test"}, properties={"origin": "check"})
    model.add_tags({"team": "risk"})
    model.remove_tags(["stage"])
    model.add_properties({"more": "yes"})
    again = Model(trial.workspace, id=model.id)
    equal("tags, after add_tags and remove_tags", again.tags, {"team": "risk"})
    equal("properties, after add_properties", again.properties, {"origin": "check", "more": "yes"})
    patch = [{"op": "add", "path": "/properties", "value": {"origin": "elsewhere", "more": "yes"}}]
    with trial.refused(f"patch_model({model.id!r}, {patch})", 400):
        trial.backend.patch_model(model.id, patch)
    for given, found in (
        ({"tags": ["team"]}, [model.id]),
        ({"tags": [["team", "sales"]]}, []),
        ({"properties": [["origin", "check"]]}, [model.id]),
    ):
        equal(f"Model.list(workspace, **{given})", [each.id for each in Model.list(trial.workspace, **given)], found)


@promise("wire §4, §5")
def model_files_come_back(trial: Trial) -> None:
    """What is downloaded of a model is what was registered, version by version."""
    models = [trial.model("one"), trial.model("two")]
    for model, content in zip(models, ("one", "two"), strict=True):
        path = model.download(str(trial.folder / f"download-{model.version}"))
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - of the path's own kind
            equal(f"Model({model.id}).download(…)", file.read(), content)


@promise("semantics §2.4, 4; §3")
def model_reaches_the_script(trial: Trial) -> None:
    """A script finds the files of the model that was deployed, and of its next version after an update."""
    service = trial.deploy(models=[trial.model("one")])
    _reads(trial, service, "score(…), of a script that reads its model", ["one"])
    equal("models", [model.id for model in service.models], ["risk:1"])
    service.update(models=[trial.model("two")], inference_config=trial.script())
    trial.wait(service)
    _reads(trial, service, "score(…), after update(models=…)", ["two"])


@promise("wire §5")
def deployed_model_stays(trial: Trial) -> None:
    """A model that is deployed cannot be deleted: 412; once the service is gone it can, and is not found then."""
    model = trial.model()
    service = trial.deploy(models=[model])
    with trial.refused("Model.delete(), while it is deployed", 412):
        model.delete()
    equal("Model(workspace, …).id, after that", Model(trial.workspace, model.name).id, model.id)
    service.delete()
    model.delete()
    with trial.refused("Model(workspace, …), after delete()", 404):
        Model(trial.workspace, id=model.id)


@promise("semantics §3; wire §7.3, §10")
def environment_reaches_the_script(trial: Trial) -> None:
    """An environment is given back as it was registered, and its variables reach the script."""
    environment = Environment("greeting")
    environment.environment_variables = {"GREETING": "hello"}
    environment.register(trial.workspace)
    found = Environment.get(trial.workspace, "greeting")
    equal("Environment.get(…).environment_variables", found.environment_variables, {"GREETING": "hello"})
    holds("greeting" in Environment.list(trial.workspace), "Environment.list(…)", "not there", "greeting")
    with trial.refused("Environment.get(workspace, 'nobody')", 404):
        Environment.get(trial.workspace, "nobody")
    service = trial.deploy(trial.script(environment=found))
    answer = trial.ask(service, variable="GREETING")
    good = answer.status == 200 and body(answer).get("variable") == "hello"
    holds(good, "score(…), of a script that reads its environment", shown(answer), "hello")


@promise("wire §6")
def compute_target_is_found(trial: Trial) -> None:
    """The cluster that services are deployed to is found by its name, and listed."""
    target = trial.target
    found = ComputeTarget(trial.workspace, target.name)
    equal("type(ComputeTarget(…))", type(found), AksCompute)
    equal("provisioning_state", found.provisioning_state, "Succeeded")
    holds(target.name in trial.workspace.compute_targets, "compute_targets", "not there", target.name)
    equal("compute_name, of a service on it", trial.begin().compute_name, target.name)


def _reads(trial: Trial, service: Webservice, call: str, promised: list[str]) -> None:
    answer = trial.ask(service, file="weights.txt")
    good = answer.status == 200 and body(answer).get("file") == promised
    holds(good, call, shown(answer), f"what is in it: {promised}")
