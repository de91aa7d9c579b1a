"""Worlds whose requests go wrong: split, queue, failures, probes."""

from dataclasses import replace
from itertools import count
from typing import Any

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import MILLISECOND, SECOND, Micros
from akstwin.errors import AksError
from akstwin.sim.backend import SimulatedBackend

HEADER = "azureml-model-deployment"


class _Between(SimulatedBackend):
    """Requests and answers pass here."""

    def score(self, name: str, request: ScoreRequest) -> ScoreResponse:
        return self.score_all(name, [(Micros(0), request)])[0]

    def score_all(self, name: str, requests: Any) -> Any:
        answers = super().score_all(name, [(at, self.asked(name, at, each)) for at, each in requests])
        return [self.answered(number, answer) for number, answer in enumerate(answers)]

    def asked(self, name: str, at: Micros, request: ScoreRequest) -> ScoreRequest:
        return request

    def answered(self, number: int, answer: ScoreResponse) -> ScoreResponse:
        return answer


def _with(request: ScoreRequest, name: str, value: str | None) -> ScoreRequest:
    """The request with another value for a header; None: without it."""
    kept = tuple(each for each in request.headers if each[0].lower() != name.lower())
    return replace(request, headers=kept if value is None else (*kept, (name, value)))


# -- split


class _Normalised(SimulatedBackend):
    """Shares are what was asked for over their sum."""

    def observe(self, name: str, window: Any) -> Any:
        observed = super().observe(name, window)
        asked = {each: version["trafficPercentile"] for each, version in self.get_service(name)["versions"].items()}
        return replace(
            observed,
            versions={
                each: replace(version, traffic_share=100 * asked[each] / sum(asked.values()))
                for each, version in observed.versions.items()
            },
        )


class _Evenly(_Between):
    """Versions take turns."""

    turns = count()

    def asked(self, name: str, at: Micros, request: ScoreRequest) -> ScoreRequest:
        versions = list(self.get_service(name).get("versions", {}))
        return _with(request, HEADER, versions[next(self.turns) % len(versions)])


class _FirstForEver(_Between):
    """The first version gets everything."""

    def asked(self, name: str, at: Micros, request: ScoreRequest) -> ScoreRequest:
        return _with(request, HEADER, next(iter(self.get_service(name)["versions"])))


class _TwoDefaults(SimulatedBackend):
    """Who was the default once is it for ever."""

    def get_service(self, name: str) -> Any:
        document = super().get_service(name)
        if "versions" in document:
            next(iter(document["versions"].values()))["isDefault"] = True
        return document


class _NoHeader(_Between):
    """The header is not looked at."""

    def asked(self, name: str, at: Micros, request: ScoreRequest) -> ScoreRequest:
        return _with(request, HEADER, None)


class _TakesTooMuch(SimulatedBackend):
    """Takes shares over 100 without a word."""

    def patch_service(self, name: str, patch: Any) -> Any:
        try:
            return super().patch_service(name, patch)
        except AksError:
            return None


# -- queue


class _Canned(_Between):
    """A 503 comes at once."""

    def answered(self, number: int, answer: ScoreResponse) -> ScoreResponse:
        return replace(answer, latency=Micros(MILLISECOND)) if answer.status == 503 else answer


class _LastFirst(SimulatedBackend):
    """Who came last is answered first."""

    def score_all(self, name: str, requests: Any) -> Any:
        return super().score_all(name, requests)[::-1]


class _OneAtATime(_Between):
    """Two replicas do the work of one."""

    def answered(self, number: int, answer: ScoreResponse) -> ScoreResponse:
        return replace(answer, latency=Micros((number + 1) * 55 * MILLISECOND))


class _DeafQueue(SimulatedBackend):
    """The wait stays what it was."""

    def patch_service(self, name: str, patch: Any) -> Any:
        return super().patch_service(name, [each for each in patch if each["path"] != "/maxQueueWaitMs"])


class _NobodyHome(_Between):
    """Without a replica there is no service."""

    def answered(self, number: int, answer: ScoreResponse) -> ScoreResponse:
        return replace(answer, status=404) if answer.reason == "no_ready_replica" else answer


class _RequestTimeout(_Between):
    """A time-out is the client's."""

    def answered(self, number: int, answer: ScoreResponse) -> ScoreResponse:
        return replace(answer, status=408) if answer.status == 504 else answer


class _Bare(_Between):
    """Refusals have no headers."""

    def answered(self, number: int, answer: ScoreResponse) -> ScoreResponse:
        return answer if answer.status == 200 else replace(answer, headers=())


# -- failures


class _Unmapped(_Between):
    """The server's own 500 reaches the client."""

    def answered(self, number: int, answer: ScoreResponse) -> ScoreResponse:
        return replace(answer, status=500) if answer.reason == "run_failed" else answer


class _NeverRecovers(_Between):
    """A service that has lost a process is lost."""

    lost = False

    def answered(self, number: int, answer: ScoreResponse) -> ScoreResponse:
        self.lost = self.lost or answer.reason == "replica_lost"
        return replace(answer, status=502) if self.lost else answer


class _AllIsWell(_Between):
    """Whatever a script answers is 200."""

    def answered(self, number: int, answer: ScoreResponse) -> ScoreResponse:
        return replace(answer, status=200) if answer.reason is None else answer


class _CutsShort(_Between):
    """A large body is cut to what is allowed."""

    def asked(self, name: str, at: Micros, request: ScoreRequest) -> ScoreRequest:
        return replace(request, body=request.body[:50_000])


# -- probes


class _NoProbes(SimulatedBackend):
    """Nobody probes."""

    def create_service(self, payload: Any) -> str:
        probe = {**payload["livenessProbeRequirements"], "initialDelaySeconds": 10_000_000}
        return super().create_service({**payload, "livenessProbeRequirements": probe})


class _KillsTheLiving(_Between):
    """A container is killed every ten seconds."""

    def asked(self, name: str, at: Micros, request: ScoreRequest) -> ScoreRequest:
        if at and not at % (10 * SECOND):
            self.simulation.fault("replica_kill", at=at / SECOND, service=name)
        return request


class _AlwaysWell(SimulatedBackend):
    """A service is never Unhealthy."""

    def get_service(self, name: str) -> Any:
        document = super().get_service(name)
        return {**document, "state": document["state"].replace("Unhealthy", "Healthy")}


BROKEN = {
    "worked_examples_hold": (_Normalised, "green 10: saw {'blue': 66.6"),
    "requests_follow_the_shares": (_Evenly, "saw 150 to green; promised: 90, give or take 32"),
    "shares_change_at_once": (_FirstForEver, "green 100: saw 200"),
    "roles_are_unique": (_TwoDefaults, "saw {'blue': (True, 'Control'), 'green': (True, 'Treatment')}"),
    "header_picks_the_version": (_NoHeader, "azureml-model-deployment: green: saw 200"),
    "shares_are_at_most_all": (_TakesTooMuch, "beside green 60: saw taken; promised: refused with 400"),
    "queue_waits_then_503": (_Canned, "latency of an answer 503: saw 0.001 s"),
    "queue_is_in_order": (_LastFirst, "spans between the answers"),
    "replicas_share_the_work": (_OneAtATime, "two replicas: the later answer: saw 0.11 s"),
    "queue_follows_its_setting": (_DeafQueue, "saw [200, 200, 200, 200, 200, 200, 200, 200, 200, 200]"),
    "no_ready_replica_is_503": (_NobodyHome, "saw (404, 'No ready replicas for service checked.'"),
    "scoring_timeout_is_504": (_RequestTimeout, "saw (408, 'Request timed out'"),
    "refusals_have_the_routers_headers": (_Bare, "wrong key: headers: saw []"),
    "raising_run_is_passed_on": (_Unmapped, "saw (500, 'run_failed')"),
    "dying_process_is_502": (_NeverRecovers, "and then others: status for 120 s: saw 502; promised: 200"),
    "answers_are_passed_through": (_AllIsWell, "saw (200, 'tea'"),
    "large_body_is_413": (_CutsShort, "one byte over max_payload: saw (502"),
    "hung_script_is_restarted": (_NoProbes, "with probes every 2 s: saw 504"),
    "live_script_is_spared": (_KillsTheLiving, "with probes every 2 s: saw 50"),
    "unavailable_is_unhealthy": (_AlwaysWell, "saw {'Healthy'}"),
}
