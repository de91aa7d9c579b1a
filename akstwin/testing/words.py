"""Values as a report shows them."""

from akstwin.clock import SECOND, Micros


def seconds(span: Micros) -> str:
    """A span or an instant: `0.5 s`."""
    return f"{span / SECOND:.6g} s"
