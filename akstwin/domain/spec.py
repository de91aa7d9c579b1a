"""The base of every value that a user can write down."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen value read from a scenario or a call: unknown settings, wrong types and endless numbers are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
