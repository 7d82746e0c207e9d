"""Ctrl-C while the command still loads."""

import subprocess
import sys

_RUN = """
import importlib.abc, sys

class Interrupted(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "gateway.cli.root":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
from gateway.__main__ import main
main()
"""


def test_it_ends_as_interrupted_commands_do_and_shows_no_traceback() -> None:
    ended = subprocess.run([sys.executable, "-c", _RUN, "serve"], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
