"""The real world: services on a Kubernetes cluster, decided by the same cores as the simulated ones.

- `api`: JSON over the Kubernetes API, with the official client's configuration. `watching`: lists that stay up to date.
- `manifests`: what is asked of the cluster, as data. `pods`: what the cluster says of pods, as facts for the cores.
- `store`: the management service's records, in Secrets. `bundles`: what containers run, packed.
- `service`: one service, performed as `cores.serving` decides. `runtime`: all of them, as the management service needs it.
- `workspace`: the whole of it, as the management routes need it.
"""
