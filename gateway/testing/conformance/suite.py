"""What every conformance class has: the plugin under test, its declared capabilities, and how a check runs."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, NoReturn, TypeVar
from unittest import SkipTest

from gateway.protocols import Gateway
from gateway.runtime import Generation
from gateway.testing.asked import PATIENCE
from gateway.testing.bench import Bench
from gateway.testing.conformance.declared import Declaration, Subject, subject_of

LIMIT = 60.0
"""Seconds that one check may take in all; far more than any needs."""

C = TypeVar("C", bound=Callable[..., Awaitable[None]])
_CHECK = "__conformance_cases__"


class Fault(AssertionError):
    """A plugin breaks its contract; the message says how, in words for its author."""


def check(method: C) -> C:
    """Mark a coroutine method as one check; it becomes a plain test that any runner can call."""
    setattr(method, _CHECK, ())
    return method


def cases(*names: str) -> Callable[[C], C]:
    """Mark a coroutine method as one check for each of these names, which it takes as its argument."""

    def mark(method: C) -> C:
        setattr(method, _CHECK, names)
        return method

    return mark


def fail(message: str) -> NoReturn:
    """End the check: the plugin is at fault."""
    raise Fault(message)


def skip(reason: str) -> NoReturn:
    """End the check: it cannot or need not be made."""
    raise SkipTest(reason)


class Conformance:
    """Base of the conformance classes. Set `plugin`, or override `make`; the rest has defaults.

    `settings` and `capabilities` add to what the plugin declares itself in `CONFORMANCE`.
    """

    plugin: ClassVar[ModuleType | str] = ""
    """The plugin: its module, its short name when it is installed, or the path of its file."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """Its section of the settings in these checks."""
    capabilities: ClassVar[Collection[str] | None] = None
    """What it can do beyond the least; None = as it declares, else all that is known."""
    patience: ClassVar[float] = PATIENCE
    """Seconds that anything which should happen at once may take."""
    kind: ClassVar[str] = ""
    """The kind of plugin, as in `gateway plugins new --kind`."""
    capability_names: ClassVar[frozenset[str]] = frozenset()
    """The capabilities there are."""
    stage: ClassVar[str] = ""
    """The attribute of a generation that holds what is tested."""
    index: ClassVar[int] = 0
    """Which one of the plugin's objects of this kind is tested."""
    lent: Mapping[str, Any] = MappingProxyType({})
    """What `backend` adds to the settings."""
    under_test: Any
    """The object that the last `made` made."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name, method in list(vars(cls).items()):
            names = getattr(method, _CHECK, None)
            if names is None:
                continue
            delattr(cls, name)
            for case in names or ("",):
                test = _test(method, case, f"{name}[{case}]" if case else name)
                setattr(cls, test.__name__, test)

    @functools.cached_property
    def subject(self) -> Subject:
        """The plugin under test."""
        if not self.plugin:
            raise TypeError(f"{type(self).__name__}: set `plugin`, or override `make`")
        return subject_of(self.plugin, {**self.settings, **self.lent})

    @property
    def declaration(self) -> Declaration:
        """What the plugin declares for these checks; nothing where `make` stands for the plugin."""
        return self.subject.declaration if self.plugin else Declaration()

    @asynccontextmanager
    async def backend(self) -> AsyncIterator[Mapping[str, Any]]:
        """What the plugin talks to, running while a check runs; override it to yield the settings that lead there."""
        yield {}

    def make(self, gateway: Gateway) -> Any:
        """The object under test: the `index`th that the plugin registers."""
        objects = list(self._registered(self.subject.generation(gateway)))
        if len(objects) <= self.index:
            skip(f"the plugin registers no {self.kind} with these settings")
        return objects[self.index]

    def made(self, gateway: Gateway) -> Generation:
        """A generation with the object under test, and with all else the plugin registers."""
        generation = self.subject.generation(gateway) if self.plugin else Generation(number=1)
        self.under_test = self.make(gateway)
        return self.with_object(generation, self.under_test)

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The generation with the object under test in its stage."""
        raise TypeError(f"{type(self).__name__} has no stage")

    def bench(self, **options: Any) -> Bench:
        """A whole pipeline around the plugin."""
        settings = self.subject.settings if self.plugin else None
        return Bench(self.made, settings=settings, **options)

    def needs(self, capability: str) -> None:
        """Skip a check of what the plugin does not claim to do."""
        if capability and capability not in self.claimed():
            skip(f"the capability '{capability}' is not declared")

    def lies(self, capability: str, what: str) -> NoReturn:
        """End the check: what was claimed is not there."""
        if capability and self.explicit:
            fail(f"declares the capability '{capability}', but {what}")
        if capability:
            fail(f"{what} (if it cannot, declare its capabilities without '{capability}')")
        fail(what)

    @property
    def explicit(self) -> bool:
        """Whether somebody said what the plugin can do."""
        return self.capabilities is not None or self.declaration.capabilities is not None

    def claimed(self) -> frozenset[str]:
        """What the plugin says it can do."""
        claimed = self.capabilities if self.capabilities is not None else self.declaration.capabilities
        if claimed is None:
            return self.capability_names
        for name in sorted(set(claimed) - self.capability_names):
            there_are = ", ".join(sorted(self.capability_names)) or "none"
            fail(f"declares the capability '{name}', which does not exist; there are: {there_are}")
        return frozenset(claimed)

    def _registered(self, generation: Generation) -> Iterator[Any]:
        registered = getattr(generation, self.stage)
        for one in registered.values() if isinstance(registered, Mapping) else registered:
            yield one.object


def _test(method: Callable[..., Awaitable[None]], case: str, name: str) -> Callable[[Conformance], None]:
    def test(self: Conformance) -> None:
        __tracebackhide__ = True
        # A loop of its own that nobody else is told of: it works beside any plugin of pytest for async tests.
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(_within(self, method, (case,) if case else ()))

    test.__name__ = test.__qualname__ = name
    test.__doc__ = method.__doc__
    return test


async def _within(suite: Conformance, method: Callable[..., Awaitable[None]], arguments: tuple[str, ...]) -> None:
    __tracebackhide__ = True
    limit = asyncio.timeout(LIMIT)
    try:
        async with limit, suite.backend() as lent:
            suite.lent = lent
            await method(suite, *arguments)
    except TimeoutError as error:
        if limit.expired():
            raise Fault(f"the check did not end within {LIMIT:g} seconds: the plugin hangs") from error
        raise
