"""Journals attempts, says how many were settled and how many began, and waits to be killed.

Asked for `noted` it says so before anything can be committed.
"""

import asyncio
import logging
import sys
from pathlib import Path

from accounts import attempt, ended

from gateway.usage import UsageJournal, scribe


class Never:
    async def write(self, records) -> None:
        raise ConnectionError("nobody takes anything")


async def main() -> None:
    if noted := sys.argv[2] == "noted":
        scribe.WINDOW = 600.0
    journal = UsageJournal(Path(sys.argv[1]), [("never", Never())], logging.getLogger("test"))
    await journal.open()
    for number in range(30):
        one = attempt(number)
        journal.began(one)
        if number < 20:
            journal.settled(ended(one))
    if not noted:
        await journal.committed()
    print("20 10", flush=True)
    await asyncio.sleep(600)


asyncio.run(main())
