"""A plugin in a single file that makes the wall clock of its process jump: every look is days away from the last."""

import itertools
import time
from typing import Any

from gateway import hookimpl

_DAY = 86_400.0


@hookimpl
def on_app_init(app_config: Any) -> None:
    real, days = time.time, itertools.cycle((0, 400, -400, 3, -3))
    time.time = lambda: real() + _DAY * next(days)
