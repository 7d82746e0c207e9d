"""The order inside a stage: the operator's list, then what plugins ask for, then registration; and why."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_entries import Install, Load, gateway_for

from gateway.runtime import Generation, PluginLoadError, Plugins, assemble
from gateway.runtime.order import Wishes, arrange

LOOKUP = """
from gateway import hookimpl

class Lookup:
    {says}
    async def find(self, name, principal): ...

@hookimpl
def register_model_lookups(gateway):
    return [Lookup()]
"""


@pytest.fixture
def lookups(install: Install) -> None:
    for name, says in {"alpha": "pass", "beta": "pass", "gamma": "after = ('alpha',)", "delta": "pass"}.items():
        install(LOOKUP.format(says=says), name=name)


def ordered(plugins: Plugins) -> list[tuple[str, str]]:
    assert plugins.problems() == ()
    generation = assemble(plugins, gateway_for, 1)
    assert asked(generation) == [place.plugin for place in generation.order["model_lookups"]]
    return [(place.plugin, place.why) for place in generation.order["model_lookups"]]


def asked(generation: Generation) -> list[str]:
    return [lookup.plugin for lookup in generation.lookups]


def test_the_last_registered_is_asked_first(lookups: None, load: Load) -> None:
    assert ordered(load("alpha", "beta", "delta")) == [
        ("delta", "registration"),
        ("beta", "registration"),
        ("alpha", "registration"),
    ]


def test_after_moves_a_plugin_behind_another(lookups: None, load: Load) -> None:
    assert ordered(load("alpha", "beta", "gamma")) == [
        ("beta", "registration"),
        ("alpha", "registration"),
        ("gamma", "after alpha"),
    ]


def test_a_wish_about_a_plugin_that_is_not_there_is_none(lookups: None, load: Load) -> None:
    assert ordered(load("beta", "gamma")) == [("gamma", "registration"), ("beta", "registration")]


def test_before_moves_a_plugin_ahead_of_another(install: Install, load: Load, lookups: None) -> None:
    install(LOOKUP.format(says="before = ['delta', 'gamma']"), name="aaa")
    assert ordered(load("aaa", "alpha", "delta", "gamma")) == [
        ("alpha", "registration"),
        ("aaa", "before delta, before gamma"),
        ("gamma", "after alpha"),
        ("delta", "registration"),
    ]


def test_the_operators_list_wins_over_what_plugins_ask_for(lookups: None, load: Load) -> None:
    plugins = load("alpha", "beta", "gamma", GATEWAY_ORDER__MODEL_LOOKUPS="gamma,alpha")
    assert ordered(plugins) == [("gamma", "operator"), ("alpha", "operator"), ("beta", "registration")]


def test_objects_of_one_plugin_stay_together_as_it_returned_them(install: Install, load: Load, lookups: None) -> None:
    install(LOOKUP.format(says="pass").replace("[Lookup()]", "[Lookup(), Lookup()]"), name="two")
    generation = assemble(load("alpha", "two", GATEWAY_ORDER__MODEL_LOOKUPS="alpha"), gateway_for, 1)
    assert asked(generation) == ["alpha", "two", "two"]


def test_a_cycle_is_refused_by_name(install: Install, load: Load) -> None:
    install(LOOKUP.format(says="before = ('beta',)"), name="alpha")
    install(LOOKUP.format(says="before = ('gamma',)"), name="beta")
    install(LOOKUP.format(says="before = ('alpha',)"), name="gamma")
    install(LOOKUP.format(says="after = ('gamma',)"), name="behind")
    plugins = load("alpha", "beta", "gamma", "behind")
    with pytest.raises(PluginLoadError) as caught:
        assemble(plugins, gateway_for, 1)
    sentence = str(caught.value)
    assert sentence.startswith("model_lookups: the order is a cycle: ")
    ring = sentence.partition("cycle: ")[2].partition(" (")[0].split(" -> ")
    assert ring[0] == ring[-1]
    assert "->".join(ring) in "alpha->beta->gamma->alpha->beta->gamma"
    assert "behind" not in sentence
    assert "alpha says before beta" in sentence
    settled = load("alpha", "beta", "gamma", GATEWAY_ORDER__MODEL_LOOKUPS="beta,alpha")
    assert [name for name, _ in ordered(settled)] == ["beta", "alpha", "gamma"]


def test_a_plugin_that_wants_to_be_before_itself_is_a_cycle(install: Install, load: Load) -> None:
    install(LOOKUP.format(says="before = ('acme',)"))
    with pytest.raises(PluginLoadError, match=r"cycle: acme -> acme \(acme says before acme\)"):
        assemble(load("acme"), gateway_for, 1)


def test_an_unknown_name_in_the_operators_list_is_told_with_the_nearest(lookups: None, load: Load) -> None:
    (problem,) = load("alpha", "beta", GATEWAY_ORDER__MODEL_LOOKUPS="beta,alhpa").problems()
    assert problem == "GATEWAY_ORDER__MODEL_LOOKUPS: no plugin is called 'alhpa'; did you mean 'alpha'?"


def test_a_plugin_that_is_not_of_that_stage_is_told(lookups: None, load: Load) -> None:
    (problem,) = load("alpha", GATEWAY_ORDER__LIMITERS="alpha").problems()
    assert problem == "GATEWAY_ORDER__LIMITERS: plugin 'alpha' (gateway-alpha) registers no limiters"


def test_a_disabled_plugin_may_stand_in_the_operators_list(lookups: None, load: Load) -> None:
    plugins = load("beta", GATEWAY_ORDER__MODEL_LOOKUPS="alpha,beta")
    assert ordered(plugins) == [("beta", "operator")]


NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True)
WISHES = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(Wishes, st.frozensets(st.sampled_from("abcdefgh")), st.frozensets(st.sampled_from("abcdefgh"))),
)


@given(NAMES, WISHES, NAMES)
def test_every_order_keeps_the_list_and_every_wish_or_names_a_cycle(
    registered: list[str], wishes: dict[str, Wishes], listed: list[str]
) -> None:
    try:
        order = [place.plugin for place in arrange("stage", registered, wishes, listed)]
    except PluginLoadError as error:
        ring = str(error).partition("cycle: ")[2].partition(" (")[0].split(" -> ")
        assert ring[0] == ring[-1]
        for first, second in pairwise(ring):
            first_asks = second in wishes.get(first, Wishes()).before
            assert first_asks or first in wishes.get(second, Wishes()).after
        return
    head = [name for name in listed if name in registered]
    assert sorted(order) == sorted(registered)
    assert order[: len(head)] == head
    for name in order[len(head) :]:
        wish = wishes.get(name, Wishes())
        behind = order[order.index(name) :]
        assert wish.before & set(order[len(head) :]) <= set(behind)
        assert not wish.after & set(behind)


@given(NAMES)
def test_nothing_moves_when_nobody_asks(registered: list[str]) -> None:
    assert [place.plugin for place in arrange("stage", registered, {})] == registered


BOTH = """
from gateway import hookimpl

class Request:
    {request}
    async def transform(self, request, exchange): ...

class Answer:
    {answer}
    def start(self, exchange): ...

@hookimpl
def register_request_transforms():
    return [Request()]

@hookimpl
def register_stream_transforms():
    return [Answer()]
"""


def test_a_plugin_changes_requests_and_answers_at_the_same_depth(install: Install, load: Load) -> None:
    for name, says in {"alpha": "before = ('beta', 'gamma')", "beta": "after = ('gamma',)", "gamma": "pass"}.items():
        install(BOTH.format(request=says, answer="pass"), name=name)
    generation = assemble(load("alpha", "beta", "gamma"), gateway_for, 1)
    assert [one.plugin for one in generation.request_transforms] == ["alpha", "gamma", "beta"]
    assert [one.plugin for one in generation.stream_transforms] == ["alpha", "gamma", "beta"]
    assert [place.why for place in generation.order["stream_transforms"]] == [
        "registration",
        "inside alpha",
        "inside gamma",
    ]


def test_a_wish_for_answers_against_the_order_of_requests_is_a_cycle(install: Install, load: Load) -> None:
    install(BOTH.format(request="before = ('beta',)", answer="pass"), name="alpha")
    install(BOTH.format(request="pass", answer="before = ('alpha',)"), name="beta")
    with pytest.raises(PluginLoadError, match="stream_transforms: the order is a cycle: ") as refused:
        assemble(load("alpha", "beta"), gateway_for, 1)
    assert "beta is inside alpha for requests" in str(refused.value)
    assert "beta says before alpha" in str(refused.value)


def test_the_operators_list_for_answers_wins_over_the_order_of_requests(install: Install, load: Load) -> None:
    install(BOTH.format(request="before = ('beta',)", answer="pass"), name="alpha")
    install(BOTH.format(request="pass", answer="pass"), name="beta")
    generation = assemble(load("alpha", "beta", GATEWAY_ORDER__STREAM_TRANSFORMS="beta"), gateway_for, 1)
    assert [one.plugin for one in generation.stream_transforms] == ["beta", "alpha"]
