"""What trying the promises has shown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from akstwin.testing.promise import Promise


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise, tried.

    Attributes:
        promise: which.
        kept: whether it holds.
        call: what showed that it does not.
        saw: what came of that call.
        promised: what should have.
        conditions: what it was tried under: the seed, if the backend has one, and the limits that it went by.
    """

    promise: Promise
    kept: bool
    call: str = ""
    saw: str = ""
    promised: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def why(self) -> str:
        """Why it does not hold, in one line; empty if it does."""
        return "" if self.kept else f"{self.call}: saw {self.saw}; promised: {self.promised}"

    def __str__(self) -> str:
        if self.kept:
            return f"  kept    {self.promise.name}"
        with_ = ", ".join(f"{name} {value}" for name, value in self.conditions.items())
        told = {
            "": self.promise.text,
            "call": self.call,
            "saw": self.saw,
            "expected": self.promised,
            "with": with_,
            "source": self.promise.source,
        }
        lines = (f"{name:>18}  {text}".rstrip() for name, text in told.items() if text)
        return "\n".join((f"  BROKEN  {self.promise.name}", *lines))


class BrokenPromises(AssertionError):
    """A backend does not keep what every backend promises.

    Args:
        report: what was found; its text is the message.
    """

    def __init__(self, report: "Report") -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return str(self.report)


@dataclass(frozen=True, slots=True)
class Report:
    """What trying the promises has shown, in the order in which they were tried.

    Attributes:
        findings: one for each promise.
    """

    findings: tuple[Finding, ...]

    @property
    def kept(self) -> tuple[Finding, ...]:
        """The promises that hold."""
        return tuple(finding for finding in self.findings if finding.kept)

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The promises that do not."""
        return tuple(finding for finding in self.findings if not finding.kept)

    def raise_if_broken(self) -> None:
        """Raise if some promise does not hold.

        Raises:
            BrokenPromises: with this report.
        """
        if self.broken:
            raise BrokenPromises(self)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        lines = [f"{len(self.kept)} of {len(self.findings)} promises kept"]
        family = ""
        for finding in self.findings:
            if finding.promise.family != family:
                family = finding.promise.family
                lines += ["", family]
            lines.append(str(finding))
        return "\n".join(lines)
