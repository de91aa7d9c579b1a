"""Keys and tokens."""

import base64
import json

from akstwin import AksServiceAccessToken, AksWebservice, Webservice
from akstwin.backend import ScoreResponse
from akstwin.clock import SECOND
from akstwin.testing.answers import outcome, says, shown
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import LATE, Trial


@promise("semantics §1.3; §6.1, R4; wire §9")
def both_keys_work(trial: Trial) -> None:
    """A service takes its primary and its secondary key, which differ, and nothing else: 401."""
    service = trial.deploy()
    primary, secondary = service.get_keys()
    holds(primary != secondary, "get_keys()", "the same key twice", "two keys")
    for what, key in (("primary", primary), ("secondary", secondary)):
        says(f"score(…), {what} key", _with(trial, service, f"Bearer {key}"), "first")
    for credential in ("Bearer wrong", f"Bearer {primary}x", f"Basic {primary}", ""):
        answer = _with(trial, service, credential)
        call = f"score(…), {credential.partition(' ')[0] or 'no'} credential that is wrong"
        equal(call, outcome(answer), (401, "Unauthorized", "unauthorized"))


@promise("semantics §1.3, §6.6; wire §7, 10")
def regenerated_key_replaces_one(trial: Trial) -> None:
    """A regenerated key works, and the one before it does not, within `key_propagation`; the other key works throughout."""
    service = trial.deploy()
    for index, which in enumerate(("Primary", "Secondary")):
        old = service.get_keys()
        service.regen_key(which)
        new = service.get_keys()
        changed = [before != after for before, after in zip(old, new, strict=True)]
        equal(f"get_keys(), changed by regen_key({which!r})", changed, [index == 0, index == 1])
        says("score(…), the other key, at once", _with(trial, service, f"Bearer {new[1 - index]}"), "first")
        trial.sleep(trial.span("key_propagation") + LATE)
        says(f"score(…), the new {which} key", _with(trial, service, f"Bearer {new[index]}"), "first")
        says("score(…), the other key", _with(trial, service, f"Bearer {new[1 - index]}"), "first")
        _unauthorized(f"score(…), the {which} key before", _with(trial, service, f"Bearer {old[index]}"))


@promise("wire §7, 10; §7.3")
def chosen_keys_are_taken(trial: Trial) -> None:
    """Keys that are given when a service is deployed, or to regen_key, are its keys."""
    service = trial.deploy(primary_key="my-first-key", secondary_key="my-second-key")
    equal("get_keys()", service.get_keys(), ("my-first-key", "my-second-key"))
    says("score(…), a key that was given", _with(trial, service, "Bearer my-second-key"), "first")
    service.regen_key("Secondary", set_key="my-third-key")
    equal("get_keys(), after regen_key('Secondary', 'my-third-key')", service.get_keys()[1], "my-third-key")
    trial.sleep(trial.span("key_propagation") + LATE)
    says("score(…), a key that was given", _with(trial, service, "Bearer my-third-key"), "first")


@promise("semantics §1.3; §6.1, R4; wire §7, 11")
def tokens_are_checked(trial: Trial) -> None:
    """A service with token auth takes its own tokens; a forged one, another service's and a key are 401."""
    service = _with_tokens(trial, "checked")
    other = _with_tokens(trial, "other")
    token = service.get_access_token().access_token
    says("score(…), a token", _with(trial, service, f"Bearer {token}"), "first")
    wrong = {
        "with another signature": f"{token.rpartition('.')[0]}.{'A' * 43}",
        "that was changed": _prolonged(token),
        "of another service": other.get_access_token().access_token,
        "that is none": "none",
    }
    for what, forged in wrong.items():
        _unauthorized(f"score(…), a token {what}", _with(trial, service, f"Bearer {forged}"))
    with trial.refused("get_keys(), of a service with token auth", 400):
        service.get_keys()


@promise("semantics §1.3; §6.1, R4; §6.9")
def tokens_expire(trial: Trial) -> None:
    """A token says when it ends, `token_lifetime` from now, and is 401 from then on; a new one works."""
    service = _with_tokens(trial, "checked")
    token = service.get_access_token()
    unix = trial.backend.epoch + trial.now / SECOND
    for what, instant, limit in (
        ("expiry_on", token.expiry_on, trial.span("token_lifetime")),
        ("refresh_after", token.refresh_after, trial.span("token_refresh")),
    ):
        ahead = instant.timestamp() - unix
        good = abs(ahead - limit / SECOND) <= 2
        holds(good, f"get_access_token().{what}", f"{ahead:.3f} s ahead", f"{limit / SECOND:g} s ahead")
    says("score(…), a new token", _bearing(trial, service, token), "first")
    trial.sleep(round((token.expiry_on.timestamp() - unix) * SECOND) + LATE)
    _unauthorized("score(…), a token after its expiry_on", _bearing(trial, service, token))
    says("score(…), a token fetched anew", _bearing(trial, service, service.get_access_token()), "first")


@promise("semantics §6.6; §6.1, R4")
def auth_can_be_switched(trial: Trial) -> None:
    """Without auth a service takes any request; switched to tokens, or to keys, it takes these, without a lock."""
    service = trial.deploy(auth_enabled=False)
    says("score(…), auth_enabled=False, no credential", _with(trial, service, ""), "first")
    service.update(token_auth_enabled=True)
    _switched(trial, service, "update(token_auth_enabled=True)")
    says("score(…), a token", _bearing(trial, service, service.get_access_token()), "first")
    service.update(auth_enabled=True, token_auth_enabled=False)
    _switched(trial, service, "update(auth_enabled=True, token_auth_enabled=False)")
    says("score(…), a key", _with(trial, service, f"Bearer {service.get_keys()[0]}"), "first")
    with trial.refused("get_access_token(), of a service with key auth", 400):
        service.get_access_token()


def _with_tokens(trial: Trial, name: str) -> AksWebservice:
    return trial.deploy(name=name, auth_enabled=False, token_auth_enabled=True)


def _with(trial: Trial, service: Webservice, credential: str) -> ScoreResponse:
    return trial.ask(service, {"Authorization": credential})


def _bearing(trial: Trial, service: Webservice, token: AksServiceAccessToken) -> ScoreResponse:
    return _with(trial, service, f"Bearer {token.access_token}")


def _unauthorized(call: str, answer: ScoreResponse) -> None:
    holds(answer.status == 401, call, shown(answer), "401")


def _switched(trial: Trial, service: Webservice, call: str) -> None:
    equal(f"state, after {call}", service.state, "Healthy")
    trial.wait(service)
    _unauthorized(f"score(…), no credential, after {call} and wait_for_deployment()", _with(trial, service, ""))


def _prolonged(token: str) -> str:
    """The token with a later end, and the signature it had."""
    head, claims, signature = token.split(".")
    read = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    read["exp"] = read.get("exp", 0) + 1
    written = base64.urlsafe_b64encode(json.dumps(read).encode()).rstrip(b"=").decode()
    return f"{head}.{written}.{signature}"
