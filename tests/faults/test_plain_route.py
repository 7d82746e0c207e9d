"""The comparison runs: what the plain route gets wrong is seen, and what it gets right is not called wrong.

`make faults-compared` asks all faults, and the gateway too.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fault_comparison import (
    COMPARED,
    KEY_SHOWN,
    LOST,
    OPEN,
    PRETENDED,
    REDIRECTED,
    STATUS,
    Compared,
    plainly,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
SAMPLE = {
    "end after the finish": (),
    "reset": (),
    "500": (),
    "401": (KEY_SHOWN, STATUS),
    "307 redirect": (REDIRECTED, STATUS),
    "200, error JSON": (PRETENDED,),
    "end without a finish": (PRETENDED,),
    "close after the finish": (LOST,),
    "client leaves before the head": (OPEN,),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Compared]:
    yield await plainly(tmp_path_factory.mktemp("plain"), [case for case in COMPARED if case.name in SAMPLE])


@pytest.mark.parametrize("name", SAMPLE)
async def test_what_the_plain_route_gets_wrong(plain: Compared, name: str) -> None:
    assert next(plain.harms[str(case)] for case in COMPARED if case.name == name) == SAMPLE[name]


async def test_its_log_is_read(plain: Compared) -> None:
    assert plain.tracebacks
