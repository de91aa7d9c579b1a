"""A server is killed in the middle of calls: what it has answered is there when it is started again."""

import threading
from typing import Any

import httpx
import pytest

from akstwin.sim.streams import generator

CHAINS = 4
KILLS = 5
Served = Any
_OPEN = object()
"""Whatever is there will do."""


class Caller:
    """Calls at random, and knows what each of the things it has made must be like."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._index = 0
        self.known: dict[str, Any] = {}
        self.in_doubt: tuple[str, Any] | None = None

    def call(self, client: Any) -> None:
        """Change one thing."""
        self._index += 1
        at, number = generator(self._seed, 1, "calls", str(self._index)).integers(0, 1 << 16, 2).tolist()
        (self._tag, self._regenerate, self._upload, self._environment)[at % 4](client, number)

    def call_for_ever(self, client: Any) -> None:
        """Until nobody answers."""
        while True:
            self.call(client)

    def _done(self, thing: str, value: Any) -> None:
        self.known[thing] = value
        self.in_doubt = None

    def _tag(self, client: Any, number: int) -> None:
        name, value = f"svc-{number % 2}", str(number)
        self.in_doubt = (f"tag {name}", value)
        patch = [{"op": "replace", "path": "/kvTags", "value": {"number": value}}]
        client.mm("PATCH", f"/services/{name}", json=patch)
        self._done(f"tag {name}", value)

    def _regenerate(self, client: Any, number: int) -> None:
        name = f"svc-{number % 2}"
        self.in_doubt = (f"key {name}", _OPEN)
        client.mm("POST", f"/services/{name}/regenerateKeys", json={"keyType": "Primary"})
        self._done(f"key {name}", client.key(name))

    def _upload(self, client: Any, number: int) -> None:
        thing, content = f"file {self._index}", str(number) * (number % 9000)
        self.in_doubt = (thing, content)
        client.upload(f"c-{self._index}", "weights.bin", content.encode())
        self._done(thing, content)

    def _environment(self, client: Any, number: int) -> None:
        thing = f"environment {number % 3}"
        self.in_doubt = (thing, str(number))
        path = f"/environment/v1.0{client.workspace}/environments/{thing.replace(' ', '-')}"
        client.http.put(
            path, json={"name": thing.replace(" ", "-"), "docker": {"baseImage": str(number)}}
        ).raise_for_status()
        self._done(thing, str(number))

    def found(self, client: Any, thing: str) -> Any:
        """What there is of a thing now."""
        kind, name = thing.split()
        if kind == "tag":
            return client.json(f"/services/{name}")["kvTags"].get("number")
        if kind == "key":
            return client.key(name)
        if kind == "file":
            answer = client.http.get(
                f"/artifact/v2.0{client.workspace}/artifacts/contentinfo/LocalUpload/c-{name}/weights.bin"
            )
            return None if answer.status_code == 404 else client.download(f"c-{name}", "weights.bin").decode()
        listed = client.http.get(f"/environment/v1.0{client.workspace}/environments/environment-{name}")
        return None if listed.status_code == 404 else listed.raise_for_status().json()["docker"]["baseImage"]

    def check(self, client: Any, replay: str) -> None:
        """All that was acknowledged is there; what was under way is there wholly or not at all."""
        thing, asked = self.in_doubt or ("", None)
        for each, value in self.known.items():
            if each != thing:
                assert self.found(client, each) == value, f"{replay}: {each}"
        if thing:
            found = self.found(client, thing)
            assert asked is _OPEN or found in (asked, self.known.get(thing)), f"{replay}: {thing}, in doubt"
            self._done(thing, found)


@pytest.mark.parametrize("seed", range(CHAINS))
def test_a_server_is_killed_in_the_middle_of_calls(seed: int, served: Served) -> None:
    """Again and again, while a client calls."""
    client = served.start("--seed", str(seed))
    client.cluster()
    caller, chance = Caller(seed), generator(seed, 1, "kills")
    for name in ("svc-0", "svc-1"):
        assert client.operation(client.create(name))["state"] == "Succeeded"
        caller.known |= {f"tag {name}": None, f"key {name}": client.key(name)}
    for kill in range(KILLS):
        for _ in range(int(chance.integers(0, 6))):
            caller.call(client)
        killer = threading.Timer(chance.random() * 0.02, served.zygote.kill)
        killer.start()
        with pytest.raises(httpx.TransportError):
            caller.call_for_ever(client)
        killer.join()
        assert served.zygote.rest()[1] == -9
        client = served.start()
        caller.check(client, f"seed {seed}, kill {kill}")
        assert {client.json(f"/services/svc-{number}")["state"] for number in range(2)} == {"Healthy"}
