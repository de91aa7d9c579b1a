"""What a service demands of its requests, and what a request shows (R4)."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from akstwin.clock import Micros


class KeyCredential(NamedTuple):
    """A bearer key as the request carries it."""

    key: str


class TokenCredential(NamedTuple):
    """A bearer token whose signature the driver has checked.

    Attributes:
        genuine: whether the signature is ours and names this service.
        expires: its `expiryOn`.
    """

    genuine: bool
    expires: Micros


class TrustedCredential(NamedTuple):
    """Generated load: its clients have a valid key or token at any moment."""


TRUSTED: Final = TrustedCredential()
Credential = KeyCredential | TokenCredential | TrustedCredential


@dataclass(frozen=True, slots=True)
class KeyAuth:
    """Requests need one of two keys."""

    primary: str
    secondary: str


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """Requests need a token of ours that has not expired."""


Auth = KeyAuth | TokenAuth
