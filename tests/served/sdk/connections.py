"""A program's connections and name look-ups, as an audit hook of the interpreter sees them; run first, it names them at the end.

`python connections.py PROGRAM ARGUMENTS…` runs the program and prints `connections: ` and a JSON list of hosts.
"""

import json
import runpy
import sys

hosts: list[str] = []


def _hook(event: str, given: tuple[object, ...]) -> None:
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        hosts.append(str(given[0]))
    elif event in ("socket.connect", "socket.sendto") and isinstance(given[1], tuple):
        hosts.append(str(given[1][0]))


sys.addaudithook(_hook)
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print("connections:", json.dumps(sorted(set(hosts))))
