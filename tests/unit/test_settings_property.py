"""Whatever stands in the file and the environment, the answer is settings or a list of problems, without a secret."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gateway.settings import Settings, SettingsError, load_settings

CANARY = "canary-7f3a9"
KEYS = [*Settings.model_fields, "", "prot", "enabled", "allow", "env", "file", "acme"]
SCALARS = st.one_of(
    st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.sampled_from([CANARY, "~x", "[", "{", "a\0b"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
TABLES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5)
NAMES = st.lists(st.sampled_from([key.upper() for key in KEYS]), min_size=1, max_size=4).map("__".join)
ENVIRONS = st.dictionaries(
    NAMES.map("GATEWAY_{}".format),
    st.text(max_size=8) | st.sampled_from([CANARY, "[1,", '["a"]', '{"a":1}']),
    max_size=4,
)


def toml(value: Any) -> str:
    """The value as TOML writes it inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=TABLES, environ=ENVIRONS)
def test_settings_or_problems_and_nothing_else(folder: Path, table: dict[str, Any], environ: dict[str, str]) -> None:
    file = folder / "gateway.toml"
    file.write_text("\n".join(f"{toml(key)} = {toml(value)}" for key, value in table.items()), "utf-8")
    environ = {name: value for name, value in environ.items() if name != "GATEWAY_CONFIG"} | {"HOME": str(folder)}
    told: tuple[str, ...] = ()
    try:
        shown = repr(load_settings(file, environ).secret_keys)
    except SettingsError as error:
        told = error.problems
        shown = ""
    assert bool(told) != bool(shown)
    secret = [table.get("secret_keys"), environ.get("GATEWAY_SECRET_KEYS"), environ.get("GATEWAY_DATABASE_URL")]
    if CANARY in str(secret):
        assert all(CANARY not in text for text in (*told, shown))
