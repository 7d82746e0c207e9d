"""An argument that will go away is told to those who still take it, with the hook and what to use instead."""

from types import SimpleNamespace

import pluggy
import pytest

from gateway.hookspecs import PROJECT, hookimpl, hookspec
from gateway.runtime import hooks


class Specs:
    @hookspec(warn_on_impl_args={"old": DeprecationWarning("use 'new' instead")})
    def assemble(self, old, new):
        """A hook of two arguments, one of which is on its way out."""


@hookimpl(specname="assemble")
def takes_both(old, new): ...


@hookimpl(specname="assemble")
def takes_the_new_one(new): ...


@pytest.fixture
def manager() -> pluggy.PluginManager:
    made = pluggy.PluginManager(PROJECT)
    made.add_hookspecs(Specs)
    return made


def test_an_argument_that_will_go_away_is_told_with_hook_and_replacement(manager):
    plugin = SimpleNamespace(assemble=takes_both)
    with pytest.warns(DeprecationWarning, match="use 'new' instead"):
        manager.register(plugin)
    told = "its hook 'assemble' takes the argument 'old', which will go away: use 'new' instead"
    assert hooks.oversights(manager, plugin) == [told]


def test_a_plugin_that_does_not_take_it_is_not_told_though_another_does(manager):
    with pytest.warns(DeprecationWarning, match="instead"):
        manager.register(SimpleNamespace(assemble=takes_both))
    plugin = SimpleNamespace(assemble=takes_the_new_one)
    manager.register(plugin)
    assert hooks.oversights(manager, plugin) == []
