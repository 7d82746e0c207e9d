"""S1, S12, S17: a credential reaches no database, whatever it says; all wrong ones get one answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import gateway_keys
from gateway import Credentials, Secret
from gateway.registry import KeyStore, Registry
from gateway.registry.tables import keys
from gateway.registry.virtual_keys import new_token
from gateway.settings import Settings

HOSTILE = [
    *("' OR '1'='1", "'; DROP TABLE keys; --", "\\'; SELECT pg_sleep(10); --", '") OR 1=1 --', "%", "_", "gw-%"),
    *("${jndi:ldap://x}", "{{7*7}}", "%s%s%n", "\0", "a\0b", "\r\nx: y", "\ud800", "\U0001f600", "x" * 1_000_000),
    *("gw-" + "'" * 49, "gw-" + "0" * 49, "null", "undefined", "true", "[]", "{}", "Bearer x"),
]


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    opened = await Registry.open(Settings(data_dir=tmp_path / "data"))
    yield opened
    await opened.aclose()


@pytest.fixture
async def statements(registry: Registry) -> list[str]:
    """Every SQL statement sent from now on that names the table of keys."""
    await registry.refresh()
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "keys" in statement:
            seen.append(statement)

    sa.event.listen(registry.database.engine.sync_engine, "before_cursor_execute", note)
    return seen


async def test_hostile_credentials_are_nobodys_and_cost_no_statement(registry: Registry, statements: list[str]) -> None:
    [authenticator] = gateway_keys.register_authenticators(registry)
    answers = [await authenticator.authenticate(Credentials(Secret(token))) for token in HOSTILE]
    assert answers == [None] * len(HOSTILE)
    assert statements == []


async def test_ten_thousand_wrong_keys_cost_no_statement(registry: Registry, statements: list[str]) -> None:
    wrong = [new_token().reveal() for _ in range(5_000)] + [f"gw-{number:049d}" for number in range(5_000)]
    assert not any(registry.snapshot.principal(token) for token in wrong)
    assert statements == []


async def test_the_counter_of_statements_would_see_a_lookup_in_the_database(
    registry: Registry, statements: list[str]
) -> None:
    async with registry.database.read() as connection:
        await connection.execute(sa.select(keys).where(keys.c.name == HOSTILE[0]))
    assert len(statements) == 1
    assert HOSTILE[0] not in statements[0]


async def test_hostile_names_are_only_values(registry: Registry) -> None:
    store = KeyStore(registry.database)
    names = [name for name in HOSTILE if name.isprintable() and len(name) <= 100]
    made = [await store.create(name) for name in names]
    assert [key.name for key in await store.all()] == names
    await registry.refresh()
    assert all(registry.snapshot.principal(token.reveal()) for _, token in made)
