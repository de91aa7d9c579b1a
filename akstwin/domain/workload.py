"""Who calls: arrival processes, users who wait for their answers, and clients that try again."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, PositiveInt, field_validator, model_validator

from akstwin.clock import MILLISECOND, SECOND, Micros
from akstwin.domain.profile import Distribution, Durations, Empirical
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


Arrivals = ConstantArrivals | PoissonArrivals | StepArrivals | TraceArrivals
"""An open loop: requests come at their instants, whatever the answers are."""


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


MOST_USERS: Final = 100_000
LEAST_THINK_TIME: Final = Micros(MILLISECOND)


class ClosedLoopUsers(Spec):
    """Users who wait: each sends a request, waits for its answer, thinks, and sends the next one (a closed loop).

    The slower the answers, the fewer the requests. Each user's n-th think time is the same in every configuration.

    Attributes:
        users: how many there are.
        think_time: of a user, from an answer to the next request, by whatever status it was answered; 1ms on average at least.
        spawn_rate: users per second who begin, each with a request at once; absent: all are there at t = 0, and each has a part
            of its first think time before it, any part alike.
        clients: what these users do with a refusal; absent: what the scenario's `clients` do. A user who tries again does not
            think before the last answer.
    """

    shape: Literal["users"]
    users: Annotated[int, Field(ge=1, le=MOST_USERS)]
    think_time: Durations
    spawn_rate: Annotated[float, Field(gt=0, le=1e6, description="users per second")] | None = None
    clients: Clients | None = None

    @field_validator("think_time")
    @classmethod
    def _thinks(cls, value: Distribution) -> Distribution:
        if mean_of(value) < LEAST_THINK_TIME:
            raise ValueError(THINK_TIME_FORM)
        return value

    def begins(self, user: int) -> Micros:
        """When a user, counted from 0, is there: µs from the start of the entry."""
        return Micros(0 if self.spawn_rate is None else round(user * SECOND / self.spawn_rate))


THINK_TIME_FORM: Final = (
    "at least 1ms on average: users who do not think ask again at the instant of a refusal, for ever; take 1ms for a load test "
    "without pauses"
)


def mean_of(distribution: Distribution) -> float:
    """The mean of a distribution, µs; of a file that was not read yet, endless."""
    if isinstance(distribution, Empirical):
        return sum(distribution.values) / len(distribution.values) if distribution.values else float("inf")
    return distribution.mean


Traffic = Annotated[
    ConstantArrivals | PoissonArrivals | StepArrivals | TraceArrivals | ClosedLoopUsers, Field(discriminator="shape")
]
"""One entry of `traffic:`."""
