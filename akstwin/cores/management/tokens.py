"""Access tokens: JSON Web Tokens (HS256) that name their service and their end (semantics §1.3, wire §7, 11).

Clock and secret are arguments; a token's own times are Unix seconds, whole ones.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from akstwin.clock import SECOND, Micros

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

# joserfc, with the cryptography that it brings, is imported where a token is made or read: most runs have none, and it would be a
# tenth of their start.
_ALGORITHMS: Final = ["HS256"]


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token.

    Attributes:
        token: what a request carries behind `Bearer`.
        refresh_after: when a new one should be fetched, Unix seconds.
        expiry_on: from when it is refused, Unix seconds.
    """

    token: str
    refresh_after: int
    expiry_on: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a token says.

    Attributes:
        genuine: it is signed with our secret and names this service.
        expires: from when it is refused, by our clock; 0 if it is not genuine.
    """

    genuine: bool
    expires: Micros


NOT_OURS: Final = Reading(genuine=False, expires=Micros(0))


def issue(secret: str, audience: str, now: Micros, lifetime: Micros, refresh: Micros, epoch: float) -> Issued:
    """A token for one service.

    Args:
        secret: of the service.
        audience: the service's name.
        now: the present.
        lifetime: until it is refused.
        refresh: until it should be fetched anew.
        epoch: Unix time of the clock's instant 0, s.
    """
    from joserfc import jwt  # noqa: PLC0415 - see above

    issued = int(epoch + now / SECOND)
    expiry, fresh = issued + lifetime // SECOND, issued + refresh // SECOND
    claims: dict[str, Any] = {"aud": audience, "iat": issued, "exp": expiry}
    return Issued(jwt.encode({"alg": "HS256"}, claims, _key(secret), algorithms=_ALGORITHMS), fresh, expiry)


def read(secret: str, audience: str, token: str, epoch: float) -> Reading:
    """What a token says to one service; whether it has expired is the router's to decide.

    Args:
        secret: of the service.
        audience: the service's name.
        token: what stood behind `Bearer`.
        epoch: Unix time of the clock's instant 0, s.
    """
    from joserfc import jwt  # noqa: PLC0415 - see above
    from joserfc.errors import JoseError  # noqa: PLC0415

    try:
        claims = jwt.decode(token, _key(secret), algorithms=_ALGORITHMS).claims
    except (JoseError, ValueError):
        return NOT_OURS
    expiry = claims.get("exp")
    if claims.get("aud") != audience or not isinstance(expiry, int):
        return NOT_OURS
    return Reading(genuine=True, expires=Micros(round((expiry - epoch) * SECOND)))


def _key(secret: str) -> "OctKey":
    """Signing wants 32 bytes, whatever the secret's length."""
    from joserfc.jwk import OctKey  # noqa: PLC0415 - see above

    return OctKey.import_key(sha256(secret.encode()).digest())
