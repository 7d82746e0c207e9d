"""Moves everything sealed under the newest key of the keyring, so that older keys can be dropped."""

import sqlalchemy as sa

from gateway.registry.columns import Ciphertext
from gateway.registry.database import Database
from gateway.registry.tables import models, secrets


async def reseal(database: Database) -> int:
    """Seal anew what an older key sealed; the number of values that were. All or nothing.

    The index secret keeps its value, so virtual keys go on working.
    """
    count = 0
    async with database.change() as connection:
        for table, identity, columns in (
            (secrets, secrets.c.name, (secrets.c.value,)),
            (models, models.c.id, (models.c.api_key, models.c.headers)),
        ):
            for row in (await connection.execute(sa.select(identity, *columns))).all():
                found = {column.name: row._mapping[column] for column in columns}
                stale = {name: value for name, value in found.items() if _is_stale(value, database)}
                if stale:
                    fresh = {name: database.keyring.seal(database.keyring.open(value)) for name, value in stale.items()}
                    await connection.execute(sa.update(table).where(identity == row[0]).values(fresh))
                    count += len(stale)
    return count


def _is_stale(sealed: Ciphertext | None, database: Database) -> bool:
    return sealed is not None and not database.keyring.is_current(sealed)
