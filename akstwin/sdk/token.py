"""An access token for scoring, and until when it is good."""

import math
from datetime import datetime
from typing import Any, Final

from akstwin.sdk.exceptions import WebserviceException

_KEYS: Final = ("accessToken", "tokenType", "refreshAfter", "expiryOn")


class AksServiceAccessToken:
    """What a scoring request's `Authorization` header may carry.

    Args:
        access_token: the token itself.
        token_type: `Bearer`.
        refresh_after: when to fetch the next one, in Unix seconds.
        expiry_on: when it stops being good, in Unix seconds.

    Attributes:
        access_token: as given.
        token_type: as given.
        refresh_after: as local time without a zone, as in azureml-core: scripts compare it with theirs.
        expiry_on: likewise.

    Raises:
        WebserviceException: a time is no number of Unix seconds.
    """

    def __init__(self, access_token: str, token_type: str, refresh_after: float, expiry_on: float) -> None:
        self.access_token = access_token
        self.token_type = token_type
        self.refresh_after = _local("refresh_after", refresh_after)
        self.expiry_on = _local("expiry_on", expiry_on)

    def serialize(self) -> dict[str, Any]:
        """The JSON form, as it came over the wire: times are Unix seconds."""
        return {
            "accessToken": self.access_token,
            "tokenType": self.token_type,
            "refreshAfter": _unix(self.refresh_after),
            "expiryOn": _unix(self.expiry_on),
        }

    @staticmethod
    def deserialize(payload_obj: Any) -> "AksServiceAccessToken":
        """The token of a JSON form.

        Raises:
            WebserviceException: a key is missing, named; a time is no number; or it is no JSON object.
        """
        if not isinstance(payload_obj, dict):
            raise WebserviceException(f"AksServiceAccessToken: a {type(payload_obj).__name__} is not a JSON object")
        if missing := [key for key in _KEYS if key not in payload_obj]:
            raise WebserviceException(
                f"AksServiceAccessToken: the answer is not complete: it lacks {', '.join(missing)}"
            )
        return AksServiceAccessToken(*(payload_obj[key] for key in _KEYS))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AksServiceAccessToken) and self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash((self.access_token, self.token_type, self.refresh_after, self.expiry_on))

    def __repr__(self) -> str:
        """Without the token, which is a secret."""
        return f"AksServiceAccessToken({self.token_type!r}, expiry_on={self.expiry_on.isoformat()})"


def _local(name: str, seconds: Any) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise WebserviceException(f"{name}: {seconds!r} is not a number of Unix seconds")
    try:
        return datetime.fromtimestamp(seconds)  # noqa: DTZ006  (without a zone, as in azureml-core)
    except (OverflowError, OSError, ValueError):
        raise WebserviceException(f"{name}: {seconds!r} is not a time that can be shown") from None


def _unix(local: datetime) -> float:
    seconds = local.timestamp()
    return int(seconds) if seconds.is_integer() else seconds
