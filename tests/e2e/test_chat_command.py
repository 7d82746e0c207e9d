"""`gateway chat` as its users run it: in a pipe, on a terminal, with Ctrl-C, against a running gateway."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from click.testing import CliRunner
from seeding import seed

from gateway.cli import main
from gateway.registry import NewModel
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Behaviour, Ending, ScriptedUpstream, chat_events, stream

pytestmark = pytest.mark.asyncio(loop_scope="module")
HANG = 60.0
MODELS = {name: f"00000000-0000-4000-8000-00000000000{number}" for number, name in enumerate(("fast", "other"))}
_SHELL = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
if sys.argv[1]:
    os.login_tty(int(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What a shell does before it runs a command; who runs the tests in the background has SIGINT ignored."""


class House:
    """A running gateway, its upstream, and the command."""

    def __init__(self, gateway: RunningGateway, upstream: ScriptedUpstream, key: str) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.key = key

    def play(self, name: str, *behaviours: Behaviour) -> None:
        self.upstream.play(name, *behaviours)
        self.upstream.seen(name).clear()

    def environ(self, **environ: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        ours = {"GATEWAY_DATA_DIR": str(self.gateway.data_dir), "GATEWAY_PORT": str(self.gateway.port)}
        return {**clean, **ours, "GATEWAY_API_KEY": self.key, "TERM": "dumb", **environ}

    async def start(self, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _SHELL, "", sys.executable, "-m", "gateway", "chat", *arguments),
            env=self.environ(**environ),
            cwd=self.gateway.data_dir,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def chat(self, *arguments: str, stdin: bytes = b"", **environ: str) -> tuple[int, str, str]:
        """The command where no signal and no terminal matter: in a thread, which starts much faster."""
        ended = await asyncio.to_thread(
            CliRunner().invoke, main, ["chat", *arguments], input=stdin, env=self.environ(**environ)
        )
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.output
        return ended.exit_code, ended.stdout, ended.stderr

    def asked(self, name: str) -> Any:
        """What the upstream was asked last."""
        return json.loads(self.upstream.seen(name)[-1].request.body)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    data_dir: Path = tmp_path_factory.mktemp("chat")
    async with ScriptedUpstream() as upstream:
        environ = {"GATEWAY_EGRESS__ALLOW": f'["127.0.0.1:{upstream.port}"]'}
        models = [
            NewModel(id=by, name=name, model_id=f"{name}-1", base_url=f"{upstream.origin}/{name}/v1")
            for name, by in MODELS.items()
        ]
        keys = await seed(data_dir, environ, models=models, keys={"k": None})
        async with RunningGateway(data_dir, environ=environ) as gateway:
            yield House(gateway, upstream, keys["k"])


def gated(*texts: str) -> Behaviour:
    """An answer whose every write waits until it is let go."""
    return msgspec.structs.replace(stream(*chat_events(*texts)), gated=True)


async def test_an_answer_is_printed_as_it_comes_and_times_go_to_stderr(house: House) -> None:
    house.play("fast", gated("one ", "two"))
    process = await house.start("-m", "fast", "Say two words")
    assert process.stdout is not None
    seen = await asyncio.wait_for(house.upstream.wait_for("fast"), HANG)
    seen.go_on()  # after the first text nothing more comes before it was read here
    assert await asyncio.wait_for(process.stdout.readexactly(4), HANG) == b"one "
    for _ in range(4):
        seen.go_on()
    out, err = await asyncio.wait_for(process.communicate(), HANG)
    assert (process.returncode, out) == (0, b"two")
    assert err.decode().startswith("fast: first text after ")
    assert err.decode().endswith(" s in all\n")  # nobody told how many tokens it took
    assert house.asked("fast")["messages"] == [{"role": "user", "content": "Say two words"}]
    assert house.asked("fast")["model"] == "fast-1"


async def test_token_counts_are_told_when_the_upstream_tells_them(house: House) -> None:
    *said, done = chat_events("aye")
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}\n\n'
    house.play("fast", stream(*said, usage, done, pause=0.0))
    _, out, err = await house.chat("-m", "fast", "hi")
    assert out == "aye"
    assert err.endswith(" s in all, 7 tokens in, 2 out\n")
    assert house.asked("fast")["stream_options"] == {"include_usage": True}


async def test_what_comes_by_the_pipe_is_the_question(house: House) -> None:
    house.play("other", stream(*chat_events("aye"), pause=0.0))
    code, out, _ = await house.chat("-m", MODELS["other"], stdin="Zwei Zeilen,\nmit Ä\n".encode())
    assert (code, out) == (0, "aye")
    assert house.asked("other")["messages"] == [{"role": "user", "content": "Zwei Zeilen,\nmit Ä\n"}]


async def test_a_cut_answer_is_told_and_is_a_failure(house: House) -> None:
    house.play("fast", stream(*chat_events("half an ans", finish=None), ending=Ending.CLOSE))
    code, out, err = await house.chat("-m", "fast", "hi")
    assert (code, out) == (1, "half an ans")
    assert "Error: The answer was cut: what came is not all of it (" in err


async def test_ctrl_c_ends_the_answer_and_its_upstream(house: House) -> None:
    house.play("fast", gated("one ", "two"))
    process = await house.start("-m", "fast", "hi")
    assert process.stdout is not None
    seen = await asyncio.wait_for(house.upstream.wait_for("fast"), HANG)
    seen.go_on()
    assert await asyncio.wait_for(process.stdout.readexactly(4), HANG) == b"one "
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(seen.closed(), HANG)
    out, err = await asyncio.wait_for(process.communicate(), HANG)
    assert (process.returncode, out) == (130, b"")
    assert b"Cancelled." in err
    assert b"Traceback" not in err


async def test_ctrl_c_before_the_first_word_does_so_too(house: House) -> None:
    house.play("fast", Behaviour(status=None, ending=Ending.HOLD))
    process = await house.start("-m", "fast", "hi")
    seen = await asyncio.wait_for(house.upstream.wait_for("fast"), HANG)
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(seen.closed(), HANG)
    _, err = await asyncio.wait_for(process.communicate(), HANG)
    assert process.returncode == 130
    assert b"Traceback" not in err


async def test_the_key_is_taken_from_a_file_too_and_a_wrong_one_is_refused_in_words(
    house: House, tmp_path: Path
) -> None:
    house.play("fast", stream(*chat_events("aye"), pause=0.0))
    (tmp_path / "key").write_text(house.key + "\n")
    given = ("-m", "fast", "--key-file", str(tmp_path / "key"), "hi")
    assert (await house.chat(*given, GATEWAY_API_KEY="sk-canary-wrong"))[:2] == (0, "aye")
    code, out, err = await house.chat("-m", "fast", "hi", GATEWAY_API_KEY="sk-canary-wrong")
    assert (code, out) == (1, "")
    assert "answered 401" in err
    assert "canary" not in err
    _, _, err = await house.chat("-m", "fast", "hi", GATEWAY_API_KEY="")
    assert "Name a --key-file or set GATEWAY_API_KEY" in err


async def test_after_a_demo_no_key_has_to_be_named(house: House) -> None:
    house.play("fast", stream(*chat_events("aye"), pause=0.0))
    file = house.gateway.data_dir / "demo-key"
    file.write_text(house.key + "\n")
    assert (await house.chat("-m", "fast", "hi", GATEWAY_API_KEY=""))[:2] == (0, "aye")
    file.unlink()


@pytest.mark.parametrize(
    ("arguments", "environ", "code", "told"),
    [
        (("-m", "nobody", "hi"), {}, 1, "answered 404: "),
        (("hi",), {}, 1, "Which model? Name it with -m: fast, other."),
        (("-m", "fast"), {}, 2, "Nothing was asked"),
        (("-m", "fast", "hi"), {"GATEWAY_PORT": "1"}, 1, "Start it with `gateway serve`."),
        (("-m", "fast", "hi", "--url", "gopher://a"), {}, 2, "is no address"),
    ],
)
async def test_what_cannot_be_asked_is_told_in_a_sentence(
    house: House, arguments: tuple[str, ...], environ: dict[str, str], code: int, told: str
) -> None:
    ended, out, err = await house.chat(*arguments, **environ)
    assert (ended, out) == (code, "")
    assert told in err
    assert "Traceback" not in err


class Terminal:
    """Somebody at a terminal."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        os.set_blocking(handle, False)
        self._shown = b""

    def type(self, keys: bytes) -> None:
        os.write(self._handle, keys)

    async def until(self, text: bytes) -> bytes:
        """What was shown since the last time, up to this text."""
        async with asyncio.timeout(HANG):
            while text not in self._shown:
                try:
                    self._shown += os.read(self._handle, 4096)
                except BlockingIOError:
                    await asyncio.sleep(0.02)
        before, _, self._shown = self._shown.partition(text)
        return before


@contextmanager
def terminal() -> Iterator[tuple[Terminal, int]]:
    ours, theirs = pty.openpty()
    try:
        yield Terminal(ours), theirs
    finally:
        os.close(ours)
        os.close(theirs)


async def test_at_a_terminal_a_conversation_is_remembered_and_outlives_a_cancelled_answer(house: House) -> None:
    first = stream(*chat_events("I am \x1b[2Jfast"), pause=0.0)
    house.play("fast", first, gated("never", "ending"), stream(*chat_events("again"), pause=0.0))
    with terminal() as (person, theirs):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _SHELL, str(theirs), sys.executable, "-m", "gateway", "chat", "-m", "fast"),
            env=house.environ(),
            cwd=house.gateway.data_dir,
            pass_fds=(theirs,),
        )
        await person.until(b"> ")
        person.type(b"Who are you?\n")
        assert b"I am \xef\xbf\xbd[2Jfast" in await person.until(b"first text after")
        await person.until(b"> ")
        person.type(b"Go on\n")
        seen = await asyncio.wait_for(house.upstream.wait_for("fast", 2), HANG)
        seen.go_on()
        await person.until(b"never")
        person.type(b"\x03")
        await asyncio.wait_for(seen.closed(), HANG)
        await person.until(b"Cancelled.")
        await person.until(b"> ")
        person.type(b"Once more\n")
        await person.until(b"again")
        await person.until(b"> ")
        person.type(b"\x04")
        assert await asyncio.wait_for(process.wait(), HANG) == 0
    said = [turn["content"] for turn in house.asked("fast")["messages"]]
    assert said == ["Who are you?", "I am \x1b[2Jfast", "Once more"]
