"""Ports between a control plane and what carries requests: the router's plane, and the runtime of containers."""
