"""`gateway serve --demo` makes its model and key once, and mends what became of them."""

from pathlib import Path

from gateway.cli.demo import ensure_demo
from gateway.registry import ModelStore, Registry
from gateway.settings import Settings


async def test_the_demo_reuses_its_model_and_key(tmp_path: Path) -> None:
    registry = await Registry.open(Settings(data_dir=tmp_path))
    first = await ensure_demo(registry, tmp_path, 8399)
    await registry.refresh()
    assert await ensure_demo(registry, tmp_path, 8399) == first
    assert len(await ModelStore(registry.database).all()) == 1
    assert first.key_file.stat().st_mode & 0o777 == 0o600
    await registry.aclose()


async def test_a_demo_model_that_was_changed_answers_again(tmp_path: Path) -> None:
    registry = await Registry.open(Settings(data_dir=tmp_path))
    demo = await ensure_demo(registry, tmp_path, 8399)
    store = ModelStore(registry.database)
    owner = "0b1c2d3e-0000-4000-8000-00000000000a"
    await store.update(demo.model_id, {"enabled": False, "user_id": owner, "model_id": "other"})
    await ensure_demo(registry, tmp_path, 8400)
    model = await store.find(demo.model_id)
    assert (model.enabled, model.owner, model.model_id) == (True, None, "demo")
    assert model.base_url == "http://127.0.0.1:8400/v1"
    await registry.aclose()
