"""The management service of every world in this process, a composition of parts over a store.

A world gives it a clock, a store and a `ClusterRuntime`. The parts decide by `akstwin.cores.management` and
`akstwin.cores.registry`; a command's records are written in one transaction, and only then does the runtime act.

service       all parts together        repositories  typed access to the store
services      services                  lifecycles    service states, read from the store
keys          keys and tokens           operations    operations, and timers as data
models        files, assets, models     environments  environments
computes      compute targets           numbering     numbers, ids and secrets
runtime_port  what a world performs     dependencies  what a world gives
"""

from akstwin.control_plane.dependencies import Dependencies
from akstwin.control_plane.runtime_port import Auth, ClusterRuntime, Content
from akstwin.control_plane.service import ManagementService

__all__ = ["Auth", "ClusterRuntime", "Content", "Dependencies", "ManagementService"]
