"""Regressions to order: more work in one part of the gateway, to see that its budget notices."""

from collections.abc import Callable
from typing import Any

from gateway.egress import EgressClient
from gateway.egress.response import Response
from gateway.pipeline.pump import Pump
from gateway.pipeline.router import Router
from gateway.wire.chat.writer import ChatWriter

_PLACES: dict[str, tuple[tuple[type[Any], str], tuple[type[Any], str]]] = {
    "gateway.pipeline": ((Router, "run"), (Pump, "move")),
    "gateway.wire": ((ChatWriter, "__init__"), (ChatWriter, "write")),
    "gateway.egress": ((EgressClient, "send"), (Response, "receive")),
}
"""Part -> where it passes once a request, and once a chunk."""
_A_TURN = 3
"""Bytecodes in one turn of an empty loop."""


def plant(part: str, request: str, chunk: str) -> None:
    """Let the part run so many bytecodes more for every request and every chunk; none of either takes them out."""
    for (owner, name), more in zip(_PLACES[part], (int(request), int(chunk)), strict=True):
        present = getattr(owner, name)
        real = getattr(present, "real", present)
        setattr(owner, name, _slower(real, _burner(part, more)) if more else real)


def _slower(real: Callable[..., Any], burn: Callable[[], None]) -> Callable[..., Any]:
    def slower(*arguments: Any, **named: Any) -> Any:
        burn()
        return real(*arguments, **named)

    slower.real = real  # type: ignore[attr-defined]
    return slower


def _burner(part: str, bytecodes: int) -> Callable[[], None]:
    """Code of that part: it says so, as all code does, by the name of its module."""
    names: dict[str, Any] = {"__name__": f"{part}.planted"}
    source = f"def burn():\n    for _ in range({max(1, round(bytecodes / _A_TURN))}):\n        pass\n"
    exec(compile(source, "planted", "exec"), names)
    burn: Callable[[], None] = names["burn"]
    return burn
