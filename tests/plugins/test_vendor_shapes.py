"""Every vendor's way to write a stream says the same to every client, whole, in pieces and cut at each byte."""

import pytest
from replay import replayed

from gateway.testing.canned_vendors import VENDORS
from gateway.wire.chat import CHAT

PRINTED_AS_JAVASCRIPT_DOES = {"mistral"}
"""Contents that are lists: the custom route's original printed `[object Object]`, and so does ours."""


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendors_stream_says_the_same_to_every_client(vendor: str) -> None:
    without = "text" if vendor in PRINTED_AS_JAVASCRIPT_DOES else ""
    assert {"chat", "messages"} <= replayed(CHAT, VENDORS[vendor], without=without).keys()
