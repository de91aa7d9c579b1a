"""Worlds whose keys and tokens open to others than they should."""

from dataclasses import replace
from typing import Any

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import Micros
from akstwin.sim.backend import SimulatedBackend


class _Between(SimulatedBackend):
    """Requests pass here."""

    def score(self, name: str, request: ScoreRequest) -> ScoreResponse:
        return self.score_all(name, [(Micros(0), request)])[0]

    def score_all(self, name: str, requests: Any) -> Any:
        return super().score_all(name, [(at, self.asked(name, each)) for at, each in requests])

    def asked(self, name: str, request: ScoreRequest) -> ScoreRequest:
        return request


def _with(request: ScoreRequest, credential: str | None) -> ScoreRequest:
    """The request with another credential; None: without one."""
    kept = tuple(each for each in request.headers if each[0] != "Authorization")
    return replace(request, headers=kept if credential is None else (*kept, ("Authorization", f"Bearer {credential}")))


def _credential(request: ScoreRequest) -> str:
    return dict(request.headers).get("Authorization", "").removeprefix("Bearer ")


class _OneKey(_Between):
    """The secondary key is for show."""

    def asked(self, name: str, request: ScoreRequest) -> ScoreRequest:
        return _with(request, None) if _credential(request) == self.get_keys(name).secondary else request


class _OldKeysStay(_Between):
    """A key that was regenerated still opens, and the new one does not."""

    def regenerate_key(self, name: str, key_type: str, value: str | None = None) -> str:
        self.old = self.get_keys(name)
        operation = super().regenerate_key(name, key_type, value)
        self.new = self.get_keys(name)
        return operation

    def asked(self, name: str, request: ScoreRequest) -> ScoreRequest:
        replaced = {self.old.primary: self.new.primary, self.new.primary: "wrong"}
        return _with(request, replaced.get(_credential(request), _credential(request)))


class _OwnKeys(SimulatedBackend):
    """Keys that are given are not taken."""

    def create_service(self, payload: Any) -> str:
        return super().create_service({**payload, "keys": None})


class _AnyToken(_Between):
    """Whatever looks like a token is one."""

    def asked(self, name: str, request: ScoreRequest) -> ScoreRequest:
        if _credential(request).count(".") == 2:
            return _with(request, self.issue_token(name).token)
        return request


class _Prolongs(_Between):
    """A token that was good once is good for ever."""

    def issue_token(self, name: str) -> Any:
        issued = super().issue_token(name)
        self.__dict__.setdefault("issued", []).append(issued.token)
        return issued

    def asked(self, name: str, request: ScoreRequest) -> ScoreRequest:
        if _credential(request) in self.__dict__.get("issued", ()):
            return _with(request, self.issue_token(name).token)
        return request


class _OpenDoor(_Between):
    """Who has no credential is let in."""

    def asked(self, name: str, request: ScoreRequest) -> ScoreRequest:
        if _credential(request) or not self.get_service(name)["aadAuthEnabled"]:
            return request
        return _with(request, self.issue_token(name).token)


BROKEN = {
    "both_keys_work": (_OneKey, "score(…), secondary key: saw 401"),
    "regenerated_key_replaces_one": (_OldKeysStay, "the new Primary key: saw 401"),
    "chosen_keys_are_taken": (_OwnKeys, "promised: ('my-first-key', 'my-second-key')"),
    "tokens_are_checked": (_AnyToken, "a token with another signature: saw 200"),
    "tokens_expire": (_Prolongs, "a token after its expiry_on: saw 200"),
    "auth_can_be_switched": (_OpenDoor, "after update(token_auth_enabled=True) and wait_for_deployment(): saw 200"),
}
