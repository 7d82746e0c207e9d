"""Where an exchange goes after a failure: every sentence of the retry policy."""

import pytest

from gateway.egress.faults import not_dialled
from gateway.errors import (
    InvalidUpstreamUrl,
    ModelMisconfigured,
    PluginError,
    StaleConnection,
    UpstreamBroken,
    UpstreamConnectTimeout,
    UpstreamError,
    UpstreamRedirect,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.events import Cause, Failure
from gateway.routing import Itinerary, RetryBudgets

AGAIN = {
    "unreachable": UpstreamUnreachable(),
    "cut": UpstreamBroken(Failure(code=Cause.EOF, message="")),
    **{str(status): UpstreamError(status) for status in (408, 409, 429, 500, 502, 503, 520, 529)},
    "told to": UpstreamError(400, retryable=True),
}
ONLY_ELSEWHERE = {
    "slow": UpstreamTimeout(),
    "no connection": UpstreamConnectTimeout(),
    "redirect": UpstreamRedirect(),
    "not dialled": not_dialled("10.0.0.7 may not be reached"),
    "provider": PluginError("", plugin="p"),
    "misconfigured": ModelMisconfigured(),
    "no URL": InvalidUpstreamUrl(),
    "quota": UpstreamError(429, retryable=False),
    **{str(status): UpstreamError(status) for status in (401, 402, 403)},
}
NEVER = {
    **{str(status): UpstreamError(status) for status in (400, 404, 413, 422)},
    "told not to": UpstreamError(500, retryable=False),
    "mistake in the stream": UpstreamBroken(Failure(code="x", message="", status=400, retryable=False)),
}


@pytest.fixture
def way(ward):
    budgets = RetryBudgets(ward.clock)

    def make(*models):
        return Itinerary(models, ward.health, budgets)

    make.budgets = budgets
    return make


@pytest.mark.parametrize("error", AGAIN.values(), ids=AGAIN)
def test_what_may_pass_is_tried_three_times_at_an_only_target(ward, way, error):
    only = ward.model()
    itinerary = way(only)
    waits = [itinerary.after(error) for _ in range(3)]
    assert [wait is not None for wait in waits] == [True, True, False]
    assert (itinerary.model, itinerary.reason) == (only, "retry")


@pytest.mark.parametrize("error", [*AGAIN.values(), *ONLY_ELSEWHERE.values()], ids=[*AGAIN, *ONLY_ELSEWHERE])
def test_another_target_is_asked_at_once(ward, way, error):
    first, second = ward.model("a"), ward.model("b")
    itinerary = way(first, second)
    assert itinerary.after(error) == 0.0
    assert (itinerary.model, itinerary.reason) == (second, "failover")


@pytest.mark.parametrize("error", ONLY_ELSEWHERE.values(), ids=ONLY_ELSEWHERE)
def test_where_the_same_target_would_say_the_same_it_is_not_asked_again(ward, way, error):
    assert way(ward.model()).after(error) is None


@pytest.mark.parametrize("error", NEVER.values(), ids=NEVER)
def test_a_clients_mistake_goes_nowhere(ward, way, error):
    assert way(ward.model("a"), ward.model("b")).after(error) is None


def test_there_are_three_tries_in_all(ward, way):
    itinerary = way(*(ward.model(name) for name in "abcd"))
    tried = [itinerary.model.name]
    while itinerary.after(UpstreamUnreachable()) is not None:
        tried.append(itinerary.model.name)
    assert tried == ["a", "b", "c"]


def test_a_stale_connection_is_replaced_at_the_same_target_at_once(ward, way):
    first, second = ward.model("a"), ward.model("b")
    itinerary = way(first, second)
    assert (itinerary.after(StaleConnection()), itinerary.model) == (0.0, first)
    assert (itinerary.after(UpstreamUnreachable()), itinerary.model) == (0.0, second)
    assert itinerary.after(UpstreamUnreachable()) is None, "it counts as one of the tries"


def test_a_short_retry_after_is_waited_for_and_a_long_one_answered_at_once(ward, way):
    assert way(ward.model()).after(UpstreamError(429, retry_after=7.0)) == 7.0
    assert way(ward.model()).after(UpstreamError(429, retry_after=11.0)) is None


def test_nobody_waits_where_another_target_is_well(ward, way):
    itinerary = way(ward.model("a"), ward.model("b"))
    assert itinerary.after(UpstreamError(429, retry_after=11.0)) == 0.0
    assert itinerary.model.name == "b"


def test_a_target_that_cools_is_asked_after_those_that_are_well(ward, way):
    first, sick, well = (ward.model(name) for name in "abc")
    ward.fails(sick, UpstreamError(500), 3)
    itinerary = way(first, sick, well)
    itinerary.after(UpstreamError(500))
    assert itinerary.model == well
    itinerary.after(UpstreamError(500))
    assert itinerary.model == sick


def test_a_target_held_by_its_retry_after_is_not_asked_by_others(ward, way):
    first, held = ward.model("a"), ward.model("b")
    itinerary = way(first, held)
    ward.fails(held, UpstreamError(429, retry_after=60))
    itinerary.after(UpstreamError(500))
    assert (itinerary.model, itinerary.reason) == (first, "retry")


def test_retries_end_with_the_budget(ward, way):
    only = ward.model()
    while way.budgets.withdraw(only.tenant):
        pass
    assert way(only).after(UpstreamError(500)) is None


def test_failover_to_a_target_that_is_well_is_no_retry_and_costs_none(ward, way):
    first, second = ward.model("a"), ward.model("b")
    for _ in range(100):
        assert way(first, second).after(UpstreamError(500)) == 0.0
    assert way.budgets.withdraw(second.tenant)


def test_failover_to_the_same_credential_or_a_sick_target_is_paid_for(ward, way):
    first, twin, sick = ward.model("a", key="k", host="h"), ward.model("b", key="k", host="h"), ward.model("c")
    ward.fails(sick, UpstreamError(500), 3)
    for model in (twin, sick):
        while way.budgets.withdraw(model.tenant):
            pass
        assert way(first, model).after(UpstreamError(500)) is None


def test_a_hedge_is_one_of_the_tries(ward, way):
    itinerary = way(*(ward.model(name) for name in "abcd"))
    itinerary.beside(itinerary.spare())
    assert itinerary.model.name == "b"
    assert itinerary.after(UpstreamError(500)) == 0.0
    assert (itinerary.model.name, itinerary.after(UpstreamError(500))) == ("c", None)


def test_only_a_target_that_is_well_is_asked_beside_another(ward, way):
    first, sick = ward.model("a"), ward.model("b")
    ward.fails(sick, UpstreamError(500), 3)
    assert way(first, sick).spare() is None
