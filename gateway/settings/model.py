"""The gateway's own settings."""

import os
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from gateway.settings.allow import read_allowed
from gateway.settings.declared import DeclaredModel, DeclaredRoute, Name
from gateway.settings.problems import Origin

_MINIMUM_KEY = 32
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_FORMER = "sqlite+aiosqlite"
"""How SQLite was said before; taken all the same."""


def default_data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """`$XDG_DATA_HOME/litestar-gateway`, else the same under `~/.local/share`."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_DATA_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    if base and Path(base).is_absolute():
        return Path(base) / "litestar-gateway"
    return expanded(environ.get("HOME") or "~") / ".local" / "share" / "litestar-gateway"


def expanded(path: str | Path) -> Path:
    """The path with `~` replaced by the home directory; raises `ValueError` where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # a container may run as a user that nobody knows
        raise ValueError(
            f"{path}: there is no such home directory; set GATEWAY_DATA_DIR to an absolute path"
        ) from error


def _embedded_database(data: dict[str, Any]) -> str:
    directory = data.get("data_dir")  # absent when it was itself refused
    return f"sqlite:///{directory or default_data_dir()}/gateway.db"


class EgressSettings(BaseModel):
    """The door to upstreams."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow: tuple[str, ...] = ()
    """Private hosts that may be dialled: an address, a network, a name, each with an optional `:port`."""
    max_connections: int = Field(default=16_384, ge=1)
    """Connections of one serving process at one time, idle ones included."""
    queue_seconds: float = Field(default=5.0, ge=0, le=3600)
    """How long a request waits for one to become free before it is refused (503)."""

    @field_validator("allow")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            read_allowed(entry)
        return value


class ServerSettings(BaseModel):
    """How much one serving process takes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_in_flight: int = Field(default=10_000, ge=1)
    """Exchanges at one time; more are refused (503)."""
    max_lag: float = Field(default=0.25, gt=0, allow_inf_nan=False)
    """Seconds that the event loop may be late; while it is later, new exchanges are refused (503)."""
    wrong_keys: int = Field(default=300, ge=0, le=1_000_000)
    """How often one address may come without a valid credential in a minute; more are refused (429). 0 = any number."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies that tell a client's address in X-Forwarded-For."""

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ip_network(text)
            except ValueError as error:
                raise ValueError(f"{text!r} is no address and no network; write it like 10.0.0.0/8") from error
        return value


class UsageSettings(BaseModel):
    """How what attempts consume is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    durability: Literal["window", "durable"] = "window"
    """What a note outlives: `window`: the process; `durable`: power, too, and the dial waits for the disk."""


class OrderSettings(BaseModel):
    """The order inside a stage: short names of plugins, first to last; the others come after those that are listed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    authenticators: tuple[str, ...] = ()
    model_lookups: tuple[str, ...] = ()
    limiters: tuple[str, ...] = ()
    request_transforms: tuple[str, ...] = ()
    stream_transforms: tuple[str, ...] = ()
    stream_observers: tuple[str, ...] = ()
    error_mappers: tuple[str, ...] = ()
    usage_sinks: tuple[str, ...] = ()

    @field_validator("*")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in value if value.count(name) > 1})
        if twice:
            raise ValueError(f"names {', '.join(twice)} twice")
        return value


class Settings(BaseModel):
    """Everything the gateway can be told; a plugin's section stays raw until the plugin's own class reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    """Where the embedded database, the keyring and the first admin key live."""
    database_url: str = Field(default_factory=_embedded_database, repr=False)
    """`sqlite:///FILE` or `postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE`."""
    secret_keys: tuple[SecretStr, ...] = ()
    """Keys that encrypt credentials at rest, newest first; empty = the keyring file in the data directory."""
    auto_migrate: bool = True
    """Whether `serve` brings a PostgreSQL database to this version's schema."""
    safe_mode: bool = False
    """Load only the gateway's own plugins."""
    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 = any free one."""
    body_limit: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Largest request body in bytes."""
    strict_params: bool = False
    """Whether a request with fields that the model's upstream has no place for is refused; else they are left out."""
    expose_routing: bool = False
    """Whether every caller is told which model and provider answered, and how long each plugin took."""
    outage_seconds: float = Field(default=900.0, ge=0, allow_inf_nan=False)
    """How long the registry's models and keys are served from memory while its database is away."""
    drain_seconds: float = Field(default=120.0, ge=0, allow_inf_nan=False)
    """How long running answers may go on after the signal to stop."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe event that is logged."""
    egress: EgressSettings = EgressSettings()
    """The door to upstreams."""
    models: Mapping[Name, DeclaredModel] = Field(default_factory=dict)
    """Models beside those of the registry, by name."""
    routes: Mapping[Name, DeclaredRoute] = Field(default_factory=dict)
    """Routes beside those of the registry, by name."""
    server: ServerSettings = ServerSettings()
    """How much one serving process takes on."""
    usage: UsageSettings = UsageSettings()
    """How what attempts consume is kept."""
    plugins: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, repr=False)
    """Each plugin's section by its short name; `enabled` in it is ours."""
    plugin_files: tuple[Path, ...] = ()
    """Single-file plugins to load; naming one enables it."""
    plugin_start_seconds: float = Field(default=20.0, gt=0, le=3600)
    """How long a plugin's import, and each of its hooks, may take."""
    watchdog_seconds: float = Field(default=1.0, ge=0, le=3600)
    """How long a plugin may hold up the event loop before the log names its line; 0 never looks."""
    order: OrderSettings = OrderSettings()
    """What the operator decides of the order of plugins."""
    warnings: tuple[str, ...] = Field(default=(), exclude=True)
    """What was ignored while loading, one sentence each."""
    origins: Mapping[tuple[str, ...], Origin] = Field(default_factory=dict, repr=False, exclude=True)
    """Where each value was written."""
    revision: int = Field(default=1, exclude=True)
    """Of the operator's switches (see `gateway.settings.switches`): the number of the generation made of them."""
    again: Callable[[], "Settings"] | None = Field(default=None, repr=False, exclude=True)
    """Read the same sources anew; None when these settings were made by code."""

    @field_validator("data_dir", mode="before")
    @classmethod
    def _a_path(cls, value: Any) -> Any:
        # "" would be taken for the current directory.
        if not isinstance(value, str | Path) or value == "" or "\0" in str(value):
            raise ValueError("should be the path of a directory")
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return expanded(value).absolute()

    @field_validator("plugin_files")
    @classmethod
    def _absolute_files(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(expanded(path).absolute() for path in value)

    @field_validator("secret_keys")
    @classmethod
    def _long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < _MINIMUM_KEY for key in value):
            raise ValueError(f"a key is shorter than {_MINIMUM_KEY} characters; `openssl rand -base64 32` makes one")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_driver(cls, value: str) -> str:
        scheme = value.partition("://")[0]
        if scheme in (*_DRIVERS.values(), _FORMER) and "://" in value:
            return value
        right = _DRIVERS.get(scheme.partition("+")[0])
        raise ValueError(
            f"must begin with '{right}://'" if right else "must begin with 'sqlite:///' or 'postgresql+asyncpg://'"
        )
