"""pytest's plugin, which pytest finds by itself: workspaces in virtual time and on a server, as fixtures.

    @pytest.mark.aks(seed=7)
    def test_a_client_survives(aks_server, aks_faults): ...

Nothing of akstwin is imported before a test asks for one of the fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from akstwin.sdk.workspace import Workspace
    from akstwin.testing.marks import Told
    from akstwin.testing.passing import AksClock
    from akstwin.testing.sdk import SdkEnvironment
    from akstwin.testing.served import AksFaults, AksServer, VirtualClock

_SEED: Final = "_aks_seed"
_MARKER: Final = "aks-seed="


class _Trace:
    """What a test has used, for the report of its failure."""

    def __init__(self) -> None:
        self.seed: int | None = None
        self.server: AksServer | None = None


_TRACE: Final = pytest.StashKey[_Trace]()
_HOST: Final = pytest.StashKey[Any]()
_SEEDS: Final = pytest.StashKey[list[int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--aks-seed`."""
    group = parser.getgroup("akstwin", "the digital twin of AKS model serving")
    group.addoption(
        "--aks-seed",
        action="append",
        metavar="SEEDS",
        help="the seed of all worlds, whatever the marks say; of several (1,2,3 or 0..99) tests run once with each",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and the seeds."""
    config.addinivalue_line(
        "markers",
        "aks(seed=0, scenario=None, clock='jump', rate=1, assumptions={}, client_time='world'): how the worlds of akstwin's "
        "fixtures are; clock, rate and client_time are for aks_server; a scenario is a file, from pytest's rootdir, or its "
        "content",
    )
    given = config.getoption("--aks-seed")
    if given:
        from akstwin.testing.marks import read_seeds  # noqa: PLC0415 - nothing before it is needed

        config.stash[_SEEDS] = read_seeds(given)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The server ends with the run."""
    host = config.stash.get(_HOST, None)
    if host is not None:
        host.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Of several seeds a test runs once with each."""
    seeds = metafunc.config.stash.get(_SEEDS, [])
    if len(seeds) > 1 and _SEED in metafunc.fixturenames:
        metafunc.parametrize(_SEED, seeds, indirect=True, ids=[f"{_MARKER}{seed}" for seed in seeds])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks that are wrong are told before anything runs; by a worker of pytest-xdist, which cannot, with their tests."""
    for item in [] if hasattr(config, "workerinput") else items:
        if item.get_closest_marker("aks") is not None:
            _told(item, config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """See above."""
    if item.get_closest_marker("aks") is not None:
        try:
            _told(item, item.config)
        except pytest.UsageError as error:
            pytest.fail(str(error), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """A failure shows how to play it again, and the latest requests."""
    report = yield
    trace = item.stash.get(_TRACE, None)
    if report.failed and trace is not None and trace.seed is not None:
        report.sections.append(("akstwin", _explained(item, trace)))
    return report


def _explained(item: pytest.Item, trace: _Trace) -> str:
    from akstwin.testing.failing import replay, told_of  # noqa: PLC0415 - see above

    seeds = item.config.stash.get(_SEEDS, [])
    marker = f"{_MARKER}{trace.seed}" if len(seeds) > 1 else ""
    lines = [f"replay: {replay(item.nodeid, trace.seed or 0, marker)}"]
    if trace.server is not None:
        lines.append(told_of(trace.server))
    return "\n".join(lines)


def _told(item: pytest.Item, config: pytest.Config) -> Told:
    from akstwin.testing.marks import read_marks  # noqa: PLC0415 - see above

    marks = list(item.iter_markers("aks"))
    return read_marks(item.nodeid, reversed(marks), config.rootpath)


def _prepare(request: pytest.FixtureRequest, seed: int | None) -> tuple[Told, _Trace]:
    """How the test's worlds are to be, and where to leave a trace of them."""
    from dataclasses import replace  # noqa: PLC0415 - see above

    told = _told(request.node, request.config)
    if seed is not None:
        told = replace(told, seed=seed)
    return told, request.node.stash.setdefault(_TRACE, _Trace())


@pytest.fixture
def _aks_seed(request: pytest.FixtureRequest) -> int | None:
    """The seed of `--aks-seed`: this test's, of several. None: none was given."""
    seeds = request.config.stash.get(_SEEDS, [])
    chosen: int | None = getattr(request, "param", seeds[0] if seeds else None)
    return chosen


@pytest.fixture
def aks_workspace(request: pytest.FixtureRequest, _aks_seed: int | None) -> Iterator[Workspace]:
    """A workspace in virtual time: waiting is free, and the same seed gives the same run.

    `Workspace.simulated` with the seed, the scenario and the assumptions of `@pytest.mark.aks(…)`; closed after the test.
    """
    from akstwin.testing.served import open_workspace  # noqa: PLC0415 - see above

    told, trace = _prepare(request, _aks_seed)
    workspace = open_workspace(told)
    trace.seed = getattr(workspace.backend, "seed")  # noqa: B009 - the port has no seed; this world does
    yield workspace
    getattr(workspace.backend, "close")()  # noqa: B009 - likewise


@pytest.fixture
def aks_server(request: pytest.FixtureRequest, _aks_seed: int | None) -> Iterator[AksServer]:
    """A workspace of the test's own on a real HTTP server in this process, for clients and for azureml-core.

    It has `url`, `https_url`, `connect()` for akstwin's own classes, `env` for other processes, `journal` with questions and
    assertions, `clock` and `faults`. Ports, seed, clock, faults and journal are the test's; all is gone after it. The clock jumps
    from event to event as soon as somebody waits, unless `@pytest.mark.aks(clock=…)` says `live`, `paced` or `manual`.

    On a jumping or a paced clock a client's read time-outs and the timers of asyncio in this process go by the world's clock,
    unless `@pytest.mark.aks(client_time="real")` says otherwise.
    """
    from akstwin.testing.served import Host  # noqa: PLC0415 - see above

    told, trace = _prepare(request, _aks_seed)
    host = request.config.stash.setdefault(_HOST, Host())
    server = trace.server = host.open(request.node.nodeid, told)
    trace.seed = server.seed
    with server.client_time(told.client_time):
        yield server
    trace.server = None
    server.close()


@pytest.fixture
def aks_clock(request: pytest.FixtureRequest, _aks_seed: int | None) -> AksClock | VirtualClock:
    """The clock of `aks_server`: `now()` in µs, `advance("5m")`, `sleep(5)`, `sleep_until(µs)`.

    In a test that uses `aks_workspace` and not `aks_server`, it is that workspace's. `sleep` fits where `time.sleep` is
    expected: `monkeypatch.setattr("time.sleep", aks_clock.sleep)`.
    """
    if _virtual(request):
        from akstwin.testing.served import VirtualClock  # noqa: PLC0415 - see above

        return VirtualClock(request.getfixturevalue("aks_workspace"))
    server: AksServer = request.getfixturevalue("aks_server")
    return server.clock


@pytest.fixture
def aks_faults(request: pytest.FixtureRequest, _aks_seed: int | None) -> AksFaults:
    """What is broken on purpose in `aks_server`: `add("replica_hang", service="fraud")`, `remove(fault)`, `clear()`.

    `with aks_faults.add(…) as fault:` ends it with the block; `fault.struck` counts.
    """
    if _virtual(request):
        raise pytest.UsageError(
            f"{request.node.nodeid}: aks_faults breaks the workspace of aks_server, which the test does not use; in virtual "
            "time it is aks_workspace.simulation.fault(…)"
        )
    server: AksServer = request.getfixturevalue("aks_server")
    return server.faults


@pytest.fixture
def aks_sdk_env(aks_server: AksServer) -> Iterator[SdkEnvironment]:
    """An unmodified azureml-core in this process, pointed at `aks_server` and kept from the real Azure.

    `akstwin.testing.sdk_env`: its variables are set, its polls and pauses pass on the server's clock, and connections to Azure's
    hosts are refused by name. `workspace`, `subscription_id`, `resource_group` and `token` are for `Workspace.get`.
    """
    from akstwin.testing.sdk import sdk_env  # noqa: PLC0415 - see above

    with sdk_env(aks_server) as environment:
        yield environment


def _virtual(request: pytest.FixtureRequest) -> bool:
    """Whether the test's only world is the one in virtual time."""
    return "aks_workspace" in request.fixturenames and "aks_server" not in request.fixturenames
