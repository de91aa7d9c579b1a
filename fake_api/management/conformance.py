"""Which routes there are, where each comes from, and which test holds it: the table that docs/reference/conformance.md shows.

What a served route answers stands in `describing`; a test compares both, and the application's routes, with this table.
"""

from dataclasses import dataclass
from typing import Final, Literal

Source = Literal["published", "azureml-core", "own"]
"""`published`: the service's REST description (wire §12); `azureml-core`: what that SDK asks for beside (wire §2-§10)."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the management side.

    Attributes:
        method: the HTTP verb.
        path: with `{WS}` for the workspace's resource id and `{MM}` for `/modelmanagement/v1.0{WS}`.
        source: where it comes from.
        test: the test that holds it, below tests/.
        refused: why it is refused by name; None: it is served.
    """

    method: str
    path: str
    source: Source
    test: str
    refused: str | None = None


_SERVICES: Final = "served/test_management_services.py::"
_MODELS: Final = "served/test_management_models.py::"
_PUBLISHED: Final = "served/test_management_published.py::"
_AROUND: Final = "served/test_management_around.py::"
_WALK: Final = "served/test_conformance.py::test_a_served_route_answers_its_status"
_REFUSED: Final = "served/test_conformance.py::test_a_refused_route_says_so_by_name"
_NO_IMAGES: Final = _PUBLISHED + "test_there_are_no_images_and_no_profiles"
_IMAGES: Final = "services are made from environments: there are no images"
_PROFILES: Final = "nothing is profiled: a model's service time is given"
_LOGINS: Final = "cluster credentials: a simulated cluster has none"

_COMPUTES: Final[tuple[tuple[str, Source, Source], ...]] = (
    ("", "own", "azureml-core"),
    ("/rp/workspaces", "azureml-core", "own"),
)
"""Where the routes of compute targets begin, and where those that read and those that write come from."""

ROUTES: Final = (
    Route("GET", "{MM}/assets", "published", _PUBLISHED + "test_lists_have_four_orders"),
    Route("POST", "{MM}/assets", "published", _MODELS + "test_a_model_is_registered_found_changed_and_forgotten"),
    Route("GET", "{MM}/assets/{asset_id}", "published", _PUBLISHED + "test_an_asset_is_changed_and_forgotten"),
    Route("PATCH", "{MM}/assets/{asset_id}", "published", _PUBLISHED + "test_an_asset_is_changed_and_forgotten"),
    Route("DELETE", "{MM}/assets/{asset_id}", "published", _PUBLISHED + "test_what_is_not_there_is_deleted_with_204"),
    Route("GET", "{MM}/models", "published", _PUBLISHED + "test_lists_have_four_orders"),
    Route("POST", "{MM}/models", "published", _MODELS + "test_a_model_is_registered_found_changed_and_forgotten"),
    Route("GET", "{MM}/models/{model_id}", "published", _MODELS + "test_a_model_is_registered_found_changed_and_forgotten"),
    Route("PATCH", "{MM}/models/{model_id}", "published", _MODELS + "test_a_model_is_registered_found_changed_and_forgotten"),
    Route("DELETE", "{MM}/models/{model_id}", "published", _PUBLISHED + "test_what_is_not_there_is_deleted_with_204"),
    Route("GET", "{MM}/models/{model_id}/metrics", "published", _PUBLISHED + "test_a_model_says_how_its_deployments_ended"),
    Route("GET", "{MM}/operations/{operation_id}", "published", _SERVICES + "test_an_operation_says_what_it_was_about_and_when"),
    Route("GET", "{MM}/services", "published", _PUBLISHED + "test_lists_have_four_orders"),
    Route("POST", "{MM}/services", "published", _SERVICES + "test_a_service_is_created_and_shown"),
    Route("GET", "{MM}/services/{name}", "published", _SERVICES + "test_a_service_is_created_and_shown"),
    Route("PATCH", "{MM}/services/{name}", "published", _SERVICES + "test_a_patch_says_whether_there_is_something_to_wait_for"),
    Route("DELETE", "{MM}/services/{name}", "published", _SERVICES + "test_a_service_ends"),
    Route("POST", "{MM}/services/{name}/listkeys", "published", _SERVICES + "test_keys_tokens_and_logs"),
    Route("POST", "{MM}/services/{name}/regenerateKeys", "published", _SERVICES + "test_keys_tokens_and_logs"),
    Route("POST", "{MM}/services/{name}/token", "published", _PUBLISHED + "test_a_token_is_made"),
    Route("GET", "{MM}/images/{image_id}/profiles", "published", _NO_IMAGES, _PROFILES),
    Route("POST", "{MM}/images/{image_id}/profiles", "published", _NO_IMAGES, _PROFILES),
    Route("GET", "{MM}/images/{image_id}/profiles/{profile_id}", "published", _NO_IMAGES, _PROFILES),
    Route("GET", "{MM}/profiles", "azureml-core", _NO_IMAGES, _PROFILES),
    Route("POST", "{MM}/profiles", "azureml-core", _NO_IMAGES, _PROFILES),
    Route("GET", "{MM}/images", "azureml-core", _NO_IMAGES),
    Route("POST", "{MM}/images", "azureml-core", _REFUSED, _IMAGES),
    Route("GET", "{MM}/images/{image_id}", "azureml-core", _NO_IMAGES, _IMAGES),
    Route("POST", "{MM}/services/migrate", "azureml-core", _SERVICES + "test_nothing_migrates", "a service stays where it is"),
    Route("POST", "{MM}/services/validate", "azureml-core",
          _SERVICES + "test_validation_says_what_the_real_call_would_and_changes_nothing"),
    Route("POST", "{MM}/services/validate/name/{name}", "azureml-core",
          _SERVICES + "test_validation_says_what_the_real_call_would_and_changes_nothing"),
    Route("POST", "{MM}/services/validate/resource", "azureml-core",
          _SERVICES + "test_validation_says_what_the_real_call_would_and_changes_nothing"),
    Route("GET", "{MM}/services/{name}/logs", "azureml-core", _SERVICES + "test_keys_tokens_and_logs"),
    Route("GET", "{MM}/operations/{operation_id}/log", "own", _SERVICES + "test_an_operations_log_goes_on_from_an_offset"),
    Route("POST", "/artifact/v2.0{WS}/artifacts/batch/metadata/{origin}/{container}", "azureml-core",
          _MODELS + "test_an_upload_goes_where_the_sdk_can_find_it"),
    Route("GET", "/artifact/v2.0{WS}/artifacts/contentinfo/{origin}/{container}/{path}", "azureml-core",
          _MODELS + "test_a_file_comes_back_as_it_was"),
    Route("GET", "/artifact/v2.0{WS}/artifacts/prefix/contentinfo/{origin}/{container}", "azureml-core", _WALK),
    Route("GET", "/artifact/v2.0{WS}/artifacts/prefix/contentinfo/{origin}/{container}/{prefix}", "azureml-core", _WALK),
    Route("PUT", "/blob/{path}", "azureml-core", _MODELS + "test_a_file_comes_back_as_it_was"),
    Route("GET", "/blob/{path}", "azureml-core", _MODELS + "test_a_file_comes_back_as_it_was"),
    Route("HEAD", "/blob/{path}", "azureml-core", _MODELS + "test_a_file_comes_back_as_it_was"),
    Route("GET", "/environment/v1.0{WS}/environments", "azureml-core",
          _PUBLISHED + "test_environments_and_computes_have_pages"),
    Route("PUT", "/environment/v1.0{WS}/environments/{name}", "azureml-core", _MODELS + "test_environments_have_versions"),
    Route("GET", "/environment/v1.0{WS}/environments/{name}", "azureml-core", _MODELS + "test_environments_have_versions"),
    Route("PUT", "/environment/v1.0{WS}/environments/{name}/versions/{version}", "azureml-core",
          _MODELS + "test_environments_have_versions"),
    Route("GET", "/environment/v1.0{WS}/environments/{name}/versions/{version}", "azureml-core",
          _MODELS + "test_environments_have_versions"),
    Route("GET", "/environment/v1.0{WS}/environments/{name}/labels/{label}", "azureml-core",
          _MODELS + "test_environments_have_versions"),
    *(
        route
        for below, reads, writes in _COMPUTES
        for route in (
            Route("GET", below + "{WS}/computes", reads, _PUBLISHED + "test_environments_and_computes_have_pages"),
            Route("GET", below + "{WS}/computes/{name}", reads, _WALK),
            Route("PUT", below + "{WS}/computes/{name}", writes, _WALK),
            Route("DELETE", below + "{WS}/computes/{name}", writes, _WALK),
            Route("POST", below + "{WS}/computes/{name}/listKeys", writes, _REFUSED, _LOGINS),
            Route("GET", below + "{WS}/computeOperations/{operation_id}", writes, _WALK),
        )
    ),
    Route("GET", "/metadata/endpoints", "azureml-core", _WALK),
    Route("GET", "/discovery", "azureml-core", _WALK),
    Route("GET", "/adfs/.well-known/openid-configuration", "azureml-core", _WALK),
    Route("POST", "/adfs/oauth2/token", "azureml-core", _WALK),
    Route("GET", "/subscriptions", "azureml-core", _WALK),
    Route("GET", "/subscriptions/{subscription_id}", "own", _WALK),
    Route("GET", "/subscriptions/{subscription_id}/resources", "azureml-core", _WALK),
    Route("GET", "/subscriptions/{subscription_id}/providers/Microsoft.MachineLearningServices/workspaces", "azureml-core",
          _WALK),
    Route("GET", "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/"
          "Microsoft.MachineLearningServices/workspaces", "azureml-core", _WALK),
    Route("GET", "{WS}", "azureml-core", _WALK),
)  # fmt: skip
"""All routes; another one is refused by its method and path."""
