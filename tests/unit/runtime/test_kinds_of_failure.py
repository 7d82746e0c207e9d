"""Which plugins the server refuses to start without, and which it serves without."""

import pytest
from plugin_entries import Install, Load, found, gateway_for

from gateway.runtime import PluginLoadError, State, assemble

HEAD = "from gateway import hookimpl\n"
RAISES = HEAD + "@hookimpl\ndef {hook}(gateway): raise OSError('no')\n"
FINE = HEAD + (
    "class S:\n    async def write(self, records): ...\n@hookimpl\ndef register_usage_sinks(gateway): return [S()]\n"
)

REFUSED = (
    "register_authenticators",
    "register_model_lookups",
    "register_limiters",
    "register_request_transforms",
    "register_stream_transforms",
    "lifespan",
)
SPARED = (
    "register_providers",
    "register_strategies",
    "register_stream_observers",
    "register_error_mappers",
    "register_usage_sinks",
)


@pytest.mark.parametrize("hook", REFUSED)
def test_a_kind_that_protects_or_decides_refuses_the_start(install: Install, load: Load, hook: str) -> None:
    install(RAISES.format(hook=hook))
    with pytest.raises(PluginLoadError) as caught:
        assemble(load("acme"), gateway_for, 1)
    assert str(caught.value) == f"plugin 'acme' (gateway-acme): its hook '{hook}' failed: OSError: no"
    assert caught.value.failed == {"acme": f"its hook '{hook}' failed: OSError: no"}


@pytest.mark.parametrize("hook", SPARED)
def test_any_other_kind_is_left_out_and_the_others_serve(install: Install, load: Load, hook: str) -> None:
    install(RAISES.format(hook=hook))
    install(FINE, name="fine")
    plugins = load("acme", "fine")
    generation = assemble(plugins, gateway_for, 1)
    assert generation.failed == {"acme": f"its hook '{hook}' failed: OSError: no"}
    assert [sink.plugin for sink in generation.usage_sinks] == ["fine"]
    entry = found(plugins.told(generation.failed))
    assert (entry.state, entry.reason) == (State.FAILED, generation.failed["acme"])


def test_a_plugin_that_fails_is_left_out_as_a_whole(install: Install, load: Load) -> None:
    install(FINE + RAISES.format(hook="register_providers"))
    generation = assemble(load("acme"), gateway_for, 1)
    assert generation.usage_sinks == ()
    assert list(generation.failed) == ["acme"]


def test_the_strictest_kind_of_a_plugin_decides(install: Install, load: Load) -> None:
    install(RAISES.format(hook="register_providers") + "@hookimpl\ndef register_limiters(gateway): return []\n")
    with pytest.raises(PluginLoadError, match="its hook 'register_providers' failed"):
        assemble(load("acme"), gateway_for, 1)


def test_everything_that_refuses_the_start_is_told_at_once(install: Install, load: Load) -> None:
    install(RAISES.format(hook="register_limiters"), name="one")
    install(RAISES.format(hook="register_providers"), name="two")
    install(RAISES.format(hook="register_authenticators"), name="three")
    with pytest.raises(PluginLoadError) as caught:
        assemble(load("one", "two", "three"), gateway_for, 1)
    assert caught.value.failed.keys() == {"one", "two", "three"}
    assert [line.split("'")[1] for line in str(caught.value).splitlines()] == ["three", "one"]


TRANSFORM = HEAD + (
    "class T:\n    {says}\n    async def transform(self, request): ...\n"
    "@hookimpl\ndef register_request_transforms(gateway): return [T()]\n"
)


def test_a_transform_that_says_skip_is_left_out(install: Install, load: Load) -> None:
    install(TRANSFORM.format(says="on_error = 'skip'"))
    generation = assemble(load("acme"), gateway_for, 1)
    assert generation.request_transforms == ()
    assert "it does not take 2 arguments" in generation.failed["acme"]


@pytest.mark.parametrize("says", ["on_error = 'fail'", "on_error = 'skip'; guard = True", "pass"])
def test_a_transform_that_says_fail_and_a_guard_refuse_the_start(install: Install, load: Load, says: str) -> None:
    install(TRANSFORM.format(says=says), keywords="")
    with pytest.raises(PluginLoadError, match="it does not take 2 arguments"):
        assemble(load("acme"), gateway_for, 1)


# -- before the code is imported only the metadata can tell ---


@pytest.mark.parametrize("code", ["1 / 0", "def (:", "raise SystemExit", "import acme_client"])
def test_a_plugin_declared_a_provider_is_left_out_when_it_cannot_be_imported(
    install: Install, load: Load, code: str
) -> None:
    install(code, keywords="gateway-kind-provider")
    plugins = load("acme")
    entry = found(plugins)
    assert (entry.state, entry.needed) == (State.FAILED, False)
    assert entry.reason
    assert plugins.problems() == ()


@pytest.mark.parametrize("keywords", ["gateway-kind-lookup", "gateway-kind-provider,gateway-kind-transform", "llm"])
def test_a_plugin_declared_otherwise_or_not_at_all_refuses_the_start(
    install: Install, load: Load, keywords: str
) -> None:
    install("1 / 0", keywords=keywords)
    assert len(load("acme").problems()) == 1


def test_a_transform_declared_to_be_skipped_is_left_out(install: Install, load: Load) -> None:
    install("1 / 0", keywords="gateway-kind-transform,gateway-on-error-skip")
    assert load("acme").problems() == ()


@pytest.mark.parametrize("kind", ["transform", "stream-transform"])
def test_a_stream_transform_may_be_declared_by_either_name(install: Install, load: Load, kind: str) -> None:
    install(HEAD + "@hookimpl\ndef register_stream_transforms(gateway): return []", keywords=f"gateway-kind-{kind}")
    assert load("acme").problems() == ()


def test_a_declaration_that_hides_what_is_needed_is_refused(install: Install, load: Load) -> None:
    install(HEAD + "@hookimpl\ndef register_limiters(gateway): return []", keywords="gateway-kind-provider")
    assert load("acme").problems() == (
        "plugin 'acme' (gateway-acme): its hooks make it limiter too: add the keyword 'gateway-kind-limiter'",
    )


def test_a_declared_kind_that_does_not_exist_is_told(install: Install, load: Load) -> None:
    install(FINE, keywords="gateway-kind-provder")
    (problem,) = load("acme").problems()
    assert problem.endswith("its keyword 'gateway-kind-provder' names no kind; did you mean 'provider'?")
