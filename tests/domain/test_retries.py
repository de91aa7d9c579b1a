"""What clients do with an answer that is not 200 (wire.md §9)."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from akstwin.domain.workload import AZUREML_CORE_503_BASES, Clients

SECOND = 1_000_000


def waits(clients: Clients, status: int, base_503: int = 7) -> list[float]:
    """Seconds between the attempts of a request that is always answered with `status`."""
    found = []
    for attempt in count(1):
        wait = clients.wait_before_retry(status, attempt, base_503)
        if wait is None:
            return found
        found.append(wait / SECOND)
    raise AssertionError


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        (408, [0, 1, 2]),
        (502, [0, 1, 2]),
        (504, [0, 1, 2]),
        (530, [0, 1, 2]),
        (500, [2, 4, 8]),
        (503, [7, 14, 28]),
        (429, [32, 64, 128]),
        (400, []),
        (401, []),
        (404, []),
        (413, []),
        (499, []),
        (501, []),
    ],
)
def test_azureml_core_waits_as_recorded(status: int, seconds: list[float]) -> None:
    """Three repeats, four attempts in all, delays by status; other answers are final."""
    assert waits(Clients(retry="azureml-core"), status) == seconds


@given(st.integers(*AZUREML_CORE_503_BASES))
def test_the_base_for_503_is_each_clients_own(base: int) -> None:
    """b, 2b, 4b with b from 2 to 10 s."""
    assert waits(Clients(retry="azureml-core"), 503, base) == [base, 2 * base, 4 * base]
    assert AZUREML_CORE_503_BASES == (2, 10)


@pytest.mark.parametrize("retry", ["none", "urllib3"])
@given(status=st.integers(100, 599))
def test_urllib3s_defaults_and_none_never_repeat_a_scoring_call(retry: str, status: int) -> None:
    """POST is not among urllib3's methods and its list of statuses is empty."""
    clients = Clients.model_validate({"retry": retry})

    assert waits(clients, status) == []
    assert not clients.draws_503_base


def test_only_azureml_core_draws_a_base_for_503() -> None:
    """A new cause of chance disturbs nobody who does not use it."""
    assert Clients(retry="azureml-core").draws_503_base
    assert not Clients.model_validate({"retry": {"statuses": [503], "attempts": 2}}).draws_503_base


def test_a_policy_of_ones_own_grows_by_its_factor() -> None:
    """`attempts` counts the first one; other statuses are final."""
    clients = Clients.model_validate(
        {"retry": {"statuses": [503, 504], "attempts": 4, "backoff": "1s", "factor": 2}}
    )  # fmt: skip

    assert waits(clients, 503) == [1, 2, 4]
    assert waits(clients, 504) == [1, 2, 4]
    assert waits(clients, 502) == []


def test_one_attempt_is_no_retry() -> None:
    """The smallest policy that may be written repeats nothing."""
    assert waits(Clients.model_validate({"retry": {"statuses": [503], "attempts": 1}}), 503) == []


@pytest.mark.parametrize(
    "wrong",
    ["azureml", {"statuses": [], "attempts": 2}, {"statuses": [200], "attempts": 2}, {"statuses": [503], "attempts": 0},
     {"statuses": [503], "attempts": 2, "factor": -1}, 3],
)  # fmt: skip
def test_what_is_no_retry_policy_is_refused(wrong: object) -> None:
    """Unknown names, statuses that are no errors, no attempt at all."""
    with pytest.raises(ValidationError):
        Clients.model_validate({"retry": wrong})
