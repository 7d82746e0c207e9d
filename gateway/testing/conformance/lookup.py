"""What every model lookup has to do: find its own, leave the rest, keep owners apart."""

from typing import Any, ClassVar, Final

import msgspec

from gateway.domain import Model, Principal, Route
from gateway.errors import LookupFailed, ModelNotFound
from gateway.protocols import ModelLookup
from gateway.runtime import Generation, Registered
from gateway.testing.asked import chat_request
from gateway.testing.conformance.evidence import Evidence
from gateway.testing.conformance.hostile import TEXTS
from gateway.testing.conformance.manners import MannersChecks
from gateway.testing.conformance.suite import cases, check, fail, skip
from gateway.testing.standin import OWNER, StandInSnapshot, furnished

_STRANGER: Final = Principal("kit-stranger", owner="99999999-9999-4999-8999-999999999999")
_UNKNOWN: Final = "99999999-0000-4000-8000-999999999999"


class ModelLookupConformance(MannersChecks):
    """Runs a lookup over a registry of the kit's, or over what the plugin declares: `model` and `private`."""

    kind = "lookup"
    stage = "lookups"
    model: ClassVar[str] = ""
    """A name that everybody finds; the default is as declared, else the kit's own registry's."""
    private: ClassVar[tuple[str, str]] = ("", "")
    """A name that only its owner finds, and the owner."""

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The lookup alone."""
        return msgspec.structs.replace(generation, lookups=(Registered[ModelLookup]("plugin", made),))

    def snapshot(self) -> StandInSnapshot:
        """The kit's registry."""
        return furnished()

    async def use(self, made: Any) -> None:
        """One question."""
        await self.find(made, self.public, _STRANGER)

    @property
    def public(self) -> str:
        """The name that everybody finds."""
        return self.model or self.declaration.model or "kit-model"

    @property
    def owned(self) -> tuple[str, str]:
        """The name that one owner finds, and the owner."""
        declared = self.private if self.private[0] else self.declaration.private
        return declared if declared[0] else ("kit-private", OWNER)

    async def find(self, lookup: ModelLookup, name: str, principal: Principal) -> Route | None:
        """The route; None for "not mine" in either form."""
        try:
            return await lookup.find(name, principal)
        except ModelNotFound:
            return None

    @check
    async def test_finds_its_model(self) -> None:
        """A name it knows is a route with at least one model that can be called."""
        async with self.bench() as bench:
            route = await self.find(self.under_test, self.public, Principal("kit"))
            if route is None and not (self.model or self.declaration.model):
                skip("the lookup does not read the registry; declare `model`, a name that it finds")
            if not isinstance(route, Route):
                fail(f"does not find '{self.public}': it returned {route!r}")
            if not route.targets or not all(isinstance(model, Model) for model in route.targets):
                fail(f"found '{self.public}' without a model: a route needs targets")
            for model in route.targets:
                if not model.base_url or not model.provider:
                    fail(f"found '{self.public}' with a model that has no base URL or no provider")
            del bench

    @check
    async def test_leaves_unknown_names_to_others(self) -> None:
        """A name it does not know is None or `ModelNotFound`, so that the next lookup is asked."""
        async with self.bench():
            route = await self._find_or_fail(_UNKNOWN, Principal("kit"))
        if route is not None:
            fail(f"claims the name '{_UNKNOWN}', which nobody has: return None for names that are not yours")

    @cases(*TEXTS)
    async def test_takes_any_text_for_a_name(self, name: str) -> None:
        """Names come from clients: no text may raise anything but the lookup's own errors."""
        async with self.bench():
            await self._find_or_fail(TEXTS[name], _STRANGER)

    @check
    async def test_gives_no_foreign_model_away(self) -> None:
        """A private model is found by its owner alone; the core checks, and the lookup must not deceive it."""
        name, owner = self.owned
        async with self.bench() as bench:
            if await self.find(self.under_test, name, Principal("kit-owner", owner=owner)) is None:
                skip("the lookup does not read the registry; declare `private`, a private model's name and its owner")
            asked = await bench.ask(chat_request(name), principal=_STRANGER)
        if not isinstance(asked.refusal, ModelNotFound):
            fail(f"gives foreign models away: '{name}' is private to {owner!r}, and another caller gets it")

    @check
    async def test_remembers_no_caller(self) -> None:
        """Who asked first has no say in what the next one gets, whatever is cached."""
        name, owner = self.owned
        async with self.bench() as bench:
            if await self.find(self.under_test, name, Principal("kit-owner", owner=owner)) is None:
                skip("the lookup does not read the registry; declare `private`, a private model's name and its owner")
            for _ in range(2):
                route = await self.find(self.under_test, name, _STRANGER)
                usable = [model for model in route.targets if _STRANGER.may_use(model)] if route else []
                if usable:
                    fail(f"gives foreign models away once their owner has asked: '{name}' is found by another caller")
            if await self.find(self.under_test, name, Principal("kit-owner", owner=owner)) is None:
                fail(f"forgets '{name}' for its owner once a stranger has asked")
            del bench

    @check
    async def test_its_keys_are_in_no_repr_and_no_log(self) -> None:
        """A model's key stays a `Secret` from the backend to the upstream."""
        with Evidence() as evidence:
            async with self.bench(snapshot=furnished(evidence.canary)) as bench:
                for name in (self.public, self.owned[0], _UNKNOWN):
                    evidence.note("what it found", await self.find(self.under_test, name, Principal("kit")))
                evidence.note("the log", bench.gateway.log.text())
                evidence.note("the repr of the lookup", self.under_test)
            if where := evidence.found():
                fail(f"leaks a model's key: {where} shows it; keep it in a `Secret`")

    async def _find_or_fail(self, name: str, principal: Principal) -> Route | None:
        lookup: ModelLookup = self.under_test
        try:
            return await self.find(lookup, name, principal)
        except LookupFailed:
            return None
        except Exception as error:  # noqa: BLE001 - this is what the check is about
            fail(f"raises {type(error).__name__} for the name {name[:40]!r}: {error}; raise `LookupFailed`")
