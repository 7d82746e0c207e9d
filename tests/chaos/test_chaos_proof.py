"""Each planted bug is found, by the invariant that it breaks: `make chaos-proof`."""

import os
from pathlib import Path

import pytest
from chaos_checker import Checker, summary
from chaos_world import World

SEED = int(os.environ.get("CHAOS_SEED", "1"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "20"))
BUGS = {
    "a client hangs": "I1",
    "a cut is ended cleanly": "I2",
    "a piece of an answer is dropped": "I2",
    "upstream connections stay open": "I3",
    "a row is lost": "I4",
    "a row comes twice": "I4",
    "a wrong outcome": "I4",
    "notes wait too long": "I4",
    "a task is left": "I5",
    "a descriptor is left": "I5",
    "a key in the log": "I6",
    "a key in an answer": "I6",
    "a traceback in the log": "I7",
}


@pytest.mark.skipif(os.environ.get("CHAOS_PROOF") != "1", reason="takes minutes: make chaos-proof")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS)
async def test_a_planted_bug_is_found(
    tmp_path: Path, fresh_postgres_url: str, capsys: pytest.CaptureFixture[str], bug: str
) -> None:
    history = await World(tmp_path, fresh_postgres_url, SEED, clients=12, bug=bug).run(SECONDS)
    history.save(tmp_path / "history.json")
    findings = Checker(history).findings()
    with capsys.disabled():
        print(f"\n{bug}: {dict(summary(findings))}; first: {findings[0][:160] if findings else None}")
    assert BUGS[bug] in summary(findings)
