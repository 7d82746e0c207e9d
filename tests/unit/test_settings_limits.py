"""What people may type: addresses, keys, ids."""

import json

import pytest

from gateway.settings import limits
from gateway.settings.limits import InvalidValue


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://127.0.0.1:8000/v1/",
        "https://[2001:db8::1]/v1?api-version=1",
        "https://bücher.example/v1",
        "  https://a.example/v1\n",
    ],
)
def test_addresses_requests_can_be_sent_to_are_taken(url: str) -> None:
    assert limits.base_url(url) == url.strip()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is empty"),
        ("api.openai.com/v1", "is not a URL"),
        ("https://", "is not a URL"),
        ("https://a b.example", "contains a space"),
        ("https://a\n.example", "control character"),
        ("https://a.example:99999", "is not a URL"),
        ("file:///etc/passwd", "scheme is 'file'"),
        ("ftp://a.example", "scheme is 'ftp'"),
        ("https://user:secret@a.example", "contains credentials"),
        ("https://user@a.example", "contains credentials"),
        ("https://a.example/#f", "contains a fragment"),
        ("https://a.example/#", "contains a fragment"),
        ("https://a.example/" + "x" * 1000, "at most 1000"),
    ],
)
def test_other_addresses_are_refused_in_words(url: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said) as refused:
        limits.base_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["sk-1", "sk-1\n", "sk-1\r\n"])
def test_one_newline_at_the_end_of_a_key_is_taken_away(key: str) -> None:
    assert limits.api_key(key) == "sk-1"


def test_a_credential_file_is_a_key_of_one_line() -> None:
    key = '{\n  "type": "service_account",\n  "private_key": "-----BEGIN\\n' + "k" * 2000 + '"\n}\n'
    taken = limits.api_key(key)
    assert "\n" not in taken
    assert json.loads(taken) == json.loads(key)


@pytest.mark.parametrize("key", ['{"canary": ', '{"canary"}', '{"canary": "' + "k" * 20_000 + '"}'])
def test_what_only_begins_like_one_is_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        limits.api_key(key)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("key", ["sk\n-1", "sk-1\n\n", "sk\r-1", "sk\0-1", "sk-\u2603", "k" * 1001])
def test_keys_no_header_can_hold_are_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        limits.api_key(key)
    assert key not in str(refused.value)


@pytest.mark.parametrize("text", ["0B1C2D3E-0000-4000-8000-00000000000A", "{0b1c2d3e00004000800000000000000a}"])
def test_ids_become_canonical(text: str) -> None:
    assert limits.canonical_uuid(text) == "0b1c2d3e-0000-4000-8000-00000000000a"
