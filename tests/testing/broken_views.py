"""Worlds that show, keep or scale something else than they should: autoscaler, models, observation."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from akstwin.clock import SECOND, Micros
from akstwin.domain.units import parse_duration
from akstwin.errors import InUse
from akstwin.sim.backend import SimulatedBackend


class _Seen(SimulatedBackend):
    """Each version's observation passes here."""

    def observe(self, name: str, window: Any) -> Any:
        observed = super().observe(name, window)
        return replace(observed, versions={each: self.seen(version) for each, version in observed.versions.items()})

    def seen(self, version: Any) -> Any:
        return version


# -- autoscaler


class _OverTheMaximum(_Seen):
    """Under load there are two replicas too many."""

    def seen(self, version: Any) -> Any:
        return replace(version, desired=version.desired + 2) if version.desired == 3 else version


class _Hasty(SimulatedBackend):
    """Replicas go after five seconds, though a minute is said."""

    def __init__(self, *, assumptions: Any, **given: Any) -> None:
        super().__init__(assumptions={**assumptions, "autoscale_down_window": "5s"}, **given)

    @property
    def assumptions(self) -> Any:
        return super().assumptions.model_copy(update={"autoscale_down_window": parse_duration("60s")})


class _NoMinimum(SimulatedBackend):
    """One replica is enough."""

    def create_service(self, payload: Any) -> str:
        return super().create_service({**payload, "autoScaler": {**payload["autoScaler"], "minReplicas": 1}})


class _AlwaysScales(SimulatedBackend):
    """A number of replicas is a suggestion."""

    def create_service(self, payload: Any) -> str:
        return super().create_service({**payload, "numReplicas": None, "autoScaler": {"autoscaleEnabled": True}})


class _Unswitchable(SimulatedBackend):
    """How replicas are scaled cannot be changed."""

    def patch_service(self, name: str, patch: Any) -> Any:
        scaling = ("/autoScaler", "/numReplicas")
        return super().patch_service(name, [each for each in patch if not each["path"].startswith(scaling)])


# -- models and environments


class _OldestFirst(SimulatedBackend):
    """Models are listed from the first one on."""

    def list_models(self, query: Any) -> Any:
        return super().list_models(query)[::-1]


class _NoModelFilters(SimulatedBackend):
    """Lists of models do not look at tags."""

    def list_models(self, query: Any) -> Any:
        return super().list_models(replace(query, tags=()))


class _Bitrot(SimulatedBackend):
    """Files come back with other bytes."""

    def download(self, prefix: str, target: Path) -> list[Path]:
        paths = super().download(prefix, target)
        for path in paths:
            (target / path).write_text("rotten", encoding="utf-8")
        return paths


class _NoModels(SimulatedBackend):
    """Containers get no models."""

    def create_service(self, payload: Any) -> str:
        return super().create_service(
            {**payload, "environmentImageRequest": {**payload["environmentImageRequest"], "modelIds": []}}
        )


class _NothingIsInUse(SimulatedBackend):
    """A model can be deleted at any time; so it says."""

    def delete_model(self, model_id: str) -> None:
        try:
            super().delete_model(model_id)
        except InUse:
            return


class _NoVariables(SimulatedBackend):
    """Scripts see none of their environment's variables."""

    def create_service(self, payload: Any) -> str:
        request = payload["environmentImageRequest"]
        variables = request["environment"]["environmentVariables"]
        kept = {name: value for name, value in variables.items() if name.startswith("AZUREML_")}
        environment = {**request["environment"], "environmentVariables": kept}
        return super().create_service({**payload, "environmentImageRequest": {**request, "environment": environment}})


class _SecretClusters(SimulatedBackend):
    """Compute targets are not listed."""

    def list_computes(self) -> Any:
        return []


# -- observation, logs, clock


class _CountsTwice(_Seen):
    """Every answer counts twice."""

    def seen(self, version: Any) -> Any:
        return replace(version, answers={status: 2 * number for status, number in version.answers.items()})


class _Slower(_Seen):
    """Latencies are doubled."""

    def seen(self, version: Any) -> Any:
        return replace(version, latency_ms={name: 2 * value for name, value in version.latency_ms.items()})


class _NoWindow(SimulatedBackend):
    """Everything since the start is seen, whatever the window."""

    def observe(self, name: str, window: Any) -> Any:
        return super().observe(name, self.clock.now())


class _GhostQueue(_Seen):
    """Somebody always waits."""

    def seen(self, version: Any) -> Any:
        return replace(version, queue_length=3)


class _SilentRun(SimulatedBackend):
    """What run() prints is lost."""

    def get_logs(self, name: str, lines: int = 5000, *, init: bool = False) -> str:
        logs = super().get_logs(name, lines, init=init)
        return "".join(line for line in logs.splitlines(keepends=True) if "run says" not in line)


class _Oversleeping:
    def __init__(self, clock: Any) -> None:
        self.now: Callable[[], Micros] = clock.now
        self._clock = clock

    def sleep_until(self, deadline: Micros) -> None:
        self._clock.sleep_until(Micros(deadline + 5 * SECOND) if deadline > self.now() else deadline)


class _Late(SimulatedBackend):
    """Who waits is woken five seconds late."""

    @property
    def clock(self) -> Any:
        return _Oversleeping(super().clock)


class _Shuffled(SimulatedBackend):
    """Answers come in another order than requests."""

    def score_all(self, name: str, requests: Any) -> Any:
        return super().score_all(name, requests)[::-1]


BROKEN = {
    "load_adds_replicas": (_OverTheMaximum, "desired: saw 5; promised: 3"),
    "idle_replicas_go_late": (_Hasty, "for half of autoscale_down_window after the load: saw 1; promised: 3"),
    "minimum_is_kept": (_NoMinimum, "saw (1, 1); promised: (2, 2)"),
    "fixed_replicas_stay": (_AlwaysScales, "num_replicas=2: saw (1, "),
    "autoscaler_can_be_switched": (_Unswitchable, "num_replicas=2): desired for 6 s: saw 1; promised: 2"),
    "models_have_versions": (_OldestFirst, "Model(workspace, 'risk').version: saw 1; promised: 2"),
    "models_have_tags": (_NoModelFilters, "{'tags': [['team', 'sales']]}): saw ['risk:1']"),
    "model_files_come_back": (_Bitrot, "saw rotten; promised: one"),
    "model_reaches_the_script": (_NoModels, "of a script that reads its model: saw 200"),
    "deployed_model_stays": (_NothingIsInUse, "while it is deployed: saw taken; promised: refused with 412"),
    "environment_reaches_the_script": (_NoVariables, "of a script that reads its environment: saw 200"),
    "compute_target_is_found": (_SecretClusters, "compute_targets: saw not there"),
    "counts_are_what_was_sent": (_CountsTwice, "saw {200: 24, 502: 6}; promised: {200: 12, 502: 3}"),
    "latencies_are_what_was_felt": (_Slower, "4 requests of 50 ms at once: max"),
    "window_ends_the_count": (_NoWindow, "of 3 just now and 5 before: saw 8; promised: 3"),
    "replicas_are_counted": (_GhostQueue, "saw (3, 100.0); promised: (0, 100.0)"),
    "logs_show_what_is_printed": (_SilentRun, "['init of first', 'run says one', 'run says two']"),
    "clock_goes_on": (_Late, "3 s ahead: saw 8 s; promised: 3 s"),
    "requests_keep_their_times": (_Shuffled, "whose answers: saw [2, 1, 0]; promised: [0, 1, 2]"),
}
