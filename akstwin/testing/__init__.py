"""For those who write a world, or test against one. Never imported by default; no world is imported here.

    from akstwin.testing import check_backend

    report = check_backend(lambda: MyBackend(...))
    print(report)
    report.raise_if_broken()

`strategies` is another module: it needs hypothesis, which akstwin itself does not.
"""

from akstwin.testing.check import check_backend, promises
from akstwin.testing.promise import Promise
from akstwin.testing.report import BrokenPromises, Finding, Report

__all__ = ["BrokenPromises", "Finding", "Promise", "Report", "check_backend", "promises"]
