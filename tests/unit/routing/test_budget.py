"""Retries are a share of the traffic of one upstream and credential."""

from gateway.routing import RetryBudgets


def test_thirty_retries_are_there_in_a_burst_and_then_no_more(clock):
    budgets = RetryBudgets(clock)
    assert [budgets.withdraw(b"up") for _ in range(31)] == [True] * 30 + [False]


def test_a_fifth_of_the_requests_may_be_retried_on_top(clock):
    budgets = RetryBudgets(clock)
    for _ in range(1000):
        budgets.request(b"up")
    assert sum(budgets.withdraw(b"up") for _ in range(1000)) == 30 + 200


def test_one_upstreams_retries_do_not_spend_anothers_budget(clock):
    budgets = RetryBudgets(clock)
    while budgets.withdraw(b"one"):
        pass
    assert budgets.withdraw(b"two")


def test_the_budget_comes_back_when_the_window_has_passed(clock):
    budgets = RetryBudgets(clock)
    while budgets.withdraw(b"up"):
        pass
    clock.passes(9)
    assert not budgets.withdraw(b"up")
    clock.passes(1)
    assert budgets.withdraw(b"up")
