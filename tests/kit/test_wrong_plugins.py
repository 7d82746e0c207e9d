"""Every plugin that is wrong on purpose is caught by `gateway plugins check`, with a message that names its fault."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WRONG = Path(__file__).parent / "wrong"
CAUGHT = {
    "blocks_as_it_looks": ("block", "blocks the event loop at blocks_as_it_looks.py:"),
    "blocks_the_loop": ("block", "blocks the event loop at blocks_the_loop.py:"),
    "buffers_the_stream": ("piece at once", "buffers the stream: with write"),
    "changes_the_request": ("change the request", "mutates the request it was given (field 'temperature')"),
    "claims_anothers_name": ("nobodys name", "claims another's name: two providers are called 'openai'"),
    "counts_on_usage": ("any answer: tools", "raises IndexError when it is told End"),
    "does_things_at_import": ("imports cleanly", "prints when it is imported: 'wrong plugin ready"),
    "drops_unknown_fields": ("unknown fields", "drops unknown fields: the client sent 'x_unknown'"),
    "edits_what_it_sees": ("changes nothing", "mutates the events it is told"),
    "ends_cut_streams_cleanly": ("end well: reset", "ends a cut stream cleanly: the upstream's connection was reset"),
    "ends_the_process": ("never raises", "ended the process (exit code 3)"),
    "expects_usage": (
        "settles every outcome",
        "AttributeError when an exchange that ended with",
    ),
    "fails_when_all_cool": ("given: all", "raises StopIteration for 1 models, 1 of them cooling"),
    "forgets_its_limit": ("when it is full", "took 8 exchanges of 8 that came at one time; its room is 3"),
    "gives_foreign_models_away": ("foreign", "gives foreign models away: 'kit-private' is private to"),
    "goes_around_the_door": ("gateways door", "connects around the gateway: it reached an address egress forbids"),
    "hangs": ("block", "in hangs.py:"),
    "hides_failures": ("answer ended: failure", "hides a failure: the answer broke"),
    "keeps_connections": ("connection go", "keeps connections: 1 still in use"),
    "leaks_its_key": ("key", "leaks its key: the error for an upstream's 401 shows it"),
    "lets_everybody_in": ("when it fails", "lets everybody in when it fails"),
    "lies_about_tools": ("tool calls split", "declares the capability 'tools', but of the upstream's tools"),
    "looks_at_single_events": ("text is cut", "makes 'Hello ***.' of a text in one event, and 'Hello there.' of it"),
    "loses_batches": ("as they are", "mutates the batch it was given"),
    "mixes_answers": ("apart", "mixes two answers that come at one time"),
    "quotes_secrets": ("no secret", "leaks a key: the error for a RuntimeError quotes the library's text"),
    "raises_in_map": ("never raises", "raises in `map`: AttributeError"),
    "remembers_the_last_answer": ("apart", "mixes two answers that come at one time"),
    "rewrites_in_place": ("what it was given", "mutates the request it was given"),
    "routes_elsewhere": ("given: none", "routes to 'favourite', which is no model of the route"),
    "shows_its_settings": ("secrets", "its setting 'api_key' looks like a secret and is plain text"),
    "swallows_cancellation": ("in the stream", "swallows cancellation: the client left in the stream"),
    "trusts_its_clients": ("any request: messages are null", "raises TypeError"),
    "waits_as_it_looks": ("any answer: text", "its callback is async, and nobody awaits it"),
    "wants_every_event": ("registers", "has an attribute 'wants' that is no set of event classes"),
}
"""The check that catches it, and the words of the message."""
LIMIT = {"hangs": "8"}
"""Seconds for those that never end; all others end by themselves."""


def check(plugin: str, only: str, limit: str) -> tuple[int, dict[str, str]]:
    """Exit code and the messages of what failed."""
    command = [sys.executable, "-m", "gateway", "plugins", "check", plugin, "--json", "--only", only, "--limit", limit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert "Traceback" not in done.stderr
    rows = json.loads(done.stdout)["checks"]
    return done.returncode, {row["check"]: row["message"] for row in rows if row["status"] == "failed"}


@pytest.mark.parametrize("name", CAUGHT)
def test_a_wrong_plugin_is_caught_and_told_what_is_wrong(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path))
    only, words = CAUGHT[name]
    code, failed = check(str(WRONG / f"{name}.py"), only, LIMIT.get(name, "60"))
    assert code == 1
    assert any(words in message for message in failed.values()), failed


def test_no_wrong_plugin_is_forgotten() -> None:
    assert {path.stem for path in WRONG.glob("*.py")} == CAUGHT.keys()
