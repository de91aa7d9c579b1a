"""The world behind HTTP: a `Backend` over the management service of a server, our own or another (wire.md).

backend     all verbs together              caller      HTTP, retries, what is secret
finding     which workspace, where          verbs       assets, models, environments, compute targets
services    services, keys, operations      files       artifacts and blobs
scoring     requests to services            control     time, limits, observation, load: below `/_akstwin`
simulation  what `ws.simulation` has        refusals    statuses and bodies as errors
"""

from akstwin.remote.backend import RemoteBackend, connect

__all__ = ["RemoteBackend", "connect"]
