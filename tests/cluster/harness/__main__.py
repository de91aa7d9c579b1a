"""`python -m cluster.harness`, from the folder tests: a cluster from the command line.

build           programs and images only
up              start a cluster; prints how to use it
down [ID…]      end these clusters, or all, and remove what killed ones have left
list            the clusters that run
run [ID] -- COMMAND…    run a command in a cluster's network, with KUBECONFIG and kubectl
"""

import argparse
import os
import sys

from . import images, leftovers, needs
from .cluster import Cluster, ClusterFailed
from .programs import programs


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def main() -> int:
    """Do what the arguments say; an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m cluster.harness", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build")
    commands.add_parser("list")
    up = commands.add_parser("up")
    up.add_argument("--nodes", type=int, default=2)
    commands.add_parser("down").add_argument("id", nargs="*")
    run = commands.add_parser("run")
    run.add_argument("id", nargs="?")
    words = sys.argv[1:]
    separator = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:separator])
    try:
        match arguments.command:
            case "build":
                needs.check(_say)
                images.store(programs(_say), _say)
            case "up":
                _tell(Cluster.up(_say, nodes=arguments.nodes))
            case "down":
                for cluster in [Cluster.of(each) for each in arguments.id] or Cluster.running():
                    cluster.down()
                    _say(f"cluster {cluster.id} is down")
                leftovers.sweep(_say)
            case "list":
                for cluster in Cluster.running():
                    _tell(cluster)
            case "run":
                cluster = Cluster.of(arguments.id) if arguments.id else _the_one()
                command = cluster.inside(words[separator + 1 :])
                os.execvpe(command[0], command, cluster.environment())  # noqa: S606
    except (needs.CannotRunHere, ClusterFailed) as wrong:
        print(wrong, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _the_one() -> Cluster:
    found = Cluster.running()
    if len(found) != 1:
        raise ClusterFailed(f"{len(found)} clusters run: {[each.id for each in found]}; name one")
    return found[0]


def _tell(cluster: Cluster) -> None:
    _say(f"cluster {cluster.id}: nodes {', '.join(cluster.nodes)}")
    _say(f"  kubeconfig: {cluster.kubeconfig}")
    _say(f"  its network: nsenter --net=/proc/{cluster.pid}/ns/net COMMAND")
    _say(f"  kubectl: {cluster.programs}/kubectl (in its network, with KUBECONFIG set)")
    for kind, name in cluster.images.items():
        _say(f"  image {kind}: {name}")


if __name__ == "__main__":
    sys.exit(main())
