"""What may be done twice."""

from akstwin import Environment, Model, Webservice
from akstwin.clock import SECOND
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import NAME, Trial


@promise("semantics §6.6")
def equal_update_changes_nothing(trial: Trial) -> None:
    """The same update again leaves the service as it is: no operation, and no other document but for its time."""
    service = trial.deploy()
    service.update(memory_gb=0.7, max_request_wait_time=900, tags={"team": "risk"})
    trial.wait(service)
    before = _timeless(service)
    service.update(memory_gb=0.7, max_request_wait_time=900, tags={"team": "risk"})
    equal("state, after the same update(memory_gb=0.7, …)", service.state, "Healthy")
    equal("serialize(), after the same update(…)", _timeless(service), before)


@promise("wire §10")
def equal_environment_is_one_version(trial: Trial) -> None:
    """An environment that is registered again as it is keeps its version; a changed one gets the next."""
    environment = Environment("checks")
    environment.environment_variables = {"GREETING": "hello"}
    first = environment.register(trial.workspace)
    again = environment.register(trial.workspace)
    equal("register(workspace), again: version", again.version, first.version)
    environment.environment_variables = {"GREETING": "good day"}
    changed = environment.register(trial.workspace)
    holds(changed.version != first.version, "register(workspace), changed: version", changed.version, "another one")
    equal("Environment.get(…), the newest", Environment.get(trial.workspace, "checks").version, changed.version)


@promise("semantics §6.6; wire §7")
def reading_changes_nothing(trial: Trial) -> None:
    """Looking at a service, its keys, logs and observation, as often as one likes, changes none of them."""
    model = trial.model()
    service = trial.deploy(models=[model])
    trial.ask(service)
    before = (trial.found().serialize(), service.get_keys(), service.get_logs())
    for _ in range(3):
        trial.observe(10 * SECOND)
        Webservice.list(trial.workspace, tags=["none"])
        Model(trial.workspace, model.name)
        service.get_logs(3)
        service.update_deployment_state()
    after = (trial.found().serialize(), service.get_keys(), service.get_logs())
    for what, was, now in zip(("serialize()", "get_keys()", "get_logs()"), before, after, strict=True):
        holds(was == now, f"{what}, after reading only", "something else", "what it was before")


@promise("wire §7, 8")
def deleting_twice_is_not_found(trial: Trial) -> None:
    """A service, a model or a version that was deleted cannot be deleted again: 404."""
    service = trial.deploy()
    service.delete()
    with trial.refused("delete(), again", 404):
        service.delete()
    model = trial.model()
    model.delete()
    with trial.refused("Model.delete(), again", 404):
        model.delete()
    with trial.refused(f"Webservice(workspace, {NAME!r})", 404):
        trial.found()


def _timeless(service: Webservice) -> dict[str, object]:
    service.update_deployment_state()
    return {key: value for key, value in service.serialize().items() if key != "updatedTime"}
