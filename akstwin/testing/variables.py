"""The variables that point an unmodified azureml-core at a server (wire §1.1). Needs the standard library only."""

from pathlib import Path
from tempfile import mkdtemp
from typing import Final

CLOUD: Final = "AkstwinCloud"
"""The cloud that a server is.

Its table has `AzureCloud` beside it, for programs that name that one outright; clients with addresses of their own for
`AzureCloud`, such as azure-ai-ml, reach the server by this name only.
"""
LOCAL: Final = "127.0.0.1,localhost,::1"
MISLEADING: Final = ("AZUREML_SERVICE_ENDPOINT", "AZUREML_MMS_TEST_ENDPOINT", "AZUREML_EXPERIMENTATION_HOST")
"""Variables that point the SDK elsewhere, and so must not be set."""
MISLEADING_PREFIX: Final = "AZUREML_DEV_URL_"
"""How further ones begin."""


def variables(http: str, https: str, folder: Path, authority: Path) -> dict[str, str]:
    """What a process needs so that azureml-core in it talks to the server, and to nobody else.

    The SDK keeps what it has been told in its home and its configuration folder, and believes that more than any variable:
    both are new and empty here.

    Args:
        http: the server's URL.
        https: likewise; the SDK sends tokens and files only there.
        folder: in which the SDK's folders are made.
        authority: the certificate authority's file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    home = Path(mkdtemp(prefix="azureml-", dir=folder))
    (home / ".azure").mkdir()
    return {
        "ARM_CLOUD_METADATA_URL": f"{https}/metadata/endpoints?api-version=2022-09-01",
        "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"{http}/discovery",
        "AZUREML_CURRENT_CLOUD": CLOUD,
        "REGISTRY_DISCOVERY_ENDPOINT_URL": https,
        "AZURE_CONFIG_DIR": str(home / ".azure"),
        "HOME": str(home),
        "REQUESTS_CA_BUNDLE": str(authority),
        "SSL_CERT_FILE": str(authority),
        "NO_PROXY": LOCAL,
        "no_proxy": LOCAL,
        "AZUREML_LOG_DEPRECATION_WARNING_ENABLED": "False",
        "OTEL_SDK_DISABLED": "true",
    }
