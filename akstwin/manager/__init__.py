"""The management service of every world in this process: all verbs of `akstwin.backend` but requests and logs.

A world gives it a clock and a `ServiceDriver`; it keeps records in a `Store`, decides by `akstwin.cores.management` and
`akstwin.cores.registry`, and tells the driver what has been decided.
"""

from akstwin.manager.driver import Auth, Content, ServiceDriver
from akstwin.manager.manager import Manager

__all__ = ["Auth", "Content", "Manager", "ServiceDriver"]
