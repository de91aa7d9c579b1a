"""The hosts of the real Azure, and a guard that lets no connection of this process reach them.

The guard is an audit hook of the interpreter: name look-ups and connections pass it, whichever module makes them and however it
has imported what it needs. What resolves names by itself in native code (uvloop, c-ares) does not.
"""

import sys
from collections.abc import Callable
from typing import Any, Final

from akstwin.errors import AksError

CLOUD_HOSTS: Final = (
    # azureml-core's own table of clouds, public: management, login, storage, vaults, registries, lakes, batch, gallery
    "azure.com", "azure.net", "windows.net", "microsoftonline.com", "azurecr.io", "azuredatalakestore.net",
    "azuredatalakeanalytics.net", "azuresynapse.net", "applicationinsights.io", "loganalytics.io",
    # the same table: China, the US government, Germany
    "azure.cn", "chinacloudapi.cn", "azurecr.cn", "partner.microsoftonline.cn", "azure.us", "usgovcloudapi.net", "azurecr.us",
    "microsoftonline.us", "microsoft.us", "applicationinsights.us", "loganalytics.us", "cloudapi.de", "microsoftazure.de",
    "microsoftonline.de", "microsoft.de",
    # Azure ML's services, as its discovery answers name them: workspaces, studio, and what came before them
    "azureml.ms", "azureml.net", "azureml-test.net", "azureml.us", "azureml.cn", "ml.azure.cn",
    # AKS: API servers and ingress
    "azmk8s.io", "cloudapp.net",
    # logins, the directory and images, by the names that msal, adal and the documentation of Azure's firewalls give
    "graph.microsoft.com", "login.microsoft.com", "login.windows-ppe.net", "mcr.microsoft.com", "msauth.net", "msftauth.net",
    # what the SDK's telemetry is sent to
    "dc.services.visualstudio.com", "vortex.data.microsoft.com", "events.data.microsoft.com", "msdata.visualstudio.com",
    # front doors and web apps that stand before services and data sets
    "azurefd.net", "azureedge.net", "azurewebsites.net", "trafficmanager.net",
    # the metadata service of Azure's own machines, which gives msrestazure and azure-identity tokens
    "169.254.169.254",
)  # fmt: skip
"""Domains: each stands for itself and all below it."""

_LOOK_UPS: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_CONNECTIONS: Final = frozenset({"socket.connect", "socket.sendto"})
_ENDINGS: Final = tuple(f".{host}" for host in CLOUD_HOSTS)


class CloudRefused(AksError):
    """A connection to the real Azure was about to be made, and was not.

    It is no OSError: nobody takes it for a network that fails, and tries again.

    Args:
        host: where it would have gone.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)

    @property
    def host(self) -> str:
        """Where it would have gone."""
        return str(self.args[0])

    def __str__(self) -> str:
        return f"{self.host}: a connection to the real Azure is refused here; only the local server may be reached"


class Guard:
    """Refuses connections to Azure from `begin` to `end`. Several may be there at once.

    Args:
        connecting: called with host and port of each connection that is let through while this is the latest guard.

    Attributes:
        refused: the hosts that were refused, in order.
    """

    def __init__(self, connecting: Callable[[str, int], None]) -> None:
        self.refused: list[str] = []
        self.connecting = connecting

    def begin(self) -> None:
        """Refuse from now on."""
        global _hooked  # noqa: PLW0603 - an audit hook stays for as long as the process
        _guards.append(self)
        if not _hooked:
            _hooked = True
            sys.addaudithook(_audit)

    def end(self) -> None:
        """Refuse no more."""
        _guards.remove(self)


_guards: list[Guard] = []
_hooked = False


def in_cloud(host: str) -> bool:
    """Whether a host is one of the real Azure's."""
    name = host.lower().rstrip(".")
    return name in CLOUD_HOSTS or name.endswith(_ENDINGS)


def _audit(event: str, given: tuple[Any, ...]) -> None:
    if not _guards:
        return
    if event in _LOOK_UPS:
        host, port = _text(given[0]), 0
    elif event in _CONNECTIONS and isinstance(given[1], tuple):  # else a path of this machine
        host, port = _text(given[1][0]), given[1][1]
    else:
        return
    if in_cloud(host):
        for guard in _guards:
            guard.refused.append(host)
        raise CloudRefused(host)
    if event == "socket.connect":
        _guards[-1].connecting(host, port)


def _text(host: Any) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
