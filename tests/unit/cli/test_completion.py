"""Shell completion, by a real bash with somebody pressing Tab."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main

_HANG = 60.0


class Shell:
    """An interactive bash at a terminal."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._shown = ""

    def type(self, keys: str) -> None:
        os.write(self._handle, keys.encode())

    def until(self, text: str) -> None:
        """Return once the terminal shows it; the limit is there against hanging only."""
        limit = time.monotonic() + _HANG
        while text not in self._shown:
            assert time.monotonic() < limit, self._shown
            if select.select([self._handle], [], [], 1.0)[0]:
                self._shown += os.read(self._handle, 4096).decode(errors="replace")
        self._shown = self._shown.partition(text)[2]


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Shell]:
    """A bash with the script sourced, as a user's startup file does."""
    (tmp_path / "rc").write_text(
        "PS1='ready> '\nbind 'set enable-bracketed-paste off'\neval \"$(gateway completion bash)\"\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environ |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(tmp_path)}
    ours, theirs = pty.openpty()
    arguments = ["bash", "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"]
    process = subprocess.Popen(
        arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=tmp_path, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Shell(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_tab_completes_commands_their_commands_and_their_options(bash: Shell) -> None:
    bash.until("ready> ")
    bash.type("gateway mod\t")
    bash.until("gateway models ")
    bash.type("upd\t")
    bash.until("update ")
    bash.type("--base\t")
    bash.until("--base-url ")


@pytest.mark.parametrize(("shell", "sign"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete ")])
def test_each_shell_gets_its_script(shell: str, sign: str) -> None:
    printed = CliRunner().invoke(main, ["completion", shell])
    assert printed.exit_code == 0
    assert sign in printed.stdout
    assert "_GATEWAY_COMPLETE" in printed.stdout


def test_another_shell_is_refused_in_a_sentence() -> None:
    ended = CliRunner().invoke(main, ["completion", "tcsh"])
    assert ended.exit_code == 2
    assert "'tcsh'" in ended.output
