"""The command `cluster`. It imports the Kubernetes client only when it is called."""

from pathlib import Path

import click


@click.group()
def cluster() -> None:
    """Run services on a Kubernetes cluster."""


@cluster.command()
@click.option("--namespace", required=True, help="Where services live, and what is kept of them.")
@click.option("--image", required=True, help="Of scoring containers whose environment names none.")
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="For uploaded files; it has to last.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; pods must reach it.")
@click.option("--port", default=8899, show_default=True, type=click.IntRange(0, 65535), help="0 picks one.")
@click.option("--url", help="By which pods and clients reach it, if not by address and port.")
@click.option("--context", help="Of the kubeconfig file; the current one.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The file, if not the usual one.")
@click.option("--in-cluster", is_flag=True, help="It runs in a pod: take the pod's service account.")
@click.option("--no-nodes", is_flag=True, help="Nodes may not be read: pods on lost nodes are waited for.")
@click.option(
    "--assume", "assumed", multiple=True, metavar="KEY=VALUE", help="Change an assumption, as often as you like."
)
def manager(
    namespace: str,
    image: str,
    folder: Path,
    host: str,
    port: int,
    url: str | None,
    context: str | None,
    kubeconfig: Path | None,
    in_cluster: bool,
    no_nodes: bool,
    assumed: tuple[str, ...],
) -> None:
    """Run a workspace's manager and router, where pods can reach it, until a signal ends it.

    Of several on one namespace, one is active and the others wait for its end.
    """
    from akstwin.errors import AksError  # noqa: PLC0415
    from akstwin.fake_api.command import read_pair  # noqa: PLC0415

    try:
        from akstwin.backend_aks.manager import ManagerSettings, run  # noqa: PLC0415
    except ImportError as error:
        raise AksError(f"the Kubernetes client is missing: pip install 'akstwin[kubernetes]' ({error})") from None
    assumptions = dict(read_pair(each) for each in assumed)
    settings = ManagerSettings(
        namespace, image, folder, host, port, url, context, kubeconfig, in_cluster, assumptions, nodes=not no_nodes
    )
    run(settings, lambda at: click.echo(f"listening on {at}"))
