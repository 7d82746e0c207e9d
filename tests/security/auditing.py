"""A plugin in a single file that notes what turns data into code or starts a process."""

import sys
from types import FrameType
from typing import Any

from litestar import get

from gateway import hookimpl

_STARTS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)


def _importing() -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


class Auditor:
    """An audit hook that remembers; modules being imported are no data."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STARTS or event.startswith("pickle."):
            self.noted.append(event)
        elif event in ("compile", "exec") and _importing():
            return  # a library that loads, the SDK above all, makes its classes so
        elif event == "exec" and arguments[0].co_filename.startswith("<") and "frozen" not in arguments[0].co_filename:
            self.noted.append(f"exec {arguments[0].co_filename}")
        elif event == "compile" and arguments[0] is not None:
            self.noted.append(f"compile {arguments[1]!r}")


@hookimpl
def on_app_init(app_config: Any) -> None:
    auditor = Auditor()
    sys.addaudithook(auditor)

    @get("/audited", opt={"public": True})
    async def audited() -> list[str]:
        return auditor.noted

    @get("/weakened", opt={"public": True})
    async def weakened(expression: str) -> str:
        return str(eval(expression))

    app_config.route_handlers += [audited, weakened]
