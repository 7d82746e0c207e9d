"""Settings: their sources, their order, and what a wrong one is told."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator

from gateway.settings import Origin, Settings, SettingsError, load_settings, validate_section

KEY = "k" * 44


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(environ: dict[str, str] | None = None, file: str | None = None, **overrides: Any) -> tuple[str, ...]:
    if file is not None:
        Path("gateway.toml").write_text(file)
    with pytest.raises(SettingsError) as caught:
        load_settings(environ=environ or {}, overrides=overrides)
    return caught.value.problems


def test_without_any_source_the_defaults_stand() -> None:
    settings = load_settings(environ={"XDG_DATA_HOME": "/data"})
    assert settings.data_dir == Path("/data/litestar-gateway")
    assert settings.database_url == "sqlite:////data/litestar-gateway/gateway.db"
    assert (settings.host, settings.port, settings.egress.allow) == ("127.0.0.1", 8000, ())
    assert settings.warnings == ()


def test_a_relative_xdg_directory_is_ignored() -> None:
    settings = load_settings(environ={"XDG_DATA_HOME": "data", "HOME": "/home/ada"})
    assert settings.data_dir == Path("/home/ada/.local/share/litestar-gateway")


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\0b"])
def test_a_directory_that_cannot_be_is_one_sentence(path: str) -> None:
    (told,) = problems(file=f'data_dir = "{path}"\n'.replace("\0", "\\u0000"))
    assert told.startswith("gateway.toml: data_dir: ")
    (told,) = problems({"GATEWAY_DATA_DIR": path}, file="")
    assert "data_dir" in told.lower()


def test_a_directory_that_cannot_be_looked_into_is_one_sentence(tmp_path: Path) -> None:
    """Of another user's it is the same, but for those who run the tests as root."""
    path = tmp_path / ("x" * 300)
    assert problems({"GATEWAY_DATA_DIR": str(path)}) == (f"{path}/plugins.json: cannot be read: File name too long",)


def test_a_file_reference_that_cannot_be_a_path_is_one_sentence() -> None:
    (told,) = problems(file='host = {file = "a\\u0000b"}\n')
    assert told.startswith("gateway.toml: host: cannot read ")


def test_options_win_over_environment_and_environment_over_file() -> None:
    Path("gateway.toml").write_text('host = "file"\nport = 1\nlog_level = "debug"\n[egress]\nallow = ["file"]\n')
    environ = {"GATEWAY_HOST": "environ", "GATEWAY_PORT": "2", "GATEWAY_EGRESS__ALLOW": '["10.0.0.0/8"]'}
    settings = load_settings(environ=environ, overrides={"port": 3, "host": None})
    assert (settings.host, settings.port, settings.log_level) == ("environ", 3, "debug")
    assert settings.egress.allow == ("10.0.0.0/8",)


@pytest.mark.parametrize(
    "text", ['["127.0.0.1", "ollama:11434"]', "127.0.0.1,ollama:11434", " 127.0.0.1 , ollama:11434,"]
)
def test_a_list_is_written_as_json_or_with_commas(text: str) -> None:
    settings = load_settings(environ={"GATEWAY_EGRESS__ALLOW": text})
    assert settings.egress.allow == ("127.0.0.1", "ollama:11434")


def test_the_file_is_the_option_then_the_variable_then_the_folders_then_the_data_directorys(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    environ = {"GATEWAY_DATA_DIR": str(data)}
    (data / "gateway.toml").write_text("port = 4")
    assert load_settings(environ=environ).port == 4
    (tmp_path / "gateway.toml").write_text("port = 3")
    assert load_settings(environ=environ).port == 3
    (tmp_path / "variable.toml").write_text("port = 2")
    environ["GATEWAY_CONFIG"] = "variable.toml"
    assert load_settings(environ=environ).port == 2
    (tmp_path / "option.toml").write_text("port = 1")
    assert load_settings(tmp_path / "option.toml", environ).port == 1


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    assert problems({"GATEWAY_CONFIG": "none.toml"}) == (
        "GATEWAY_CONFIG: cannot read none.toml: No such file or directory",
    )
    with pytest.raises(SettingsError, match="--config: cannot read"):
        load_settings(tmp_path / "none.toml", {})


def test_all_problems_are_told_at_once_each_with_its_origin() -> None:
    told = problems(
        {"GATEWAY_BODY_LIMIT": "big", "GATEWAY_LOG_LEVEL": "loud"},
        'prot = 1\n[egress]\nalow = []\n[plugins.x]\nenabled = "maybe"\n',
        port=70000,
    )
    assert sorted(line.split(": ")[0] for line in told) == sorted(
        ["GATEWAY_BODY_LIMIT", "GATEWAY_LOG_LEVEL", "gateway.toml", "gateway.toml", "gateway.toml", "--port"]
    )
    assert "gateway.toml: prot: unknown key; did you mean 'port'?" in told
    assert "gateway.toml: egress.alow: unknown key; did you mean 'allow'?" in told
    assert "gateway.toml: plugins.x.enabled: should be true or false" in told


def test_a_file_that_is_no_toml_is_told_with_the_line() -> None:
    assert problems(file="port = 1\nhost = \n") == (
        "gateway.toml: is not valid TOML: Invalid value (at line 2, column 8)",
    )


@pytest.mark.parametrize("content", [b"\xff", b"a = " + b"[" * 100_000])
def test_a_file_that_cannot_be_read_as_toml_is_one_sentence(content: bytes) -> None:
    Path("gateway.toml").write_bytes(content)
    assert len(problems()) == 1


def test_unknown_variables_are_ignored_with_a_suggestion() -> None:
    environ = {"GATEWAY_HSOT": "x", "GATEWAY_EGRESS__ALOW": "y", "GATEWAY_EGRES__ALLOW": "z", "GATEWAY_WARNINGS": "w"}
    warnings = load_settings(environ=environ).warnings
    assert "GATEWAY_HSOT: is no setting and is ignored; did you mean 'GATEWAY_HOST'?" in warnings
    assert "GATEWAY_EGRESS__ALOW: is no setting and is ignored; did you mean 'GATEWAY_EGRESS__ALLOW'?" in warnings
    assert any(line.startswith("GATEWAY_EGRES__ALLOW: is no setting") for line in warnings)
    assert len(warnings) == 4


def test_variables_of_kubernetes_are_one_warning_and_no_setting() -> None:
    environ = {
        "GATEWAY_PORT": "tcp://10.0.0.1:8000",
        "GATEWAY_SERVICE_HOST": "10.0.0.1",
        "GATEWAY_SERVICE_PORT_HTTP": "8000",
        "GATEWAY_PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "GATEWAY_PORT_8000_TCP_ADDR": "10.0.0.1",
    }
    settings = load_settings(environ=environ)
    assert settings.port == 8000
    (warning,) = settings.warnings
    assert "Kubernetes" in warning
    assert all(name in warning for name in environ)


def test_a_string_of_the_file_may_name_a_variable_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://b\n")
    Path("gateway.toml").write_text(
        '[plugins.a]\nurl = {env = "URL"}\nmore = [{file = "url"}, "c"]\n[plugins.b]\nenv = "prod"\n'
    )
    settings = load_settings(environ={"URL": "https://a"})
    assert settings.plugins == {"a": {"url": "https://a", "more": ["https://b", "c"]}, "b": {"env": "prod"}}


def test_a_reference_to_nothing_is_told_where_it_stands() -> None:
    told = problems(file='host = {env = "NONE"}\ndatabase_url = {file = "none"}\n')
    assert told == (
        "gateway.toml: host: the environment variable NONE is not set",
        "gateway.toml: database_url: cannot read none: No such file or directory",
    )


def test_paths_of_a_file_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/g.toml").write_text('data_dir = "data"\nplugin_files = ["acme.py"]\n')
    settings = load_settings(Path("etc/g.toml"), {})
    assert settings.data_dir == tmp_path / "etc/data"
    assert settings.plugin_files == (tmp_path / "etc/acme.py",)


@pytest.mark.parametrize("wrong", ["", "hunter2", KEY + ",", KEY + ",hunter2"])
def test_empty_and_short_secret_keys_are_refused_and_never_shown(wrong: str) -> None:
    (told,) = problems({"GATEWAY_SECRET_KEYS": wrong})
    assert told.startswith("GATEWAY_SECRET_KEYS: a key is shorter than 32 characters")
    assert KEY not in told


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "mysql", "nonsense"])
def test_a_database_url_of_another_driver_is_refused_without_its_password(scheme: str) -> None:
    (told,) = problems({"GATEWAY_DATABASE_URL": f"{scheme}://user:hunter22@host/db"})
    assert told.startswith("GATEWAY_DATABASE_URL: must begin with ")
    assert "postgresql+asyncpg://" in told
    assert "hunter22" not in told


def test_settings_show_no_secret() -> None:
    settings = load_settings(
        environ={
            "GATEWAY_SECRET_KEYS": KEY,
            "GATEWAY_DATABASE_URL": "postgresql+asyncpg://u:hunter22@h/d",
            "GATEWAY_PLUGINS__SUPABASE__SERVICE_ROLE_KEY": "hunter33",
        }
    )
    assert settings.secret_keys[0].get_secret_value() == KEY
    for shown in (repr(settings), str(settings)):
        assert not any(secret in shown for secret in (KEY, "hunter22", "hunter33"))


class Colour(StrEnum):
    RED = "red"


class Acme(BaseModel):
    """A plugin's settings."""

    colour: Colour | None = None
    limits: Annotated[dict[str, int], Field(max_length=3)] | None = None

    url: str
    key: SecretStr = SecretStr("")
    names: tuple[str, ...] = ()
    tries: int | None = None

    @field_validator("key")
    @classmethod
    def _indiscreet(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith("bad"):
            raise ValueError(f"{value.get_secret_value()} is bad")
        return value


AT = ("plugins", "acme")


def test_a_plugins_section_is_read_by_its_class() -> None:
    settings = load_settings(
        environ={
            "GATEWAY_PLUGINS__ACME__ENABLED": "true",
            "GATEWAY_PLUGINS__ACME__URL": "[1]",
            "GATEWAY_PLUGINS__ACME__NAMES": "a,b",
            "GATEWAY_PLUGINS__ACME__TRIES": "3",
            "GATEWAY_PLUGINS__ACME__KEY": '{"json": "like"}',
            "GATEWAY_PLUGINS__ACME__COLOUR": "red",
            "GATEWAY_PLUGINS__ACME__LIMITS": '{"a": 1}',
            "GATEWAY_PLUGINS__ACME__URRL": "x",
        }
    )
    table = dict(settings.plugins["acme"])
    assert table.pop("enabled") is True
    section = validate_section(Acme, table, settings.origins, at=AT)
    value = section.value
    assert (value.url, value.names, value.tries, value.colour) == ("[1]", ("a", "b"), 3, "red")
    assert (value.key.get_secret_value(), value.limits) == ('{"json": "like"}', {"a": 1})
    assert section.warnings == (
        "GATEWAY_PLUGINS__ACME__URRL: is no setting and is ignored; did you mean 'GATEWAY_PLUGINS__ACME__URL'?",
    )


def test_a_plugins_problems_have_their_origins_and_no_secret() -> None:
    origins = {(*AT, "key"): Origin("g.toml: plugins.acme.key"), (*AT, "tires"): Origin("g.toml: plugins.acme.tires")}
    with pytest.raises(SettingsError) as caught:
        validate_section(Acme, {"key": "bad-hunter44", "tires": 1}, origins, at=AT)
    assert caught.value.problems == (
        "g.toml: plugins.acme.tires: unknown key; did you mean 'tries'?",
        "plugins.acme.url: is required; set it in the file or as GATEWAY_PLUGINS__ACME__URL",
        "g.toml: plugins.acme.key: *** is bad",
    )
    assert caught.value.__suppress_context__


def test_an_empty_data_directory_is_refused() -> None:
    assert problems({"GATEWAY_DATA_DIR": ""}) == ("GATEWAY_DATA_DIR: should be the path of a directory",)


def test_settings_are_made_in_code_too(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, auto_migrate=False)
    assert settings.database_url == f"sqlite:///{tmp_path}/gateway.db"
