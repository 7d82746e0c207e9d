"""Each planted bug is found, by the invariant that it breaks: `make chaos-proof` writes what found it, and how soon.

The driver and the checker are those of `make chaos`; a history is short, and of the things that are done to the
gateway only those happen that the bug needs. Without a bug the same history has to be without findings.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from chaos_checker import Checker
from chaos_history import History
from chaos_world import World
from restart_report import Report

SEED = int(os.environ.get("CHAOS_SEED", "1"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "8"))
CLIENTS = 10
PATIENCE = 25.0
"""Longer than any answer; the minute of `make chaos` is for machines that are busy."""
BUGS = {
    "a client hangs": "I1: the client hung",
    "a cut is ended cleanly": "I2: a proper end, and the upstream sent none",
    "a piece of an answer is dropped": "I2: the client took .* for the whole answer, which it is not",
    "upstream connections stay open": "I3: the upstream's connection is still open",
    "a row is lost": "I4: the upstream was asked for .*, and there is no row",
    "a row comes twice": "I4: one attempt has several rows",
    "a wrong outcome": "I4: attempt . at .* is ok .*, and the upstream saw .*truncated",
    "notes are kept in memory": "I4: the upstream was asked for .*, and there is no row",
    "a task is left": "I5: worker .* has .* tasks, .* before",
    "a descriptor is left": "I5: worker .* has .* files, .* before",
    "a key in the log": "I6: .* is in the log",
    "a key in an answer": "I6: .* is in the answer",
    "a traceback in the log": "I7: .*Traceback",
}
"""What is planted, and the finding that has to come of it."""
NEEDED = {"notes are kept in memory": {"ends"}}
"""What has to be done to the gateway for a bug to show."""
PLAYED = {"a key in an answer": ("403 quotes the key",)}
"""What upstreams have to play."""
HEAD = ("planted", "found as", "after so many requests", "of", "what is found")

pytestmark = [
    pytest.mark.skipif(os.environ.get("CHAOS_PROOF") != "1", reason="takes minutes: make chaos-proof"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def report() -> Iterator[Report]:
    """Shown when all were planted."""
    told = Report("planted", HEAD)
    yield told
    told.show(os.environ.get("CHAOS_REPORT"))


@pytest.mark.parametrize("bug", BUGS)
async def test_a_planted_bug_is_found(tmp_path: Path, fresh_postgres_url: str, report: Report, bug: str) -> None:
    history, findings = await _seen(tmp_path, fresh_postgres_url, NEEDED.get(bug, set()), bug)
    right = [finding for finding in findings if re.match(BUGS[bug], finding)]
    after = min((_requests_before(history, finding) for finding in right), default="-")
    report.add(bug, BUGS[bug][:2] if right else "**nothing**", after, len(history.clients), _in_short(right))
    assert right, f"{len(findings)} findings, and none is {BUGS[bug]!r}:\n" + "\n".join(findings[:20])


@pytest.mark.parametrize("acts", [set(), *NEEDED.values()], ids=lambda acts: " ".join(acts) or "none")
async def test_without_a_bug_nothing_is_found(
    tmp_path: Path, fresh_postgres_url: str, report: Report, acts: set[str]
) -> None:
    history, findings = await _seen(tmp_path, fresh_postgres_url, acts)
    report.add("nothing", "-", "-", len(history.clients), _in_short(findings))
    assert not findings, "\n".join(findings[:20])


async def _seen(folder: Path, url: str, acts: set[str], bug: str = "") -> tuple[History, Sequence[str]]:
    script = PLAYED.get(bug, ())
    world = World(folder, url, SEED, clients=CLIENTS, acts=acts, script=script, patience=PATIENCE, bug=bug)
    history = await world.run(SECONDS)
    history.save(folder / "history.json")
    return history, Checker(history).findings()


def _requests_before(history: History, finding: str) -> int:
    """How many were over when the one was that it names; where it names none, it takes all to be seen."""
    named = re.search(r"chaos-\d+-\d+", finding)
    ends = {client.ask.tag: client.ended for client in history.clients}
    return sum(end <= ends[named[0]] for end in ends.values()) if named else len(ends)


def _in_short(findings: Sequence[str]) -> str:
    return f"{len(findings)}, the first: {findings[0][4:100].replace('|', ' ')}" if findings else "nothing"
