"""Who calls: arrival processes, and clients that try again."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from akstwin.clock import SECOND, Micros
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration, TimeUnit

Rate = Annotated[float, Field(ge=0, le=1e5, description="requests per second")]


class ConstantArrivals(Spec):
    """One request every 1/rate seconds, the first after one such gap."""

    shape: Literal["constant"]
    rate: Annotated[float, Field(gt=0, le=1e5, description="requests per second")]


class PoissonArrivals(Spec):
    """Independent arrivals at one rate."""

    shape: Literal["poisson"]
    rate: Annotated[float, Field(gt=0, le=1e5, description="requests per second")]


class StepArrivals(Spec):
    """Independent (Poisson) arrivals whose rate changes in steps; before the first instant there are none."""

    shape: Literal["steps"]
    rate: Annotated[list[Rate], Field(min_length=1)]
    at: Annotated[list[Duration], Field(min_length=1)]

    @model_validator(mode="after")
    def _match(self) -> Self:
        if len(self.rate) != len(self.at):
            raise ValueError(f"as many instants in `at` as rates: {len(self.rate)} rates, {len(self.at)} instants")
        if any(later <= earlier for earlier, later in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("instants in `at` that grow")
        return self


class TraceArrivals(Spec):
    """Arrivals at recorded instants: a column of a CSV, Parquet or JSON file, or an nginx access log, compressed by gzip or not.

    They are counted from a start, never going back, or are times of day in any order, of which the first is t = 0. Repeated
    attempts are left out: rows that a column `attempt` or `retry_count` calls so, or that follow a failed one of the same
    operation or request id.

    Attributes:
        file: where they stand, from the scenario's folder on.
        column: the heading of the column; absent: the first that is called like a time, else the one that holds times, else
            the first.
        unit: of numbers; absent: the heading says it (`at_s`, `at_ms`), each instant (`250ms`), or the size of a number that
            counts from 1970.
        zone: of times of day that do not say it, such as Europe/Berlin; absent: UTC.
        only: the rows that are meant: what stands in a column, by its heading; `*` stands for anything.
        repeats: keep or leave_out rows with the id of an earlier one; absent: those are left out whose predecessor failed.
    """

    shape: Literal["trace"]
    file: str
    column: str | None = None
    unit: TimeUnit | None = None
    zone: str | None = None
    only: dict[str, str] = {}
    repeats: Literal["keep", "leave_out"] | None = None
    instants: tuple[Micros, ...] = Field(default=(), exclude=True, json_schema_extra={"hidden": True})
    """The file's instants, filled in by whoever reads the file."""


Arrivals = Annotated[ConstantArrivals | PoissonArrivals | StepArrivals | TraceArrivals, Field(discriminator="shape")]


class CustomRetry(Spec):
    """Try again on these statuses, waiting longer each time.

    Attributes:
        statuses: answers that are tried again.
        attempts: how often in all, the first time included.
        backoff: wait before the second attempt.
        factor: growth of the wait from one attempt to the next.
    """

    statuses: Annotated[list[Annotated[int, Field(ge=400, le=599)]], Field(min_length=1)]
    attempts: Annotated[int, Field(ge=1, le=100)]
    backoff: Duration = SECOND
    factor: Annotated[float, Field(ge=0, le=100)] = 1.0


RetryName = Literal["none", "azureml-core", "urllib3"]

# azureml-core 1.61 (wire.md §9): three repeats. 408, 502, 504, 530 and lost connections wait 0, 1, 2 s; the others
# double from a base. The base for 503 is a whole number from 2 to 10 s that each client process draws once.
_AT_ONCE = (408, 502, 504, 530)
_BASES = {429: 32, 500: 2}
AZUREML_CORE_ATTEMPTS: PositiveInt = 4
AZUREML_CORE_503_BASES = (2, 10)


def _policy(value: Any) -> Any:
    if isinstance(value, str) and value not in ("none", "azureml-core", "urllib3"):
        raise ValueError('"none", "azureml-core", "urllib3", or a mapping with statuses, attempts, backoff, factor')
    return value


class Clients(Spec):
    """What callers do with an answer that is not 200.

    `urllib3` are the defaults of `urllib3.Retry`: no status is on its list and POST is not among its methods, so a
    scoring call that was answered is never tried again.
    """

    retry: Annotated[RetryName | CustomRetry, BeforeValidator(_policy)] = "none"

    def wait_before_retry(self, status: int, attempt: int, base_503: int) -> Micros | None:
        """How long until the next attempt, or None for no further attempt.

        Args:
            status: the answer just received.
            attempt: how many attempts have been made (1: the first has just been answered).
            base_503: this client's own base for 503 in seconds, 2 to 10 (azureml-core only).
        """
        match self.retry:
            case CustomRetry() as policy:
                if status not in policy.statuses or attempt >= policy.attempts:
                    return None
                return Micros(round(policy.backoff * policy.factor ** (attempt - 1)))
            case "azureml-core" if attempt < AZUREML_CORE_ATTEMPTS:
                if status in _AT_ONCE:
                    return Micros((attempt - 1) * SECOND)
                base = base_503 if status == 503 else _BASES.get(status)
                return None if base is None else Micros(base * 2 ** (attempt - 1) * SECOND)
            case _:
                return None

    @property
    def draws_503_base(self) -> bool:
        """Whether each client has a base of its own for 503."""
        return self.retry == "azureml-core"
