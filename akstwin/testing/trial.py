"""What a promise is tried with: a workspace that nobody has used, and how to deploy, send and wait in it.

Time passes by the backend's clock alone, and limits come from its assumptions. Bounds on times have room for a real world,
which has other things to do: `LATE` and `EARLY`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any, Final

from akstwin import (
    AksCompute,
    AksEndpoint,
    AksWebservice,
    ComputeTarget,
    Environment,
    InferenceConfig,
    Model,
    Webservice,
    WebserviceException,
    Workspace,
)
from akstwin.backend import Backend, Json, ScoreRequest, ScoreResponse
from akstwin.clock import MILLISECOND, SECOND, Micros
from akstwin.domain.observation import Observation, VersionObservation
from akstwin.errors import AksError
from akstwin.testing import scripts
from akstwin.testing.promise import holds, unkept
from akstwin.testing.watched import longest_operation, watched
from akstwin.testing.words import seconds

LATE: Final = SECOND
"""An answer, or an effect, may come so much after its time."""
EARLY: Final = Micros(5 * MILLISECOND)
"""A span may be so much shorter than it should be: clocks are read before and after it."""
NAP: Final = Micros(50 * MILLISECOND)
"""How long a script takes where that matters: what a simulated model takes unless told otherwise."""
NAME: Final = "checked"
"""What services are called."""
_CLUSTER: Final = "checks"


class Trial:
    """One promise's workspace.

    Args:
        backend: a fresh one.
        folder: for scripts and files.

    Attributes:
        backend: it, behind the protocol's methods alone.
        workspace: on it.
        folder: as given.
        limits: the limits that were asked for, as text.

    Raises:
        InvalidSetting: the backend lacks methods, which are named.
    """

    def __init__(self, backend: Backend, folder: Path) -> None:
        Workspace(backend=backend)  # refuses what lacks methods; what watches it has them all
        self.backend = watched(backend)
        self.workspace = Workspace(backend=self.backend)
        self.limits: dict[str, str] = {}
        self.folder = folder
        self._scripts = 0
        self._target: ComputeTarget | None = None

    # -- time and limits

    def span(self, limit: str) -> Micros:
        """A limit that is a time."""
        value: Micros = getattr(self.backend.assumptions, limit)
        self.limits[limit] = seconds(value)
        return value

    def limit(self, limit: str) -> Any:
        """Another limit."""
        value = getattr(self.backend.assumptions, limit)
        self.limits[limit] = str(value)
        return value

    @property
    def now(self) -> Micros:
        """The present instant."""
        return self.backend.clock.now()

    def sleep(self, span: int) -> None:
        """Let time pass."""
        self.backend.clock.sleep_until(Micros(self.now + span))

    def settle(self) -> None:
        """Wait until the router has learned of what no operation waits for."""
        self.sleep(self.span("router_lag") + LATE)

    def until(
        self, call: str, look: Callable[[], Any], promised: str, good: Callable[[Any], bool], within: int
    ) -> None:
        """Look every second until what is seen is good.

        Args:
            call: what shows it.
            look: gives what there is to see.
            promised: what is waited for.
            good: whether that is it.
            within: how long it may take.
        """
        started = self.now
        while not good(seen := look()):
            if self.now - started > within:
                unkept(f"{call} for {seconds(Micros(within))}", seen, promised)
            self.sleep(SECOND)

    # -- deploying

    @property
    def target(self) -> ComputeTarget:
        """The first compute target there is; else one is made."""
        if self._target is None:
            there = self.workspace.compute_targets
            self._target = next(iter(there.values()), None) or self._made()
        return self._target

    def _made(self) -> ComputeTarget:
        configuration = AksCompute.provisioning_configuration()
        target = ComputeTarget.create(self.workspace, _CLUSTER, configuration)
        target.wait_for_completion()
        return target

    def script(
        self, word: str = "first", *, nap: Micros | int = 0, environment: Environment | None = None
    ) -> InferenceConfig:
        """A script that answers with a word, after a nap."""
        return self._config(lambda folder: scripts.answering(folder, word, nap / SECOND), environment)

    def failing_script(self) -> InferenceConfig:
        """A script that cannot start."""
        return self._config(scripts.failing)

    def hanging_script(self) -> InferenceConfig:
        """A script that never finishes to start."""
        return self._config(scripts.hanging)

    def _config(self, write: Callable[[Path], None], environment: Environment | None = None) -> InferenceConfig:
        self._scripts += 1
        folder = self.folder / f"source{self._scripts}"
        write(folder)
        used = environment or Environment("checks")
        return InferenceConfig("score.py", source_directory=str(folder), environment=used)

    def begin(
        self, script: InferenceConfig | None = None, name: str = NAME, *, models: Sequence[Model] = (), **settings: Any
    ) -> AksWebservice:
        """Begin to deploy a service: one replica, unless the settings of `deploy_configuration` say otherwise."""
        overwrite = settings.pop("overwrite", False)
        configuration = AksWebservice.deploy_configuration(**_one_replica(settings))
        service = Model.deploy(
            self.workspace, name, list(models), script or self.script(), configuration, self.target, overwrite=overwrite
        )
        holds(type(service) is AksWebservice, "Model.deploy(…)", service, "an AksWebservice")
        assert isinstance(service, AksWebservice)  # noqa: S101 - as was just seen
        return service

    def deploy(self, script: InferenceConfig | None = None, name: str = NAME, **settings: Any) -> AksWebservice:
        """Deploy a service, and wait for it: the next request reaches it."""
        service = self.begin(script, name, **settings)
        self.wait(service)
        return service

    def deploy_endpoint(self, word: str = "blue", name: str = NAME, **settings: Any) -> AksEndpoint:
        """Deploy an endpoint whose version answers with its own name, and wait for it."""
        configuration = AksEndpoint.deploy_configuration(version_name=word, **_one_replica(settings))
        endpoint = Model.deploy(self.workspace, name, [], self.script(word), configuration, self.target)
        holds(type(endpoint) is AksEndpoint, "Model.deploy(…)", endpoint, "an AksEndpoint")
        assert isinstance(endpoint, AksEndpoint)  # noqa: S101 - as was just seen
        self.wait(endpoint)
        return endpoint

    def add_version(self, endpoint: AksEndpoint, word: str, **settings: Any) -> None:
        """Add a version that answers with its own name, and wait for it."""
        endpoint.create_version(word, inference_config=self.script(word), **_one_replica(settings))
        self.wait(endpoint)

    def wait(self, service: Webservice) -> None:
        """Wait for the operation that was begun."""
        service.wait_for_deployment(timeout_sec=longest_operation(self.backend) / SECOND)

    def fails(self, service: Webservice) -> None:
        """Wait for an operation that is to fail."""
        try:
            self.wait(service)
        except WebserviceException:
            service.update_deployment_state()
        else:
            unkept("wait_for_deployment()", f"success, state {service.state}", "a WebserviceException")

    def while_busy(self, service: Webservice, act: Callable[[], object]) -> None:
        """Do something again and again until the operation that was begun has ended."""

        def state() -> str | None:
            service.update_deployment_state()
            if service.state == "Transitioning":
                act()
            return service.state

        within = longest_operation(self.backend)
        self.until("state", state, "other than Transitioning", lambda seen: seen != "Transitioning", within)

    def model(self, content: str = "weights", name: str = "risk", **given: Any) -> Model:
        """Register a model of one file, `weights.txt`."""
        place = self.folder / f"model-{name}"
        place.mkdir(exist_ok=True)
        (place / "weights.txt").write_text(content, encoding="utf-8")
        with chdir(self.folder):
            return Model.register(self.workspace, f"{place.name}/weights.txt", name, **given)

    # -- asking

    def found(self, name: str = NAME) -> Webservice:
        """The service of that name, as it is now."""
        return Webservice(self.workspace, name)

    def request(self, service: Webservice, headers: Json | None = None, **asked: Any) -> ScoreRequest:
        """A request to the script, with the service's key where it needs one."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if service.auth_enabled and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {service.get_keys()[0]}"
        return ScoreRequest(json.dumps(asked).encode(), tuple(sent.items()))

    def ask(self, service: Webservice, headers: Json | None = None, **asked: Any) -> ScoreResponse:
        """The answer to one request."""
        return self.backend.score(service.name, self.request(service, headers, **asked))

    def load(self, service: Webservice, offsets: Sequence[int], **asked: Any) -> list[ScoreResponse]:
        """The answers to requests that are sent so long after now each."""
        request = self.request(service, **asked)
        answers = self.backend.score_all(service.name, [(Micros(offset), request) for offset in offsets])
        holds(len(answers) == len(offsets), "score_all(…)", f"{len(answers)} answers", f"{len(offsets)}")
        return answers

    def observe(self, window: int, name: str = NAME) -> Observation:
        """What was seen of a service."""
        return self.backend.observe(name, Micros(window))

    def version(self, window: int = SECOND, name: str = NAME) -> VersionObservation:
        """What was seen of a service's only version."""
        (version,) = self.observe(window, name).versions.values()
        return version

    # -- refusals

    @contextmanager
    def refused(self, call: str, status: int) -> Iterator[None]:
        """What stands inside is refused with that status."""
        try:
            yield
        except AksError as error:
            seen = getattr(error, "status_code", error.status_hint)
            told = " ".join(str(getattr(error, "message", error)).split())
            holds(seen == status, call, f"refused with {seen}: {told}", f"refused with {status}")
        else:
            unkept(call, "taken", f"refused with {status}")

    @contextmanager
    def unchanged(self, call: str, name: str = NAME) -> Iterator[None]:
        """What stands inside changes nothing of a service that can be read, but for the course of its operation."""
        before = _settled(self.found(name).serialize())
        yield
        after = _settled(self.found(name).serialize())
        different = {
            key: (before.get(key), after.get(key)) for key in before | after if before.get(key) != after.get(key)
        }
        holds(not different, call, f"changes (before, after): {different}", "nothing changed")


def _one_replica(settings: Json) -> Json:
    scaled = any(name.startswith("autoscale") for name in settings)
    return settings if scaled else {"num_replicas": 1, **settings}


def _settled(document: Json) -> Json:
    """Without what follows from an operation's course."""
    kept = {key: value for key, value in document.items() if key not in ("state", "deploymentStatus", "error")}
    if isinstance(kept.get("versions"), dict):
        kept["versions"] = {name: _settled(version) for name, version in kept["versions"].items()}
    return kept
