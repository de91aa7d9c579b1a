"""Runs in `.venv-azureml`: an azureml-core program finds the server under both names of its cloud."""

import sys

from azureml.core import Webservice, Workspace
from azureml.core.authentication import TokenAuthentication

TOKEN = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDAsInRpZCI6ImFkZnMifQ.eA"  # noqa: S105 - signed by nobody

for cloud in sys.argv[1:]:
    auth = TokenAuthentication(lambda _: TOKEN, cloud=cloud)
    ws = Workspace.get(
        "akstwin", auth=auth, subscription_id="00000000-0000-0000-0000-000000000000", resource_group="akstwin"
    )
    print(cloud, ws.name, len(Webservice.list(ws)))
