"""What a kind of access tokens has to say of itself."""

import pytest

from gateway.providers import AccessTokens


class Forgetful(AccessTokens):
    url = "https://tokens.example"

    def form(self, now):
        return {}


def test_a_kind_that_forgot_a_part_is_told_before_anybody_asks_for_a_token():
    with pytest.raises(TypeError, match="refusal"):
        Forgetful(None)
