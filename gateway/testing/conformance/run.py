"""Runs the conformance classes without a test runner: one result for each check of each object a plugin registers."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal
from unittest import SkipTest

import msgspec

from gateway.egress import EgressClient, EgressPolicy
from gateway.runtime import Generation, PluginLoadError
from gateway.testing.conformance.authenticator import AuthenticatorConformance
from gateway.testing.conformance.declared import NotLoaded, Subject, subject_of
from gateway.testing.conformance.error_mapper import ErrorMapperConformance
from gateway.testing.conformance.limiter import LimiterConformance
from gateway.testing.conformance.lookup import ModelLookupConformance
from gateway.testing.conformance.observer import ObserverConformance
from gateway.testing.conformance.plugin import PluginConformance
from gateway.testing.conformance.provider import ProviderConformance
from gateway.testing.conformance.strategy import StrategyConformance
from gateway.testing.conformance.stream_transform import StreamTransformConformance
from gateway.testing.conformance.suite import Conformance, Fault
from gateway.testing.conformance.transform import RequestTransformConformance
from gateway.testing.conformance.usage_sink import UsageSinkConformance
from gateway.testing.standin import StandInGateway, furnished

SUITES: tuple[type[Conformance], ...] = (
    ProviderConformance,
    ModelLookupConformance,
    AuthenticatorConformance,
    ErrorMapperConformance,
    LimiterConformance,
    StrategyConformance,
    RequestTransformConformance,
    StreamTransformConformance,
    ObserverConformance,
    UsageSinkConformance,
)
"""The kinds whose objects are checked one by one."""

Status = Literal["passed", "skipped", "failed"]


class Result(msgspec.Struct, frozen=True):
    """What came of one check."""

    kind: str
    check: str
    status: Status
    message: str = ""
    """Why it was skipped or failed."""


def run(
    plugin: str,
    section: Mapping[str, Any],
    *,
    only: str = "",
    begin: Callable[[str, str], None] = lambda kind, check: None,
) -> Iterator[Result]:
    """Check the plugin of that short name or file as a whole, then each object of it.

    `only` makes it those checks whose name holds the text; `begin` is told what runs next.
    """
    try:
        subject = subject_of(plugin, section)
        subject.plugins  # noqa: B018 - loads it
    except NotLoaded as error:
        yield Result("plugin", "loads", "failed", str(error))
        return
    for suite in _suites(subject, plugin, section):
        for name in _names(suite):
            shown = name.removeprefix("test_").replace("_", " ").replace("[", ": ").rstrip("]")
            if only in shown:
                begin(suite.kind, shown)
                yield _result(suite, name, shown)


def _suites(subject: Subject, plugin: str, section: Mapping[str, Any]) -> Iterator[type[Conformance]]:
    base = {"plugin": plugin, "settings": section}
    yield type("Plugin", (PluginConformance,), base)
    generation, alike = _generation(subject), subject.declaration.alike
    for suite in SUITES:
        registered = getattr(generation, suite.stage) if generation else ()
        count = min(1, len(registered)) if suite.kind in alike else len(registered)
        for index in range(count):
            kind = suite.kind if count == 1 else f"{suite.kind} {index + 1}"
            yield type(suite.__name__, (suite,), {**base, "index": index, "kind": kind})


def _generation(subject: Subject) -> Generation | None:
    """All that the plugin registers; None when its hooks fail, which the checks of the whole plugin tell."""
    gateway = StandInGateway(subject.settings, EgressClient(EgressPolicy()), furnished())
    try:
        return subject.generation(gateway)
    except PluginLoadError:
        return None


def _names(suite: type[Conformance]) -> list[str]:
    """The checks in the order they are written, those of the first base first."""
    found = (name for base in suite.__mro__[-2::-1] for name in vars(base) if name.startswith("test_"))
    return list(dict.fromkeys(found))


def _result(suite: type[Conformance], name: str, shown: str) -> Result:
    try:
        getattr(suite(), name)()
    except SkipTest as reason:
        return Result(suite.kind, shown, "skipped", str(reason))
    except (Fault, NotLoaded) as fault:
        return Result(suite.kind, shown, "failed", str(fault))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the border: foreign code may raise anything
        return Result(suite.kind, shown, "failed", f"{type(error).__name__}: {error} ({_place(error)})")
    return Result(suite.kind, shown, "passed")


def _place(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.replace(chr(92), '/').rpartition('/')[2]}:{last.lineno} in {last.name}"
