"""The simulated world: a control plane on SimPy, a reference data plane, workload, faults, trace."""
