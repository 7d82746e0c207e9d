"""A generation is assembled from what the hooks return, each object known by its plugin's name."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from plugin_entries import Install, Load, gateway_for

from gateway.runtime import PluginLoadError, assemble
from gateway.runtime.generation import Generation, Registered

HEAD = "from gateway import hookimpl\n"
LOOKUP = """
from gateway import hookimpl

class Lookup:
    async def find(self, name, principal): ...

@hookimpl{options}
def register_model_lookups(gateway):
    return [Lookup()]
"""


def test_objects_keep_their_plugins_name_and_the_last_registered_is_asked_first(install: Install, load: Load) -> None:
    install(LOOKUP.format(options=""), name="alpha")
    install(LOOKUP.format(options=""), name="beta")
    install(LOOKUP.format(options="(tryfirst=True)"), name="aaa")
    generation = assemble(load("alpha", "beta", "aaa"), gateway_for, 7)
    assert generation.number == 7
    assert [lookup.plugin for lookup in generation.lookups] == ["aaa", "beta", "alpha"]


def test_a_gateway_without_plugins_assembles(load: Load) -> None:
    generation = assemble(load(), gateway_for, 1)
    assert generation.lookups == generation.authenticators == generation.lifespans == ()
    assert dict(generation.providers) == {}


def test_every_hook_gets_its_own_plugins_gateway_and_only_the_arguments_it_names(install: Install, load: Load) -> None:
    install(
        HEAD
        + """
class Provider:
    def __init__(self, name): self.name = name
    def connect(self, model): ...

@hookimpl
def register_providers(gateway):
    yield Provider(gateway.plugin)

@hookimpl
def register_error_mappers(): return None

@hookimpl
def on_app_init(app_config):
    app_config.append("seen")
""",
    )
    generation = assemble(load("acme"), gateway_for, 1)
    assert list(generation.providers) == ["acme"]
    assert generation.providers["acme"].plugin == "acme"
    assert generation.error_mappers == ()
    config: list[str] = []
    generation.on_app_init(config)
    assert config == ["seen"]


def test_two_providers_of_one_name_are_refused_naming_both_plugins(install: Install, load: Load) -> None:
    code = HEAD + (
        "class P:\n    name = 'x'\n    def connect(self, model): ...\n"
        "@hookimpl\ndef register_providers(gateway): return [P()]\n"
    )
    install(code, name="one")
    install(code, name="two")
    with pytest.raises(PluginLoadError) as caught:
        assemble(load("one", "two"), gateway_for, 1)
    assert str(caught.value) == (
        "two providers are called 'x', of plugin 'two' (gateway-two) and plugin 'one' (gateway-one);"
        " disable one of the plugins"
    )


WRONG = {
    "raises": ("def register_usage_sinks(gateway): 1 / 0", "its hook 'register_usage_sinks' failed: ZeroDivisionError"),
    "raises late": (
        "def register_usage_sinks(gateway):\n    yield from ()\n    raise ValueError('late')",
        "its hook 'register_usage_sinks' failed: ValueError: late",
    ),
    "exits": (
        "def register_usage_sinks(gateway): raise SystemExit",
        "its hook 'register_usage_sinks' failed: SystemExit",
    ),
    "no list": (
        "def register_usage_sinks(gateway): return object()",
        "its hook 'register_usage_sinks' returned object, not a list",
    ),
    "a text": ("def register_usage_sinks(gateway): return 'abc'", "returned str, not a list"),
    "a coroutine": (
        "def register_usage_sinks(gateway):\n    async def later(): ...\n    return later()",
        "its hook 'register_usage_sinks' returned coroutine, not a list",
    ),
    "a class": (
        "def register_usage_sinks(gateway):\n    class Sink: ...\n    return [Sink]",
        "(register_usage_sinks.<locals>.Sink) is a class; return an instance of it",
    ),
    "no method": (
        "def register_usage_sinks(gateway): return [object()]",
        "(object) needs a method 'async def write(self, records)'; it has none",
    ),
    "sync method": (
        "def register_usage_sinks(gateway):\n    class S:\n        def write(self, records): ...\n    return [S()]",
        "needs a method 'async def write(self, records)'; it is not 'async def'",
    ),
    "async generator": (
        "def register_usage_sinks(gateway):\n    class S:\n        async def write(self, records): yield\n"
        "    return [S()]",
        "needs a method 'async def write(self, records)'; it is an async generator",
    ),
    "async mapper": (
        "def register_error_mappers(gateway):\n    class M:\n        async def map(self, error, attempt): ...\n"
        "    return [M()]",
        "needs a method 'def map(self, error, attempt)'; it is 'async def'",
    ),
    "too few arguments": (
        "def register_model_lookups(gateway):\n    class L:\n        async def find(self, name): ...\n    return [L()]",
        "needs a method 'async def find(self, name, principal)'; it does not take 2 arguments",
    ),
    "provider without a name": (
        "def register_providers(gateway):\n    class P:\n        def connect(self, model): ...\n    return [P()]",
        "needs an attribute 'name', a text that is not empty",
    ),
    "strategy without a name": (
        "def register_strategies(gateway):\n    class S:\n        def order(self, route, request, health): ...\n"
        "    return [S()]",
        "needs an attribute 'name', a text that is not empty",
    ),
    "observer that wants everything": (
        "def register_stream_observers(gateway):\n    class O:\n        wants = 'all'\n"
        "        def start(self, exchange): ...\n    return [O()]",
        "has an attribute 'wants' that is no set of event classes",
    ),
    "observer that wants what no event is": (
        "def register_stream_observers(gateway):\n    from gateway import Event\n    class O:\n"
        "        wants = {Event}\n"
        "        def start(self, exchange): ...\n    return [O()]",
        "has an attribute 'wants' that is no set of event classes",
    ),
    "observer that settles later": (
        "def register_stream_observers(gateway):\n    class O:\n        def start(self, exchange): ...\n"
        "        async def settled(self, exchange, records): ...\n    return [O()]",
        "has method 'def settled(self, exchange, records)' that nobody can call; it is 'async def'",
    ),
    "before a text": (
        "def register_usage_sinks(gateway):\n    class S:\n        before = 'registry'\n"
        "        async def write(self, records): ...\n    return [S()]",
        "has an attribute 'before' that is no tuple of plugins' names",
    ),
    "an unknown way to fail": (
        "def register_request_transforms(gateway):\n    class T:\n        on_error = 'ignore'\n"
        "        async def transform(self, request, exchange): ...\n    return [T()]",
        "has an attribute 'on_error' that is neither 'fail' nor 'skip'",
    ),
    "no context manager": (
        "def lifespan(gateway): return 3",
        "its hook 'lifespan' returned no async context manager",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_serve_is_told_with_the_reason(install: Install, load: Load, case: str) -> None:
    code, sentence = WRONG[case]
    install(HEAD + "@hookimpl\n" + code)
    plugins = load("acme")
    assert plugins.problems() == ()
    try:
        failed = assemble(plugins, gateway_for, 1).failed
    except PluginLoadError as error:
        failed = error.failed
    assert sentence in failed["acme"]


def test_a_decorated_method_serves(install: Install, load: Load) -> None:
    install(
        HEAD
        + """
import functools

def counted(method):
    @functools.wraps(method)
    def call(*args): return method(*args)
    return call

class Lookup:
    @counted
    async def find(self, name, principal): ...

@hookimpl
def register_model_lookups(gateway): return (Lookup(),)
"""
    )
    assert len(assemble(load("acme"), gateway_for, 1).lookups) == 1


def test_an_app_init_that_fails_names_its_plugin(install: Install, load: Load) -> None:
    install(HEAD + "@hookimpl\ndef on_app_init(app_config): raise KeyError('x')")
    generation = assemble(load("acme"), gateway_for, 1)
    with pytest.raises(PluginLoadError, match=r"plugin 'acme' \(gateway-acme\): its hook 'on_app_init' failed"):
        generation.on_app_init(object())


class Lives:
    """Lifespans that write down when they are entered and left."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def span(self, name: str, *, start: bool = True, stop: bool = True, swallow: bool = False) -> Registered[Any]:
        @asynccontextmanager
        async def life() -> Any:
            if not start:
                raise OSError("port taken")
            self.seen.append(f"+{name}")
            try:
                yield
            except RuntimeError:
                if not swallow:
                    raise
            finally:
                self.seen.append(f"-{name}")
            if not stop:
                raise OSError("disk full")

        return Registered(name, life())


async def test_lifespans_are_left_in_reverse() -> None:
    lives = Lives()
    async with Generation(number=1, lifespans=(lives.span("a"), lives.span("b"))).running():
        assert lives.seen == ["+a", "+b"]
    assert lives.seen == ["+a", "+b", "-b", "-a"]


async def test_one_that_fails_to_start_is_named_and_those_before_it_are_left() -> None:
    lives = Lives()
    generation = Generation(number=1, lifespans=(lives.span("a"), lives.span("b", start=False)))
    with pytest.raises(PluginLoadError, match="plugin 'b': its lifespan failed to start: port taken"):
        async with generation.running():
            pytest.fail("it must not serve")
    assert lives.seen == ["+a", "-a"]


async def test_a_generation_serves_without_a_spared_plugin_whose_lifespan_fails() -> None:
    lives = Lives()
    parts = {"number": 1, "lifespans": (lives.span("a"), lives.span("b", start=False), lives.span("c"))}
    sinks = tuple(Registered(name, object()) for name in "abc")
    generation = Generation(**parts, usage_sinks=sinks, spared=frozenset("b"))  # type: ignore[arg-type]
    async with generation.running() as serving:
        assert [sink.plugin for sink in serving.usage_sinks] == ["a", "c"]
        assert serving.failed == {"b": "its lifespan failed to start: port taken"}
    assert lives.seen == ["+a", "+c", "-c", "-a"]


async def test_a_lifespan_that_does_not_start_in_time_is_named() -> None:
    @asynccontextmanager
    async def life() -> Any:
        await asyncio.Event().wait()
        yield

    generation = Generation(number=1, lifespans=(Registered("slow", life()),), start_seconds=0.01)
    with pytest.raises(PluginLoadError, match=r"plugin 'slow': its lifespan did not start within 0\.01 seconds"):
        async with generation.running():
            pytest.fail("it must not serve")


async def test_one_that_fails_to_stop_is_named_and_the_others_are_left() -> None:
    lives = Lives()
    generation = Generation(number=1, lifespans=(lives.span("a"), lives.span("b", stop=False), lives.span("c")))
    with pytest.raises(PluginLoadError, match="plugin 'b': its lifespan failed to stop: disk full"):
        async with generation.running():
            pass
    assert lives.seen == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_a_plugin_cannot_swallow_what_ends_the_gateway() -> None:
    generation = Generation(number=1, lifespans=(Lives().span("a", swallow=True),))
    with pytest.raises(RuntimeError, match="the end"):
        async with generation.running():
            raise RuntimeError("the end")


async def waits_for_what_is_cancelled() -> None:
    waits_for = asyncio.get_running_loop().create_future()
    waits_for.cancel()
    await waits_for


async def test_a_cancellation_that_comes_up_from_a_lifespans_start_is_its_failure() -> None:
    @asynccontextmanager
    async def life() -> Any:
        await waits_for_what_is_cancelled()
        yield

    lives = Lives()
    generation = Generation(number=1, lifespans=(lives.span("a"), Registered("stray", life())))
    with pytest.raises(PluginLoadError, match="plugin 'stray': its lifespan failed to start: what it waited for was"):
        async with generation.running():
            pytest.fail("it must not serve")
    assert lives.seen == ["+a", "-a"]


async def test_a_cancellation_that_comes_up_from_a_lifespans_end_is_its_failure() -> None:
    @asynccontextmanager
    async def life() -> Any:
        yield
        await waits_for_what_is_cancelled()

    lives = Lives()
    generation = Generation(number=1, lifespans=(lives.span("a"), Registered("stray", life())))
    with pytest.raises(PluginLoadError, match="plugin 'stray': its lifespan failed to stop: what it waited for was"):
        async with generation.running():
            pass
    assert lives.seen == ["+a", "-a"]
