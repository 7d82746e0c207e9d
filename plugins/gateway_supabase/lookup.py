"""Asks a Supabase project's REST interface for a model, exactly as Chatbot UI does."""

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

from gateway import LookupFailed, ModelLookup, ModelNotFound, Principal, Route, Timeouts, UpstreamFault
from gateway.protocols import Egress, Logger
from gateway.secrets import redact
from gateway_supabase.cache import RouteCache
from gateway_supabase.reply import NotARow, Refusal, read_reply
from gateway_supabase.settings import Project

_LIMIT: Final = 1 << 20
_NO_ROWS: Final = "PGRST116"
_MALFORMED_ID: Final = "22P02"


class SupabaseLookup:
    """Finds models by id in the project's `models` table: one question for each exchange, one try."""

    def __init__(self, project: Project, egress: Egress, log: Logger) -> None:
        self._project = project
        self._egress = egress
        self._log = log
        self._cache = RouteCache(project.cache_seconds)
        self._tenant = project.service_role_key.digest()[:16]
        key = project.service_role_key.reveal()
        self._headers = (
            ("accept", "application/vnd.pgrst.object+json"),
            ("accept-profile", "public"),
            ("apikey", key),
            ("authorization", f"Bearer {key}"),
        )

    async def find(self, name: str, principal: Principal) -> Route | None:
        """The model of that id; None when there is none.

        Postgres's own words about a malformed id are passed on; those about an unknown one only on the open route,
        where nobody's ownership can be told from them.
        """
        if (cached := self._cache.get(name)) is not None:
            return cached
        status, body = await self._ask(name)
        try:
            reply = read_reply(status, body)
        except NotARow as error:
            raise self._failed(str(error), status=status, body=body) from None
        if not isinstance(reply, Refusal):
            route = Route.of(reply)
            self._cache.put(name, route)
            return route
        if reply.code == _NO_ROWS:
            if principal.unrestricted:
                raise ModelNotFound(reply.message)
            return None
        if reply.code == _MALFORMED_ID:
            raise ModelNotFound(reply.message)
        raise self._failed("the project refused the question", status=status, body=body)

    async def _ask(self, name: str) -> tuple[int, bytes]:
        seconds = self._project.timeout
        limits = Timeouts(connect=min(5.0, seconds), first=seconds, idle=seconds, total=seconds)
        url = f"{self._project.url}/rest/v1/models?select=*&id=eq.{form_encoded(name)}"
        try:
            async with asyncio.timeout(seconds):
                return await self._get(url, limits)
        except UpstreamFault as error:
            raise self._failed(f"no answer: {error.code} {error.detail}".rstrip()) from error
        except TimeoutError as error:
            raise self._failed("no answer in time") from error

    async def _get(self, url: str, limits: Timeouts) -> tuple[int, bytes]:
        # A connection of its own: a kept one may have been closed meanwhile, and there is no second try.
        answer = await self._egress.send(
            "GET", url, headers=self._headers, tenant=self._tenant, timeouts=limits, fresh=True
        )
        try:
            return answer.status, await answer.read(_LIMIT)
        finally:
            answer.close()

    def _failed(self, reason: str, *, status: int | None = None, body: bytes = b"") -> LookupFailed:
        """The constant error for the client; what happened goes to the log, never a row: it holds a key."""
        refusal = body[:200] if status is not None and status >= 400 else b""
        said = redact(refusal.decode("utf-8", "replace"), [self._project.service_role_key])
        self._log.error("supabase_lookup_failed", reason=reason, status=status, said=said)
        return LookupFailed("Model lookup failed.")


def form_encoded(text: str) -> str:
    """The text as JavaScript's `URLSearchParams` writes a value."""
    well_formed = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return quote_plus(well_formed, safe="*-._").replace("~", "%7E")


if TYPE_CHECKING:
    _: type[ModelLookup] = SupabaseLookup
