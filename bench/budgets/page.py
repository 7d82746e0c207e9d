"""The stored costs as a table in docs/performance.md, so that the page says what the budgets hold."""

from collections.abc import Mapping, Sequence

from bench.budgets.costs import Cost, Costs, by_python
from bench.budgets.shapes import SHAPES
from bench.report import Table, markdown
from bench.tools import ROOT

PAGE = ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- the counts begin -->\n", "<!-- the counts end -->\n"
_COLUMNS = (("json", "request"), ("stream", "request"), *((shape.name, "chunk") for shape in SHAPES if shape.dialect))
_PART = "bytecodes "
_WHOLE = (
    "bytecodes",
    "calls of C",
    "allocations",
    "tasks",
    "timers",
    "futures",
    "garbage",
    "reads",
    "writes",
    "other system calls",
)


def written(page: str) -> str:
    """The page with the stored costs of the oldest Python that has some."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has no place for the counts: {_BEGIN.strip()} {_END.strip()}")
    python, shapes = min(by_python().items())
    parts = sorted(
        (measure for measure in shapes["stream"] | shapes["json"] if measure.startswith(_PART)),
        key=lambda measure: -_cost(shapes, "stream", measure).request,
    )
    tables = (_table(f"Bytecodes, Python {python}", parts, shapes), _table("All parts together", _WHOLE, shapes))
    return before + begin + "\n" + "\n".join(markdown(table) for table in tables) + "\n" + end + after


def _table(title: str, measures: Sequence[str], shapes: Mapping[str, Costs]) -> Table:
    heads = [f"{shape}: a {unit}" for shape, unit in _COLUMNS]
    rows = [
        [
            f"`{measure.removeprefix(_PART)}`" if measure.startswith(_PART) else measure,
            *(_shown(getattr(_cost(shapes, shape, measure), unit)) for shape, unit in _COLUMNS),
        ]
        for measure in measures
    ]
    return Table(title, ["", *heads], rows)


def _shown(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 or count == int(count) else f"{count:.2g}"


def _cost(shapes: Mapping[str, Costs], shape: str, measure: str) -> Cost:
    return shapes[shape].get(measure, Cost(0, 0))
