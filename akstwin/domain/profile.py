"""What a model costs: how long its requests take, how it starts, what it needs.

A profile is the user's own knowledge of their model; it is never assumed for them beyond the defaults here.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt

from akstwin.clock import SECOND, Micros
from akstwin.domain.spec import Spec
from akstwin.domain.units import DURATION_FORM, MEMORY_FORM, Bytes, Duration, Memory, TimeUnit, parse_duration


class Constant(Spec):
    """Always the same."""

    distribution: Literal["constant"] = "constant"
    mean: Duration


class Uniform(Spec):
    """Every value between mean·(1 - √3·cv) and mean·(1 + √3·cv) alike."""

    distribution: Literal["uniform"]
    mean: Duration
    cv: Annotated[float, Field(ge=0, le=0.57735)]


class Exponential(Spec):
    """Exponential: the coefficient of variation is 1."""

    distribution: Literal["exponential"]
    mean: Duration


class Lognormal(Spec):
    """Lognormal, by mean and coefficient of variation."""

    distribution: Literal["lognormal"]
    mean: Duration
    cv: Annotated[float, Field(ge=0, le=100)]


class Gamma(Spec):
    """Gamma, by mean and coefficient of variation."""

    distribution: Literal["gamma"]
    mean: Duration
    cv: Annotated[float, Field(ge=0.001, le=100)]


class Weibull(Spec):
    """Weibull, by mean and coefficient of variation."""

    distribution: Literal["weibull"]
    mean: Duration
    cv: Annotated[float, Field(gt=0.01, le=20)]


class Empirical(Spec):
    """Drawn with replacement from measured values: a column of durations in a CSV, Parquet or JSON-lines file.

    Attributes:
        file: where they stand, from the scenario's folder on.
        column: the heading of the column; absent: the first column.
        unit: of durations without one; absent: the heading says it (`duration_ms`), or each duration (`80ms`).
    """

    distribution: Literal["empirical"]
    file: str
    column: str | None = None
    unit: TimeUnit | None = None
    values: tuple[Micros, ...] = Field(default=(), exclude=True, json_schema_extra={"hidden": True})
    """The file's values, filled in by whoever reads the file."""


Distribution = Constant | Uniform | Exponential | Lognormal | Gamma | Weibull | Empirical


def _plain_is_constant(value: Any) -> Any:
    """A plain duration is a constant; `init_time: 8s` needs no mapping."""
    if isinstance(value, str | int | float):
        try:
            return {"distribution": "constant", "mean": parse_duration(value) / SECOND}
        except ValueError:
            raise ValueError(f"{DURATION_FORM}, or a mapping with `distribution:`") from None
    return value


Durations = Annotated[
    Annotated[Distribution, Field(discriminator="distribution")],
    BeforeValidator(_plain_is_constant, json_schema_input_type=str | float | Distribution),
]


class MemoryUse(Spec):
    """The memory that one container takes, with its unit: MB and GB count 1000, MiB and GiB 1024.

    Attributes:
        base: once `init()` has returned, all workers together, without any request.
        per_request: for each request in the container, running or in its backlog.
    """

    base: Memory
    per_request: Memory = Bytes(0)


def _plain_is_base(value: Any) -> Any:
    """A plain size is a base; a plain number is refused with what its unit could be."""
    if isinstance(value, str):
        return {"base": value}
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"{MEMORY_FORM}, or a mapping with base and per_request")  # noqa: TRY004 - see units
    return value


class ModelProfile(Spec):
    """One version's model.

    Attributes:
        service_time: run time of one request in a worker.
        init_time: from the container's start to the end of `init()`.
        workers: processes that score at once in one replica.
        cpu: cores that one busy worker wants; None: `service_time` was measured under the limits in force.
        failure_rate: share of requests whose `run()` raises.
        memory: that a container takes; one that takes more than its limit is killed. None: not told, and never too much.
    """

    service_time: Durations = Constant.model_validate({"mean": "50ms"})
    init_time: Durations = Constant.model_validate({"mean": "5s"})
    workers: PositiveInt = 1
    cpu: Annotated[float, Field(gt=0)] | None = None
    failure_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    memory: Annotated[
        MemoryUse | None, BeforeValidator(_plain_is_base, json_schema_input_type=str | MemoryUse | None)
    ] = None
