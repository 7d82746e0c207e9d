"""The plugin `ledger` keeps the contract."""

import sqlalchemy as sa

from gateway.registry.tables import usage
from gateway.testing.conformance import PluginConformance, UsageSinkConformance


class TestPlugin(PluginConformance):
    plugin = "ledger"


class TestSink(UsageSinkConformance):
    plugin = "ledger"

    async def stored(self, sink):
        async with sink._gateway.database.read() as connection:
            return list(await connection.scalars(sa.select(usage.c.attempt_id)))
