"""`gateway serve --demo`: a model that answers at once, on a fresh machine, without any account."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway.registry import Database, KeyStore, ModelStore, NewModel, NotFound, Registry
from gateway.secrets import Secret
from gateway.testing.demo import MODEL, DemoUpstream

HOST = "127.0.0.1"
PORT = 8399
_PORTS = range(PORT, PORT + 100)
MODEL_ID = "de300000-0000-4000-8000-000000000001"
_KEY_FILE = "demo-key"


class Demo(msgspec.Struct, frozen=True):
    """What the demo's user needs to know."""

    model_id: str
    key_file: Path
    key: Secret


@contextmanager
def demo_upstream() -> Iterator[int]:
    """Run the demo model in a thread of its own while the block lasts; its port."""
    started = _Ready()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(started)), name="demo-upstream", daemon=True)
    thread.start()
    try:
        yield started.wait()
    finally:
        started.stop()
        thread.join(timeout=5)


class _Ready:
    """How the thread of the demo model tells its port, and hears of the end."""

    def __init__(self) -> None:
        self._known = threading.Event()
        self._port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    async def serving(self, port: int) -> None:
        """Tell the port, return when the end has come."""
        self._loop, self._stop, self._port = asyncio.get_running_loop(), asyncio.Event(), port
        self._known.set()
        await self._stop.wait()

    def failed(self) -> None:
        """No port is free."""
        self._known.set()

    def wait(self) -> int:
        """The port."""
        self._known.wait()
        if not self._port:
            raise OSError(f"no port between {_PORTS.start} and {_PORTS.stop - 1} is free for the demo model")
        return self._port

    def stop(self) -> None:
        """Let the server end."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)


async def _serve(ready: _Ready) -> None:
    for port in _PORTS:
        try:
            async with DemoUpstream(HOST, port) as upstream:
                await ready.serving(upstream.port)
                return
        except OSError:
            continue
    ready.failed()


async def ensure_demo(registry: Registry, data_dir: Path, port: int) -> Demo:
    """Make the demo's model and key, or find those of an earlier run."""
    await _ensure_model(registry.database, f"http://{HOST}:{port}/v1")
    file = data_dir / _KEY_FILE
    known = Secret(file.read_text("utf-8").strip()) if file.exists() else Secret("")
    if not known or registry.snapshot.principal(known.reveal()) is None:
        _, known = await KeyStore(registry.database).create("demo")
        _write(file, known)
    return Demo(MODEL_ID, file, known)


async def _ensure_model(database: Database, base_url: str) -> None:
    store = ModelStore(database)
    try:
        model = await store.find(MODEL_ID)
    except NotFound:
        await store.add(NewModel(id=MODEL_ID, name="demo", model_id=MODEL, base_url=base_url))
        return
    if (model.base_url, model.model_id, model.enabled, model.owner) != (base_url, MODEL, True, None):
        # Whatever became of it, the request that is printed has to work.
        await store.update(MODEL_ID, {"base_url": base_url, "model_id": MODEL, "enabled": True, "user_id": None})


def _write(file: Path, key: Secret) -> None:
    file.unlink(missing_ok=True)
    file.touch(mode=0o600, exist_ok=False)
    file.write_text(key.reveal() + "\n", "utf-8")
