"""The request path over HTTP: what comes in on a socket reaches `cores.routing`, and its answer goes back."""
