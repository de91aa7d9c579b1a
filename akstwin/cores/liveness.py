"""Old import path of `akstwin.kubernetes_model.liveness`."""

from akstwin.kubernetes_model.liveness import (
    Probe,
    Verdict,
)

__all__ = [
    "Probe",
    "Verdict",
]
