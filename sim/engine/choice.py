"""Which engine carries the requests of a world."""

from typing import Literal

EngineName = Literal["reference", "compiled"]
"""`reference`: event by event, readable. `compiled`: the same decisions as machine code, for generated load."""
