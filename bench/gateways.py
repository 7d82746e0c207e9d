"""Our own gateway as a contestant, in as many variants as a scenario compares."""

import asyncio
import os
import socket
import sys
import tempfile
import tomllib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.noop import write_plugins
from bench.target import Ask, Server, Target, Unavailable, chat_body, started
from bench.tools import ROOT
from gateway.registry import KeyStore, ModelStore, NewModel, Registry
from gateway.secrets import Secret
from gateway.settings import load_settings

SURFACES = {"chat": "/v1/chat/completions", "custom": "/api/chat/custom"}


class Variant(msgspec.Struct, frozen=True):
    """One way to run the gateway."""

    name: str = "gateway"
    noop: str = ""
    """The kind of plugins that do nothing it gets on top of the defaults,"""
    count: int = 0
    """and how many,"""
    each: int = 1
    """each with so many objects."""
    off: tuple[str, ...] = ()
    """Default plugins that are switched off."""
    environ: Mapping[str, str] = {}
    workers: int = 1
    files: tuple[Path, ...] = ()
    """Plugins of one file it gets, too."""
    through: tuple[str, ...] = ()
    """The words of a command that runs it."""


class World(msgspec.Struct, frozen=True):
    """What every contestant is given."""

    folder: Path
    cores: frozenset[int]
    base_url: str
    tls_url: str = ""
    """The same upstream behind TLS; empty when it cannot be had."""
    cert: Path | None = None
    """The authority that signed its certificate."""
    models: tuple[str, ...] = ()
    """The names the scenarios will ask for."""
    foreign: Mapping[str, str] = {}
    """More names, and the provider behind each."""

    def address(self, url: str) -> str:
        """Host and port of a base URL."""
        return url.split("/")[2]

    def environ(self, **more: str) -> dict[str, str]:
        """A clean environment for a server: nothing of the caller's settings, no proxy."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        return kept | more


class Furnished(msgspec.Struct, frozen=True):
    """What a gateway needs before it can start."""

    folder: Path
    environ: Mapping[str, str]
    key: Secret
    plugins: tuple[Path, ...]


def furnished(world: World, variant: Variant) -> Furnished:
    """A folder with a database that has the models and one key, and the plugins of the variant."""
    folder = Path(tempfile.mkdtemp(prefix=f"{variant.name.replace(' ', '-')}-", dir=world.folder))
    environ = _environ(world, variant, folder)
    noop = write_plugins(variant.noop, variant.count, folder / "plugins", variant.each) if variant.count else ()
    return Furnished(folder, environ, asyncio.run(_furnish(world, environ)), (*variant.files, *noop))


@contextmanager
def running(world: World, variant: Variant) -> Iterator[Server]:
    """The gateway on its core, its models and one key in its database."""
    made = furnished(world, variant)
    command = [*variant.through, sys.executable, "-m", "gateway", "serve", "--host", "127.0.0.1", "--port", "0"]
    command += ["--workers", str(variant.workers)] if variant.workers > 1 else []
    command += [part for file in made.plugins for part in ("--plugin", str(file))]
    (made.folder / "key").write_text(made.key.reveal(), "utf-8")
    with started(command, world.cores, made.folder, made.environ) as server:
        server.port = int(server.wait_for(r"^Listening on: +http://.*:([0-9]+)$"))
        _check_plugins(server.wait_for(r"^Plugins: +(.+)$"), variant)
        server.until(lambda: "ready" if _get(server.port, "/health/ready") == 200 else None)
        yield server


def shipped() -> Sequence[str]:
    """The default plugins, as the checkout declares them: what is installed may be older."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    return sorted(declared["litestar_gateway.plugins"])


def _check_plugins(active: str, variant: Variant) -> None:
    """A gateway without one of its default plugins is another gateway, and would be measured as faster."""
    if missing := set(shipped()) - set(variant.off) - set(active.split(", ")):
        install = f"{sys.executable} -m pip install --no-deps --no-build-isolation -e ."
        raise Unavailable(f"the gateway runs without {', '.join(sorted(missing))}: its installation is old ({install})")


def targets_of(world: World, variant: Variant, server: Server, surfaces: Sequence[str]) -> list[Target]:
    """The surfaces of a running gateway that it serves, of those that are wanted."""
    key = server.log.with_name("key").read_text("utf-8")
    found = []
    for surface in surfaces:
        if _get(server.port, SURFACES[surface]) == 404:
            continue
        found.append(
            Target(
                name=f"{variant.name} {surface}",
                port=server.port,
                pids=server.pids,
                body=BODIES[surface],
                path=SURFACES[surface],
                headers={"authorization": f"Bearer {key}"},
                text=surface == "custom",
                tls=bool(world.tls_url),
            )
        )
    return found


@contextmanager
def serving(world: World, variant: Variant, surfaces: Sequence[str]) -> Iterator[Sequence[Target]]:
    """The gateway with its surfaces."""
    with running(world, variant) as server:
        yield targets_of(world, variant, server, surfaces)


def model_id(name: str, *, tls: bool = False) -> str:
    """The id of the model that forwards to the upstream under this name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{'tls-' if tls else ''}{name}"))


def _chat_body(ask: Ask) -> bytes:
    return chat_body(msgspec.structs.replace(ask, model=f"tls-{ask.model}" if ask.tls else ask.model))


def _custom_body(ask: Ask) -> bytes:
    return msgspec.json.encode(
        {
            "chatSettings": {"model": ask.model, "temperature": 0.5},
            "messages": [{"role": "user", "content": ask.prompt}],
            "customModelId": model_id(ask.model, tls=ask.tls),
        }
    )


BODIES: Mapping[str, Callable[[Ask], bytes]] = {"chat": _chat_body, "custom": _custom_body}
"""Surface -> the body of a request."""


def _environ(world: World, variant: Variant, folder: Path) -> dict[str, str]:
    addresses = [world.address(url) for url in (world.base_url, world.tls_url) if url]
    environ = world.environ(
        GATEWAY_DATA_DIR=str(folder),
        GATEWAY_EGRESS__ALLOW=msgspec.json.encode(addresses).decode(),
        **{f"GATEWAY_PLUGINS__{name.upper()}__ENABLED": "false" for name in variant.off},
    )
    if world.cert:
        environ["SSL_CERT_FILE"] = str(world.cert)
    return environ | dict(variant.environ)


async def _furnish(world: World, environ: Mapping[str, str]) -> Secret:
    """Make the models and a key; the key."""
    registry = await Registry.open(load_settings(environ=environ))
    try:
        store = ModelStore(registry.database)
        for name in world.models:
            await store.add(_model(name, world.base_url, tls=False))
            if world.tls_url:
                await store.add(_model(name, world.tls_url, tls=True))
        for name, provider in world.foreign.items():
            await store.add(msgspec.structs.replace(_model(name, world.base_url, tls=False), provider=provider))
        _, key = await KeyStore(registry.database).create("bench")
        return key
    finally:
        await registry.aclose()


def _model(name: str, base_url: str, *, tls: bool) -> NewModel:
    return NewModel(
        id=model_id(name, tls=tls),
        name=f"tls-{name}" if tls else name,
        model_id=name,
        base_url=base_url,
        api_key=Secret("sk-bench"),
    )


def _get(port: int, path: str) -> int:
    """The status of a plain request; 0 when nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
            connected.sendall(f"GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n".encode())
            answer = connected.makefile("rb").readline().split()
            return int(answer[1]) if len(answer) > 1 else 0
    except OSError:
        return 0
