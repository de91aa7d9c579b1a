"""What a service demands of its requests, and what a request shows (R4)."""

from dataclasses import dataclass
from typing import NamedTuple

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


Credential = KeyCredential | TokenCredential


@dataclass(frozen=True, slots=True)
class KeyAuth:
    """Requests need one of two keys."""

    primary: str
    secondary: str


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """Requests need a token of ours that has not expired."""


Auth = KeyAuth | TokenAuth
