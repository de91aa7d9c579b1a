"""A server that keeps its state is killed and started again: clients go on as if nothing had been."""

import re
from pathlib import Path
from typing import Any

Served = Any


def test_a_service_goes_on(served: Served) -> None:
    """The same key opens it, the model has the same bytes, its profile holds."""
    client = served.start("--seed", "7")
    client.cluster()
    assert client.model("fraud", b"\0weights" * 1000) == "fraud:1"
    assert client.operation(client.create("svc", numReplicas=2))["state"] == "Succeeded"
    client.control("POST", "profile/svc", json={"service_time": "70ms"})
    client.control("POST", "clock", json={"advance": "10s"})
    key, before = client.key("svc"), client.json("/services/svc")
    first = client.score("svc", key)
    assert (first.status_code, first.json()) == (200, {"got": {"data": 1}})
    client = served.restart()
    client.score("svc", key)
    refused_before = client.score("svc", "wrong")
    now = client.control("GET", "clock")["now"]

    client = served.restart()
    document = client.json("/services/svc")
    assert {name for name in document if document[name] != before[name]} == {"scoringUri"}  # another port
    assert document["state"] == "Healthy"
    assert client.key("svc") == key
    again = client.score("svc", key)
    assert (again.status_code, again.json()) == (200, {"got": {"data": 1}})
    assert again.headers["x-ms-run-fn-exec-ms"] == "70.000"
    refused = client.score("svc", "wrong")
    assert refused.status_code == 401
    assert refused.headers["x-ms-request-id"] != refused_before.headers["x-ms-request-id"]
    assert client.download("fraud", "weights.bin") == b"\0weights" * 1000
    assert client.control("GET", "clock")["now"] >= now - 1_000_000  # what scoring alone has brought is not kept
    assert client.json("/models/fraud:1")["version"] == 1
    assert client.model("fraud", b"new") == "fraud:2"


def test_nothing_is_given_out_twice(served: Served) -> None:
    """Keys and operations of a restarted server are new ones."""
    client = served.start()
    client.cluster()
    keys, operations = set(), set()
    for number in range(4):
        name = f"svc-{number}"
        operations.add(client.create(name).rpartition("/")[2])
        told = client.mm("POST", f"/services/{name}/listkeys").json()
        keys |= {told["primaryKey"], told["secondaryKey"]}
        client = served.restart()
    assert len(keys) == 8
    assert len(operations) == 4


def test_an_operation_that_was_under_way_ends(served: Served) -> None:
    """A creation, an update and a deletion begin anew; what an update replaces serves meanwhile."""
    client = served.start(clock="manual")
    client.cluster()
    creation = client.create("svc", numReplicas=2)
    client.control("POST", "clock", json={"advance": "30s"})
    client = served.restart(clock="manual")
    assert client.operation(creation)["state"] == "Running"
    assert client.json("/services/svc")["state"] == "Transitioning"
    client.control("POST", "clock", json={"advance": "20m"})
    assert client.operation(creation)["state"] == "Succeeded"

    patch = [{"op": "replace", "path": "/containerResourceRequirements/cpu", "value": 0.7}]
    update = client.mm("PATCH", "/services/svc", json=patch).headers["Operation-Location"]
    client = served.restart(clock="manual")
    assert client.json("/services/svc")["state"] == "Transitioning"
    assert client.control("GET", "observe/svc?window=1s")["versions"]["svc"]["replicas"]["Ready"] == 1
    client.control("POST", "clock", json={"advance": "20m"})
    assert client.operation(update)["state"] == "Succeeded"
    assert client.json("/services/svc")["containerResourceRequirements"]["cpu"] == 0.7

    client.mm("DELETE", "/services/svc")
    client = served.restart(clock="manual")
    assert client.json("/services")["value"] == []


def test_an_update_that_failed_leaves_what_served_before(served: Served) -> None:
    """Also after a restart: the replicas that there were are there again, and the service is not well."""
    client = served.start()
    client.cluster()
    client.operation(client.create("svc", numReplicas=2))
    patch = [{"op": "replace", "path": "/containerResourceRequirements/cpu", "value": 99}]
    update = client.mm("PATCH", "/services/svc", json=patch).headers["Operation-Location"]
    assert client.operation(update)["state"] == "Failed"
    assert client.json("/services/svc")["state"] == "Unschedulable"
    client = served.restart()
    client.control("POST", "clock", json={"advance": "20m"})
    assert client.json("/services/svc")["state"] == "Unschedulable"
    assert client.score("svc", client.key("svc")).status_code == 200


def test_blocks_wait_for_their_list(served: Served) -> None:
    """An upload in pieces goes on where it stood, and with the same URL."""
    client = served.start()
    url = client.upload_url("big", "file.bin")
    for block, content in (("YQ==", b"first "), ("Yg==", b"second")):
        client.http.put(f"{url}&comp=block&blockid={block}", content=content).raise_for_status()
    client = served.restart()
    listed = "<BlockList><Latest>YQ==</Latest><Latest>Yg==</Latest></BlockList>"
    client.http.put(f"{url}&comp=blocklist", content=listed).raise_for_status()
    client = served.restart()
    assert client.download("big", "file.bin") == b"first second"


def test_workspaces_have_records_of_their_own(served: Served) -> None:
    """Each has its own; the one that is asked for gets the ports, the others stay."""
    other = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/other"
    client = served.start()
    client.model("mine", b"1")
    client.of(other).model("its", b"2")
    for arguments in ((), ("--workspace", other), ()):
        first = served.restart(*arguments)
        own, its = first.of(client.workspace), first.of(other)
        assert [model["id"] for model in own.json("/models")["value"]] == ["mine:1"]
        assert [model["id"] for model in its.json("/models")["value"]] == ["its:1"]
        assert its.download("its", "weights.bin") == b"2"
        assert str(first.http.base_url) == str((its if arguments else own).http.base_url)


def test_a_reset_empties_the_workspace_alone(served: Served) -> None:
    """Its records and its files, also those in the file; another workspace keeps its own."""
    other = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/other"
    client = served.start()
    client.model("mine", b"1")
    client.of(other).model("its", b"2")
    assert client.control("POST", "reset")["now"] == 0
    client = served.restart()
    assert client.json("/models")["value"] == []
    assert client.model("mine", b"3") == "mine:1"
    assert client.download("mine", "weights.bin") == b"3"
    kept = [path.read_bytes() for path in Path(f"{served.path}.files").rglob("weights.bin")]
    assert sorted(kept) == [b"2", b"3"]
    assert [model["id"] for model in client.of(other).json("/models")["value"]] == ["its:1"]


def test_who_is_trusted_stays(served: Served) -> None:
    """The certificate authority is the file's."""
    served.start("--print-env")
    lines = [served.zygote.line() for _ in range(10)]
    bundle = next(re.findall(r"REQUESTS_CA_BUNDLE=(\S+)", line)[0] for line in lines if "REQUESTS_CA_BUNDLE" in line)
    before = Path(bundle).read_text()
    served.restart()
    assert Path(bundle).read_text() == before
    assert Path(bundle).is_relative_to(f"{served.path}.files")


def test_a_live_clock_shows_the_time_of_day(served: Served) -> None:
    """Never less than it has shown, though waiting is skipped."""
    client = served.start(clock="live")
    client.control("POST", "clock", json={"advance": "2h"})
    before = client.control("GET", "clock")
    client = served.restart(clock="live")
    after = client.control("GET", "clock")
    assert after["epoch"] == before["epoch"]
    assert after["now"] >= before["now"] - 1_000_000  # as of the last call that was not a mere look
    assert after["now"] >= 2 * 3600 * 1_000_000


def test_what_belongs_to_the_process_ends_with_it(served: Served) -> None:
    """Journal, metrics and faults."""
    client = served.start()
    client.cluster()
    client.operation(client.create("svc"))
    client.score("svc", client.key("svc"))
    client.control("POST", "faults", json={"kind": "drop_connection"})
    assert client.control("GET", "journal")["total"] == 1
    client = served.restart()
    assert client.control("GET", "journal")["total"] == 0
    assert client.control("GET", "faults") == []


def test_what_was_told_of_a_cluster_to_come_holds(served: Served) -> None:
    """It has the nodes that were described, although the server was started again before it was attached."""
    client = served.start()
    client.control("POST", "cluster/aks", json={"nodes": 5, "vm_size": "Standard_D8s_v5"})
    client = served.restart()
    client.cluster()
    found = client.http.get(f"{client.workspace}/computes/aks", params={"api-version": "2020-02-02"}).json()
    nodes = found["properties"]["properties"]
    assert (nodes["agentCount"], nodes["agentVmSize"]) == (5, "Standard_D8s_v5")
