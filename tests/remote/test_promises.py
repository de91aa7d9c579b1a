"""A served workspace over HTTP keeps every promise that the simulated one keeps, with no exception."""

from collections.abc import Callable
from typing import Any

import pytest

from akstwin.remote import RemoteBackend
from akstwin.testing import check_backend, promises

LIMITS = {
    "max_payload": "100kB",
    "token_lifetime": "120s",
    "token_refresh": "60s",
    "versions_per_endpoint": 3,
    "restart_backoff": "40s",
    "cluster_create": "5s",
    "image_build": "20s",
    "image_pull": "10s",
}


@pytest.mark.parametrize("name", [each.name for each in promises()])
def test_the_served_world_keeps(name: str, start: Callable[..., Any]) -> None:
    """Each on a server of its own, whose clock jumps."""
    server = start(seed=7, assumptions=LIMITS)
    report = check_backend(lambda: RemoteBackend(server.url), only=[name])
    report.raise_if_broken()
    assert [finding.promise.name for finding in report.kept] == [name]
