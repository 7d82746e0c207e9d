"""Virtual keys are replaced with an overlap: both work, then only the new one."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.registry import Conflict, Database, KeyStore, NotFound, Registry

OWNER = "0b1c2d3e-0000-4000-8000-00000000000a"
DAY = timedelta(days=1)


async def test_both_keys_work_and_the_old_one_ends_after_the_overlap(database: Database, registry: Registry) -> None:
    made, first = await KeyStore(database).create("app", owner=OWNER, scopes=["admin", "chat"])
    before = datetime.now(UTC)
    old, new, second = await KeyStore(database).rotate(made.id, DAY)
    assert (old.id, old.name) == (made.id, "app (replaced)")
    assert old.expires_at is not None
    assert before + DAY <= old.expires_at <= datetime.now(UTC) + DAY
    assert (new.name, new.owner, new.scopes, new.expires_at) == ("app", OWNER, ("admin", "chat"), None)
    await registry.refresh()
    principals = [registry.snapshot.principal(token.reveal()) for token in (first, second)]
    assert [principal and (principal.id, principal.owner, principal.scopes) for principal in principals] == [
        (old.id, OWNER, {"admin", "chat"}),
        (new.id, OWNER, {"admin", "chat"}),
    ]
    assert second.reveal().startswith(new.prefix)


async def test_a_key_with_an_end_is_replaced_by_one_that_lasts_as_long(database: Database) -> None:
    made, _ = await KeyStore(database).create("app", expires_at=datetime.now(UTC) + DAY)
    old, new, _ = await KeyStore(database).rotate(made.id, 30 * DAY)
    assert old.expires_at == made.expires_at  # never later than it would have been
    assert new.expires_at is not None
    assert made.expires_at is not None
    assert new.expires_at - new.created_at == made.expires_at - made.created_at


async def test_the_new_key_is_found_by_name_and_can_be_rotated_again(database: Database) -> None:
    store = KeyStore(database)
    made, _ = await store.create("x" * 100)
    await store.rotate(made.id, DAY)
    found = await store.find("x" * 100)
    _, newest, _ = await store.rotate(found.id, DAY)
    assert (await store.find("x" * 100)).id == newest.id
    assert len({made.id, found.id, newest.id}) == 3


async def test_what_works_no_more_cannot_be_rotated(database: Database) -> None:
    store = KeyStore(database)
    revoked, _ = await store.create("a")
    await store.revoke(revoked.id)
    expired, _ = await store.create("b", expires_at=datetime.now(UTC) - DAY)
    for key, state in ((revoked, "revoked"), (expired, "expired")):
        with pytest.raises(Conflict, match=f"is {state}: make a new one with `gateway keys create`"):
            await store.rotate(key.id, DAY)
    with pytest.raises(NotFound):
        await store.rotate(OWNER, DAY)
    assert len(await store.all()) == 2


async def test_the_file_of_the_first_admin_key_holds_the_new_one(database: Database, tmp_path: Path) -> None:
    store = KeyStore(database)
    path = await store.ensure_first_admin(tmp_path)
    assert path is not None
    admin, other = await store.find("admin"), (await store.create("other"))[0]
    _, _, unrelated = await store.rotate(other.id, DAY)
    assert store.renew_admin_file(tmp_path, other, unrelated) is None
    old, _, token = await store.rotate(admin.id, DAY)
    assert store.renew_admin_file(tmp_path, old, token) == path
    assert path.read_text() == token.reveal() + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
