"""What the management routes need of the server and of the workspaces behind them, whatever world those are of."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from akstwin.backend import Operation, ValidatingManagement, WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.files import FileStore


class ManagedWorkspace(Protocol):
    """A workspace that the routes answer for."""

    @property
    def backend(self) -> ValidatingManagement:
        """Its verbs, called on the event loop and inside `acting`."""
        ...

    @property
    def files(self) -> FileStore:
        """Where uploads are put; the backend finds them by their `LocalUpload/…` path."""
        ...

    def acting(self) -> AbstractContextManager[Micros]:
        """For a look at the workspace: at the present of its clock, or at the instant that it has reached, which is entered."""
        ...

    def commanding(self) -> AbstractAsyncContextManager[Micros]:
        """For a change of the workspace: at its turn, at the present of its clock. Nothing is awaited inside."""
        ...

    async def operation(self, operation_id: str, *, skip: bool = True) -> Operation:
        """An operation as a poll shows it (NotFound).

        Args:
            operation_id: which.
            skip: whether a clock that can takes who polls a running one straight to its end.
        """
        ...

    async def logs(self, name: str, lines: int, *, init: bool) -> str:
        """The last lines of what a service's containers have written (NotFound).

        Args:
            name: of the service.
            lines: how many.
            init: how its pods came up, instead.
        """
        ...


class Binding(Protocol):
    """A workspace and the addresses at which it answers."""

    @property
    def workspace(self) -> ManagedWorkspace:
        """Which."""
        ...

    @property
    def http(self) -> str:
        """Its URL."""
        ...

    @property
    def https(self) -> str:
        """Its URL with TLS."""
        ...


class WorkspaceServer(Protocol):
    """A server of several workspaces."""

    @property
    def secret(self) -> bytes:
        """Signs URLs."""
        ...

    @property
    def first(self) -> Binding:
        """The workspace that has the ports that were asked for."""
        ...

    @property
    def places(self) -> Mapping[str, Binding]:
        """All workspaces that are open, by resource id in small letters."""
        ...

    def first_asked(self, identity: WorkspaceIdentity) -> None:
        """A request names a workspace; the first one that is named is the server's first."""
        ...

    def open_beside(self, asked: WorkspaceIdentity, identity: WorkspaceIdentity) -> Binding:
        """Open a further workspace.

        Args:
            asked: the open workspace on whose port it was asked for; it is run as that one is, and ends with it.
            identity: who the new one is.

        Raises:
            AksError: it cannot be opened.
        """
        ...

    async def ready(self) -> None:
        """Return when all workspaces answer at their addresses."""
        ...
