"""A real pgbouncer in transaction mode, in front of the tests' PostgreSQL."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = "needs pgbouncer: apt-get install pgbouncer"
PORT = 6543
"""Where Supabase has its pooler; no other sign tells the gateway that there is one."""
_START_SECONDS = 60.0
_CONFIG = """
[databases]
* = host={server}

[pgbouncer]
listen_addr = {address}
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
auth_user = postgres
pool_mode = transaction
; The next transaction of a client never runs where its last one did, as in a pool with many clients.
server_round_robin = 1
default_pool_size = 5
min_pool_size = 3
max_client_conn = 500
server_login_retry = 1
"""


def binary() -> str | None:
    """Where pgbouncer is; Debian puts it where only root looks."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/sbin:/usr/local/sbin")


@contextmanager
def pgbouncer(program: str, server: str, port: int = PORT) -> Iterator[str]:
    """Run a pooler for the PostgreSQL whose socket is in `server`; its address, on a loopback address of its own."""
    address = ".".join(map(str, (127, *(1 + byte % 254 for byte in os.urandom(3)))))
    with tempfile.TemporaryDirectory(prefix="gateway-pgbouncer-") as name:
        home = Path(name)
        home.chmod(0o755)  # as root it becomes somebody else and reads its files again
        users, config, log = home / "users", home / "pgbouncer.ini", home / "log"
        users.write_text('"postgres" ""\n', "utf-8")
        config.write_text(_CONFIG.format(server=server, address=address, port=port, users=users), "utf-8")
        demoted = ("-u", Path(server).owner()) if os.geteuid() == 0 else ()  # who may enter PostgreSQL's directory
        with log.open("wb") as output:
            process = subprocess.Popen([program, *demoted, str(config)], stdout=output, stderr=output)
        try:
            _wait(process, (address, port), log)
            yield f"{address}:{port}"
        finally:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], address: tuple[str, int], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(address, timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"pgbouncer did not start: {log.read_text('utf-8', 'replace')}")
