"""Fixtures for plugin authors, known to every pytest where the gateway is installed; what they need loads with them."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gateway.testing.running import RunningGateway


@pytest.fixture
def gateway_environ() -> Mapping[str, str]:
    """Settings of `running_gateway` as environment variables; override it in a test file."""
    return {}


@pytest.fixture
def gateway_arguments() -> Sequence[str]:
    """Arguments of `gateway serve` for `running_gateway`, such as `("--plugin", "acme.py")`; override it."""
    return ()


@pytest.fixture
def gateway_factory(tmp_path: Path) -> "Callable[..., RunningGateway]":
    """Makes whole gateways, each a process with data of its own: `async with gateway_factory() as gateway`."""
    from gateway.testing.running import RunningGateway

    made: list[RunningGateway] = []

    def make(*, environ: Mapping[str, str] | None = None, arguments: Sequence[str] = ()) -> RunningGateway:
        made.append(RunningGateway(tmp_path / f"gateway-{len(made)}", environ=environ, arguments=arguments))
        return made[-1]

    return make


@pytest.fixture
def running_gateway(
    gateway_factory: "Callable[..., RunningGateway]",
    gateway_environ: Mapping[str, str],
    gateway_arguments: Sequence[str],
) -> "Iterator[RunningGateway]":
    """A whole gateway that serves during the test, of `gateway_environ` and `gateway_arguments`.

    For a test that stops it itself, use `gateway_factory`.
    """
    gateway = gateway_factory(environ=gateway_environ, arguments=gateway_arguments)
    # A loop of its own that nobody else is told of: the test may have another, or none.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(gateway.__aenter__())
        try:
            yield gateway
        finally:
            runner.run(gateway.__aexit__(None, None, None))
