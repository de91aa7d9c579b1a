"""Artifacts: where uploads go and downloads come from (wire §4)."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, Request, Response

from akstwin.backend import Json
from akstwin.errors import InvalidSetting
from akstwin.fake_api.management.blobs import BLOBS
from akstwin.fake_api.management.desk import ERRORS, WS, AtPath, Desk, bearer
from akstwin.fake_api.management.errors import answer
from akstwin.fake_api.management.reading import OBJECT, read_object
from akstwin.uploads import Tally, UploadLimits

router: Final = APIRouter(
    prefix=f"/artifact/v2.0{WS}/artifacts", dependencies=[Depends(bearer)], responses=ERRORS, tags=["artifacts"]
)
_ACCOUNT: Final = "akstwin.blob.local"
"""Stands before the @ of an upload's URL: the SDK wants an account's host name with dots in it, and finds this machine."""


@router.post("/batch/metadata/{origin}/{container}", openapi_extra=OBJECT)
async def create_artifacts(desk: AtPath, origin: str, container: str, request: Request) -> Response:
    """Where to upload files to."""
    paths = _paths((await read_object(request)).get("paths"), desk.files.limits)
    return answer(await asyncio.to_thread(_created, desk, origin, container, paths))


def _created(desk: Desk, origin: str, container: str, paths: Sequence[str]) -> Json:
    for path in paths:
        desk.files.check_new(f"{origin}/{container}/{path}")
    described = {path: _described(origin, container, path) for path in paths}
    host = urlsplit(desk.place.https).netloc
    return {
        "artifacts": {path: {"artifactId": f"{origin}/{container}/{path}", **each} for path, each in described.items()},
        "artifactContentInformation": {
            path: {"contentUri": _url(desk, f"https://{_ACCOUNT}@{host}", origin, container, path), **each}
            for path, each in described.items()
        },
        "errors": {},
    }


@router.get("/contentinfo/{origin}/{container}/{path:path}")
async def get_artifact(desk: AtPath, origin: str, container: str, path: str) -> Response:
    """Where to download a file from."""
    desk.files.locate(f"{origin}/{container}/{path}")
    return answer(_content(desk, origin, container, path))


@router.get("/prefix/contentinfo/{origin}/{container}")
async def list_container(desk: AtPath, origin: str, container: str) -> Response:
    """Where to download the files of a container from, on one page."""
    return answer(await asyncio.to_thread(_listed, desk, origin, container, ""))


@router.get("/prefix/contentinfo/{origin}/{container}/{prefix:path}")
async def list_artifacts(desk: AtPath, origin: str, container: str, prefix: str) -> Response:
    """Where to download the files at or below a path from, on one page."""
    return answer(await asyncio.to_thread(_listed, desk, origin, container, prefix))


def _listed(desk: Desk, origin: str, container: str, prefix: str) -> Json:
    paths = desk.files.paths(f"{origin}/{container}/{prefix}".rstrip("/"))
    return {"value": [_content(desk, origin, container, path) for path in paths], "continuationToken": None}


def _content(desk: Desk, origin: str, container: str, path: str) -> Json:
    return {
        "contentUri": _url(desk, desk.base, origin, container, path),
        **_described(origin, container, path),
    }


def _described(origin: str, container: str, path: str) -> Json:
    return {"origin": origin, "container": container, "path": path}


def _url(desk: Desk, base: str, origin: str, container: str, path: str) -> str:
    """A signed URL of a file."""
    full = f"{origin}/{container}/{path}"
    return f"{base}{BLOBS}/{quote(full)}?sv=2021-08-06&sr=b&sig={desk.sign(full)}"


def _paths(given: Any, limits: UploadLimits) -> list[str]:
    if not isinstance(given, list) or not given:
        raise InvalidSetting("paths", given, "a list with the path of each file")
    Tally(limits, "paths").count_files(len(given))
    paths = [each.get("path") if isinstance(each, dict) else None for each in given]
    for number, path in enumerate(paths):
        if not isinstance(path, str):
            raise InvalidSetting(f"paths[{number}].path", path, "the path of a file")
    return [str(path) for path in paths]
