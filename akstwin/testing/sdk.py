"""An unmodified azureml-core in this process, pointed at a server: `with sdk_env(url): …`.

    from akstwin.testing import sdk_env

    with sdk_env("http://127.0.0.1:8899") as env:
        auth = TokenAuthentication(lambda audience: env.token, cloud="AzureCloud")
        ws = Workspace.get(env.workspace, auth=auth, subscription_id=env.subscription_id, resource_group=env.resource_group)

The same variables as `akstwin serve --print-env` prints; and more, which variables cannot do: the SDK's polls and pauses pass on
the server's clock, and the real Azure is out of reach. Needs Python's standard library only.
"""

import base64
import json
import os
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Final, Protocol

from akstwin import scratch
from akstwin.errors import InvalidSetting
from akstwin.testing.calls import OURS, Calls
from akstwin.testing.cloud import CLOUD_HOSTS, Guard
from akstwin.testing.cloud_table import point_clouds
from akstwin.testing.passing import AksClock
from akstwin.testing.sleeps import SLEEPERS, Sleepers, SleepMap
from akstwin.testing.variables import MISLEADING, MISLEADING_PREFIX, variables

__all__ = ["SdkEnvironment", "sdk_env"]

_METADATA: Final = "/metadata/endpoints"
_FAR: Final = 4_102_444_800
"""2100, Unix seconds: when the token expires."""


class Served(Protocol):
    """What has the URL of a server, as the fixture `aks_server` has."""

    @property
    def url(self) -> str:
        """For http."""
        ...


class SdkEnvironment:
    """What `sdk_env` has set up.

    Args:
        url: the server's.

    Attributes:
        url: the http URL of the server's workspace.
        https_url: likewise for https.
        variables: what was set in `os.environ`.
        subscription_id: of the workspace.
        resource_group: likewise.
        workspace: its name.
        token: what `TokenAuthentication` may give: well-formed, signed by nobody, no secret.
        slept: seconds that the SDK has slept on the server's clock.
    """

    def __init__(self, url: Any) -> None:
        self._calls = Calls(url)
        self.url = self._calls.url
        told = self._calls.get("health")
        self.subscription_id: str = told["subscription_id"]
        self.resource_group: str = told["resource_group"]
        self.workspace: str = told["workspace"]
        self.token = f"{_part({'alg': 'none'})}.{_part({'exp': _FAR, 'tid': 'adfs'})}.eA"
        self.variables: Mapping[str, str] = {}
        self.slept = 0.0
        self.guard: Final = Guard(self._connecting)
        self._ways = self._calls.get("environment")
        self.https_url: str = self._ways["https"]
        self._lock = RLock()
        self._clocks: dict[str, AksClock] = {self.url: AksClock(self._calls)}
        self._known: set[int] = {_port(self.url), _port(self.https_url)}
        self._new: set[int] = set()

    @property
    def refused(self) -> list[str]:
        """The hosts of the real Azure that were asked for, and refused, in order."""
        return list(self.guard.refused)

    @property
    def clock(self) -> AksClock:
        """The clock of the server's workspace."""
        return self._clocks[self.url]

    @property
    def authority(self) -> str:
        """The server's certificate authority, PEM."""
        return str(self._ways["authority"])

    def clouds(self) -> Any:
        """The table of clouds that the server gives."""
        return self._calls.call("GET", _METADATA)

    def pass_time(self, seconds: float) -> None:
        """Let seconds pass on the clock of each workspace of the server that this process has talked to.

        Raises:
            AksError: the server is gone, or was reset meanwhile.
        """
        with self._lock:
            self.slept += seconds
            if self._new:
                self._find_clocks()
            clocks = list(self._clocks.values())
        for clock in clocks:
            clock.sleep(seconds)

    def _connecting(self, host: str, port: int) -> None:
        if (
            not getattr(OURS, "calling", False)
            and port not in self._known
            and host.startswith(("127.", "::1", "localhost"))
        ):
            self._new.add(port)

    def _find_clocks(self) -> None:
        """Workspaces of the server that came later answer on ports of their own."""
        asked, self._new = self._new, set()
        for ways in self._calls.get("environment")["workspaces"].values():
            if asked & {_port(ways["http"]), _port(ways["https"])} and ways["http"] not in self._clocks:
                self._clocks[ways["http"]] = AksClock(Calls(ways["http"]))
        self._known |= asked


@contextmanager
def sdk_env(server: str | Served, *, sleeps: Sleepers = "sdk") -> Iterator[SdkEnvironment]:
    """Point an unmodified azureml-core in this process at a server, and at nothing else.

    - The variables of `akstwin serve --print-env` are set, with a home and a configuration folder that are new and empty.
      All is as before at the end, also after an error. It can be entered again, and inside itself: the inner one counts.
    - Where the SDK sleeps, between polls and before another attempt, the time passes on the server's clock: at once on a live
      or a manual clock, from event to event on a jumping one, at its rate on a paced one. Workspaces that the SDK opens beside
      the server's own have clocks of their own: time passes on all that this process has talked to.
    - Connections to the real Azure are refused with `CloudRefused`, which names the host. All else is let through. Of another
      process that is started here the variables are all that holds.
    - An azureml-core that was imported before is told of the server's cloud, too.

    Variables, sleeps and connections belong to the whole process: of two threads only one should be in here.

    Args:
        server: the http URL of one of akstwin's servers, or what has it as `url`.
        sleeps: whose `time.sleep` passes on the server's clock: `sdk` (azureml-core and the libraries that it calls through:
            azure-core, msrest, msal, adal, urllib3), `all` (also the test's own and its client's; never the standard library's)
            or `none`.

    Raises:
        InvalidSetting: no http URL, or another word for `sleeps`.
        AksError: no server of akstwin answers there; or an azureml-core was imported before whose cloud cannot be told.
    """
    if sleeps not in SLEEPERS:
        raise InvalidSetting("sleeps", sleeps, f"one of {', '.join(SLEEPERS)}")
    environment = SdkEnvironment(server if isinstance(server, str) else getattr(server, "url", server))
    with ExitStack() as stack:
        folder = stack.enter_context(scratch.temporary())
        authority = folder / "ca.pem"
        authority.write_text(environment.authority + _trusted_before(), encoding="utf-8")
        told = variables(environment.url, environment.https_url, folder, authority)
        told["NO_PROXY"] = told["no_proxy"] = _past_proxies(told["NO_PROXY"])
        environment.variables = told
        clouds: list[Callable[[], None]] = []
        stack.callback(lambda: [put_back() for put_back in clouds])  # last: it looks at the variables
        stack.enter_context(_set(told))
        clouds.append(point_clouds(environment.clouds))
        environment.guard.begin()
        stack.callback(environment.guard.end)
        map_ = SleepMap(sleeps, environment.pass_time)
        map_.begin()
        stack.callback(map_.end)
        yield environment


@contextmanager
def _set(told: Mapping[str, str]) -> Iterator[None]:
    """Variables as told, without those that mislead; as before at the end."""
    gone = [name for name in os.environ if name in MISLEADING or name.startswith(MISLEADING_PREFIX)]
    before = {name: os.environ.get(name) for name in (*told, *gone)}
    for name in gone:
        del os.environ[name]
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _trusted_before() -> str:
    """The authorities that this process trusts, PEM: other hosts than the server go on being reached."""
    certifi = sys.modules.get("certifi")
    for path in (
        os.environ.get("REQUESTS_CA_BUNDLE"),
        os.environ.get("SSL_CERT_FILE"),
        certifi.where() if certifi is not None else None,
        ssl.get_default_verify_paths().cafile,
    ):
        if path and Path(path).is_file():
            return "\n" + Path(path).read_text(encoding="utf-8", errors="replace")
    return ""


def _past_proxies(local: str) -> str:
    """A proxy would reach Azure for the SDK: its hosts are to be called straight, and so refused."""
    before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return ",".join(filter(None, (local, *CLOUD_HOSTS, before)))


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _port(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])
