"""Engines carry simulated requests: router, containers and generated load of one service, in virtual time."""
