"""The base of every value that a user can write down."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen value read from a scenario or a call: unknown settings and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
