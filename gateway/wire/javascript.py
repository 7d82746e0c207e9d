"""What JavaScript makes of JSON values: clients and upstreams were written for what it does."""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

SPACE: Final = (
    "\t\n\x0b\x0c\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What `trimStart` removes."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LAST_INDEX: Final = 2**32 - 2


def parse(text: str) -> Any:
    """`JSON.parse`: every number is a double. Raises `ValueError` or `RecursionError`."""
    return json.loads(text, parse_int=float, parse_constant=_refuse)


def truthy(value: Any) -> bool:
    """Whether a JSON value counts as true: empty arrays and objects do."""
    return value is not None and value is not False and value != 0 and value != ""


def to_string(value: Any) -> str:
    """`String(value)`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join("" if v is None else to_string(v) for v in value)
    return "[object Object]" if isinstance(value, dict) else _number(float(value))


def stringify(value: Any) -> str:
    """`JSON.stringify(value)`."""
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        return quoted if quoted.isascii() else _SURROGATE.sub(lambda m: f"\\u{ord(m[0]):04x}", quoted)
    if isinstance(value, list):
        return "[" + ",".join(stringify(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{stringify(k)}:{stringify(value[k])}" for k in _key_order(value)) + "}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = _number(float(value))
        return "null" if number.endswith("Infinity") else number
    return to_string(value)


def _key_order(names: Iterable[str]) -> list[str]:
    """Array indices first, by value; then the others as they came."""
    return sorted(names, key=lambda n: int(n) if _is_index(n) else _LAST_INDEX + 1)


def _is_index(name: str) -> bool:
    return (
        name.isascii() and name.isdecimal() and len(name) <= 10 and str(int(name)) == name and int(name) <= _LAST_INDEX
    )


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    _, shortest, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    every = "".join(map(str, shortest))
    digits = every.rstrip("0")
    count, point = len(digits), len(every) + exponent
    if count <= point <= 21:
        text = digits + "0" * (point - count)
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if count > 1 else ''}{digits[1:]}e{point - 1:+d}"
    return text if value > 0 else "-" + text


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")
