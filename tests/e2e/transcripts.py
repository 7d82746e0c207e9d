"""The recorded transcripts of the original custom route, and where we differ from them on purpose."""

import json
import uuid
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

GOLDEN = Path(__file__).parent.parent / "golden"
RECORDED_ID = "11111111-1111-4111-8111-111111111111"
OWN_HEADERS = ("content-type", "x-experimental-stream-data")
ERROR = {"content-type": "text/plain;charset=UTF-8"}
STREAM = {"content-type": "text/plain; charset=utf-8", "x-experimental-stream-data": "false"}


class Seen(msgspec.Struct, kw_only=True):
    """All of a replay that is contract."""

    status: int | None
    headers: dict[str, str]
    """The response's own ones."""
    body: str
    complete: bool
    upstream: list[tuple[str, str, str | None, Any]]
    """What the upstream was asked, one entry for each attempt: method, target, authorization, JSON body."""
    supabase: list[tuple[str, str, str | None]]
    """What Supabase was asked: method, target, accept."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where we answer otherwise than the original did; None = as recorded."""

    reason: str
    status: int | None = None
    body: str | None = None
    """Exactly this; `MESSAGE` = a `{message}` of ours."""
    complete: bool | None = None
    attempts: int | None = None
    asks_supabase: bool = True


MESSAGE = '{"message": ...}'
NO_OBJECT = "a request body that is no JSON object is the client's mistake: 400"
EMPTY = "an upstream that says nothing at all failed: 502, retryable"
RESET = "an upstream connection that ends before any content is a connection error"
WHOLE = "the right text instead of replacement characters or a broken stream"
BACKEND = "what the lookup's backend says goes to the log, not to the client"

_bad_request = Difference(reason=NO_OBJECT, status=400, body=MESSAGE, asks_supabase=False)
_backend_failed = Difference(reason=BACKEND, status=500, body='{"message":"Model lookup failed."}')

DELIBERATE: Mapping[str, Difference] = MappingProxyType(
    {
        "request_invalid_json": _bad_request,
        "request_json_null": _bad_request,
        "request_json_array": _bad_request,
        "request_json_string": _bad_request,
        "upstream_204": Difference(reason=EMPTY, status=502, body=MESSAGE, complete=True, attempts=3),
        "empty_body_200": Difference(reason=EMPTY, status=502, body=MESSAGE, attempts=3),
        "before_first_token_upstream_abort": Difference(
            reason=RESET, status=500, body='{"message":"Connection error."}', complete=True, attempts=3
        ),
        "first_event_error_object": Difference(
            reason="an error event before any content is an error answer, and failover is allowed",
            status=502,
            body='{"message":"502 Overloaded"}',
            complete=True,
            attempts=3,
        ),
        "upstream_200_json_not_sse": Difference(
            reason="a completion that is not streamed is streamed as text", body="not streamed"
        ),
        "upstream_redirect_307": Difference(
            reason="redirects are never followed", status=500, body='{"message":"Connection error."}', attempts=1
        ),
        "leading_unicode_whitespace": Difference(reason=WHOLE, body="\u200bzero\u2028x", complete=True),
        "unicode_split_across_writes_3byte": Difference(reason=WHOLE, body="né 漢字 🎉 fin"),
        "unicode_split_across_writes_4byte": Difference(reason=WHOLE, body="né 漢字 🎉 fin"),
        "unicode_surrogates_split_over_deltas": Difference(reason=WHOLE, body="a🎉b"),
        "supabase_404_empty": _backend_failed,
        "supabase_500_html": _backend_failed,
        "supabase_destroys_connection": _backend_failed,
        "supabase_error_message_says_api_key_not_found": _backend_failed,
        "supabase_invalid_service_key": _backend_failed,
    }
)


class Transcript:
    """One recorded case; every case gets a model id of its own, so that all can be replayed at once."""

    def __init__(self, recorded: Mapping[str, Any]) -> None:
        self.case: str = recorded["case"]
        self.model_id = str(uuid.uuid5(uuid.NAMESPACE_URL, self.case))
        self._recorded = json.loads(json.dumps(recorded).replace(RECORDED_ID, self.model_id))
        self.request: Mapping[str, Any] = self._recorded["request"]
        self.supabase_reply: Mapping[str, Any] | None = self._recorded["supabase_reply"]
        self.upstream_behaviour: Any = self._recorded["upstream_behaviour"]

    @property
    def client_leaves(self) -> bool:
        """Whether the recorded client left once it had the recorded text."""
        return self.case.startswith("client_disconnect")

    def row(self, upstream: str) -> dict[str, Any] | None:
        """The row of the models table, for an upstream at this `host:port`."""
        row = self._recorded["model_row"]
        return row and {**row, "base_url": row["base_url"].replace("UPSTREAM", upstream)}

    def body(self) -> bytes:
        """The request's body."""
        if self.request["method"] != "POST":
            return b""
        body = self.request["body"]
        return (body if self.request["raw"] else json.dumps(body)).encode("utf-8", "surrogatepass")

    def expected(self, *, supabase: bool) -> Seen:
        """What a replay must show."""
        seen = self._as_recorded()
        if not supabase:
            seen.supabase = []
        difference = DELIBERATE.get(self.case)
        if difference is not None:
            self._differ(seen, difference)
        return seen

    def _as_recorded(self) -> Seen:
        response = self._recorded["response"]
        headers = {name.lower(): value for name, value in response.get("headers") or []}
        return Seen(
            status=response.get("status"),
            headers={name: value for name, value in headers.items() if name in OWN_HEADERS},
            body=_text(response),
            complete=bool(response.get("complete")),
            upstream=[
                (asked["method"], asked["url"], asked["headers"].get("authorization"), asked["body"])
                for asked in self._recorded["seen_by_upstream"] or []
            ],
            supabase=[
                (asked["method"], asked["url"], asked["accept"]) for asked in self._recorded["seen_by_supabase"] or []
            ],
        )

    @staticmethod
    def _differ(seen: Seen, difference: Difference) -> None:
        if difference.status is not None:
            seen.status = difference.status
            seen.headers = ERROR
        if difference.body is not None:
            seen.body = difference.body
        if difference.complete is not None:
            seen.complete = difference.complete
        if difference.attempts is not None:
            seen.upstream = seen.upstream[:1] * difference.attempts
        if not difference.asks_supabase:
            seen.supabase = []


def _text(response: Mapping[str, Any]) -> str:
    exact = response.get("body_base64")
    return b64decode(exact).decode() if exact else response.get("body") or ""


def all_transcripts() -> dict[str, Transcript]:
    """Every recorded case by name."""
    paths = sorted(GOLDEN.glob("custom_route*/*.json"))
    transcripts = (Transcript(json.loads(path.read_text(encoding="utf-8"))) for path in paths)
    return {transcript.case: transcript for transcript in transcripts}
