"""The cases of the matrix: every fault, on every surface that can meet it, with connections kept and not."""

from collections.abc import Sequence

import msgspec
from fault_expected import Expected
from fault_surfaces import SHAPES, Shape
from fault_table import FAULTS, Fault


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, met on one surface."""

    name: str
    shape: Shape
    keep_alive: bool

    @property
    def fault(self) -> Fault:
        """What goes wrong."""
        return FAULTS[self.name]

    @property
    def expected(self) -> Expected:
        """What has to come of it."""
        return self.fault.verdict.of(self.shape)

    def __str__(self) -> str:
        return f"{self.name} - {self.shape.name} - {'keep-alive' if self.keep_alive else 'close'}"


CASES: Sequence[Case] = tuple(
    Case(name=name, shape=shape, keep_alive=keep_alive)
    for name, fault in FAULTS.items()
    for shape in SHAPES
    if fault.concerns(shape)
    for keep_alive in (False, True)
)
