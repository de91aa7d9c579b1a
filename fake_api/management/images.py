"""Images and profiles (wire §12): services here have no images of their own, so the list is empty and the rest is refused."""

from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from akstwin.errors import NotFound
from akstwin.fake_api.management.desk import ERRORS, MM, AtPath, bearer
from akstwin.fake_api.management.errors import Refused, answer, not_served

router: Final = APIRouter(prefix=MM, dependencies=[Depends(bearer)], responses=ERRORS, tags=["images"])


@router.get("/images")
async def list_images(desk: AtPath) -> Response:  # noqa: ARG001 - the workspace must be there
    """No image: services are made from environments here."""
    return answer({"value": []})


@router.post("/images")
async def create_image(desk: AtPath, request: Request) -> Response:  # noqa: ARG001
    """Refused, with what to do instead."""
    raise not_served(request.method, request.url.path)


@router.get("/images/{image_id}")
async def get_image(desk: AtPath, image_id: str) -> Response:  # noqa: ARG001 - the workspace must be there
    """Not found, whatever its name: services are made from environments here."""
    raise NotFound(f"image {image_id} is not there: services are made from environments here")


@router.get("/images/{image_id}/profiles")
async def list_profiles(desk: AtPath, request: Request, image_id: str) -> Response:  # noqa: ARG001
    """Refused: nothing is profiled."""
    raise _no_profiles(request)


@router.post("/images/{image_id}/profiles")
async def create_profile(desk: AtPath, request: Request, image_id: str) -> Response:  # noqa: ARG001
    """Refused: nothing is profiled."""
    raise _no_profiles(request)


@router.get("/images/{image_id}/profiles/{profile_id}")
async def get_profile(desk: AtPath, request: Request, image_id: str, profile_id: str) -> Response:  # noqa: ARG001
    """Refused: nothing is profiled."""
    raise _no_profiles(request)


@router.get("/profiles")
async def list_profiles_of_models(desk: AtPath, request: Request) -> Response:  # noqa: ARG001
    """Refused: nothing is profiled."""
    raise _no_profiles(request)


@router.post("/profiles")
async def profile_model(desk: AtPath, request: Request) -> Response:  # noqa: ARG001
    """Refused: nothing is profiled."""
    raise _no_profiles(request)


def _no_profiles(request: Request) -> Refused:
    instead = (
        "Model.profile has nothing to measure here; measure the model yourself and give its service time: "
        "ws.simulation.profile(service, service_time=…)"
    )
    return Refused(400, "NotServed", f"{request.method} {request.url.path} is not served by akstwin: {instead}")
