"""The lines of a file that the gateway is still writing to."""

import json
from pathlib import Path
from typing import Any


def written(file: Path) -> list[Any]:
    """What each whole line says; the last one may still be in the writing, and a reader sees part of it."""
    *lines, _ = (file.read_bytes() if file.exists() else b"").split(b"\n")
    return [json.loads(line) for line in lines]
