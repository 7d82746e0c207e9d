"""What people may type: addresses, keys, ids."""

import json

import pytest

from gateway.settings import limits, suggest
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


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("headers", {"a": 1}, "The headers cannot be used: each value should be a text, not a number."),
        ("headers", ["a"], "The headers cannot be used: they should be a table, not a list."),
        ("timeouts", {"total": "long"}, "The timeouts cannot be used: total should be a number, not a text."),
        ("timeouts", {"conect": 1}, "The timeouts have no 'conect': there are connect, first, idle, total."),
        ("prices", {"inpt": 1, "out": 2}, "The prices have no 'inpt' and no 'out': there are input,"),
        ("quirks", {"omit": "x"}, "The quirks cannot be used: omit should be a list, not a text."),
        ("quirks", {"omit": [1]}, "The quirks cannot be used: each value of omit should be a text, not a number."),
        (
            "quirks",
            {"rename": {"a": None}},
            "The quirks cannot be used: each value of rename should be a text, not null.",
        ),
        ("quirks", {"response_format": "yaml"}, "The quirks cannot be used: response_format cannot be 'yaml'."),
        ("headers", {"a b": "", "c": "\n"}, "The headers 'a b', 'c' cannot be sent: "),
        ("capabilities", {}, "The capabilities cannot be used: they should be a list, not a table."),
    ],
)
def test_columns_that_hold_json_are_refused_in_our_words(field: str, value: object, said: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        limits.structured(field, value)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("prot", ["port", "host"], "; did you mean 'port'?"),
        ("bug", ["big"], "; did you mean 'big'?"),
        ("wieght", ["weight", "when"], "; did you mean 'weight'?"),
        ("nope", ["openai", "azure"], ""),
    ],
)
def test_only_what_is_near_is_proposed(word: str, known: list[str], hint: str) -> None:
    assert suggest(word, known) == hint
