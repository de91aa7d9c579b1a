"""What becomes of requests that go wrong, and that the service goes on."""

from akstwin.clock import MINUTE
from akstwin.testing.answers import outcome, says, shown
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.scripts import RUN_ERROR
from akstwin.testing.trial import NAME, Trial


@promise("semantics §3; §6.1, R12")
def raising_run_is_passed_on(trial: Trial) -> None:
    """A run() that raises is answered with `run_failure_status` and the server's own body; the logs have the traceback."""
    service = trial.deploy()
    answer = trial.ask(service, do="raise")
    call = "score(…), of a run() that raises"
    status, seen, reason = outcome(answer)
    equal(f"{call}: status, reason", (status, reason), (trial.limit("run_failure_status"), "run_failed"))
    equal(f"{call}: x-ms-run-function-failed", answer.header("x-ms-run-function-failed"), "True")
    holds(isinstance(seen, dict) and "message" in seen, call, shown(answer), "the server's message, as JSON")
    says(f"{call}, and then another one", trial.ask(service), "first")
    logs = service.get_logs()
    holds(RUN_ERROR in logs, "get_logs()", logs[-300:], f"a traceback with {RUN_ERROR!r}")


@promise("semantics §3; §6.1, R13")
def dying_process_is_502(trial: Trial) -> None:
    """A process that dies in run() is answered 502 by the router; the service answers again by itself."""
    service = trial.deploy()
    answer = trial.ask(service, do="die")
    call = "score(…), of a run() that ends its process"
    promised = (502, "Replica closed connection before replying", "replica_lost")
    equal(call, outcome(answer), promised)
    trial.until(
        f"{call}, and then others: status",
        lambda: trial.ask(service).status,
        "200",
        lambda status: status == 200,
        2 * MINUTE,
    )


@promise("semantics §3; §6.1, R12")
def answers_are_passed_through(trial: Trial) -> None:
    """Status, headers and body that a script chooses reach the client, and are no refusal."""
    service = trial.deploy()
    answer = trial.ask(service, do="teapot")
    seen = (answer.status, answer.header("x-pot"), answer.body, answer.reason)
    equal("score(…), of a script that answers 418", seen, (418, "tea", b"short and stout", None))


@promise("semantics §1.1; §6.1, R2")
def large_body_is_413(trial: Trial) -> None:
    """A body over `max_payload` is 413; one of a few bytes is not."""
    service = trial.deploy()
    request = trial.request(service)
    large = type(request)(bytes(trial.limit("max_payload") + 1), request.headers)
    answer = trial.backend.score(NAME, large)
    call = "score(…), one byte over max_payload"
    equal(call, outcome(answer), (413, "Payload too large", "payload_too_large"))
    says("score(…), a small body", trial.ask(service), "first")
