"""What a supervisor under test spawns: it imports next to nothing, so that a start is soon over."""

import os
import signal
import socket
import sys
from multiprocessing.connection import Connection
from pathlib import Path

STARTS = "TEST_STARTS"


def work(listener: socket.socket, pipe: Connection) -> None:
    """Die by a kill, fail to start, let the server be ended: whatever comes next in the file."""
    with Path(os.environ[STARTS]).open("r+") as file:
        codes = file.read().split()
        file.seek(0)
        file.truncate()
        file.write(" ".join(codes[1:]))
    if codes[0] == "0":
        os.kill(os.getppid(), signal.SIGTERM)
    sys.exit(int(codes[0]))
