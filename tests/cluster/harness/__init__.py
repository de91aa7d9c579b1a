"""A real Kubernetes cluster on one Linux machine, for the tests: `Cluster.up`, `Cluster.down`, and faults between them."""

from .cluster import Cluster, ClusterFailed
from .needs import CannotRunHere

__all__ = ["CannotRunHere", "Cluster", "ClusterFailed"]
