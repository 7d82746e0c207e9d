"""The orders that the default strategies make: shares, idleness, speed, price and affinity."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from random import Random
from typing import Any

import msgspec
import pytest

from gateway import ChatRequest, Exchange, Model, Prices, Principal, Route, RouteOptions, RoutingStrategy, Terms
from gateway_routing.cost import Cost
from gateway_routing.latency import Latency
from gateway_routing.least_busy import LeastBusy
from gateway_routing.sticky import Sticky
from gateway_routing.weighted import Weighted

DRAWS = 4000


class Known:
    """What is known of upstreams, by model id."""

    def __init__(
        self,
        cooling: Collection[str] = (),
        busy: Mapping[str, int] | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        self._cooling, self._busy, self._seconds = set(cooling), busy or {}, seconds or {}

    def cooling(self, model: Model) -> bool:
        return model.id in self._cooling

    def in_flight(self, model: Model) -> int:
        return self._busy.get(model.id, 0)

    def latency(self, model: Model) -> float | None:
        return self._seconds.get(model.id)


def model(name: str, **fields: Any) -> Model:
    return Model(id=name, name=name, model_id=name, base_url="http://a.example", **fields)


def route(weights: Mapping[str, float], **options: Any) -> Route:
    terms = {name: Terms(weight=weight) for name, weight in weights.items()}
    return Route("r", tuple(map(model, weights)), terms=terms, options=RouteOptions(**options))


def request(**fields: Any) -> ChatRequest:
    raw = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}
    return ChatRequest(dialect="chat", model="r", stream=True, fields=raw)


def chance() -> Callable[[], float]:
    return Random(7).random


def order(strategy: RoutingStrategy, route: Route, known: Known | None = None) -> list[str]:
    return [one.name for one in strategy.order(route, request(), known or Known())]


def firsts(strategy: RoutingStrategy, route: Route, known: Known | None = None) -> dict[str, float]:
    """How large a share of many requests each target gets."""
    counted = Counter(order(strategy, route, known)[0] for _ in range(DRAWS))
    return {name: count / DRAWS for name, count in counted.items()}


@pytest.mark.parametrize("kind", [Weighted, LeastBusy, Latency, Sticky])
def test_a_canary_gets_its_share_and_the_rest_of_the_order_goes_by_weight_too(kind: Any) -> None:
    strategy, three = kind(chance()), route({"canary": 1, "old": 90, "older": 9})
    shares = firsts(strategy, three)
    assert shares == {
        "canary": pytest.approx(0.01, abs=0.006),
        "old": pytest.approx(0.9, abs=0.02),
        "older": pytest.approx(0.09, abs=0.02),
    }
    after_old = Counter(each[1] for _ in range(DRAWS) if (each := order(strategy, three))[0] == "old")
    assert after_old["older"] / sum(after_old.values()) == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("kind", [Weighted, LeastBusy, Latency, Sticky])
def test_a_target_without_weight_is_only_there_when_others_fail(kind: Any) -> None:
    strategy, two = kind(chance()), route({"spare": 0, "main": 1})
    assert firsts(strategy, two) == {"main": 1.0}
    assert order(strategy, two, Known(cooling=["main"])) == ["spare", "main"]


@pytest.mark.parametrize("kind", [Weighted, LeastBusy, Latency, Sticky, Cost])
def test_whoever_cools_down_comes_last(kind: Any) -> None:
    strategy, three = kind(), route({"a": 100, "b": 1, "c": 1})
    known = Known(cooling=["a"], seconds={"a": 0.1, "b": 1.0, "c": 1.0}, busy={"b": 9, "c": 9})
    for _ in range(50):
        assert order(strategy, three, known)[-1] == "a"


def test_the_share_of_one_that_cools_down_goes_to_the_others_in_proportion() -> None:
    shares = firsts(Weighted(chance()), route({"a": 60, "b": 30, "c": 10}), Known(cooling=["a"]))
    assert shares == {"b": pytest.approx(0.75, abs=0.03), "c": pytest.approx(0.25, abs=0.03)}


def test_the_least_busy_comes_first_by_what_its_weight_can_bear() -> None:
    strategy = LeastBusy(chance())
    assert order(strategy, route({"a": 1, "b": 1, "c": 1}), Known(busy={"a": 2, "b": 1, "c": 3})) == ["b", "a", "c"]
    assert order(strategy, route({"big": 10, "small": 1}), Known(busy={"big": 5, "small": 1})) == ["big", "small"]


def test_the_fastest_comes_first_and_those_nearly_as_fast_share_with_it() -> None:
    strategy, three = Latency(chance()), route({"slow": 1, "fast": 1, "near": 1})
    known = Known(seconds={"slow": 2.0, "fast": 0.5, "near": 0.55})
    shares = firsts(strategy, three, known)
    assert shares == {"fast": pytest.approx(0.5, abs=0.03), "near": pytest.approx(0.5, abs=0.03)}
    assert order(strategy, three, known)[-1] == "slow"


def test_an_unmeasured_target_is_asked_by_one_request_at_a_time() -> None:
    strategy, two = Latency(chance()), route({"known": 1, "new": 1})
    assert order(strategy, two, Known(seconds={"known": 0.1})) == ["new", "known"]
    assert order(strategy, two, Known(seconds={"known": 0.1}, busy={"new": 1})) == ["known", "new"]


def test_the_cheapest_for_this_request_comes_first_and_an_unknown_price_last() -> None:
    models = (
        model("unknown"),
        model("half", prices=Prices(input=0.0)),
        model("reader", prices=Prices(input=1.0, output=10.0)),
        model("writer", prices=Prices(input=5.0, output=1.0)),
    )
    priced = Route("r", models, "cost")

    def ordered(**fields: Any) -> list[str]:
        return [one.name for one in Cost().order(priced, request(**fields), Known())]

    assert ordered(input="x" * 40_000, max_tokens=10) == ["reader", "writer", "unknown", "half"]
    assert ordered(input="x", max_tokens=1000) == ["writer", "reader", "unknown", "half"]
    assert ordered(input="x") == ["writer", "reader", "unknown", "half"]


def exchange(key: str = "k", owner: str | None = None, **headers: str) -> Exchange:
    made = Exchange("x", "chat")
    made.principal = Principal(key, owner)
    made.headers = [(name.encode(), value.encode()) for name, value in headers.items()]
    return made


def stuck(route: Route, asked: Exchange, known: Known | None = None, **fields: Any) -> list[str]:
    return [one.name for one in Sticky().order(route, request(**fields), known or Known(), asked)]


def test_a_key_keeps_its_target_and_keys_are_spread_by_weight() -> None:
    three = route({"a": 2, "b": 1, "c": 1})
    keys = [f"key-{number}" for number in range(DRAWS)]
    homes = {key: stuck(three, exchange(key)) for key in keys}
    assert homes == {key: stuck(three, exchange(key)) for key in keys}
    shares = Counter(home[0] for home in homes.values())
    assert {name: count / DRAWS for name, count in shares.items()} == {
        "a": pytest.approx(0.5, abs=0.03),
        "b": pytest.approx(0.25, abs=0.03),
        "c": pytest.approx(0.25, abs=0.03),
    }


def test_only_the_keys_of_a_target_that_cools_down_move_and_they_spread() -> None:
    three = route({"a": 1, "b": 1, "c": 1})
    keys = [f"key-{number}" for number in range(600)]
    well = {key: stuck(three, exchange(key)) for key in keys}
    ill = {key: stuck(three, exchange(key), Known(cooling=["a"])) for key in keys}
    assert [key for key in keys if well[key][0] != "a" and ill[key][0] != well[key][0]] == []
    moved = {key: ill[key][0] for key in keys if well[key][0] == "a"}
    assert moved == {key: well[key][1] for key in moved}
    assert set(moved.values()) == {"b", "c"}


def test_only_the_keys_of_a_target_that_goes_away_move() -> None:
    keys = [f"key-{number}" for number in range(600)]
    before = {key: stuck(route({"a": 1, "b": 1, "c": 1}), exchange(key))[0] for key in keys}
    after = {key: stuck(route({"a": 1, "b": 1}), exchange(key))[0] for key in keys}
    assert {before[key] for key in keys if before[key] != after[key]} == {"c"}


def spread(asked: Callable[[int], list[str]]) -> int:
    """How many targets come first over many requests."""
    return len({asked(number)[0] for number in range(60)})


def test_affinity_is_by_key_user_or_header_as_the_route_says() -> None:
    targets = {"a": 1.0, "b": 1.0, "c": 1.0}
    by_key, by_user = route(targets), route(targets, affinity="user")
    by_header = route(targets, affinity="header:session")
    assert spread(lambda number: stuck(by_key, exchange("k"), user=f"u{number}")) == 1
    assert spread(lambda number: stuck(by_user, exchange(f"k{number}"), user="u")) == 1
    assert spread(lambda number: stuck(by_user, exchange("k"), user=f"u{number}")) == 3
    assert spread(lambda number: stuck(by_user, exchange("k"), metadata={"user_id": f"u{number}"})) == 3
    assert spread(lambda number: stuck(by_user, exchange(f"k{number}", "owner"))) == 1
    assert spread(lambda number: stuck(by_header, exchange(f"k{number}", session="s"))) == 1
    assert spread(lambda number: stuck(by_header, exchange("k", session=f"s{number}"))) == 3
    assert spread(lambda number: stuck(by_header, exchange("k"))) == 3


def test_an_order_is_the_same_in_every_process_and_release() -> None:
    """Caches upstream are lost where it changes: this holds the hash."""
    assert [stuck(route({"a": 1, "b": 1, "c": 1}), exchange(f"key-{n}"))[0] for n in range(8)] == list("cbaacaac")
