"""Assumptions as a user gives them: some keys, refused by name where they are wrong."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from akstwin.domain.assumptions import Assumptions
from akstwin.domain.mistakes import read


class _Assumed(BaseModel):
    assumptions: Assumptions


def read_assumptions(given: Mapping[str, Any]) -> Assumptions:
    """The assumptions with some of them changed.

    Raises:
        AksError: no such key, or a value that is refused, with its name.
    """
    return read(_Assumed, {"assumptions": given}).assumptions
