"""Texts that clients send when they mean no good."""

from collections.abc import Mapping
from types import MappingProxyType

TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "empty": "",
        "space": " ",
        "quotes": "' OR '1'='1' --",
        "path": "../../etc/passwd",
        "nul": "a\0b",
        "newline": "a\r\nx-injected: 1",
        "surrogate": "\ud800",
        "emoji": "\N{PARTY POPPER}" * 50,
        "very_long": "x" * 100_000,
        "percent": "%00%2e%2e?select=*&id=eq.1#",
    }
)
"""By the name of what is wrong with them."""
