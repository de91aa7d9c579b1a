"""Credentials go, and nothing else does."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.domain.redaction import REDACTED, Redaction

KEY = "Vq7-a key+with/every=kind&of?sign"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzdmMifQ.c2lnbmF0dXJlLW9mLWl0"  # noqa: S105


@pytest.fixture
def redaction() -> Redaction:
    """Knows a key, a short one and a token."""
    known = Redaction()
    for each in (KEY, "first", TOKEN):
        known.learn(each)
    return known


@given(before=st.text(max_size=30), after=st.text(max_size=30), key=st.text(min_size=8, max_size=60))
def test_a_known_credential_goes_wherever_it_stands(before: str, after: str, key: str) -> None:
    """Whatever is around it."""
    known = Redaction()
    known.learn(key)
    assert key not in known.text(before + key + after)


@pytest.mark.parametrize("text", [
    KEY, quote(KEY, safe=""), quote(quote(KEY, safe=""), safe=""), base64.b64encode(f"user:{KEY}".encode()).decode(),
    base64.urlsafe_b64encode(f"??>{KEY}".encode()).decode(), TOKEN, TOKEN.rpartition(".")[2], TOKEN.split(".")[1], f"a{KEY}b",
])  # fmt: skip
def test_however_it_is_written(text: str, redaction: Redaction) -> None:
    """In the path's encoding, in base64, or as a part of a token."""
    for place in (text, f"/score/{text}", f"order-{text}", f"there is no service {text}"):
        shown = redaction.text(place)
        assert REDACTED in shown
        assert text not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/score?code=abc&x=1", "/score?code=[redacted]&x=1"),
        ("x-api-key: abc", "x-api-key: [redacted]"),
        ('{"primaryKey": "abc", "a": 1}', '{"primaryKey": "[redacted]", "a": 1}'),
        ("keyValue=abc;", "keyValue=[redacted];"),
        ("/token/abc", "/token/[redacted]"),
        ("https://me:pass@host/x", "https://[redacted]@host/x"),
        ("postgres://me:pa$$@host", "postgres://[redacted]@host"),
        ("Server=s;Password=hunter2;User=u", "Server=s;Password=[redacted];User=u"),
        ("AccountName=n;AccountKey=ab/c==;E=x", "AccountName=n;AccountKey=[redacted];E=x"),
        ("SharedAccessKey=abc", "SharedAccessKey=[redacted]"),
        ("Bearer abcd", "Bearer [redacted]"),
        ("Basic dTpw", "Basic [redacted]"),
        ("sv=1&sig=abc%3D", "sv=1&sig=[redacted]"),
        ("%63ode%3Dabc", "code=[redacted]"),
        ("a eyJhbGciOiJub25lIn0.eyJ0IjoxfQ.eA b", "a [redacted] b"),
        ("Z" * 43 + "=", "[redacted]"),
        ("aB3" * 10 + "aB", "[redacted]"),
        ("first", "[redacted]"),
        ("/api/v1/service/first/score", "/api/v1/service/[redacted]/score"),
    ],
)
def test_by_convention(text: str, shown: str, redaction: Redaction) -> None:
    """A name, a scheme or a form tells of a credential that nobody here knows."""
    assert redaction.text(text) == shown


@pytest.mark.parametrize("text", [
    "/api/v1/service/fraud/score", "550e8400-e29b-41d4-a716-446655440000", "0123456789abcdef0123456789abcdef", "order-4711",
    "there is no service adde; is adder meant?", "POST is served there, not GET", "monkey=3", "keyboard: 7", "zip-code", "tokens",
    "nothing is served there; the nearest is /services/{name}/listkeys", "/services/adder/token", "firsthand", "encode=1", "50 %",
    "user-journey-checkout-0001", "2026-01-01T00:00:00Z",
    "/modelmanagement/v1.0/subscriptions/a/resourceGroups/b/services/c/listkeys",
])  # fmt: skip
def test_what_is_none_stays(text: str, redaction: Redaction) -> None:
    """Names, ids, routes and notes are what a journal is for."""
    assert redaction.text(text) == text


def test_what_is_presented_is_known(redaction: Redaction) -> None:
    """Right or wrong, in whatever header."""
    headers = [
        ("Authorization", "Bearer wrong-credential"), ("x-functions-key", "function-key-1"), ("Cookie", "session-12345"),
        ("Proxy-Authorization", "Basic " + base64.b64encode(b"somebody:some-password").decode()), ("x-order", "order-4711-x"),
    ]  # fmt: skip
    redaction.presented(headers)
    for secret in ("wrong-credential", "function-key-1", "session-12345", "some-password"):
        assert redaction.text(f"a {secret} b") == "a [redacted] b"
    assert redaction.text("order-4711-x") == "order-4711-x"


def test_it_is_cut_after_the_credential_has_gone(redaction: Redaction) -> None:
    """Not through it."""
    assert redaction.text("a" * 250 + KEY, 255) == "a" * 250 + REDACTED[:5]


def test_it_forgets_none_and_does_not_grow(redaction: Redaction) -> None:
    """Keys are made again and again."""
    size = len(redaction._filter)
    many = [f"a former key, number {number}" for number in range(20_000)]
    for each in many:
        redaction.learn(each)
    assert len(redaction._filter) == size
    assert all(redaction.text(each) == REDACTED for each in many[::400])
    assert sum(REDACTED in redaction.text(f"another text, number {number}") for number in range(20_000)) == 0
    other = Redaction()
    other.absorb(redaction)
    assert other.text(many[7]) == REDACTED
