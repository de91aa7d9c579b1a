"""Whatever schemathesis makes of the control side's OpenAPI document, the answers are documented, and none is a 5xx."""

from typing import Any

import httpx
import pytest


@pytest.mark.slow
def test_no_answer_is_undocumented(wire: Any, explorer: Any) -> None:
    """1,000 cases at least: status, headers, content type and schema of the answers to good and bad requests."""
    url = wire.world.http

    def before(case: Any) -> None:
        """Nothing is asked for that would be answered in years: events without an end, instants far ahead."""
        if case.path.endswith("/events"):
            case.query = {**(case.query or {}), "follow": "false"}
        for form in case.body if isinstance(case.body, list) else [case.body]:
            for name, longest in (("at", 1_000_000), ("sleep_until", 1_000_000), ("advance", 1_000)):
                if isinstance(form, dict) and isinstance(form.get(name), int | float) and form[name] > 0:
                    form[name] = type(form[name])(form[name] % longest)

    def after(operation: str) -> None:
        if operation.startswith("POST /_akstwin/traffic"):  # else the server would be busy with millions of clients
            httpx.delete(f"{url}/_akstwin/traffic/there")

    known = {"service": ["there"], "fault": ["1"], "follow": ["false"], "window": ["5s"]}
    found = explorer(wire.world, known, before, after)
    assert found.explore("/_akstwin/openapi.json", 75) >= 1000
    assert not found.defects, "\n\n".join(f"{kind}\n{case}" for kind, case in found.defects.items())
    assert found.statuses[200] > 100, found.statuses  # else it was always the same refusal


@pytest.mark.parametrize("place", ["service", "cluster"])
@pytest.mark.parametrize("given", [["there"], {"name": "there"}, 1, True])
def test_a_fault_for_no_name_is_refused(wire: Any, place: str, given: Any) -> None:
    """By the setting's name."""
    answer = httpx.post(
        f"{wire.world.http}/_akstwin/faults", json={"kind": "image_pull_slow", "factor": 2, place: given}
    )
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{place}: ")
