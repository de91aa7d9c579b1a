"""Worlds that take what they should refuse, or refuse it in another way; and worlds in which doing twice is not doing once."""

from dataclasses import replace
from typing import Any

from akstwin.clock import SECOND, Micros
from akstwin.control_plane import ManagementService
from akstwin.errors import AksError, Conflict, InvalidSetting, NotFound
from akstwin.sim.backend import SimulatedBackend


class _OneWay(SimulatedBackend):
    """All requests go through `score_all`."""

    def score(self, name: str, request: Any) -> Any:
        return self.score_all(name, [(Micros(0), request)])[0]


class _AlwaysBusy(SimulatedBackend):
    """Every patch makes a service Transitioning for a minute."""

    until = 0

    def patch_service(self, name: str, patch: Any) -> Any:
        self.until = self.clock.now() + 60 * SECOND
        return super().patch_service(name, patch)

    def get_service(self, name: str) -> Any:
        document = super().get_service(name)
        return {**document, "state": "Transitioning"} if self.clock.now() < self.until else document


class _NobodyIsBusy(_OneWay):
    """A service that is not there is a service without replicas."""

    def score_all(self, name: str, requests: Any) -> Any:
        return [replace(each, status=503) if each.status == 404 else each for each in super().score_all(name, requests)]


class _AnyPath(_OneWay):
    """Every path scores."""

    def score_all(self, name: str, requests: Any) -> Any:
        return super().score_all(
            name, [(at, replace(each, path="/score") if "json" not in each.path else each) for at, each in requests]
        )


class _HalfAPatch(SimulatedBackend):
    """A patch that is refused has done its beginning."""

    def patch_service(self, name: str, patch: Any) -> Any:
        try:
            return super().patch_service(name, patch)
        except AksError:
            super().patch_service(name, [each for each in patch if each["path"] == "/description"])
            raise


class _Swallows(SimulatedBackend):
    """Takes what it does not do."""

    swallowed: Any = AksError

    def patch_service(self, name: str, patch: Any) -> Any:
        try:
            return super().patch_service(name, patch)
        except self.swallowed:
            return None


class _NoConflict(_Swallows):
    """Takes a second operation, and does not do it."""

    swallowed = Conflict


class _NoNotFound(_Swallows):
    """Takes a version that is not there, and does nothing."""

    swallowed = NotFound


class _Overwrites(SimulatedBackend):
    """A name that is taken is taken over."""

    def create_service(self, payload: Any) -> str:
        return super().create_service({**payload, "overwrite": True})


class _BadIsBad(SimulatedBackend):
    """What is not there is a bad request, like all else."""

    def create_service(self, payload: Any) -> str:
        try:
            return super().create_service(payload)
        except NotFound as error:
            raise InvalidSetting("payload", str(error), "right") from error


class _DefaultIsBusy(SimulatedBackend):
    """What cannot be deleted is a conflict."""

    def patch_service(self, name: str, patch: Any) -> Any:
        try:
            return super().patch_service(name, patch)
        except InvalidSetting as error:
            raise Conflict(str(error)) from error


class _NoLimit(SimulatedBackend):
    """Says that it takes few versions, and takes many."""

    def patch_service(self, name: str, patch: Any) -> Any:
        assumptions = self.assumptions.model_copy(update={"versions_per_endpoint": 9})
        generous = replace(self.management.dependencies, assumptions=assumptions)
        return ManagementService(generous).services.patch(name, patch)


class _AnyKeyType(SimulatedBackend):
    """What is not the primary key is the secondary one."""

    def regenerate_key(self, name: str, key_type: str, value: str | None = None) -> str:
        return super().regenerate_key(name, "Primary" if key_type == "Primary" else "Secondary", value)


class _AlwaysANewEnvironment(SimulatedBackend):
    """Every registration is another version."""

    def put_environment(self, name: str, version: str | None, document: Any) -> Any:
        self.put = getattr(self, "put", 0) + 1
        return super().put_environment(name, version, {**document, "number": self.put})


class _Diary(SimulatedBackend):
    """Who reads the logs stands in them."""

    def get_logs(self, name: str, lines: int = 5000, *, init: bool = False) -> str:
        self.read = getattr(self, "read", "") + "read\n"
        return super().get_logs(name, lines, init=init) + self.read


class _DeletesAnything(SimulatedBackend):
    """A model that is not there is deleted all the same."""

    def delete_model(self, model_id: str) -> None:
        try:
            super().delete_model(model_id)
        except NotFound:
            return


BROKEN = {
    "unknown_service_is_not_found": (_NobodyIsBusy, "score('nobody', …): saw 503 after"),
    "other_paths_are_not_found": (_AnyPath, "POST /elsewhere: status: saw 200; promised: 404"),
    "bad_values_are_refused": (_HalfAPatch, "saw changes (before, after): {"),
    "busy_service_is_a_conflict": (_NoConflict, "saw taken; promised: refused with 409"),
    "taken_name_is_a_conflict": (_Overwrites, "saw taken; promised: refused with 409"),
    "unknown_parts_are_not_found": (_BadIsBad, "saw refused with 400"),
    "default_version_stays": (_DefaultIsBusy, "saw refused with 409"),
    "versions_are_limited": (_NoLimit, "create_version(…), the 4th: saw taken"),
    "versions_have_names": (_NoNotFound, "/versions/nobody/numReplicas"),
    "key_types_are_two": (_AnyKeyType, "'Tertiary'): saw taken"),
    "equal_update_changes_nothing": (_AlwaysBusy, "the same update(memory_gb=0.7, …): saw Transitioning"),
    "equal_environment_is_one_version": (_AlwaysANewEnvironment, "saw 2; promised: 1"),
    "reading_changes_nothing": (_Diary, "get_logs(), after reading only"),
    "deleting_twice_is_not_found": (_DeletesAnything, "Model.delete(), again: saw taken"),
}
