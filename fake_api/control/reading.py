"""What comes in as JSON, read into forms; refusals in the management service's own words."""

import base64
import binascii
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.domain import mistakes
from akstwin.domain.observation import Observation
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration
from akstwin.errors import InvalidSetting

Form = TypeVar("Form", bound=Spec)


LATEST: Final = 2 * 10**17
"""No instant is later, µs: some six thousand years, while dates still have four digits of a year."""


class ClockForm(Spec):
    """One of three: let time pass at once, make it faster or slower, wait for an instant."""

    advance: Duration | None = Field(default=None, description="let so much time pass at once")
    rate: float | None = Field(default=None, description="virtual seconds a second, on a paced clock")
    sleep_until: Annotated[int, Field(ge=0, le=LATEST)] | None = Field(
        default=None, description="wait for this instant, µs"
    )


class ProfileForm(Spec):
    """What `ws.simulation.profile` takes; what is left out stays as it was."""

    version: str | None = Field(default=None, description="of an endpoint; absent: of all versions")
    service_time: Any = Field(default=None, description="a duration, or distribution, mean, cv")
    init_time: Any = Field(default=None, description="a duration, or distribution, mean, cv")
    workers: Any = Field(default=None, description="processes that score at once in one replica")
    cpu: Any = Field(default=None, description="cores that a busy worker wants")
    failure_rate: Any = Field(default=None, description="share of requests whose run() raises")
    memory: Any = Field(
        default=None,
        description="that a container takes: base and per_request, each with its unit, or a size: the base",
    )
    reply: Any = Field(
        default=None, description="what answers instead of the entry script: what run() would return, or a document"
    )
    reply_base64: str | None = Field(default=None, description="the same as bytes, sent as they are")


class PolicyForm(Spec):
    """What a policy has seen or done.

    Attributes:
        kind: `policy`: something was done, or the verdict is another one; `policy_look`: neither.
        policy: the name of its class.
        words: what, and why.
    """

    kind: Literal["policy", "policy_look"]
    policy: Annotated[str, Field(min_length=1, max_length=200)]
    words: Annotated[str, Field(max_length=10_000)]


class ChanceForm(Spec):
    """What `ws.simulation.chance` takes."""

    seed: Annotated[int, Field(ge=0)] = Field(description="of the scenario")
    replication: Annotated[int, Field(ge=1)] = Field(default=1, description="of the scenario, from 1")


class TrafficForm(Spec):
    """What `ws.simulation.traffic` takes."""

    shape: Any = Field(default="poisson", description="constant, poisson, steps, trace or users")
    rate: Any = Field(default=None, description="requests per second; a list of them for steps")
    at: Any = Field(default=None, description="for steps: from when on each rate holds, counted from now")
    instants: Any = Field(default=None, description="for trace: a list of seconds from now")
    retry: Any = Field(
        default="none", description="none, azureml-core, urllib3, or statuses, attempts, backoff, factor"
    )
    lasts: Any = Field(default=None, description="for how long; absent: without end")
    users: Any = Field(default=None, description="for users: how many wait for their answers and ask again")
    think_time: Any = Field(
        default=None, description="for users: from an answer to the next request: a duration, or distribution, mean, cv"
    )
    spawn_rate: Any = Field(
        default=None, description="for users: how many begin per second; absent: all are there from now on"
    )


class ClusterForm(Spec):
    """What `ws.simulation.cluster` takes beside the name."""

    nodes: Any = Field(default=3, description="how many nodes the compute target will have")
    vm_size: Any = Field(default=None, description="a known name, or cpu_cores, memory_gb, gpu_cores")
    max_nodes: Any = Field(default=None, description="how many the cluster autoscaler may go up to; absent: it is off")


_Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class RequestForm(Spec):
    """One request of several."""

    at: Annotated[int, Field(ge=0, le=LATEST // 4)] = Field(default=0, description="when, µs from now")
    method: str = "POST"
    path: str = Field(default="/score", description="/score or /swagger.json")
    query: str = ""
    headers: list[_Pair] = Field(default=[], description="names and values")
    body_base64: str = ""

    def request(self) -> ScoreRequest:
        """The request that it means."""
        headers = tuple((name, value) for name, value in self.headers)
        body = decoded("body_base64", self.body_base64)
        return ScoreRequest(body, headers, self.method, self.path, self.query)


def decoded(name: str, text: str) -> bytes:
    """Bytes from base64.

    Raises:
        InvalidSetting: it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSetting(name, text[:80], "base64") from None


def read(form: type[Form], given: Any, name: str = "body") -> Form:
    """A form as it was filled in.

    Raises:
        AksError: a setting that is refused, with its name.
    """
    found: Form = mistakes.read_at(name, form, given)
    return found


_LARGEST: Final = 100_000


def read_batch(given: Any) -> list[RequestForm]:
    """Requests, each with its instant.

    Raises:
        AksError: something that is refused, with its place.
    """
    if not isinstance(given, list) or len(given) > _LARGEST:
        raise InvalidSetting("requests", type(given).__name__, f"a list of at most {_LARGEST} requests")
    requests: list[RequestForm] = mistakes.read_at("requests", list[RequestForm], given)
    return requests


def answer_json(response: ScoreResponse) -> dict[str, Any]:
    """An answer to a request, as it goes over the wire."""
    return {
        "status": response.status,
        "headers": [list(pair) for pair in response.headers],
        "body_base64": base64.b64encode(response.body).decode(),
        "latency": response.latency,
        "version": response.version,
        "reason": response.reason,
    }


def observation_json(observed: Observation) -> dict[str, Any]:
    """What was seen of a service."""
    return {
        "versions": {name: asdict(version) for name, version in observed.versions.items()},
        "refused": dict(observed.refused),
        "window": observed.window,
        "at": observed.at,
        "age": observed.age,
        "missing": observed.missing,
        "default": observed.default,
    }
