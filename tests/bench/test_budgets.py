"""What a request and a chunk cost is counted in a running gateway and held to what is stored, on every machine."""

from collections.abc import Iterator, Mapping

import pytest

from bench.budgets.costs import Cost, Costs, judged, load, python
from bench.budgets.measuring import PLANTED, Measured, all_costs, measured, noticed
from bench.budgets.page import PAGE, written


@pytest.fixture(scope="module")
def gateway(bench_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    with measured(tmp_path_factory.mktemp("budgets")) as running:
        yield running


@pytest.fixture(scope="module")
def counted(gateway: Measured) -> Mapping[str, Costs]:
    return all_costs(gateway)


@pytest.mark.timeout(300)
def test_no_exchange_costs_more_than_its_budget(counted: Mapping[str, Costs]) -> None:
    if not (stored := load()):
        pytest.skip(f"needs stored costs for Python {python()}: make budgets-accept")
    over = [
        f"{one.shape}: {one.measure} of each {one.unit}: {one.counted:,.1f}, {one.most:,.1f} allowed"
        for one in judged(counted, stored)
        if one.over
    ]
    assert not over, "\n".join(["`make budgets` shows the table; what is meant: `make budgets-accept`", *over])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", PLANTED)
def test_a_regression_of_a_fifth_breaks_the_budget_of_its_part(
    part: str, gateway: Measured, counted: Mapping[str, Costs]
) -> None:
    broken = {(one.measure, one.unit) for one in noticed(gateway, part, counted[PLANTED[part]])}
    assert {(f"bytecodes {part}", "request"), (f"bytecodes {part}", "chunk")} <= broken
    assert not {measure for measure, _ in broken if " gateway" in measure and not measure.endswith(part)}


def test_one_task_more_is_over_the_budget() -> None:
    """Where a tenth is less than one, one more is too much."""
    stored = {"json": {"tasks": Cost(2, 0), "bytecodes": Cost(10_000, 0)}}
    (tasks, bytecodes) = judged({"json": {"tasks": Cost(3, 0), "bytecodes": Cost(10_900, 0)}}, stored)
    assert tasks.over
    assert not bytecodes.over


def test_what_got_far_cheaper_is_said_so_that_it_is_kept() -> None:
    (one,) = judged({"json": {"bytecodes": Cost(8_000, 0)}}, {"json": {"bytecodes": Cost(10_000, 0)}})
    assert one.under
    assert not one.over


def test_a_part_that_is_new_has_to_be_accepted() -> None:
    (one,) = judged({"json": {"bytecodes gateway_new": Cost(100, 0)}}, {"json": {}})
    assert one.over


def test_the_page_tells_the_stored_costs() -> None:
    page = PAGE.read_text("utf-8")
    assert page == written(page), "make budgets-accept writes it"
