"""The texts of JSONTestSuite, and those of it that are no text: `y_` is JSON, `n_` is none, `i_` may be either."""

import json
from pathlib import Path

SUITE = {
    name: text.encode()
    for name, text in json.loads((Path(__file__).parent / "json_suite/parsing.json").read_text()).items()
}
BYTES = {
    "i_string_UTF-16LE_with_BOM": b'\xff\xfe[\0"\0\xe9\0"\0]\0',
    "i_string_utf16BE_no_BOM": b'\0[\0"\0\xe9\0"\0]',
    "i_string_utf16LE_no_BOM": b'[\0"\0\xe9\0"\0]\0',
    "n_string_truncated_sequence": b'["\xe6\x97\xa5\xd1\x88\xfa"]',
    "n_string_encoded_surrogate": b'["\xed\xa0\x80"]',
    "n_string_lone_byte": b'["\xff"]',
    "n_string_latin_1": b'["\xe9"]',
    "n_string_lone_continuation": b'["\x81"]',
    "n_string_beyond_unicode": b'["\xf4\xbf\xbf\xbf"]',
    "n_string_overlong_2": b'["\xc0\xaf"]',
    "n_string_overlong_6": b'["\xfc\x83\xbf\xbf\xbf\xbf"]',
    "n_string_overlong_null": b'["\xfc\x80\x80\x80\x80\x80"]',
    "n_string_truncated_at_the_quote": b'["\xe0\xff"]',
    "n_array_byte_behind_a_name": b"[a\xe5]",
    "n_array_byte": b"[\xff]",
    "n_number_byte_in_integer": b"[0\xe5]\n",
    "n_number_byte_in_larger_integer": b"[123\xe5]",
    "n_number_byte_in_exponent": b"[1e1\xe5]",
    "n_number_byte_behind_e": b"[1e\xe5]",
    "n_object_lone_continuation_in_key": b'{"\xb9":"0",}',
    "n_string_byte_in_escape": b'["\\u\xe5"]',
    "n_string_byte_behind_backslash": b'["\\\xe5"]',
    "n_structure_incomplete_BOM": b"\xef\xbb{}",
    "n_structure_byte": b"\xff",
    "n_structure_lone_latin_1": b"\xe9",
    "n_structure_many_opening_arrays": b"[" * 60_000,
    "n_structure_many_opening_objects": b'[{"":' * 10_000,
    "n_structure_deep_and_closed": b"[" * 30_000 + b"]" * 30_000,
    "n_structure_deep_objects_and_closed": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "n_structure_one_level_too_deep": b"[" * 65 + b"]" * 65,
    "n_structure_deep_behind_a_lone_surrogate": rb'["\ud800",' + b"[" * 20_000 + b"]" * 20_000 + b"]",
    "y_structure_sixty_levels": b"[" * 60 + b"]" * 60,
    "y_string_lone_surrogate": rb'["\ud800", "\udfff\ud800"]',
    "y_string_all_of_unicode": json.dumps(["\0\u2028\ufffe\U0010ffff"]).encode(),
    "y_number_of_many_digits": b"[" + b"9" * 5_000 + b"]",
    "y_number_huge_exponent": b"[1e400, -1e-400]",
    "y_object_of_many_fields": json.dumps({str(n): n for n in range(3_000)}).encode(),
    "y_object_keys_twice_and_again": b'{"a":1,"a":2,"a":{"b":1,"b":2}}',
}
CASES = {**SUITE, **BYTES}
