"""Puts models, routes and keys into a gateway's database before it starts, as its own command line would."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.registry import Database, KeyStore, ModelStore, NewModel, NewRoute, RouteStore
from gateway.settings import load_settings
from gateway.terms import Limits


async def seed(
    data_dir: Path,
    environ: Mapping[str, str],
    *,
    models: Iterable[NewModel] = (),
    routes: Iterable[NewRoute] = (),
    keys: Mapping[str, str | None] = {},
    expired: Collection[str] = (),
    admins: Collection[str] = (),
    limits: Mapping[str, Limits] = {},
    detached: Collection[str] = (),
) -> dict[str, str]:
    """Add these models and routes, and a chat key for each name with its owner; the secrets by name.

    The keys named in `expired` ended a second ago; those named in `admins` have the scope `admin` alone, and the last
    of them lies where the command line looks for one.
    """
    past = datetime.now(UTC) - timedelta(seconds=1)
    settings = load_settings(None, {**environ, "GATEWAY_DATA_DIR": str(data_dir)})
    database = await Database.open(settings)
    try:
        for model in models:
            await ModelStore(database).add(model)
        for route in routes:
            await RouteStore(database).add(route)
        store = KeyStore(database)
        created = {
            name: await store.create(
                name,
                owner=owner,
                scopes=("admin",) if name in admins else ("chat",),
                expires_at=past if name in expired else None,
                limits=limits.get(name, Limits()),
                detach=name in detached,
            )
            for name, owner in keys.items()
        }
    finally:
        await database.aclose()
    for name in admins:
        (data_dir / "admin-key").write_text(created[name][1].reveal())
    return {name: secret.reveal() for name, (_, secret) in created.items()}
