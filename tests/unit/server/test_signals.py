"""What signals do to a server that has served."""

import json
import signal
import subprocess
import sys

SCRIPT = """
import json, os, sys
from gateway.server.ending import Insistence
from gateway.server.signals import ENDS, Signals

class Late:
    def __init__(self, kill):
        self.kill = kill

    def __del__(self):
        self.kill()  # while the interpreter ends, when it has given its handlers up

def served(number, insists):
    global late
    times = iter(range(100))
    with Signals(ENDS, Insistence(lambda: next(times))):
        pass
    for _ in range(insists):
        os.kill(os.getpid(), number)
    late = Late(lambda kill=os.kill, own=os.getpid(): kill(own, number))

codes = []
for case in json.loads(sys.argv[1]):
    if (child := os.fork()) == 0:
        served(*case)
        break
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    print(json.dumps(codes))
"""


def test_a_signal_after_the_end_changes_no_exit_code_unless_somebody_insists() -> None:
    codes = {
        (signal.SIGINT, 0): 0,
        (signal.SIGTERM, 0): 0,
        (signal.SIGINT, 2): 0,
        (signal.SIGINT, 3): 130,
        (signal.SIGTERM, 3): 143,
    }
    command = [sys.executable, "-c", SCRIPT, json.dumps(list(codes))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout) == list(codes.values())
