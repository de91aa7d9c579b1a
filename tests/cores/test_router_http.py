"""The router's side of HTTP: what it reads of a request, and what it makes of an answer."""

import importlib
from typing import Any

import pytest

from akstwin.clock import Micros
from akstwin.cores.router_http import (
    REPLICA_PATHS,
    HeaderReader,
    bearer_secret,
    declared_length,
    is_passed_on,
    is_replica_path,
    match_path,
    payload_size,
    read_credential,
    refusal_text,
    router_response,
)
from akstwin.domain.credentials import Auth, KeyAuth, KeyCredential, TokenAuth, TokenCredential
from akstwin.domain.reasons import Reason
from akstwin.domain.service_urls import service_path


def test_paths_are_those_that_are_matched() -> None:
    """What is made of a service's name and what is read of a path are one rule (R1)."""
    for wanted, path in REPLICA_PATHS.items():
        assert match_path(service_path("fraud") + path) == ("fraud", wanted)
        assert is_replica_path(path)
    assert not is_replica_path("/health")


def test_headers_are_read_without_regard_to_case_and_the_first_counts() -> None:
    """Others are left alone."""
    reader = HeaderReader(("authorization", "content-length"))
    headers = (("AUTHORIZATION", "a"), ("x-other-thing", "b"), ("authorization", "c"), ("Content-Length", "7"))
    assert reader.read(headers) == {"authorization": "a", "content-length": "7"}


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer abc", "abc"), ("bearer abc", "abc"), ("BEARER a b", "a b"), ("Bearer  abc", " abc"), ("Bearer ", None),
        ("Bearer", None), ("Basic abc", None), ("abc", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_r4_only_a_bearer_is_a_credential(header: str | None, secret: str | None) -> None:
    """The scheme's case does not matter; the secret is taken as it stands."""
    assert bearer_secret(header) == secret


@pytest.mark.parametrize(
    ("auth", "worth"),
    [
        (KeyAuth("one", "two"), KeyCredential("abc")),
        (None, KeyCredential("abc")),
        (TokenAuth(), TokenCredential(True, Micros(5))),
    ],
)
def test_r4_a_bearer_is_worth_what_the_service_takes(auth: Auth | None, worth: Any) -> None:
    """A token is looked at only where the service takes tokens, with the service's name."""
    looked: list[tuple[str, str]] = []

    def read_token(service: str, token: str) -> TokenCredential:
        looked.append((service, token))
        return TokenCredential(True, Micros(5))

    assert read_credential("fraud", "Bearer abc", auth, read_token) == worth
    assert looked == ([("fraud", "abc")] if isinstance(auth, TokenAuth) else [])
    assert read_credential("fraud", None, auth, read_token) is None


@pytest.mark.parametrize(
    ("received", "declared", "size"),
    [
        (10, None, 10),
        (10, "10", 10),
        (10, "999999", 10),
        (10, "1000000", 1_000_000),
        (2_000_000, "1000000", 2_000_000),
        (10, "a million", 10),
        (10, "9" * 5000, 10**18),
    ],
)
def test_r2_of_a_long_body_its_declared_length_counts(received: int, declared: str | None, size: int) -> None:
    """No more of it is read than has to be; a short one is read in any case."""
    assert payload_size(received, declared) == size


@pytest.mark.parametrize(("value", "length"), [("0", 0), ("007", 7), ("-1", None), ("1e3", None), ("", None)])
def test_a_length_is_a_number_of_digits(value: str, length: int | None) -> None:
    """Anything else declares nothing."""
    assert declared_length(value) == length


def test_every_reason_has_a_text_or_the_replicas_reply() -> None:
    """R12, R14: the client gets one of them."""
    assert [reason for reason in Reason if is_passed_on(reason)] == [Reason.RUN_FAILED]
    assert is_passed_on(None)
    texts = {reason: refusal_text(reason, "fraud") for reason in Reason if not is_passed_on(reason)}
    assert [reason for reason, text in texts.items() if not text] == [Reason.CLIENT_ABORTED]
    assert texts[Reason.NOT_FOUND] == "Service fraud not found"


def test_r14_an_answer_of_the_routers_own_has_its_length() -> None:
    """In bytes; and no content type."""
    headers, body = router_response("Service schlüssel not found", "Thu, 01 Jan 2026 00:00:00 GMT", "an-id")
    assert body == "Service schlüssel not found".encode()
    assert dict(headers)["content-length"] == str(len(body))
    assert [name for name, _ in headers] == ["server", "date", "content-length", "cache-control", "x-ms-request-id"]


def test_the_former_module_names_the_same_things() -> None:
    """Imports of `akstwin.cores.replies` and of the credentials in `akstwin.cores.routing` go on working."""
    former, now = (importlib.import_module(f"akstwin.cores.{name}") for name in ("replies", "router_http"))
    assert [name for name in former.__all__ if getattr(former, name) is not getattr(now, name)] == []
    routing, nouns = (importlib.import_module(name) for name in ("akstwin.cores.routing", "akstwin.domain.credentials"))
    for name in ("Credential", "KeyAuth", "KeyCredential", "TokenAuth", "TokenCredential"):
        assert getattr(routing, name) is getattr(nouns, name)
