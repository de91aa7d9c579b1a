"""Files to a server and back: artifacts, and the blobs behind them (wire §4)."""

import base64
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, Final
from xml.sax.saxutils import escape

import httpx

from akstwin.errors import AksError, InvalidSetting, NotFound, UnreadableFile
from akstwin.remote.caller import Caller, segment, unanswered
from akstwin.remote.refusals import refusal, shown

ORIGIN: Final = "LocalUpload"
"""The first segment of every path."""
BATCH: Final = 50
"""So many paths are announced at once."""
WHOLE: Final = 64 * 2**20
"""Files up to this size, bytes, are sent in one piece."""
BLOCK: Final = 4 * 2**20
"""Larger ones are sent in pieces of this size."""
_CHUNK: Final = 2**16
_BLOB: Final = {"x-ms-version": "2021-08-06", "Content-Type": "application/octet-stream"}
_NEW: Final = {"If-None-Match": "*"}
_PLAIN: Final = "a relative path of plain names with / between them"


class RemoteFiles:
    """The files of a workspace on a server.

    Addresses of blobs on the server itself are called by the way the server is reached by: plain HTTP if that was given,
    though the server names its TLS port for azureml-core's sake. All others are called as they are, over verified TLS.

    Args:
        caller: reaches the server.
        artifacts: the address of the workspace's files.
    """

    def __init__(self, caller: Caller, artifacts: str) -> None:
        self._caller = caller
        self._artifacts = artifacts
        self._numbers: dict[str, int] = {}

    def upload(self, container: str, files: Mapping[str, Path]) -> str:
        """Send files; returns `LocalUpload/{container}`, or another container's if that one is taken.

        Raises:
            InvalidSetting: a name or a path that leads elsewhere.
            UnreadableFile: a file that cannot be read; nothing has been sent then, unless it was lost meanwhile.
        """
        if len(_segments("container", container)) != 1:
            raise InvalidSetting("container", container, "one name")
        for path, source in files.items():
            _segments("path", path)
            with _opened(source):
                pass
        free = self._free(container)
        paths = list(files)
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            for path, address in self._announced(free, batch).items():
                self._send(address, files[path])
        return f"{ORIGIN}/{free}"

    def download(self, prefix: str, target: Path) -> list[Path]:
        """Fetch the files whose path begins with `prefix`, in whole segments; returns their paths below `target`.

        Raises:
            NotFound: there is none.
        """
        origin, *inside = _segments("path", prefix)
        found = self._found(origin, inside) if inside else {}
        if not found:
            raise NotFound(f"no file {prefix}")
        for path, address in found.items():
            self._fetch(address, target.joinpath(*_segments("path", path)))
        return [Path(path) for path in sorted(found)]

    # -- containers

    def _free(self, container: str) -> str:
        """A container that has no files yet: the one that was named, else the next number of it."""
        for number in count(self._numbers.get(container, 1)):
            name = container if number == 1 else f"{container}-{number}"
            if not self._found(ORIGIN, [name]):
                self._numbers[container] = number + 1
                return name
        raise AssertionError("there is always another number")

    def _found(self, origin: str, inside: list[str]) -> dict[str, str]:
        """Addresses of files by their path in the container."""
        url = "/".join((self._artifacts, "prefix/contentinfo", *(segment("file", name) for name in (origin, *inside))))
        wanted = inside[1:]
        found: dict[str, str] = {}
        token: str | None = None
        while True:
            try:
                answer = self._caller.json("GET", url, params={"continuationToken": token})
            except NotFound:
                return {}
            for each in answer.get("value") or ():
                path = str(each["path"])
                if path.split("/")[: len(wanted)] == wanted:
                    found[path] = str(each["contentUri"])
            token = answer.get("continuationToken")
            if not token:
                return found

    # -- there

    def _announced(self, container: str, paths: list[str]) -> dict[str, str]:
        """Where files are to be sent, by path."""
        url = f"{self._artifacts}/batch/metadata/{ORIGIN}/{segment('container', container)}"
        body = {"paths": [{"path": path} for path in paths]}
        answer = self._caller.json("POST", url, body, content_type="application/json-patch+json; charset=utf-8")
        for path, error in (answer.get("errors") or {}).items():
            told = error.get("error", error) if isinstance(error, dict) else error
            raise AksError(f"POST {shown(url)}: {path}: {told.get('message') if isinstance(told, dict) else told}")
        places: dict[str, Any] = answer.get("artifactContentInformation") or {}
        missing = [path for path in paths if path not in places]
        if missing:
            raise AksError(f"POST {shown(url)}: the answer says nothing of {', '.join(missing)}")
        return {path: str(places[path]["contentUri"]) for path in paths}

    def _send(self, address: str, source: Path) -> None:
        with _opened(source) as file:
            size = source.stat().st_size
            if size <= WHOLE:
                self._put(
                    address, {}, _chunks(file), {**_NEW, "x-ms-blob-type": "BlockBlob", "Content-Length": str(size)}
                )
                return
            names = []
            for number in count():
                block = file.read(BLOCK)
                if not block:
                    break
                names.append(base64.b64encode(f"{number:08}".encode()).decode())
                self._put(address, {"comp": "block", "blockid": names[-1]}, block, {})
            listed = "".join(f"<Latest>{escape(name)}</Latest>" for name in names)
            document = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'
            self._put(address, {"comp": "blocklist"}, document.encode(), _NEW)

    def _put(self, address: str, more: dict[str, str], content: Any, headers: Mapping[str, str]) -> None:
        url = httpx.URL(self._caller.own(address)).copy_merge_params(more)
        request = self._caller.request("PUT", str(url), content=content, headers={**_BLOB, **headers})
        response = self._caller.send(request)
        if not response.is_success:
            raise refusal("PUT", url, response)

    # -- and back

    def _fetch(self, address: str, target: Path) -> None:
        request = self._caller.request("GET", self._caller.own(address))
        response = self._caller.send(request, stream=True)
        try:
            if response.status_code != 200:
                response.read()
                raise refusal("GET", request.url, response)
            _write(target, response.iter_bytes(_CHUNK))
        except httpx.HTTPError as error:
            raise unanswered(request, error) from None
        finally:
            response.close()


def _segments(setting: str, path: object) -> list[str]:
    """The names that a relative path consists of, none of which leads elsewhere."""
    segments = path.split("/") if isinstance(path, str) else [""]
    if any(name in ("", ".", "..") or "\\" in name or "\0" in name for name in segments):
        raise InvalidSetting(setting, path, _PLAIN)
    return segments


def _opened(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise UnreadableFile(str(source), error.strerror or str(error)) from None


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _write(target: Path, chunks: Iterator[bytes]) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            file.writelines(chunks)
    except OSError as error:
        raise UnreadableFile(str(target), error.strerror or str(error)) from None
