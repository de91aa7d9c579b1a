"""The management service's decisions, without I/O, clock or chance.

records     what is kept of a service
payloads    what a create payload asks for          patching   what a JSON patch makes of a service
changes     what that means for pods and router     life       states, and operations that take the lock
facts       what states and operations go by        adjustments  operations that take none
documents   what callers see, and list filters      tokens     access tokens
"""

from akstwin.cores.management.adjustments import Adjustment, Awaited
from akstwin.cores.management.changes import (
    builds,
    effects_of,
    takes_operation,
)
from akstwin.cores.management.documents import (
    DeploymentStatus,
    Surroundings,
    VersionStatus,
    error_document,
    matches,
    scorable,
    service_document,
)
from akstwin.cores.management.facts import Blocked, Facts, ManagementRules, OperationError, VersionFacts, Waiting
from akstwin.cores.management.life import (
    Lifecycle,
    Operation,
    OperationKind,
    ServiceLife,
    adjust,
    begin,
    deploying,
    healthy,
    observe,
    restarted,
    wake_at,
)
from akstwin.cores.management.patching import Change, change, overwrite
from akstwin.cores.management.payloads import create
from akstwin.cores.management.records import ServiceRecord, VersionRecord
from akstwin.cores.management.settings import ServiceLimits, image_of, spec_of

__all__ = [
    "Adjustment",
    "Awaited",
    "Blocked",
    "Change",
    "DeploymentStatus",
    "Facts",
    "Lifecycle",
    "ManagementRules",
    "Operation",
    "OperationError",
    "OperationKind",
    "ServiceLife",
    "ServiceLimits",
    "ServiceRecord",
    "Surroundings",
    "VersionFacts",
    "VersionRecord",
    "VersionStatus",
    "Waiting",
    "adjust",
    "begin",
    "builds",
    "change",
    "create",
    "deploying",
    "effects_of",
    "error_document",
    "healthy",
    "image_of",
    "matches",
    "observe",
    "overwrite",
    "restarted",
    "scorable",
    "service_document",
    "spec_of",
    "takes_operation",
    "wake_at",
]
