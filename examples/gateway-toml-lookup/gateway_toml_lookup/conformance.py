"""What the gateway's conformance kit has to know of the lookup: a file to read, and what is found in it."""

from pathlib import Path

CONFORMANCE = {
    "settings": {"file": str(Path(__file__).with_name("example.toml"))},
    "model": "11111111-1111-4111-8111-111111111111",
    "private": ("22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"),
}
