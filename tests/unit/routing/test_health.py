"""Who is left alone, for how long, and who is asked to find out: every change of a circuit, by the clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ward import Ward

from gateway.domain import Outcome
from gateway.errors import (
    InvalidRequest,
    ModelMisconfigured,
    Overloaded,
    PluginError,
    StaleConnection,
    UpstreamBroken,
    UpstreamError,
    UpstreamRedirect,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.events import Answer, Cause, End, Failure

DOWN = UpstreamError(503)
COUNTING = {
    "500": UpstreamError(500),
    "529": UpstreamError(529),
    "408": UpstreamError(408),
    "refused": UpstreamUnreachable(),
    "redirect": UpstreamRedirect(),
    "reset": UpstreamReset(),
    "slow": UpstreamTimeout(),
    "cut": UpstreamBroken(Failure(code=Cause.EOF, message="")),
    "silent in the middle": UpstreamBroken(Failure(code=Cause.IDLE, message="", status=504)),
    "garbage": UpstreamBroken(Failure(code="upstream_protocol", message="")),
    "error event": UpstreamBroken(Failure(code="server_error", message="", status=500)),
    "provider": PluginError("", plugin="p"),
}
NOT_COUNTING = {
    **{str(status): UpstreamError(status) for status in (400, 404, 409, 413, 422)},
    "error event of a mistake": UpstreamBroken(Failure(code="context_length_exceeded", message="", status=400)),
    "total limit": UpstreamBroken(Failure(code=Cause.DEADLINE, message="", status=504)),
    "stale": StaleConnection(),
    "our own pool": Overloaded(),
    "refused by us": InvalidRequest(),
    "another plugin": PluginError("", plugin="p", stage="stream_transforms"),
}


@pytest.fixture
def first(ward):
    return ward.model("a")


@pytest.fixture
def second(ward):
    return ward.model("b")


def names(targets):
    return "".join(model.name for model in targets)


@pytest.mark.parametrize("error", COUNTING.values(), ids=COUNTING)
def test_three_failures_send_a_target_to_the_end(ward, first, second, error):
    ward.fails(first, error, 2)
    assert names(ward.health.order([first, second])) == "ab"
    ward.fails(first, error)
    assert names(ward.health.order([first, second])) == "ba"


@pytest.mark.parametrize("error", NOT_COUNTING.values(), ids=NOT_COUNTING)
def test_what_the_upstream_did_not_do_never_counts_against_it(ward, first, second, error):
    ward.fails(first, error, 20)
    assert names(ward.health.order([first, second])) == "ab"
    assert ward.health.report() == []


@pytest.mark.parametrize("outcome", [Outcome.CLIENT_ABORT, Outcome.CLIENT_SLOW, Outcome.SHUTDOWN, Outcome.SUPERSEDED])
def test_an_attempt_that_somebody_else_ended_says_nothing(ward, first, outcome):
    for _ in range(20):
        ward.end(ward.begin(first), UpstreamReset(), outcome)
    assert ward.health.report() == []


def test_an_answer_that_came_whole_after_its_client_left_is_a_success(ward, first):
    ward.fails(first, DOWN, 2)
    attempt = ward.begin(first)
    attempt.answer = Answer()
    attempt.answer.note(End())
    ward.end(attempt, outcome=Outcome.CLIENT_ABORT)
    ward.fails(first, DOWN)
    assert not ward.health.cooling(first)


def test_an_answer_that_a_stream_transform_refused_says_nothing(ward, first):
    for _ in range(20):
        attempt = ward.begin(first)
        attempt.answer = Answer()
        attempt.answer.refused = True
        ward.end(attempt, UpstreamBroken(Failure(code="content_policy", message="", status=500)))
    assert ward.health.report() == []


def test_a_model_that_cannot_be_called_is_left_alone_at_once(ward, first, second):
    ward.fails(first, ModelMisconfigured())
    assert names(ward.health.order([first, second])) == "ba"


def test_each_success_takes_half_of_the_failures_away(ward, first):
    ward.fails(first, DOWN, 2)
    ward.succeeds(first)
    ward.fails(first, DOWN)
    assert not ward.health.cooling(first)
    ward.fails(first, DOWN)
    assert ward.health.cooling(first)


def test_a_hundred_failures_at_once_open_the_circuit_once(ward, first):
    under_way = [ward.begin(first) for _ in range(100)]
    ward.clock.passes(0.5)
    for attempt in under_way:
        ward.end(attempt, DOWN)
    assert ward.health.of(first).cooling == 1.0


def test_attempts_from_before_it_opened_say_nothing_about_what_is_well_again(ward, first):
    old = [ward.begin(first) for _ in range(10)]
    ward.clock.passes(1)
    ward.fails(first, DOWN, 3)
    ward.clock.passes(1)
    for attempt in old[:5]:
        ward.end(attempt, DOWN)
    assert ward.health.of(first).state == "half_open"
    ward.succeeds(first)
    for attempt in old[5:]:
        ward.end(attempt, DOWN)
    assert not ward.health.cooling(first)


def test_half_open_lets_exactly_one_probe_pass_at_a_time(ward, first):
    ward.fails(first, DOWN, 3)
    assert (ward.health.of(first).state, ward.health.cooling(first)) == ("open", True)
    ward.clock.passes(1.0)
    assert (ward.health.of(first).state, ward.health.cooling(first)) == ("half_open", False)
    probe = ward.begin(first)
    assert (ward.health.of(first).state, ward.health.cooling(first)) == ("half_open", True)
    ward.end(probe, outcome=Outcome.CLIENT_ABORT)
    assert not ward.health.cooling(first), "a probe that said nothing makes room for the next"
    ward.begin(first)
    assert ward.health.cooling(first)


def test_a_probe_that_is_answered_closes_the_circuit_before_it_ends(ward, first):
    ward.fails(first, DOWN, 3)
    ward.clock.passes(1.0)
    probe = ward.begin(first)
    ward.answer(probe)
    assert (ward.health.of(first).state, ward.health.cooling(first)) == ("closed", False)
    ward.end(probe)
    ward.succeeds(first)
    assert ward.health.report() == []


def test_a_probe_that_is_cut_after_its_content_opens_the_circuit_again(ward, first):
    ward.fails(first, DOWN, 3)
    ward.clock.passes(1.0)
    probe = ward.begin(first)
    ward.answer(probe)
    ward.end(probe, COUNTING["cut"], Outcome.TRUNCATED)
    assert ward.health.of(first).state == "open"


def test_each_probe_that_fails_doubles_the_time_up_to_half_a_minute(ward, first):
    ward.fails(first, DOWN, 3)
    rests = []
    for _ in range(8):
        rests.append(ward.health.of(first).cooling)
        ward.clock.passes(rests[-1])
        ward.fails(first, DOWN)
    assert rests == [1, 2, 4, 8, 16, 30, 30, 30]
    ward.clock.passes(30)
    ward.succeeds(first)
    ward.succeeds(first)
    ward.fails(first, DOWN, 3)
    assert ward.health.of(first).cooling == 1, "what is well again begins anew"


def test_an_old_answer_does_not_close_what_opened_after_it_began(ward, first):
    old = ward.begin(first)
    ward.clock.passes(1)
    ward.fails(first, DOWN, 3)
    ward.answer(old)
    ward.end(old)
    assert ward.health.cooling(first)


def test_a_last_resort_that_succeeds_closes_an_open_circuit(ward, first):
    ward.fails(first, DOWN, 3)
    ward.clock.passes(0.1)
    ward.succeeds(first)
    assert not ward.health.cooling(first)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_credential_takes_all_its_models_away_at_once(ward, status):
    one, twin = ward.model("a", key="sk", host="h"), ward.model("b", key="sk", host="h")
    other = ward.model("c", key="sk-2", host="h")
    ward.fails(one, UpstreamError(status))
    assert names(ward.health.order([one, twin, other])) == "cab"
    told = ward.health.of(twin)
    assert (told.state, told.credential, told.cooling, told.last_error) == ("closed", "refused", 30, "credential")


def test_a_credential_is_probed_by_one_request_whichever_model_it_asks(ward):
    one, twin = ward.model("a", key="sk", host="h"), ward.model("b", key="sk", host="h")
    ward.fails(one, UpstreamError(401))
    ward.clock.passes(30)
    assert ward.health.of(one).credential == "probing"
    probe = ward.begin(twin)
    assert ward.health.cooling(one)
    ward.end(probe, UpstreamError(401))
    assert ward.health.of(one).cooling == 60
    ward.clock.passes(60)
    ward.succeeds(twin)
    assert (ward.health.of(one).credential, ward.health.cooling(one)) == ("ok", False)


def test_another_failure_of_a_probe_does_not_judge_the_credential(ward, first):
    ward.fails(first, UpstreamError(401))
    ward.clock.passes(30)
    ward.fails(first, DOWN)
    assert (ward.health.of(first).credential, ward.health.cooling(first)) == ("probing", False)


def test_retry_after_of_a_429_holds_new_exchanges_for_what_remains(ward, first):
    ward.fails(first, UpstreamError(429, retry_after=30))
    ward.clock.passes(10)
    assert ward.health.held(first) == pytest.approx(20)
    ward.clock.passes(20)
    assert not ward.health.held(first)
    assert not ward.health.cooling(first)


def test_a_held_target_does_not_hold_the_others_and_is_not_asked(ward, first, second):
    ward.fails(first, UpstreamError(429, retry_after=30))
    assert names(ward.health.order([first, second])) == "ba"
    assert names(ward.health.free([first, second])) == "b"


def test_a_429_that_does_not_say_when_only_cools(ward, first):
    ward.fails(first, UpstreamError(429))
    assert not ward.health.held(first)
    assert ward.health.of(first).cooling == 1


def test_no_retry_after_is_believed_for_more_than_an_hour(ward, first):
    ward.fails(first, UpstreamError(429, retry_after=10**9))
    assert ward.health.held(first) == 3600


def test_an_answer_under_way_does_not_shorten_another_answers_retry_after(ward, first):
    begun = ward.begin(first)
    ward.fails(first, UpstreamError(429, retry_after=5.0))
    ward.answer(begun)
    ward.end(begun)
    assert ward.health.held(first) == 5.0


def test_two_models_at_their_limits_rest_their_credential_and_bind_nobody(ward):
    one, twin, third = (ward.model(name, key="sk", host="h") for name in "abc")
    ward.fails(one, UpstreamError(429, retry_after=60))
    assert not ward.health.cooling(third)
    ward.fails(twin, UpstreamError(429, retry_after=20))
    assert (ward.health.of(third).credential, ward.health.of(third).cooling) == ("limited", 20)
    assert not ward.health.held(third), "nobody told this model's callers to wait"
    ward.clock.passes(20)
    assert not ward.health.cooling(third)


def test_retry_after_of_a_503_is_kept_and_binds_nobody(ward, first):
    ward.fails(first, UpstreamError(503, retry_after=20))
    assert (ward.health.of(first).cooling, ward.health.held(first)) == (20, 0)


def test_health_is_shared_by_rows_with_the_same_upstream_and_credential(ward):
    row = ward.model("a", key="sk", host="h")
    twin = type(row)(id="other-row", name="other", model_id="a", base_url="http://h/v1", api_key=row.api_key)
    ward.fails(row, UpstreamError(429, retry_after=30))
    assert ward.health.held(twin) == pytest.approx(30)


def test_attempts_in_flight_are_those_that_began_and_did_not_end(ward, first):
    assert ward.health.in_flight(first) == 0
    one, two = ward.begin(first), ward.begin(first)
    assert ward.health.in_flight(first) == 2
    ward.end(one, DOWN)
    ward.end(two)
    assert ward.health.in_flight(first) == 0


def test_latency_is_a_moving_average_of_times_to_first_content(ward, first):
    assert ward.health.latency(first) is None
    for seconds in (1.0, 2.0):
        attempt = ward.begin(first)
        ward.clock.passes(seconds)
        ward.answer(attempt)
        ward.end(attempt)
    assert ward.health.latency(first) == pytest.approx(1.2)


def test_an_old_latency_is_forgotten_until_somebody_is_about_to_renew_it(ward, first):
    ward.succeeds(first)
    ward.clock.passes(301)
    assert ward.health.latency(first) is None
    ward.begin(first)
    assert ward.health.latency(first) is not None, "one request finds out, not all of them"


def test_memory_is_bounded(ward):
    for number in range(10_050):
        ward.fails(ward.model(str(number)), UpstreamError(401))
        ward.fails(ward.model(str(number)), DOWN)
    assert len(ward.health.report()) == 10_000


ERRORS = [None, *COUNTING.values(), *NOT_COUNTING.values(), UpstreamError(401), UpstreamError(429)]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ERRORS), st.floats(0, 40)), max_size=40))
def test_health_never_loses_a_target_nor_refuses_the_last(history):
    ward = Ward()
    models = [ward.model("a", key="sk", host="h"), ward.model("b", key="sk", host="h"), ward.model("c")]
    for number, error, seconds in history:
        ward.end(ward.begin(models[number]), error)
        ward.clock.passes(seconds)
        for targets in (models, models[:2], models[number : number + 1]):
            order = ward.health.order(targets)
            assert sorted(order, key=names_of) == sorted(targets, key=names_of)
            assert ward.health.free(targets) is targets
            well = [model for model in targets if not ward.health.cooling(model)]
            assert list(order[: len(well)]) == well


def names_of(model):
    return model.name
