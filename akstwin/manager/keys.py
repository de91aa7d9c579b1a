"""What requests to a service need: keys and tokens."""

from akstwin.cores.management import ServiceRecord
from akstwin.cores.routing import KeyAuth, TokenAuth
from akstwin.manager.driver import Auth


def auth_of(record: ServiceRecord) -> Auth:
    """What the router is to ask for."""
    if record.auth == "token":
        return TokenAuth()
    if record.auth == "none":
        return None
    assert record.primary is not None  # noqa: S101 - a stored service has both
    assert record.secondary is not None  # noqa: S101
    return KeyAuth(record.primary, record.secondary)
