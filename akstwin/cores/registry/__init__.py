"""What a workspace has beside services: uploaded files' names, models, environments, compute targets (wire §5, §6, §10).

Without I/O, clock or chance: payloads and patches to records, records to documents.
"""

from akstwin.cores.registry.assets import AssetRecord, asset_document, asset_matches, change_asset, create_asset
from akstwin.cores.registry.computes import (
    ComputeRecord,
    cluster_of,
    compute_document,
    create_compute,
    has_tls,
    same_cluster,
    update_compute,
)
from akstwin.cores.registry.curated import NAMES as CURATED_ENVIRONMENTS
from akstwin.cores.registry.curated import curated_environment
from akstwin.cores.registry.environments import (
    EnvironmentRecord,
    environment_document,
    read_environment,
    register_environment,
)
from akstwin.cores.registry.models import (
    ModelRecord,
    change_model,
    model_document,
    model_matches,
    register_model,
)

__all__ = [
    "CURATED_ENVIRONMENTS",
    "AssetRecord",
    "ComputeRecord",
    "EnvironmentRecord",
    "ModelRecord",
    "asset_document",
    "asset_matches",
    "change_asset",
    "change_model",
    "cluster_of",
    "compute_document",
    "create_asset",
    "create_compute",
    "curated_environment",
    "environment_document",
    "has_tls",
    "model_document",
    "model_matches",
    "read_environment",
    "register_environment",
    "register_model",
    "same_cluster",
    "update_compute",
]
