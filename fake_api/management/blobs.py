"""The part of Azure's blob protocol that uploads and downloads need (wire §4.2); URLs are signed by `artifacts`."""

import asyncio
import base64
import binascii
import itertools
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Annotated, BinaryIO, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import FileResponse

from akstwin.errors import NO_ROOM, Unwritable
from akstwin.fake_api.management.desk import ERRORS, AtPort, Desk
from akstwin.fake_api.management.errors import Refused
from akstwin.fake_api.management.reading import BYTES, LONGEST_BLOB, LONGEST_JSON, chunks, read_body
from akstwin.files import FileStore
from akstwin.uploads import Tally

BLOBS: Final = "/blob"
router: Final = APIRouter(prefix=BLOBS, responses=ERRORS, tags=["blobs"])
_MOST_BLOCKS: Final = 50_000
_LONGEST_ID: Final = 64
_BLOCK_LIST: Final = re.compile(
    r"\s*(?:<\?xml[^>]*\?>)?\s*<BlockList>(?:\s*<(?:Latest|Uncommitted)>[^<]+</(?:Latest|Uncommitted)>)*\s*</BlockList>\s*"
)
_BLOCK: Final = re.compile(r"<(?:Latest|Uncommitted)>([^<]+)<")
_numbers: Final = itertools.count(1)

Signature = Annotated[str, Query(alias="sig")]
Unless = Annotated[str | None, Header(alias="If-None-Match")]


@router.put("/{path:path}", status_code=201, openapi_extra=BYTES)
async def put_blob(
    desk: AtPort,
    request: Request,
    path: str,
    signature: Signature = "",
    comp: str | None = None,
    blockid: str | None = None,
    blob_type: Annotated[str | None, Header(alias="x-ms-blob-type")] = None,
    unless: Unless = None,
) -> Response:
    """A whole file, one of its blocks, or the list of its blocks."""
    path = desk.signed(path, signature)
    files = desk.files
    files.check_new(path)
    if comp == "block":
        block = _block_id(blockid)
        with _room(files, path):
            written = await _received(desk, request)
        return _stored(_block_kept(files, path, block, written))
    if comp not in (None, "blocklist"):
        raise Refused(400, "NotServed", f"comp={comp} is not served by akstwin")
    _check_unless(desk, path, unless)
    if comp == "blocklist":
        parts = _blocks_found(files, path, _block_ids(await read_body(request, LONGEST_JSON)))
        tally = Tally(files.limits, path)
        for part in parts:
            tally.count_bytes(part.stat().st_size)
        with _room(files, path):
            whole = files.partial()
            await asyncio.to_thread(_join, parts, whole)
    else:
        if blob_type != "BlockBlob":
            raise Refused(400, "MissingRequiredHeader", f"x-ms-blob-type is {blob_type}; expected BlockBlob")
        with _room(files, path):
            whole = await _received(desk, request)
    try:
        _check_unless(desk, path, unless)  # somebody may have been quicker
        files.keep(path, whole)
    finally:
        whole.unlink(missing_ok=True)
    await asyncio.to_thread(files.drop_blocks, path)
    return _stored(files.locate(path))


@router.get("/{path:path}", responses={206: {"description": "A part of it."}})
@router.head("/{path:path}")
async def get_blob(desk: AtPort, path: str, signature: Signature = "") -> Response:
    """A file."""
    path = desk.signed(path, signature)
    located = desk.files.locate(path)
    return FileResponse(
        located, media_type="application/octet-stream", headers={"x-ms-blob-type": "BlockBlob", **_seen()}
    )


@contextmanager
def _room(files: FileStore, path: str) -> Iterator[None]:
    """Where files are recorded, a disk that is full is told of as for all other commands (Unwritable)."""
    try:
        yield
    except OSError as error:
        if files.recorded and error.errno in NO_ROOM:
            raise Unwritable(path, os.strerror(error.errno)) from None
        raise


async def _received(desk: Desk, request: Request) -> Path:
    """A body in a file of its own; nothing is left of one that does not come to its end."""
    written = desk.files.partial()
    try:
        with _opened(written) as file:
            async for part in chunks(request, LONGEST_BLOB):
                file.write(part)
    except BaseException:
        written.unlink(missing_ok=True)
        raise
    return written


def _block_kept(files: FileStore, path: str, block: str, written: Path) -> Path:
    """Where a block is put by until its file is whole (Refused: there are too many)."""
    try:
        if files.block(path, block) is None and files.count_blocks(path) >= _MOST_BLOCKS:
            raise Refused(409, "BlockCountExceedsLimit", f"{path} has {_MOST_BLOCKS} blocks that are not committed")
        return files.keep_block(path, block, written)
    finally:
        written.unlink(missing_ok=True)


def _blocks_found(files: FileStore, path: str, ids: Sequence[str]) -> list[Path]:
    """The blocks of a list (Refused: one has not come)."""
    found = []
    for block in ids:
        part = files.block(path, block)
        if part is None:
            raise Refused(400, "InvalidBlockList", f"{path} has no uncommitted block {block}")
        found.append(part)
    return found


def _opened(path: Path) -> BinaryIO:
    return path.open("wb")


def _join(parts: Sequence[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target)


def _check_unless(desk: Desk, path: str, unless: str | None) -> None:
    if unless == "*" and desk.files.has(path):
        raise Refused(409, "BlobAlreadyExists", f"{path} is there")


def _block_id(given: str | None) -> str:
    """A block's id: base64 of at most 64 bytes."""
    try:
        size = len(base64.b64decode(given or "", validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if given is None or not 0 < size <= _LONGEST_ID:
        raise Refused(400, "InvalidQueryParameterValue", f"blockid is not base64 of 1 to {_LONGEST_ID} bytes")
    return given


def _block_ids(body: bytes) -> list[str]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeError:
        text = ""
    if not _BLOCK_LIST.fullmatch(text):
        raise Refused(400, "InvalidXmlDocument", "the body is not a list of uncommitted blocks")
    return [block.strip() for block in _BLOCK.findall(text)]


def _stored(written: Path) -> Response:
    status = written.stat()
    headers = {
        "ETag": f'"{status.st_mtime_ns:x}-{status.st_size:x}"',
        "Last-Modified": formatdate(status.st_mtime, usegmt=True),
        "x-ms-request-server-encrypted": "false",
        **_seen(),
    }
    return Response(status_code=201, headers=headers)


def _seen() -> dict[str, str]:
    """What every answer of the blob service has."""
    return {"x-ms-version": "2021-08-06", "x-ms-request-id": str(UUID(int=next(_numbers)))}
