"""Random histories: requests, faults, leaving clients, swaps, outages, kills and restarts, and what became of them.

`make chaos` lets them run for ten minutes (CHAOS_SECONDS) and writes the counts into docs/reliability.md. The same
CHAOS_SEED makes everybody decide the same.
"""

import os
from pathlib import Path

import pytest
from chaos_checker import Checker
from chaos_report import HEAD, rows
from chaos_world import World, fresh_seed
from restart_report import Report

SECONDS = float(os.environ.get("CHAOS_SECONDS", "25"))
SEED = int(os.environ.get("CHAOS_SEED") or fresh_seed())
CLIENTS = int(os.environ.get("CHAOS_CLIENTS", "10"))


@pytest.mark.timeout(SECONDS + 400)
async def test_every_exchange_is_accounted_once_and_none_is_pretended(tmp_path: Path, fresh_postgres_url: str) -> None:
    history = await World(tmp_path, fresh_postgres_url, SEED, clients=CLIENTS).run(SECONDS)
    history.save(tmp_path / "history.json")
    findings = Checker(history).findings()
    report = Report("histories", HEAD)
    for row in rows(history, findings):
        report.add(*row)
    report.show(os.environ.get("CHAOS_REPORT"))
    again = f"CHAOS_SEED={SEED} CHAOS_SECONDS={SECONDS:.0f} CHAOS_CLIENTS={CLIENTS} make chaos"
    shown = "\n".join(findings[:40])
    assert not findings, f"{len(findings)} findings; the same decisions again: {again}\nin {tmp_path}\n{shown}"
