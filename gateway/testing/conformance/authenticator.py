"""What every authenticator has to do: know its own, leave the rest, and let nobody in by mistake."""

from typing import Any, ClassVar, Final

import msgspec

from gateway.domain import Credentials, Principal
from gateway.errors import GatewayError, Unauthenticated
from gateway.protocols import Authenticator
from gateway.runtime import Generation, Registered
from gateway.secrets import Secret
from gateway.testing.conformance.evidence import Evidence
from gateway.testing.conformance.hostile import TEXTS
from gateway.testing.conformance.manners import MannersChecks
from gateway.testing.conformance.suite import cases, check, fail, skip
from gateway.testing.standin import BrokenSnapshot, StandInSnapshot, furnished

_SCOPES: Final = frozenset({"chat", "admin"})
_KIT_TOKEN: Final = "gw-kit-0123456789abcdef"  # noqa: S105 - opens nothing


class AuthenticatorConformance(MannersChecks):
    """Runs an authenticator over a registry of the kit's, or over the `token` that the plugin declares."""

    kind = "authenticator"
    stage = "authenticators"
    token: ClassVar[str] = ""
    """A credential that is known; the default is as declared, else a key of the kit's own registry."""

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The authenticator alone."""
        return msgspec.structs.replace(generation, authenticators=(Registered[Authenticator]("plugin", made),))

    def snapshot(self) -> StandInSnapshot:
        """The kit's registry."""
        return furnished(token=_KIT_TOKEN)

    async def use(self, made: Any) -> None:
        """One question."""
        await made.authenticate(Credentials(token=Secret(self.good)))

    @property
    def good(self) -> str:
        """The credential that is known."""
        return self.token or self.declaration.token or _KIT_TOKEN

    async def known(self, credentials: Credentials) -> Principal | None:
        """Whom it lets in; None when it refuses or leaves the caller to others."""
        authenticator: Authenticator = self.under_test
        try:
            return await authenticator.authenticate(credentials)
        except Unauthenticated:
            return None

    @check
    async def test_knows_its_caller(self) -> None:
        """A good credential is a principal with scopes that exist, and an id that does not tell the credential."""
        async with self.bench():
            principal = await self.known(Credentials(token=Secret(self.good), client="127.0.0.1"))
        if principal is None and not (self.token or self.declaration.token):
            skip("the authenticator does not read the registry; declare `token`, a credential that it knows")
        if not isinstance(principal, Principal):
            fail(f"does not know the declared token: it returned {principal!r}")
        if not principal.id:
            fail("returns a principal without an id: usage and limits are kept by it")
        if self.good in principal.id:
            fail("puts the credential into the principal's id, which is logged and stored")
        if unknown := sorted(principal.scopes - _SCOPES):
            fail(f"gives the scope '{unknown[0]}', which does not exist; there are: admin, chat")

    @check
    async def test_lets_nobody_in_without_credentials(self) -> None:
        """No credential is nobody."""
        async with self.bench():
            principal = await self.known(Credentials(client="203.0.113.7"))
        if principal is not None:
            fail(f"lets callers in without any credential, as {principal.id!r}")

    @cases(*TEXTS)
    async def test_any_other_text_is_nobody(self, name: str) -> None:
        """Credentials come from clients: no text may raise anything but a refusal, and none is good by chance."""
        for token in (TEXTS[name], self.good + TEXTS[name][:50] if TEXTS[name].strip() else self.good[:-1]):
            async with self.bench():
                try:
                    principal = await self.known(Credentials(token=Secret(token), client="203.0.113.7"))
                except GatewayError:
                    continue
                except Exception as error:  # noqa: BLE001 - this is what the check is about
                    fail(f"raises {type(error).__name__} for the credential {token[:40]!r}: {error}; return None")
            if principal is not None:
                fail(f"lets a wrong credential in ({token[:40]!r}), as {principal.id!r}")

    @check
    async def test_lets_nobody_in_when_it_fails(self) -> None:
        """When its backend is away it raises or refuses; it never guesses."""
        async with self.bench(snapshot=BrokenSnapshot(), allow=()):
            try:
                principal = await self.known(Credentials(token=Secret("gw-somebody-unknown"), client="203.0.113.7"))
            except Exception:  # noqa: BLE001 - the core answers 503 and asks nobody else: that is closed
                return
        if principal is not None:
            fail(
                f"lets everybody in when it fails: its backend was away, and an unknown credential is {principal.id!r}"
            )

    @check
    async def test_credentials_are_in_no_error_and_no_log(self) -> None:
        """What a caller presents is a secret, right or wrong."""
        with Evidence() as evidence:
            async with self.bench() as bench:
                for token in (evidence.canary, f"{self.good}{evidence.canary}"):
                    try:
                        evidence.note("the principal", await self.known(Credentials(token=Secret(token))))
                    except Exception as error:  # noqa: BLE001 - looked at, whatever it is
                        evidence.note("the error", error)
                evidence.note("the log", bench.gateway.log.text())
                evidence.note("the repr of the authenticator", self.under_test)
            if where := evidence.found():
                fail(f"leaks credentials: {where} shows what a caller presented")
