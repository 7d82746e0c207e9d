"""How much of a mapped file is in this process's memory."""

import re
from pathlib import Path


def resident_kb(file: Path) -> int:
    """Kilobytes of the mapping of that file (Linux)."""
    told = Path("/proc/self/smaps").read_text(encoding="utf-8")
    found = re.search(rf"{re.escape(str(file))}\n(?:\w+: .*\n)*?Rss: +(\d+) kB", told)
    assert found is not None
    return int(found[1])
