"""The port between a control plane and a router (design §5): what the router learns, and what it is asked.

Every router implements it, simulated or real. One plane serves one service. A plane may be behind the clock: whenever it is
called or read, it must look as if it had advanced to the present.
"""

from typing import Protocol

from akstwin.cores.routing import KeyAuth, TokenAuth
from akstwin.domain.deployment import RouteSettings
from akstwin.domain.service import Split
from akstwin.domain.usage import Usage


class RoutingPlane(Protocol):
    """The router of one service."""

    # What the router learns, at the moment it learns it.
    def configure(self, version: str, settings: RouteSettings) -> None:
        """A version is there, or has changed."""
        ...

    def remove(self, version: str) -> None:
        """A version is there no more."""
        ...

    def set_split(self, split: Split | None) -> None:
        """The traffic split; None: no such service."""
        ...

    def set_auth(self, auth: KeyAuth | TokenAuth | None) -> None:
        """What a request must carry to be let in; None: nothing."""
        ...

    def admit(self, version: str, replica: int, address: str | None = None) -> None:
        """The replica is seen ready.

        Args:
            version: whose replica.
            replica: its number, unlike that of any other replica of the service.
            address: where requests for it are sent, in the router's own form; None: the router knows it by its number, as the
                simulator's does.
        """
        ...

    def suspend(self, version: str, replica: int) -> None:
        """The replica is seen unready or dead."""
        ...

    def withdraw(self, version: str, replica: int) -> None:
        """We are ending the replica: nothing more is sent to it."""
        ...

    def forget(self, version: str, replica: int) -> None:
        """The replica is gone."""
        ...

    # What it is asked.
    def usage(self, version: str) -> Usage:
        """How busy the version has been, and is."""
        ...

    def in_flight(self, version: str, replica: int) -> int:
        """Slots taken on one replica."""
        ...
