"""The request path over HTTP: what comes in on a socket reaches `cores.routing`, and its answer goes back.

- `http1`: HTTP/1.1 on a connection, with limits to what a client may send and how long it may take.
- `fast_path`: a plain scoring request goes straight to the router; `cycle` is one such request.
- `asgi`: all other requests to score, as an ASGI application; the ports that router, host check and faults are handed in by.
- `server`: a listening router, and its orderly end. `gateway` is the way in: headers, credentials, texts.
- `plane`: the router of one service in real time. `replica_transport` and `replica_connection` carry its requests to replicas.

What paths, headers, credentials and texts mean is in `cores.router_http`. Nothing here knows another world: the served one
hands in what it adds.
"""
