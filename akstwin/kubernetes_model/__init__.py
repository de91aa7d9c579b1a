"""Models of Kubernetes and of the inference server: what the simulated cluster does where a real one decides itself.

rollout      which pods a Deployment creates and ends      scheduling   which node a pod goes to, and the cluster autoscaler
kubelet      restarts, readiness, image pulls, lost nodes   liveness     when a container is probed, and what the answers mean
container    workers and backlog in one replica

Only `akstwin.sim` imports these: on a real cluster Kubernetes decides, and tests compare it with them.
"""
