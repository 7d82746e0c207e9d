"""The start-up test passes with the guard and fails without it."""

import msgspec
import pytest

from gateway.egress import EgressClient, EgressPolicy, SelfTestFailed, self_test


@pytest.mark.parametrize("allow", [(), ("127.0.0.1", "0.0.0.0/0")])
async def test_a_guarded_client_passes_whatever_the_operator_allows(allow: tuple[str, ...]) -> None:
    await self_test(EgressPolicy(allow=allow))


async def test_a_client_that_lets_everything_out_fails() -> None:
    def unguarded(policy: EgressPolicy) -> EgressClient:
        return EgressClient(msgspec.structs.replace(policy, allow=("0.0.0.0/0", "::/0")))

    with pytest.raises(SelfTestFailed, match="reached"):
        await self_test(EgressPolicy(), make=unguarded)
