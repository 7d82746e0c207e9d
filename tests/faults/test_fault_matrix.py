"""Every way an upstream fails, on every surface of a whole gateway: what clients are told, what is accounted and left.

Each fault meets each surface once, with the client's connection kept or not by the seed `GATEWAY_TEST_SEED`;
`GATEWAY_TEST_FAULTS=all` asks both ways, and `GATEWAY_TEST_REPORT` names the page that the table is written into.
"""

import os
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from fault_asking import Result
from fault_cases import CASES, Case
from fault_matrix import matrix_of
from fault_report import table, write

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]
LANES = ("direct", "sdk")


def chosen() -> list[Case]:
    """All cases, or one of each pair that differs only in the client's connection."""
    if os.environ.get("GATEWAY_TEST_FAULTS") == "all":
        return list(CASES)
    dice = random.Random(int(os.environ.get("GATEWAY_TEST_SEED", "1")))
    return [dice.choice(pair) for pair in zip(CASES[::2], CASES[1::2], strict=True)]


CHOSEN = chosen()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mapping[str, Result]]:
    """What became of the cases that this run wants, asked many at once."""
    folder, found = tmp_path_factory.mktemp("faults"), {}
    wanted = {str(item.callspec.params.get("case")) for item in request.session.items if hasattr(item, "callspec")}
    cases = [case for case in CHOSEN if str(case) in wanted]
    for lane in LANES:
        if mine := [case for case in cases if case.shape.lane == lane]:
            (home := folder / lane).mkdir()
            async with matrix_of(home, lane, mine) as matrix:
                found |= await matrix.run(mine)
                found[lane] = Result(problems=[*await matrix.left_behind(), *matrix.leaked()])
    yield found
    if (page := os.environ.get("GATEWAY_TEST_REPORT")) and len(cases) == len(CASES):
        print(text := table(found, cases))
        write(text, Path(page))


@pytest.mark.parametrize("case", CHOSEN, ids=str)
async def test_fault(results: Mapping[str, Result], case: Case) -> None:
    assert results[str(case)].problems == []


@pytest.mark.parametrize("lane", LANES)
async def test_nothing_is_left_behind_and_nothing_leaks(results: Mapping[str, Result], lane: str) -> None:
    if lane not in results:
        pytest.skip("no case of this lane was asked for")
    assert results[lane].problems == []
