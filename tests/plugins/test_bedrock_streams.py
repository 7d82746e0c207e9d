"""Streams of Converse as documented, replayed through every client dialect: cut and split at each of their bytes."""

import msgspec
import pytest
from replay import replayed

from gateway.testing.canned import Canned
from gateway_bedrock.conformance import CONFORMANCE
from gateway_bedrock.dialect import CONVERSE


def stream(name: str) -> Canned:
    return msgspec.convert(CONFORMANCE["answers"][name], Canned)


@pytest.mark.parametrize("name", ["parallel_tools", "reasoning"])
def test_no_cut_ends_well_and_no_split_matters(name: str) -> None:
    replayed(CONVERSE, stream(name))


@pytest.mark.parametrize("name", ["error_in_the_stream"])
def test_an_error_inside_a_200_is_seen_wherever_it_is_cut(name: str) -> None:
    replayed(CONVERSE, stream(name), fails=True)
