"""A body is refused in words or its fields keep their bytes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.wire.json import decode_object, decode_value


def fields(body: bytes, **options: int) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in decode_object(body, **options).items()}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", {}),
        (b" \r\n\t{ } \n", {}),
        (b"\xef\xbb\xbf{}", {}),
        (b'{"b":1,"a":2}', {"b": b"1", "a": b"2"}),
        (b'{"a": 1.50 , "b" :[1 , 2]}', {"a": b"1.50", "b": b"[1 , 2]"}),
        (b'{"a":1e999,"b":123456789012345678901234567890}', {"a": b"1e999", "b": b"123456789012345678901234567890"}),
        (b'{"a":1,"b":2,"a":3}', {"a": b"3", "b": b"2"}),
        (b'{"":null}', {"": b"null"}),
        ('{"é":"漢\u2028"}'.encode(), {"é": '"漢\u2028"'.encode()}),
        (rb'{"a":"\ud83c\udf89"}', {"a": rb'"\ud83c\udf89"'}),
        (rb'{"a":"\ud83c","b": 01}'.replace(b"01", b"1.0"), {"a": rb'"\ud83c"', "b": b"1.0"}),
        (rb'{ "a" : [ "\udf89" , {} ] , "b":-0 , "a": "\udf89" } ', {"a": rb'"\udf89"', "b": b"-0"}),
        (rb'{"\ud83c":1}', {"\ud83c": b"1"}),
    ],
)
def test_fields_keep_their_order_and_their_bytes(body: bytes, expected: dict[str, bytes]) -> None:
    assert fields(body) == expected
    assert list(fields(body)) == list(expected)


REFUSED = [
    *[
        b"",
        b" ",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"true",
        b"{",
        b"}",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1,}',
        b'{,"a":1}',
        b"{a:1}",
    ],
    *[
        b'{"a":%s}' % v
        for v in (b"01", b"-", b"+1", b".5", b"1.", b"1e", b"0x1", b"NaN", b"Infinity", b"-Infinity", b"tru")
    ],
    *[
        b'{"a":%s}' % v
        for v in (b"'x'", b'"x', b'"\\x"', b'"\\u12"', b'"\t"', b'"\x00"', b"[1,]", b"[1", b"[1}", b"//", b"\x0c1")
    ],
    *[b'{"a":"%s"}' % v for v in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe6\xbc")],
    *[b'{"a":1}x', b'{"a":1}{}', b"\xef\xbb\xbf", b"\xef\xbb{}", b"\xff\xfe{\x00}\x00", b'{"\xff":1}', b'{"a":1}\x00'],
    *[
        rb'{"a":"\ud83c",}',
        rb'{"a":"\ud83c","b":NaN}',
        rb'["\ud83c"]',
        rb'"\ud83c"',
        rb'{"a":"\ud83c"',
        rb'{"a":"\ud83c","b":01}',
    ],
    *[b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    rb'{"s":"\ud83c","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]


@pytest.mark.parametrize("body", REFUSED, ids=range(len(REFUSED)))
def test_anything_else_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode_object(body)
    assert refusal.value.message.startswith("The request body ")
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "The request body is empty: it must be a JSON object."),
        (b"\xef\xbb\xbf \n", "The request body is empty: it must be a JSON object."),
        (b'{"a": [1,', "The request body is not valid JSON: it ends too early (byte 9)."),
        (b'{"a": "b', "The request body is not valid JSON: it ends too early (byte 8)."),
        (b'{"a": 1,}', "The request body is not valid JSON: trailing comma in object (byte 8)."),
    ],
)
def test_a_refusal_says_the_place(body: bytes, told: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode_object(body)
    assert refusal.value.message == told


@pytest.mark.parametrize("opening", [b"[", b'{"x":'])
def test_nesting_up_to_the_limit_passes_and_one_more_does_not(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"

    def nested(depth: int, *, beside: bytes = b"") -> bytes:
        return b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + beside + b"}"

    assert fields(nested(64))
    assert fields(nested(64, beside=b',"b":[' + b"[[]]," * 200 + b"0]"))
    assert fields(nested(1, beside=b',"b":"' + b"[{" * 100 + rb"\"\\" + b'"'))
    for beside in (b"", b',"b":[' + b"[]," * 200 + b"0]", rb',"b":"\ud83c"'):
        with pytest.raises(InvalidRequest, match="deeper than 64"):
            decode_object(nested(65, beside=beside))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=3), v, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200)
@given(st.dictionaries(st.text(), VALUES), st.booleans(), st.booleans())
def test_every_object_passes_with_the_values_it_had(value: dict[str, Any], ascii_only: bool, lone: bool) -> None:
    body = json.dumps({**value, **({"lone": "\ud83c"} if lone else {})}, ensure_ascii=ascii_only or lone).encode()
    read = {name: json.loads(bytes(raw)) for name, raw in decode_object(body).items()}
    assert read == json.loads(body)


def test_a_number_of_more_digits_than_python_reads_is_a_number() -> None:
    digits = b"9" * 5_000
    [raw] = decode_object(b'{"a":%b}' % digits).values()
    assert bytes(raw) == digits
    assert decode_value(b'[-%b, 12345678901234567890123, "\\ud800"]' % digits) == [
        float("-inf"),
        12345678901234567890123,
        "\ud800",
    ]


@settings(max_examples=300)
@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,\\u0123d8a truefalsn', max_size=30).map(str.encode))
def test_nothing_but_a_refusal_is_ever_raised(body: bytes) -> None:
    try:
        decoded = decode_object(body)
    except InvalidRequest:
        return
    assert all(isinstance(v, msgspec.Raw) for v in decoded.values())
    assert isinstance(json.loads(body), dict)
