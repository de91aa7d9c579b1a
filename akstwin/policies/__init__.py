"""Rollout policies, written against the SDK's verbs only: the same object runs in virtual time and on a cluster."""
