"""S3, S22: nobody is let in by accident of configuration, and a default start opens one port on this machine alone."""

import itertools
import os
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.testing.running import GatewayFailed, RunningGateway

OPEN = "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE"
BEYOND = "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE_BEYOND_LOOPBACK"
LISTENING = "0A"
USERS = {"GATEWAY_PLUGINS__SUPABASE__URL": "https://x.supabase.co", "GATEWAY_PLUGINS__SUPABASE__USERS": "true"}


@pytest.mark.parametrize(
    ("is_open", "host", "beyond"), list(itertools.product([False, True], ["127.0.0.1", "0.0.0.0"], [False, True]))
)
async def test_an_open_route_beyond_this_machine_needs_a_word_of_its_own(
    tmp_path: Path, is_open: bool, host: str, beyond: bool
) -> None:
    environ = {OPEN: str(is_open).lower(), BEYOND: str(beyond).lower()}
    gateway = RunningGateway(tmp_path / "data", environ=environ, arguments=("--host", host))
    if is_open and host == "0.0.0.0" and not beyond:
        with pytest.raises(GatewayFailed, match="open_route_beyond_loopback") as refused:
            await gateway.__aenter__()
        assert "Traceback" not in str(refused.value)
        return
    async with gateway:
        status = (await gateway.client.chat("00000000-0000-4000-8000-000000000001")).status
        assert status == (500 if is_open else 401)


@pytest.mark.parametrize(
    "environ",
    [
        {"GATEWAY_SECRET_KEYS": "short"},
        {"GATEWAY_SECRET_KEYS": '[""]'},
        {"GATEWAY_PLUGINS__SUPABASE__URL": "https://x.supabase.co", "GATEWAY_PLUGINS__SUPABASE__SERVICE_ROLE_KEY": ""},
        {"GATEWAY_PLUGINS__SUPABASE__URL": "https://x.supabase.co"},
        {**USERS, "GATEWAY_PLUGINS__SUPABASE__JWT_SECRET": ""},
        {**USERS, "GATEWAY_PLUGINS__SUPABASE__JWT_SECRET": "x" * 15},
    ],
    ids=["short", "empty", "empty service key", "no service key", "empty JWT secret", "short JWT secret"],
)
async def test_a_secret_that_is_none_is_a_start_error(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(GatewayFailed) as refused:
        await RunningGateway(tmp_path / "data", environ=environ).__aenter__()
    assert "Traceback" not in str(refused.value)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads /proc (Linux)")
@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "0100007F"), ("0.0.0.0", "00000000")])
async def test_only_the_one_port_is_open(tmp_path: Path, host: str, address: str) -> None:
    """The second host is the weakened variant: it would be seen."""
    async with RunningGateway(tmp_path / "data", arguments=("--host", host)) as gateway:
        assert _listening(gateway.pid) == {f"{address}:{gateway.port:04X}"}


def _listening(pid: int) -> set[str]:
    """The addresses on which a process listens, in the kernel's notation."""
    folder = f"/proc/{pid}/fd"
    inodes = set()
    for fd in os.listdir(folder):
        with suppress(FileNotFoundError):  # closed since it was listed
            inodes.add(os.readlink(f"{folder}/{fd}"))
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in inodes}
