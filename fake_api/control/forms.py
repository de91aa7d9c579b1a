"""Faults that only a server has: connections that break, answers that are late or cut short, management calls refused."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, NonNegativeInt, PositiveInt, model_validator

from akstwin.clock import Micros
from akstwin.domain.faults import Fault
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration
from akstwin.domain.words import nearest
from akstwin.fake_api.control.operations import OPERATIONS, SCORING


def _operation(value: Any) -> Any:
    if isinstance(value, str) and value not in OPERATIONS:
        raise ValueError(f"one of {', '.join(OPERATIONS)}{nearest(value, OPERATIONS)}")
    return value


Operation = Annotated[str, BeforeValidator(_operation)]


class WireFault(Spec):
    """What all of them have: which requests they are meant for.

    Attributes:
        at: when it begins, from now.
        lasts: for how long; absent: until it is ended.
        service: only requests for this service.
        operation: `score`, `swagger`, `management` or one management operation.
        share: of the requests that it is meant for, drawn by seed and identity: what the client calls the request, and the
            attempt; or its number.
        count: how often it strikes at most.
        seed: of the draw, beside the workspace's own.
    """

    at: Duration = Micros(0)
    lasts: Duration | None = None
    service: str | None = None
    operation: Operation | None = Field(default=None, description="score, swagger, management or one operation")
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    count: PositiveInt | None = None
    seed: NonNegativeInt = 0


class _OnAnswers(WireFault):
    """It strikes when the answer is ready.

    Attributes:
        version: only answers that this version was to give.
        slower_than: only answers that took longer.
    """

    version: str | None = None
    slower_than: Duration | None = None

    @model_validator(mode="after")
    def _knows_the_answer(self) -> Self:
        told = [name for name in ("version", "slower_than") if getattr(self, name) is not None]
        if told and getattr(self, "before", False):
            raise ValueError(f"no {told[0]} beside `before`: whose the answer would be is known only when it is ready")
        if told and self.operation not in (None, *SCORING):
            raise ValueError(f"no {told[0]} beside operation {self.operation}: only what is scored has one")
        return self


class DropConnection(_OnAnswers):
    """The connection ends without an answer; `before`: without the request having been seen."""

    kind: Literal["drop_connection"]
    before: bool = False


class ResetConnection(_OnAnswers):
    """The same, with a TCP reset."""

    kind: Literal["reset_connection"]
    before: bool = False


class TruncateBody(_OnAnswers):
    """The body stops short of its Content-Length, and the connection ends; `keep`: which share of it gets through."""

    kind: Literal["truncate_body"]
    keep: Annotated[float, Field(ge=0, lt=1)] = 0.5


class DelayAnswer(_OnAnswers):
    """The answer comes later, by the server's clock."""

    kind: Literal["delay_answer"]
    by: Duration


class RefuseManagement(WireFault):
    """A management call is refused, and nothing is done. A scoring call is never refused so: its 503s have causes."""

    kind: Literal["refuse_management"]
    status: Literal[409, 429, 500, 502, 503]
    retry_after: Annotated[int, Field(ge=0)] | None = Field(default=None, description="seconds, sent as Retry-After")

    @model_validator(mode="after")
    def _is_management(self) -> Self:
        if self.operation in SCORING:
            raise ValueError(f"an operation of the management side, not {self.operation}: a 503 there has a cause")
        return self


Wire = Annotated[
    DropConnection | ResetConnection | TruncateBody | DelayAnswer | RefuseManagement, Field(discriminator="kind")
]
ByWire = DropConnection | ResetConnection | TruncateBody | DelayAnswer | RefuseManagement
WIRE_KINDS: Final = ("drop_connection", "reset_connection", "truncate_body", "delay_answer", "refuse_management")


class WireForm(BaseModel):
    """A fault of the connection, under its name in messages."""

    fault: Wire


class CauseForm(BaseModel):
    """A fault by its cause, likewise."""

    fault: Fault
