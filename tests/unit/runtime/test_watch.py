"""A plugin's code gets a limited time; what does not return is told with its line, and holds nobody up."""

import threading

import pytest
from plugin_entries import Install, Load, found, gateway_for

from gateway.runtime import PluginLoadError, assemble
from gateway.runtime.watch import HangError, within

SOON = {"GATEWAY_PLUGIN_START_SECONDS": "0.2"}
HANGING = "from gateway import hookimpl\n@hookimpl\ndef {hook}(gateway):\n    {code}\n"
SLEEP = "import time; time.sleep(60)"


def test_what_returns_in_time_is_returned() -> None:
    assert within(10, lambda: 7) == 7


def test_what_raises_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)


# Each has a name of its own: Python locks a module while it is being imported, in a thread left behind for ever.
@pytest.mark.parametrize(("name", "code"), [("looping", "while True: pass"), ("sleeping", SLEEP)])
def test_an_import_that_does_not_return_is_told_with_its_line(
    install: Install, load: Load, name: str, code: str
) -> None:
    install(f"x = 1\n{code}\n", name=name)
    place = f"it hangs in acme_plugin_{name}.py, line 2: {code}"
    assert found(load(name, **SOON), name).reason == f"its import did not return within 0.2 seconds; {place}"


def test_a_library_that_hangs_inside_an_import_is_told_by_the_line_that_called_it(install: Install, load: Load) -> None:
    install("import queue\nqueue.Queue().get()\n", name="waiting")
    reason = found(load("waiting", **SOON), "waiting").reason
    assert "acme_plugin_waiting.py, line 2: queue.Queue().get()" in reason


def test_a_hook_that_does_not_return_is_told_with_its_line(install: Install, load: Load) -> None:
    install(HANGING.format(hook="register_limiters", code="while True: pass"))
    with pytest.raises(PluginLoadError) as caught:
        assemble(load("acme", **SOON), gateway_for, 1)
    assert str(caught.value) == (
        "plugin 'acme' (gateway-acme): its hook 'register_limiters' did not return within 0.2 seconds;"
        " it hangs in acme_plugin_acme.py, line 4: while True: pass"
    )


def test_an_init_that_does_not_return_is_told_with_its_line(install: Install, load: Load) -> None:
    install(
        "from gateway import hookimpl\nclass P:\n    def __init__(self):\n        while True: pass\n"
        "@hookimpl\ndef register_providers(): yield P()\n"
    )
    generation = assemble(load("acme", **SOON), gateway_for, 1)
    assert "acme_plugin_acme.py, line 4: while True: pass" in generation.failed["acme"]


def test_a_settings_class_that_does_not_return_is_told_with_its_line(install: Install, load: Load) -> None:
    install(
        "from pydantic import BaseModel, model_validator\nclass Settings(BaseModel):\n"
        "    @model_validator(mode='after')\n    def check(self):\n        while True: pass\n"
    )
    reason = found(load("acme", **SOON)).reason
    assert reason.startswith("its 'Settings' class did not return within 0.2 seconds; it hangs in acme_plugin_acme.py,")


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "BaseException", "GeneratorExit"])
def test_what_only_signals_should_raise_is_the_plugins_failure_too(install: Install, load: Load, raised: str) -> None:
    install(f"raise {raised}", name="importing")
    install(HANGING.format(hook="register_usage_sinks", code=f"raise {raised}"), name="calling")
    plugins = load("importing", "calling")
    assert raised in found(plugins, "importing").reason
    assert raised in assemble(plugins, gateway_for, 1).failed["calling"]


def test_a_loop_is_ended_and_takes_no_processor_from_the_others() -> None:
    threads: list[threading.Thread] = []

    def loop() -> None:
        threads.append(threading.current_thread())
        while True:
            pass

    with pytest.raises(HangError):
        within(0.2, loop)
    threads[0].join(30)
    assert not threads[0].is_alive()
