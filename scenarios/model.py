"""The scenario file (design §7.3), typed: what the schema is generated from and every error refers to."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PositiveInt, ValidationInfo, field_validator, model_validator

from akstwin.clock import Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.cluster import ClusterSpec
from akstwin.domain.deployment import DeployArguments
from akstwin.domain.faults import Fault
from akstwin.domain.operations import PlannedOperation
from akstwin.domain.profile import ModelProfile
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration, Latency
from akstwin.domain.workload import Clients, Traffic
from akstwin.policies import PolicySpec

_PositiveDuration = Annotated[Duration, Field(gt=0)]
_PositiveLatency = Annotated[Latency, Field(gt=0)]


class ModelSection(ModelProfile):
    """A version's model in a scenario.

    Attributes:
        reply: what it answers on a server and in a workspace, as `ws.simulation.profile(reply=…)` takes it: a value, or `$echo`,
            `$fixed`, `$match`; absent: its version's name. `akstwin run` counts requests and makes no answers: which share of
            runs fails is `failure_rate`.
    """

    reply: Any = None

    @property
    def profile(self) -> ModelProfile:
        """What it costs, without what it answers."""
        given = self.model_fields_set - {"reply"}
        return ModelProfile(**{name: getattr(self, name) for name in given})


class VersionSection(Spec):
    """One version of an endpoint: its name, the SDK's arguments, what its model costs and answers."""

    name: str
    deploy: DeployArguments = DeployArguments()
    model: ModelSection = ModelSection()


class EndpointSection(Spec):
    """An AksEndpoint; versions in the order of their creation."""

    name: str
    versions: Annotated[list[VersionSection], Field(min_length=1)]


class WebserviceSection(Spec):
    """An AksWebservice."""

    name: str
    deploy: DeployArguments = DeployArguments()
    model: ModelSection = ModelSection()


class Survival(Spec):
    """What the service must survive: each node is lost in turn, in runs of its own, and the worst counts.

    Attributes:
        lost: which node.
        at: when it is lost, from t = 0; absent: at the start of the window that is counted.
        lasts: for how long; absent: to the end.
    """

    lost: Literal["any_node"]
    at: Duration | None = None
    lasts: Annotated[Duration, Field(gt=0)] | None = None


def _survival(value: object) -> object:
    if isinstance(value, str):
        if value != "any_node":
            raise ValueError('"any_node", or a mapping with lost, at, lasts')
        return {"lost": value}
    return value


class Objectives(Spec):
    """What must hold; latencies are of requests answered 200, shares are of all attempts.

    Attributes:
        success_rate: least share of attempts answered 200.
        refused: largest share of attempts answered 503.
        failed: largest share of attempts answered with anything but 200.
        cost: most that the window may cost in all.
        survives: any_node: latencies and shares must also hold when any one node is lost.
    """

    mean: _PositiveLatency | None = None
    p50: _PositiveLatency | None = None
    p90: _PositiveLatency | None = None
    p95: _PositiveLatency | None = None
    p99: _PositiveLatency | None = None
    p999: _PositiveLatency | None = None
    max: _PositiveLatency | None = None
    success_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    refused: Annotated[float, Field(ge=0, le=1)] | None = None
    failed: Annotated[float, Field(ge=0, le=1)] | None = None
    cost: Annotated[float, Field(gt=0)] | None = None
    survives: Annotated[
        Survival | None,
        BeforeValidator(_survival, json_schema_input_type=Literal["any_node"] | Survival | None),
    ] = None

    @property
    def any_given(self) -> bool:
        """Whether there is anything to meet."""
        return next(self.given(), None) is not None

    def given(self) -> Iterator[tuple[str, float]]:
        """Names with targets (latencies in µs), in the order of the class; without `survives`, which has none."""
        for name in type(self).model_fields:
            target = getattr(self, name)
            if target is not None and name != "survives":
                yield name, target


_Traffic = Annotated[
    list[Traffic],
    BeforeValidator(
        lambda value: [value] if isinstance(value, dict) else value,
        json_schema_input_type=list[Traffic] | Traffic,
    ),
]


class ServiceSection(Spec):
    """One of several services on the cluster: with `versions` an AksEndpoint, else an AksWebservice.

    Attributes:
        name: unlike that of any other service; its streams of chance are named after it.
        deploy: the SDK's arguments of a web service; a version of an endpoint has its own.
        model: what a web service's model costs; a version of an endpoint has its own.
        versions: of an endpoint, in the order of their creation.
        traffic: arrivals and users who wait, of this service, added up.
        clients: what its callers do with a refusal.
        operations: what is changed of it while it runs.
        policies: what drives its rollouts.
        objectives: what must hold for it; `cost` is of its share.
    """

    name: str
    deploy: DeployArguments = DeployArguments()
    model: ModelSection = ModelSection()
    versions: Annotated[list[VersionSection], Field(min_length=1)] | None = None
    traffic: _Traffic = []
    clients: Clients = Clients()
    operations: list[Annotated[PlannedOperation, Field()]] = []
    policies: list[PolicySpec] = []
    objectives: Objectives = Objectives()


class Scenario(Spec):
    """One question, with all that its answer depends on.

    Attributes:
        question: what is asked.
        seed: of all chance.
        replications: how often it is run with other chance.
        duration: of the traffic that is looked at.
        warm_up: traffic at the start that is not counted.
        start: healthy: t = 0 is the start of traffic on a Healthy service; cold: of its deployment.
        cluster: what it runs on.
        endpoint: several versions behind one URL; or
        webservice: one; or
        services: several services, each with its own traffic, clients, operations, policies and objectives.
        traffic: arrivals and users who wait, added up.
        clients: what callers do with a refusal.
        faults: what breaks.
        operations: what is changed while it runs.
        policies: what drives a rollout.
        objectives: what must hold; beside `services`, of all requests to all services.
        assumptions: what is assumed differently.
    """

    question: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    replications: PositiveInt = 1
    duration: _PositiveDuration
    warm_up: Duration = Micros(0)
    start: Literal["healthy", "cold"] = "healthy"
    cluster: ClusterSpec = ClusterSpec()
    endpoint: EndpointSection | None = None
    webservice: WebserviceSection | None = None
    services: Annotated[list[ServiceSection], Field(min_length=1)] | None = None
    traffic: _Traffic = []
    clients: Clients = Clients()
    faults: list[Fault] = []
    operations: list[Annotated[PlannedOperation, Field()]] = []
    policies: list[PolicySpec] = []
    objectives: Objectives = Objectives()
    assumptions: Assumptions = Assumptions()

    @field_validator("services", mode="before")
    @classmethod
    def _services_alone(cls, value: object, info: ValidationInfo) -> object:
        if value is not None:
            for other in ("endpoint", "webservice"):
                if info.data.get(other) is not None:
                    raise ValueError(f"possible beside `{other}:`; make that one an entry of `services:`")
        return value

    @model_validator(mode="after")
    def _some_service(self) -> Self:
        if self.services is None and (self.endpoint is None) == (self.webservice is None):
            raise ValueError(
                "a scenario with either `endpoint:` or `webservice:`, or several of them under `services:`"
            )
        return self

    def versions(self) -> list[tuple[str, VersionSection]]:
        """The versions with where they stand in the file."""
        if self.endpoint is not None:
            return [(f"endpoint.versions[{at}]", version) for at, version in enumerate(self.endpoint.versions)]
        assert self.webservice is not None  # noqa: S101 - _some_service, and several are looked at one by one
        section = self.webservice
        return [("webservice", VersionSection(name=section.name, deploy=section.deploy, model=section.model))]

    @property
    def service_name(self) -> str:
        """Of the endpoint or web service."""
        section = self.endpoint or self.webservice
        assert section is not None  # noqa: S101 - _some_service, and several are looked at one by one
        return section.name
