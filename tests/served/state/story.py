"""Random commands to a workspace, each one wholly told by its seed and number; and all that can be seen of what they left."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from akstwin.backend import WorkspaceIdentity
from akstwin.clock import SECOND, Micros
from akstwin.errors import AksError
from akstwin.sdk import wire
from akstwin.sim.backend import SimulatedBackend
from akstwin.sim.streams import generator

Command = Callable[[SimulatedBackend, int], None]
IDENTITY: Final = WorkspaceIdentity("kept")
_NAMES: Final = ("one", "two", "three")


def _name(number: int) -> str:
    return _NAMES[number % len(_NAMES)]


def _file(backend: SimulatedBackend, number: int, folder: str) -> str:
    """A file as it comes in over HTTP; its path."""
    path = f"LocalUpload/{folder}-{number}/weights.bin"
    written = backend.files.partial()
    written.write_bytes(str(number).encode() * (number % 5000))
    backend.files.keep(path, written)
    return path


def _register(backend: SimulatedBackend, number: int) -> None:
    asset = backend.create_asset({"name": "asset", "artifacts": [{"prefix": _file(backend, number, "model")}]})
    model = {"name": _name(number), "url": f"aml://asset/{asset['id']}", "mimeType": "application/json"}
    backend.register_model({**model, "kvTags": {"number": str(number)}})


def _upload_folder(backend: SimulatedBackend, number: int) -> None:
    source = backend.files.partial()
    source.write_text(str(number))
    try:
        backend.upload(f"folder-{number % 7}", {f"{each}/deep.txt": source for each in range(3)})
    finally:
        source.unlink()


def _request(number: int, models: list[str]) -> dict[str, Any]:
    return {
        "environment": {"name": "e", "docker": {"baseImage": f"image-{number % 3}"}},
        "modelIds": models,
        "assets": [],
    }


def _create(backend: SimulatedBackend, number: int) -> None:
    models = [f"{_name(number)}:1"] if number % 2 else []
    arguments: dict[str, Any] = {"num_replicas": 1 + number % 3, "tags": {"number": str(number)}}
    if number % 5 == 0:
        arguments |= {"auth_enabled": False, "token_auth_enabled": True}
    if number % 7 == 0:
        arguments |= {"cpu_cores": 50}  # no node has as many: it ends Unschedulable
    payload = wire.service_payload(
        arguments,
        name=f"service-{_name(number)}",
        compute_name=_name(number // 2),
        environment_image_request=_request(number, models),
        overwrite=number % 4 == 0,
    )
    backend.create_service(payload)


def _create_endpoint(backend: SimulatedBackend, number: int) -> None:
    arguments = {"version_name": "blue", "autoscale_min_replicas": 1 + number % 2}
    payload = wire.endpoint_payload(
        arguments,
        name=f"endpoint-{_name(number)}",
        compute_name=_name(number // 2),
        environment_image_request=_request(number, []),
    )
    backend.create_service(payload)


def _add_version(backend: SimulatedBackend, number: int) -> None:
    name = f"endpoint-{_name(number)}"
    known = [version.name for version in backend.management.services.record(name).versions]
    patch = wire.version_added_patch(
        f"green-{number % 2}",
        known,
        {"traffic_percentile": number % 40, "num_replicas": 1},
        compute_name=backend.management.services.record(name).compute_name,
        environment_image_request=_request(number, []),
    )
    backend.patch_service(name, patch)


def _some_service(backend: SimulatedBackend, number: int) -> str:
    names = [document["name"] for document in backend.list_services(_query())]
    return str(names[number % len(names)]) if names else "nobody"


def _query() -> Any:
    from akstwin.backend import ServiceQuery  # noqa: PLC0415 - beside the only use

    return ServiceQuery()


def _update(backend: SimulatedBackend, number: int) -> None:
    name = _some_service(backend, number)
    arguments: dict[str, Any] = {"tags": {"number": str(number)}} if number % 2 else {"num_replicas": 1 + number % 4}
    if number % 3 == 0:
        arguments |= {"cpu_cores": 0.1 * (1 + number % 4)}
    backend.patch_service(name, wire.update_patch(arguments))


def _put_compute(backend: SimulatedBackend, number: int) -> None:
    settings = {"agentCount": 3 + number % 3, "agentVmSize": "Standard_D3_v2"}
    payload = {"location": "westeurope", "properties": {"computeType": "AKS", "properties": settings}}
    backend.put_compute(_name(number), payload)


def _pass_time(backend: SimulatedBackend, number: int) -> None:
    backend.clock.sleep_until(Micros(backend.clock.now() + (1 + number % 400) * SECOND))


def _profile(backend: SimulatedBackend, number: int) -> None:
    reply: Any = b"\x00bytes" if number % 2 else {"number": number}
    backend.simulation.profile(f"service-{_name(number)}", service_time=f"{1 + number % 90}ms", reply=reply)


COMMANDS: Final[dict[str, Command]] = {
    "register": _register,
    "upload_folder": _upload_folder,
    "create": _create,
    "create_endpoint": _create_endpoint,
    "add_version": _add_version,
    "update": _update,
    "put_compute": _put_compute,
    "pass_time": _pass_time,
    "profile": _profile,
    "delete_compute": lambda backend, number: void(backend.delete_compute(_name(number), "delete")),
    "delete_service": lambda backend, number: void(backend.delete_service(_some_service(backend, number))),
    "delete_model": lambda backend, number: backend.delete_model(f"{_name(number)}:1"),
    "regenerate": lambda backend, number: void(
        backend.regenerate_key(_some_service(backend, number), ("Primary", "Secondary")[number % 2])
    ),
    "token": lambda backend, number: void(backend.issue_token(_some_service(backend, number))),
    "environment": lambda backend, number: void(
        backend.put_environment(_name(number), None, {"name": _name(number), "docker": {"baseImage": str(number)}})
    ),
}
_COMMON: Final = ("put_compute", "pass_time", "pass_time", "create", "register", "update", "regenerate")
"""What is drawn more often than the rest."""


def void(_: object) -> None:
    """What a command returns is seen in what it leaves."""


def drawn(seed: int, index: int) -> tuple[str, int]:
    """The command of that index in a story, and its number."""
    names = (*COMMANDS, *_COMMON)
    at, number = generator(seed, 1, "story", str(index)).integers(0, 1 << 20, 2).tolist()
    return names[at % len(names)], number


def perform(backend: SimulatedBackend, name: str, number: int) -> bool:
    """Give a command; returns whether it was taken."""
    try:
        COMMANDS[name](backend, number)
    except AksError:
        return False
    return True


def records(texts: dict[str, dict[str, str]]) -> dict[str, Any]:
    """All records of a workspace, but for how often it was taken up."""
    found = {f"{kind}/{key}": json.loads(text) for kind, kept in texts.items() for key, text in kept.items()}
    found.get("workspace/only", {}).pop("runs", None)
    return found


def tree(folder: Path) -> dict[str, str]:
    """All files that are kept, by their paths, as digests."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }
