"""Tables of a Supabase project behind PostgREST, as the gateway's lookup and its import see them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gateway.testing.loopback import Connection, LoopbackServer, ReceivedRequest
from gateway.wire.ids import parse_uuid

_OBJECT = "application/vnd.pgrst.object+json"


class ScriptedReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the stand-in answers instead of its rows."""

    status: int = 200
    body: bytes = b""
    destroy: bool = False
    """Close the connection instead of answering."""


class PostgrestStandIn(LoopbackServer):
    """Answers `GET /rest/v1/models?select=*&id=eq.X` from rows, with PostgREST's own errors.

    Without `id=eq.` it answers a page: `order=id.asc`, `id=gt.X` and `limit` count, and no page is longer than
    `max_rows`, as a project's own setting has it.
    """

    def __init__(self, service_role_key: str = "service-role-key", *, max_rows: int = 1000) -> None:
        super().__init__()
        self.service_role_key = service_role_key
        self.max_rows = max_rows
        self.requests: list[ReceivedRequest] = []
        self._tables: dict[str, dict[str, Mapping[str, Any]]] = {"models": {}}
        self._scripted: dict[str, ScriptedReply] = {}

    def add(self, row: Mapping[str, Any], table: str = "models") -> None:
        """Put a row into the table."""
        self._tables.setdefault(table, {})[row["id"]] = row

    def script(self, model_id: str, reply: ScriptedReply) -> None:
        """Answer requests for that id so."""
        self._scripted[model_id] = reply

    def asked_for(self, model_id: str) -> list[ReceivedRequest]:
        """The requests for that id, as it was sent."""
        return [request for request in self.requests if _wanted(request) == model_id]

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        """Answer one request as PostgREST behind Supabase's gateway does."""
        self.requests.append(request)
        wanted = _wanted(request)
        scripted = self._scripted.get(wanted)
        if scripted is not None and scripted.destroy:
            connection.writer.close()
            return
        status, body = (scripted.status, scripted.body) if scripted else self._select(request, wanted)
        connection.reply(status, body, "application/json; charset=utf-8")
        await connection.writer.drain()

    def _select(self, request: ReceivedRequest, wanted: str) -> tuple[int, bytes]:
        if request.header("apikey") != self.service_role_key:
            return 401, _encode({"message": "Invalid API key", "hint": "Double check your Supabase API key."})
        table = self._tables.get(request.target.partition("?")[0].removeprefix("/rest/v1/"))
        if table is None or request.method != "GET":
            return 404, _encode({"code": "PGRST205", "message": "Could not find the table in the schema cache"})
        query = _query(request)
        if not query.get("id", "eq.").startswith("eq.") or "order" in query:
            return 200, _encode(self._page(table, query))
        model_id = parse_uuid(wanted)
        if model_id is None:
            return 400, _failure("22P02", f'invalid input syntax for type uuid: "{wanted}"', None)
        row = table.get(model_id)
        if request.header("accept") != _OBJECT:
            return 200, _encode([row] if row else [])
        if row is None:
            text = "Cannot coerce the result to a single JSON object"
            return 406, _failure("PGRST116", text, "The result contains 0 rows")
        return 200, _encode(row)

    def _page(self, table: Mapping[str, Mapping[str, Any]], query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        last = query.get("id", "").removeprefix("gt.")
        limit = min(self.max_rows, int(query.get("limit", self.max_rows)))
        return [table[row_id] for row_id in sorted(table) if row_id > last][:limit]


def from_transcript(recorded: Mapping[str, Any]) -> ScriptedReply:
    """The reply of a recorded transcript's `supabase_reply`."""
    if recorded.get("destroy"):
        return ScriptedReply(destroy=True)
    body = recorded["raw"].encode() if "raw" in recorded else _encode(recorded["body"])
    return ScriptedReply(status=recorded["status"], body=body)


def _wanted(request: ReceivedRequest) -> str:
    return _query(request).get("id", "").removeprefix("eq.")


def _query(request: ReceivedRequest) -> dict[str, str]:
    return dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True))


def _failure(code: str, message: str, details: str | None) -> bytes:
    return _encode({"code": code, "details": details, "hint": None, "message": message})


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
