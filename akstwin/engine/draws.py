"""What a plane asks of chance."""

from typing import Protocol

from akstwin.engine.requests import Request


class Draws(Protocol):
    """The chance of one version's model under one profile; every request has its own."""

    def service_time(self, request: Request) -> int:
        """How long a worker that has its CPU is busy with the request, µs."""
        ...

    def fails(self, request: Request) -> bool:
        """Whether `run()` raises."""
        ...

    def worker_init_time(self, request: Request) -> int:
        """How long `init()` takes in a worker that replaces the one ended over this request, µs."""
        ...
