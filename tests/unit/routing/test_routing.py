"""Retry budget, health and delays: the rules of the router, each with its own clock."""

import pytest

from gateway.domain import Model
from gateway.errors import UpstreamError, UpstreamUnreachable
from gateway.routing import Health, RetryBudgets, delay_before


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def model(name: str = "a") -> Model:
    return Model(id=name, name=name, model_id="m", base_url=f"http://{name}/v1")


def test_thirty_retries_are_there_in_a_burst_and_then_no_more():
    budgets = RetryBudgets(Clock())
    assert [budgets.withdraw(b"up") for _ in range(31)] == [True] * 30 + [False]


def test_a_fifth_of_the_requests_may_be_retried_on_top():
    budgets = RetryBudgets(Clock())
    for _ in range(1000):
        budgets.request(b"up")
    assert sum(budgets.withdraw(b"up") for _ in range(1000)) == 30 + 200


def test_one_upstreams_retries_do_not_spend_anothers_budget():
    budgets = RetryBudgets(Clock())
    while budgets.withdraw(b"one"):
        pass
    assert budgets.withdraw(b"two")


def test_the_budget_comes_back_when_the_window_has_passed():
    clock = Clock()
    budgets = RetryBudgets(clock)
    while budgets.withdraw(b"up"):
        pass
    clock.now += 9
    assert not budgets.withdraw(b"up")
    clock.now += 1
    assert budgets.withdraw(b"up")


def test_health_never_refuses_the_only_target():
    health, only = Health(Clock()), model()
    for _ in range(10):
        health.failed(only, UpstreamUnreachable())
    assert list(health.order([only])) == [only]
    assert health.held([only]) is None


def test_a_target_that_fails_three_times_goes_to_the_end_until_it_has_cooled():
    clock = Clock()
    health, first, second = Health(clock), model("a"), model("b")
    for _ in range(2):
        health.failed(first, UpstreamError(500))
    assert list(health.order([first, second])) == [first, second]
    health.failed(first, UpstreamError(500))
    assert list(health.order([first, second])) == [second, first]
    clock.now += 1.01
    assert list(health.order([first, second])) == [first, second]


def test_one_success_forgets_the_failures():
    health, first, second = Health(Clock()), model("a"), model("b")
    for _ in range(2):
        health.failed(first, UpstreamError(503))
    health.succeeded(first)
    health.failed(first, UpstreamError(503))
    assert list(health.order([first, second])) == [first, second]


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_clients_own_mistake_does_not_count(status):
    health, first, second = Health(Clock()), model("a"), model("b")
    for _ in range(20):
        health.failed(first, UpstreamError(status))
    assert list(health.order([first, second])) == [first, second]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_trips_at_once(status):
    health, first, second = Health(Clock()), model("a"), model("b")
    health.failed(first, UpstreamError(status))
    assert list(health.order([first, second])) == [second, first]


def test_retry_after_of_a_429_holds_new_exchanges_for_what_remains():
    clock = Clock()
    health, only = Health(clock), model()
    health.failed(only, UpstreamError(429, retry_after=30))
    clock.now += 10
    assert health.held([only]) == pytest.approx(20)
    clock.now += 20
    assert health.held([only]) is None


def test_a_held_target_does_not_hold_the_others():
    health, first, second = Health(Clock()), model("a"), model("b")
    health.failed(first, UpstreamError(429, retry_after=30))
    assert health.held([first, second]) is None
    assert list(health.order([first, second])) == [second, first]


def test_health_is_shared_by_rows_with_the_same_upstream_and_credential():
    health, row = Health(Clock()), model("a")
    twin = Model(id="other-row", name="other", model_id="m", base_url="http://a/v1")
    health.failed(row, UpstreamError(429, retry_after=30))
    assert health.held([twin]) == pytest.approx(30)


def test_retry_after_is_obeyed_to_the_letter_up_to_ten_seconds():
    assert delay_before(1, 3.5) == 3.5
    assert delay_before(1, 10.0) == 10.0
    assert delay_before(1, 10.5) is None


def test_delays_without_retry_after_are_full_jitter_below_a_doubling_bound():
    for retry, bound in [(1, 0.1), (2, 0.2), (3, 0.4), (9, 2.0)]:
        delays = [delay_before(retry, None) for _ in range(300)]
        assert all(0 <= delay <= bound for delay in delays)
        assert max(delays) > bound / 2


def test_an_answer_under_way_does_not_shorten_another_answers_retry_after():
    clock = Clock()
    health, only = Health(clock), model()
    health.failed(only, UpstreamError(429, retry_after=5.0))
    health.succeeded(only)  # a stream that had begun before
    assert health.held([only]) == 5.0
    clock.now += 5.01
    assert health.held([only]) is None


def test_a_success_forgets_the_failures_before_it_even_while_a_retry_after_runs():
    health, first, second = Health(Clock()), model("a"), model("b")
    health.failed(first, UpstreamError(429, retry_after=0.0))
    for _ in range(2):
        health.failed(first, UpstreamError(500))
    health.succeeded(first)
    health.failed(first, UpstreamError(500))
    assert list(health.order([first, second])) == [first, second]
