"""Journals in a folder of their own."""

import pytest
from accounts import Log, Sink

from gateway.usage import UsageJournal


@pytest.fixture
def log():
    return Log()


@pytest.fixture
async def journals(tmp_path, log):
    """Opens journals in one folder, and closes those that are still open."""
    opened = []

    async def journal(*sinks: Sink, durability="window") -> UsageJournal:
        made = UsageJournal(tmp_path / "usage", [(f"sink{n}", sink) for n, sink in enumerate(sinks)], log, durability)
        await made.open()
        opened.append(made)
        return made

    yield journal
    for made in opened:
        await made.aclose()
