"""What a new SQLite database holds: `make schema` writes it down after a migration was added."""

import asyncio
import sqlite3
import tempfile
from pathlib import Path

from gateway.registry import migrations
from gateway.registry.engine import create_engine, parse_url


def statements(file: Path) -> list[str]:
    """What makes this database anew."""
    connected = sqlite3.connect(file)
    try:
        begin, *every, commit = connected.iterdump()
    finally:
        connected.close()
    assert (begin, commit) == ("BEGIN TRANSACTION;", "COMMIT;")
    return every


async def migrated(file: Path) -> list[str]:
    """The same for a database that all migrations ran in."""
    engine = create_engine(parse_url(f"sqlite:///{file}"))
    try:
        await migrations.upgrade(engine)
    finally:
        await engine.dispose()
    return statements(file)


def write() -> None:
    """Write the file that a first start reads."""
    with tempfile.TemporaryDirectory() as folder:
        made = asyncio.run(migrated(Path(folder) / "gateway.db"))
    (migrations.scripts() / migrations.EMPTY).write_text("\n\n".join(made) + "\n", "utf-8")


if __name__ == "__main__":
    write()
