"""Deployments that fail: in which state, when and why; and what goes on nevertheless."""

from akstwin.clock import SECOND, Micros
from akstwin.testing.answers import says
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.scripts import INIT_ERROR
from akstwin.testing.trial import Trial
from akstwin.testing.words import seconds


@promise("semantics §2.4, 5; §6.6")
def unschedulable_fails(trial: Trial) -> None:
    """A deployment that fits nowhere fails when `unschedulable_after` is over: state Unschedulable, and why."""
    _, started = trial.target, trial.now
    service = trial.begin(cpu_cores=1000)
    trial.fails(service)
    took = Micros(trial.now - started)
    equal("state, of cpu_cores=1000", service.state, "Unschedulable")
    error = service.error or {}
    codes = (error.get("code"), [detail.get("code") for detail in error.get("details") or ()])
    equal("error", codes, ("KubernetesError", ["Unschedulable"]))
    least = trial.span("unschedulable_after")
    holds(took >= least, "wait_for_deployment() of cpu_cores=1000", seconds(took), f"{seconds(least)} or more")


@promise("semantics §2.4, 6; §6.6")
def crash_loop_fails(trial: Trial) -> None:
    """A deployment whose init() raises fails: state Failed, and the logs have the traceback."""
    service = trial.begin(trial.failing_script())
    trial.fails(service)
    equal("state, of a script whose init() raises", service.state, "Failed")
    equal("error['code']", (service.error or {}).get("code"), "CrashLoopBackOff")
    logs = service.get_logs()
    holds(INIT_ERROR in logs and "Traceback" in logs, "get_logs()", logs[-300:], f"a traceback with {INIT_ERROR!r}")


@promise("semantics §2.4, 7; §6.6")
def hanging_init_times_out(trial: Trial) -> None:
    """A deployment whose init() does not return times out after `deployment_timeout`: DeploymentTimedOut, Unhealthy."""
    _, started = trial.target, trial.now
    service = trial.begin(trial.hanging_script(), initial_delay_seconds=10_000_000)
    trial.fails(service)
    took = Micros(trial.now - started)
    equal("state, of a script whose init() hangs", service.state, "Unhealthy")
    equal("error['code']", (service.error or {}).get("code"), "DeploymentTimedOut")
    least = trial.span("deployment_timeout")
    most = least + 10 * SECOND  # polls come every 5 s
    good = least <= took <= most
    holds(good, "wait_for_deployment()", seconds(took), f"from {seconds(least)} to {seconds(Micros(most))}")


@promise("semantics §2.3, §6.6")
def update_heals(trial: Trial) -> None:
    """After a failed deployment an update with a good script makes the service Healthy, and it answers."""
    service = trial.begin(trial.failing_script())
    trial.fails(service)
    service.update(inference_config=trial.script("healed"))
    trial.wait(service)
    equal("state, after update(inference_config=…)", (service.state, service.error), ("Healthy", None))
    says("score(…)", trial.ask(service), "healed")


@promise("semantics §6.6")
def failed_update_keeps_serving(trial: Trial) -> None:
    """When an update fails, an old replica goes on answering."""
    service = trial.deploy(trial.script("first"), num_replicas=2)
    service.update(inference_config=trial.failing_script())
    trial.fails(service)
    equal("state, after an update to a script whose init() raises", service.state, "Failed")
    says("score(…), after the failed update", trial.ask(service), "first")
