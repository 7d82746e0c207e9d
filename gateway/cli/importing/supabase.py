"""Reads the tables through the REST interface of a Supabase project, page by page."""

import base64
from collections.abc import Collection
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from gateway.cli.endings import Failed, Wrong
from gateway.cli.importing.findings import Raw, Tables
from gateway.cli.importing.progress import Bars
from gateway.domain import Timeouts
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import GatewayError, Headers, UpstreamFault
from gateway.secrets import Secret, redact

_PAGE: Final = 500
_LIMIT: Final = 64 << 20
_TIMEOUTS: Final = Timeouts(connect=10.0, first=60.0, idle=60.0, total=300.0)
_PUBLIC_ROLES: Final = ("anon", "authenticated")


class Project:
    """A project and the key that may read every row of it."""

    def __init__(self, address: str, service_key: Secret) -> None:
        self.url = _project_url(address)
        self._key = service_key
        _refuse_public_key(service_key)

    async def read(self, tables: Collection[str], allow: tuple[str, ...], bars: Bars) -> Tables:
        """The rows of these tables. Each page is a state of its own: run it again when somebody was writing."""
        egress = EgressClient(EgressPolicy(allow=allow))
        try:
            return {table: await self._read(egress, table, bars) for table in tables}
        finally:
            await egress.aclose()

    async def _read(self, egress: EgressClient, table: str, bars: Bars) -> list[Raw]:
        told = bars.step(f"Reading {table}")
        rows: list[Raw] = []
        last = ""
        # By id and not by offset: no row is lost or doubled when others come or go. A page may be shorter than asked
        # for, the project has a limit of its own; only an empty one is the end.
        while page := await self._page(egress, f"{table}?select=*&order=id.asc&limit={_PAGE}{last}"):
            rows += (Raw(f"row {number}", row) for number, row in enumerate(page, len(rows) + 1))
            told(len(page))
            following = f"&id=gt.{page[-1].get('id')}"
            if following == last:
                raise Failed("The project answers the same page again: is this a Supabase project?")
            last = following
        return rows

    async def _page(self, egress: EgressClient, question: str) -> list[dict[str, Any]]:
        key = self._key.reveal()
        headers: Headers = (("accept", "application/json"), ("apikey", key), ("authorization", f"Bearer {key}"))
        try:
            answer = await egress.send("GET", f"{self.url}/rest/v1/{question}", headers=headers, timeouts=_TIMEOUTS)
            body = await answer.read(_LIMIT)
        except UpstreamFault as error:
            raise Failed(f"The project cannot be reached: {error.detail or error}.") from error
        except GatewayError as error:
            raise Failed(f"The project cannot be reached: {error}.") from error
        if answer.status != 200:
            raise Failed(self._refusal(answer.status, body))
        try:
            return msgspec.json.decode(body, type=list[dict[str, Any]])
        except msgspec.MsgspecError as error:
            raise Failed("The project's answer is no list of rows: is this a Supabase project's URL?") from error

    def _refusal(self, status: int, body: bytes) -> str:
        if status in (401, 403):
            return "The project refuses the key: take the service role key (or a secret key) of its API settings."
        try:
            reply: object = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            reply = None
        said = reply.get("message") if isinstance(reply, dict) else None
        text = redact(said[:200], [self._key]) if isinstance(said, str) else "no reason"
        return f"The project answers {status} ({text}): is this Chatbot UI's project?"


def _project_url(address: str) -> str:
    parts = urlsplit(address)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Wrong("The project's URL holds credentials, a query or a fragment: write https://REF.supabase.co.")
    if parts.hostname in ("supabase.com", "app.supabase.com"):
        raise Wrong("This is Supabase's dashboard: write the project's own URL, https://REF.supabase.co.")
    return address.rstrip("/").removesuffix("/rest/v1").rstrip("/")


def _refuse_public_key(key: Secret) -> None:
    """Row-level security answers a public key with fewer rows and without a word: such a key is not taken at all."""
    text = key.reveal()
    if text.startswith("sb_publishable_") or _role(text) in _PUBLIC_ROLES:
        raise Wrong("This is a public key, which sees a part of the rows only: give the project's service role key.")


def _role(token: str) -> str | None:
    """The role a JWT claims; nothing is verified, the project does that."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:  # msgspec's and binascii's errors are its children
        return None
    role = claims.get("role") if isinstance(claims, dict) else None
    return role if isinstance(role, str) else None
