"""When clients try again."""

from akstwin.domain.workload import AZUREML_CORE_503_BASES, Clients
from akstwin.sim.load.request_index import RequestIdentity
from akstwin.sim.streams import Draws, whole_below


class Retries:
    """What the clients of one service do with an answer that is not 200.

    Args:
        clients: their way.
        seed: of the run.
        replication: 1, 2, …
        service: goes before the entries' numbers in the names of their streams of chance.
    """

    def __init__(self, clients: Clients, seed: int, replication: int, service: str = "") -> None:
        self._clients = clients
        self._service = service
        self._of = (seed, replication)
        self._bases: dict[int, Draws] = {}

    def wait(self, identity: RequestIdentity, status: int, client: int | None = None) -> int | None:
        """How long a client waits before it tries again.

        Args:
            identity: the attempt that was answered.
            status: of the answer.
            client: the number of the first request of the client; None: every request comes from a client of its own.

        Returns:
            µs from the answer to the next attempt; None: there is none.
        """
        number = identity.number if client is None else client
        base = self._base_503(identity.entry, number) if self._clients.draws_503_base else 0
        return self._clients.wait_before_retry(status, identity.attempt + 1, base)

    def _base_503(self, entry: int, number: int) -> int:
        """The client's own base in whole seconds."""
        low, high = AZUREML_CORE_503_BASES
        draws = self._bases.get(entry)
        if draws is None:
            draws = self._bases[entry] = Draws(
                *self._of, "client-503", f"{self._service}{entry}", whole_below(high - low + 1)
            )
        return low + draws.at(number)
