"""When a second target is asked, and how often that may be."""

import pytest

from gateway import Hedge, Route
from gateway.routing import Paces


@pytest.fixture
def route(ward):
    return Route("r", (ward.model("a"), ward.model("b")))


def test_nothing_is_hedged_before_sixteen_times_are_known(route):
    paces, hedge = Paces(), Hedge(percentile=50, budget=1)
    for _ in range(15):
        paces.measure(route, 1.0)
    assert paces.patience(route, hedge) is None
    paces.measure(route, 1.0)
    assert paces.patience(route, hedge) == 1.0


@pytest.mark.parametrize(("percentile", "seconds"), [(1, 1.0), (50, 10.0), (90, 18.0), (95, 19.0), (99, 20.0)])
def test_patience_is_the_percentile_of_the_times(route, percentile, seconds):
    paces = Paces()
    for number in range(20, 0, -1):
        paces.measure(route, float(number))
    assert paces.patience(route, Hedge(percentile=percentile)) == seconds


def test_only_the_latest_times_count(route):
    paces = Paces()
    for seconds in [9.0] * 128 + [1.0] * 128:
        paces.measure(route, seconds)
    assert paces.patience(route, Hedge(percentile=99)) == 1.0


@pytest.mark.parametrize(("budget", "requests", "hedges"), [(0.1, 10, 1), (0.05, 19, 0), (0.05, 20, 1), (0.5, 9, 4)])
def test_hedges_are_a_share_of_the_requests(route, budget, requests, hedges):
    paces = Paces()
    for _ in range(requests):
        paces.patience(route, Hedge(budget=budget))
    assert sum(paces.withdraw(route) for _ in range(requests)) == hedges
    assert (paces.counted.started, paces.counted.refused) == (hedges, requests - hedges)


def test_a_quiet_route_saves_up_ten_hedges_at_most(route):
    paces = Paces()
    for _ in range(1000):
        paces.patience(route, Hedge(budget=1))
    assert sum(paces.withdraw(route) for _ in range(100)) == 10


def test_routes_do_not_share_their_times_nor_their_budgets(route, ward):
    paces, other = Paces(), Route("other", route.targets)
    for _ in range(20):
        paces.patience(route, Hedge(budget=1))
        paces.measure(route, 1.0)
    assert paces.patience(other, Hedge(budget=0.1)) is None
    assert not paces.withdraw(other)
