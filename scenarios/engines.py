"""Which engine runs a scenario: the compiled one where it can, with the same result; else the reference."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from akstwin import speedups
from akstwin.errors import InvalidSetting
from akstwin.scenarios.load import Prepared
from akstwin.sim.engine.choice import EngineName
from akstwin.speedups.native import load_kernel

Asked = Literal["auto", "compiled", "reference"]
ASKED: Final[tuple[Asked, ...]] = get_args(Asked)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The engine of a scenario.

    Attributes:
        name: which.
        why: why it is the reference although nobody asked for it; empty otherwise.
    """

    name: EngineName
    why: str = ""


def check_asked(asked: str) -> None:
    """Refuse what is no engine's name, and not auto (InvalidSetting)."""
    if asked not in ASKED:
        raise InvalidSetting("--engine", asked, f"one of {', '.join(ASKED)}")


def choose(prepared: Prepared, asked: str = "auto") -> Chosen:
    """The engine that runs the scenario.

    Args:
        prepared: the scenario.
        asked: auto: the compiled one where it can; or its name.

    Raises:
        InvalidSetting: no such engine; or the compiled one was asked for and cannot run this scenario.
    """
    check_asked(asked)
    if asked == "reference":
        return Chosen("reference")
    why = _against(prepared)
    if not why:
        return Chosen("compiled")
    if asked == "compiled":
        raise InvalidSetting("--engine", asked, f"auto or reference: {why}")
    return Chosen("reference", why)


def _against(prepared: Prepared) -> str:
    """Why the compiled engine cannot run the scenario; nothing: it can."""
    if prepared.services:
        return "the compiled engine has a cluster to itself, and the scenario has several services"
    if prepared.scenario.assumptions.refused_connection != 502:
        return "refused_connection: next_replica is known to the reference engine only"
    if speedups.is_active():  # its columns stand in for the reference's, which machine code does not let them
        return "the reference engine has been loaded as machine code for a server in this process"
    if load_kernel() is None:
        return "the compiled engine's extension is not there (akstwin compile makes it)"
    return ""
