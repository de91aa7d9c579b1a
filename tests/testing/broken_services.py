"""Worlds whose management breaks promises: life cycle, failed deployments, refusals, repeats."""

from dataclasses import replace
from typing import Any

from akstwin.clock import SECOND, Micros
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import NotFound
from akstwin.sim.backend import SimulatedBackend


class _NeverHealthy(SimulatedBackend):
    """A service stays Transitioning."""

    def get_service(self, name: str) -> Any:
        return {**super().get_service(name), "state": "Transitioning"}


class _NoDefault(SimulatedBackend):
    """No version is the default."""

    def get_service(self, name: str) -> Any:
        document = super().get_service(name)
        for version in document.get("versions", {}).values():
            version["isDefault"] = False
        return document


class _ForgetsTheProbe(SimulatedBackend):
    """A probe that is asked for is not taken."""

    def create_service(self, payload: Any) -> str:
        return super().create_service({**payload, "livenessProbeRequirements": None})


class _OtherDefault(SimulatedBackend):
    """Requests wait for a second by default."""

    def get_service(self, name: str) -> Any:
        return {**super().get_service(name), "maxQueueWaitMs": 1000}


class _OneWay(SimulatedBackend):
    """All requests go through `score_all`."""

    def score(self, name: str, request: Any) -> Any:
        return self.score_all(name, [(Micros(0), request)])[0]


class _GapInAnUpdate(_OneWay):
    """Answers 503 while an operation runs."""

    state = "Transitioning"

    def score_all(self, name: str, requests: Any) -> Any:
        answers = super().score_all(name, requests)
        gap = self.get_service(name)["state"] == self.state
        return [replace(answer, status=503, body=b"gap") if gap else answer for answer in answers]


class _GapAfterAFailure(_GapInAnUpdate):
    """Answers 503 after a failed update."""

    state = "Failed"


class _NothingToWaitFor(SimulatedBackend):
    """An update of the number of replicas says that it is in effect."""

    def patch_service(self, name: str, patch: Any) -> Any:
        super().patch_service(name, patch)


class _AlwaysAnOperation(SimulatedBackend):
    """Every patch makes a service Transitioning for a minute."""

    until = 0

    def patch_service(self, name: str, patch: Any) -> Any:
        self.until = self.clock.now() + 60 * SECOND
        return super().patch_service(name, patch)

    def get_service(self, name: str) -> Any:
        document = super().get_service(name)
        return {**document, "state": "Transitioning"} if self.clock.now() < self.until else document


class _AtMostTwo(SimulatedBackend):
    """A third replica never gets ready."""

    def observe(self, name: str, window: Any) -> Any:
        observed = super().observe(name, window)
        versions = {
            version: replace(seen, replicas={state: min(count, 2) for state, count in seen.replicas.items()})
            for version, seen in observed.versions.items()
        }
        return replace(observed, versions=versions)


class _RemembersTheDead(SimulatedBackend):
    """A deleted service is shown as it was."""

    def get_service(self, name: str) -> Any:
        shelf = self.__dict__.setdefault("shelf", {})
        try:
            shelf[name] = super().get_service(name)
        except NotFound:
            if name not in shelf:
                raise
        return shelf[name]


class _OneFailure(SimulatedBackend):
    """Unschedulable is Failed, as it was in 2019."""

    def get_service(self, name: str) -> Any:
        document = super().get_service(name)
        return {**document, "state": document["state"].replace("Unschedulable", "Failed")}


class _NoLogs(SimulatedBackend):
    """Containers write nothing."""

    def get_logs(self, name: str, lines: int = 5000, *, init: bool = False) -> str:
        super().get_logs(name, lines, init=init)
        return ""


class _Endless(SimulatedBackend):
    """No operation ends."""

    def get_operation(self, operation_id: str) -> Any:
        operation = super().get_operation(operation_id)
        return (
            operation
            if operation.state is OperationState.SUCCEEDED
            else replace(operation, state=OperationState.RUNNING)
        )


class _Grudge(SimulatedBackend):
    """What has failed once stays Failed."""

    def get_service(self, name: str) -> Any:
        document = super().get_service(name)
        self.failed = getattr(self, "failed", False) or document["state"] == "Failed"
        return {**document, "state": "Failed"} if self.failed else document


class _NewKeysInOverwrite(SimulatedBackend):
    """Overwriting makes new keys."""

    def create_service(self, payload: Any) -> str:
        operation = super().create_service(payload)
        if payload.get("overwrite"):
            self.regenerate_key(payload["name"], "Primary")
        return operation


class _NoFilters(SimulatedBackend):
    """Lists do not look at tags."""

    def list_services(self, query: Any) -> Any:
        return super().list_services(replace(query, tags=()))


class _EagerVersion(_OneWay):
    """The newest version gets all requests that name none."""

    def score_all(self, name: str, requests: Any) -> Any:
        newest = list(self.get_service(name)["versions"])[-1]
        return super().score_all(
            name,
            [(at, replace(each, headers=(*each.headers, ("azureml-model-deployment", newest)))) for at, each in requests],
        )  # fmt: skip


class _ForgetfulOperation(SimulatedBackend):
    """An operation that has succeeded fails half an hour after the world's start."""

    def get_operation(self, operation_id: str) -> Any:
        operation = super().get_operation(operation_id)
        return replace(operation, state=OperationState.FAILED) if self.clock.now() > 1800 * SECOND else operation


BROKEN = {
    "service_comes_up": (_NeverHealthy, "saw Transitioning; promised: Healthy"),
    "endpoint_comes_up": (_NoDefault, "saw (False, 'Control', 30)"),
    "settings_are_shown": (_ForgetsTheProbe, "'period_seconds': 10"),
    "defaults_are_azures": (_OtherDefault, "'request': (1, 1000, 60000)"),
    "update_of_the_script_rolls": (_GapInAnUpdate, "while the replicas are replaced: saw ['503 after"),
    "other_updates_act_at_once": (_AlwaysAnOperation, "saw Transitioning; promised: Healthy"),
    "a_looked_up_service_is_waited_for": (_NothingToWaitFor, "replicas: saw 1; promised: 2"),
    "number_of_replicas_follows": (_AtMostTwo, "saw {'Ready': 2}; promised: {'Ready': 3}"),
    "deleted_service_is_gone": (_RemembersTheDead, "after delete(): saw taken; promised: refused with 404"),
    "unschedulable_fails": (_OneFailure, "saw Failed; promised: Unschedulable"),
    "crash_loop_fails": (_NoLogs, "get_logs(): saw ''; promised: a traceback"),
    "hanging_init_times_out": (_Endless, "saw 1650 s; promised: from 1200 s to 1210 s"),
    "update_heals": (_Grudge, "saw ('Failed', None); promised: ('Healthy', None)"),
    "failed_update_keeps_serving": (_GapAfterAFailure, "after the failed update: saw 503 after"),
    "overwrite_replaces": (_NewKeysInOverwrite, "get_keys(), after overwrite: saw False"),
    "lookup_finds": (_NoFilters, "'tags': [['team', 'sales']]}): saw ['plain', 'split']"),
    "version_comes_and_goes": (_EagerVersion, "without a share: saw 200"),
    "operations_are_final": (_ForgetfulOperation, "non-successful terminal state"),
}
