"""What the random histories are made of: the table of faults, the control plane's client, reports."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("faults", "e2e", "restarts")]
