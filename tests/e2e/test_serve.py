"""`gateway serve` as its users run it: a process, signals, and the request it prints."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

_LIMIT = 60.0


class Served:
    """A running `gateway serve` and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.printed = ""
        self.port = 0

    async def read_banner(self) -> None:
        assert self.process.stdout is not None
        while "Ctrl-C ends." not in self.printed:
            line = await asyncio.wait_for(self.process.stdout.readline(), _LIMIT)
            if not line:
                raise AssertionError(f"it ended: {self.printed}")
            self.printed += line.decode()
        self.port = int(re.search(r"Listening on: +http://[^ ]*:(\d+)", self.printed)[1])  # type: ignore[index]

    async def end(self, *signals: signal.Signals) -> int:
        for number in signals:
            self.process.send_signal(number)
            await asyncio.sleep(0.05)
        return await asyncio.wait_for(self.process.wait(), _LIMIT)

    async def get(self, path: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), _LIMIT)
        writer.close()
        head, _, body = answer.decode().partition("\r\n\r\n")
        return int(head.split(" ")[1]), body

    def workers(self) -> list[int]:
        """Process ids of the serving children (Linux)."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if int(fields[1]) == self.process.pid and b"spawn_main" in command:
                    found.append(int(entry.name))
        return found


def _lives(process: int) -> bool:
    """Whether it runs; one that ended and that nobody has collected has no command line (Linux)."""
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except OSError:
        return False


async def _start(data: Path, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--port", "0", *arguments),
        env={**clean, "GATEWAY_DATA_DIR": str(data), **environ},
        cwd=data,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def serving(data: Path, *arguments: str, **environ: str) -> AsyncIterator[Served]:
    served = Served(await _start(data, *arguments, **environ))
    try:
        await served.read_banner()
        yield served
    finally:
        if served.process.returncode is None:
            served.process.kill()
            await served.process.wait()


async def _fails(data: Path, *arguments: str, **environ: str) -> tuple[int | None, str]:
    process = await _start(data, *arguments, **environ)
    printed, _ = await asyncio.wait_for(process.communicate(), _LIMIT)
    return process.returncode, printed.decode()


def _curl(served: Served) -> str:
    if shutil.which("curl") is None:
        message = "needs curl: apt-get install curl"
        if os.environ.get("TEST_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)
    return next(line for line in served.printed.splitlines() if line.startswith("curl"))


async def _run_shell(command: str) -> list[str]:
    """What each read from the command brought."""
    process = await asyncio.create_subprocess_shell(
        command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    reads = []
    while piece := await asyncio.wait_for(process.stdout.read(65536), _LIMIT):
        reads.append(piece)
    assert await process.wait() == 0
    return [read.decode("utf-8", "replace") for read in reads]


async def test_the_printed_request_streams_word_by_word_and_ctrl_c_ends_cleanly(tmp_path: Path) -> None:
    async with serving(tmp_path, "--demo") as served:
        reads = await _run_shell(_curl(served))
        assert await served.end(signal.SIGINT) == 0
    assert "Hello, gateway!" in "".join(reads)
    assert len(reads) > 5


async def test_the_demo_finds_its_model_and_key_again_even_on_another_port(tmp_path: Path) -> None:
    async with serving(tmp_path, "--demo") as served:
        first = _curl(served)
        key = (tmp_path / "demo-key").read_text()
        await served.end(signal.SIGTERM)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            squatter.bind(("127.0.0.1", 8399))
            squatter.listen()
        except OSError:
            pass  # somebody else holds the port: just as good
        async with serving(tmp_path, "--demo") as served:
            again = _curl(served)
            assert "".join(await _run_shell(again)).startswith("Hello!")
    assert (tmp_path / "demo-key").read_text() == key
    assert first.split("customModelId")[1] == again.split("customModelId")[1]
    assert (tmp_path / "demo-key").stat().st_mode & 0o777 == 0o600
    assert "Admin key made" not in served.printed


async def test_sigterm_lets_a_running_answer_end_and_says_so_to_the_load_balancer(tmp_path: Path) -> None:
    async with serving(tmp_path, "--demo") as served:
        assert await served.get("/health/ready") == (200, "ready")
        process = await asyncio.create_subprocess_shell(
            _curl(served), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert process.stdout is not None
        text = await asyncio.wait_for(process.stdout.read(5), _LIMIT)
        served.process.send_signal(signal.SIGTERM)
        while (answer := await served.get("/health/ready")) == (200, "ready"):
            await asyncio.sleep(0.01)
        assert answer == (503, "draining")
        text += await asyncio.wait_for(process.stdout.read(), _LIMIT)
        assert await process.wait() == 0
        assert await asyncio.wait_for(served.process.wait(), _LIMIT) == 0
    assert "every word came over a real socket" in text.decode()


async def test_ctrl_c_says_how_not_to_wait_and_a_third_one_does_not(tmp_path: Path) -> None:
    async with serving(tmp_path, "--demo", GATEWAY_DRAIN_SECONDS="3600") as served:
        endless = _curl(served).replace("Hello, gateway!", "word " * 3000)
        process = await asyncio.create_subprocess_shell(
            endless, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.read(5), _LIMIT)
        served.process.send_signal(signal.SIGINT)
        assert served.process.stdout is not None
        while b"1 answer may take 3600 s to end; another Ctrl-C or SIGTERM ends them now" not in (
            line := await asyncio.wait_for(served.process.stdout.readline(), _LIMIT)
        ):
            assert line
        async with asyncio.timeout(_LIMIT):
            while served.process.returncode is None:
                served.process.send_signal(signal.SIGINT)
                await asyncio.sleep(0.05)
        assert served.process.returncode in (0, 128 + signal.SIGINT)  # the second one may have been enough
        await process.communicate()
        assert process.returncode != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_while_it_starts_ends_it_at_once_and_without_a_word(tmp_path: Path, number: int) -> None:
    served = Served(await _start(tmp_path))
    async with asyncio.timeout(_LIMIT):
        while not (tmp_path / "keyring").exists():  # it prepares its first start; nothing is served yet
            await asyncio.sleep(0.001)
    assert await served.end(signal.Signals(number)) in (0, 128 + number)
    assert served.process.stdout is not None
    printed = (await served.process.stdout.read()).decode()
    assert "Traceback" not in printed
    assert "Aborted" not in printed


async def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        code, printed = await _fails(tmp_path, "--port", str(port))
    assert code == 1
    assert printed.strip() == (
        f"Error: Port {port} on 127.0.0.1 is in use. Stop what listens there or choose another with --port."
    )


async def test_a_database_that_does_not_answer_is_told_without_a_traceback(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://me:my-password@127.0.0.1:1/none"
    code, printed = await _fails(tmp_path, GATEWAY_DATABASE_URL=url)
    assert code == 1
    assert printed.startswith("Error: ")
    assert "Traceback" not in printed
    assert "my-password" not in printed


async def test_every_wrong_setting_is_told_and_ends_with_2(tmp_path: Path) -> None:
    code, printed = await _fails(tmp_path, GATEWAY_BODY_LIMIT="many", GATEWAY_DRAIN_SECONDS="-1")
    assert code == 2
    assert "GATEWAY_BODY_LIMIT" in printed
    assert "GATEWAY_DRAIN_SECONDS" in printed
    assert "Traceback" not in printed


async def test_a_plugin_that_cannot_be_loaded_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    code, printed = await _fails(tmp_path, "--plugin", "broken.py")
    assert code == 1
    assert "broken" in printed
    assert "Traceback" not in printed


_PLUGIN = """
from litestar import get
from gateway import hookimpl

@get("/greeting", opt={"public": True}, media_type="text/plain")
async def greeting() -> str:
    return "WORD"

@hookimpl
def on_app_init(app_config):
    app_config.route_handlers.append(greeting)
"""


async def test_several_workers_serve_survive_a_death_and_end_together(tmp_path: Path) -> None:
    (tmp_path / "greeter.py").write_text(_PLUGIN)
    async with serving(tmp_path, "--workers", "2", "--plugin", "greeter.py") as served:
        assert await served.get("/greeting") == (200, "WORD")
        before = served.workers()
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        while len(now := served.workers()) < 2 or before[0] in now:
            await asyncio.sleep(0.05)
        assert await served.get("/greeting") == (200, "WORD")
        assert await served.end(signal.SIGTERM) == 0
    assert served.workers() == []


async def test_workers_end_when_their_parent_was_killed(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2") as served:
        assert (await served.get("/health/live"))[0] == 200
        workers = served.workers()
        served.process.kill()
        await served.process.wait()
        while any(_lives(worker) for worker in workers):
            await asyncio.sleep(0.05)
        with pytest.raises(ConnectionRefusedError):
            await served.get("/health/live")


async def test_workers_that_cannot_start_end_the_command(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    code, printed = await _fails(tmp_path, "--workers", "2", "--plugin", "broken.py")
    assert code == 1
    assert "broken" in printed
    assert "Traceback" not in printed


async def test_dev_takes_up_a_changed_plugin(tmp_path: Path) -> None:
    file = tmp_path / "greeter.py"
    file.write_text(_PLUGIN)
    async with serving(tmp_path, "--dev", "--plugin", "greeter.py") as served:
        assert await served.get("/greeting") == (200, "WORD")
        file.write_text(_PLUGIN.replace("WORD", "NEWS"))
        while await served.get("/greeting") != (200, "NEWS"):
            await asyncio.sleep(0.05)
        assert await served.end(signal.SIGTERM) == 0


async def test_an_answer_that_outlives_the_drain_is_cut_and_the_end_is_clean(tmp_path: Path) -> None:
    async with serving(tmp_path, "--demo", GATEWAY_DRAIN_SECONDS="0.2") as served:
        endless = _curl(served).replace("Hello, gateway!", "word " * 3000).replace("curl", "curl --silent", 1)
        process = await asyncio.create_subprocess_shell(endless, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.read(5), _LIMIT)
        assert await served.end(signal.SIGTERM) == 0
        await process.communicate()
        assert process.returncode == 18  # curl: the transfer ended before its end
