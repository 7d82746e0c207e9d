import sys
from pathlib import Path

# The soak asks what the fault matrix asks, and takes its modules.
sys.path.append(str(Path(__file__).parents[1] / "faults"))
