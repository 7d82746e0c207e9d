"""`gateway doctor` on broken set-ups: each fault is named, and the repair it prints repairs it."""

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pooler
import pytest
from doctor_patient import Environ, Patient, gateway

from gateway.cli.demo import MODEL_ID

Break: TypeAlias = Callable[[Path, Environ], None]

FAULTS: dict[str, tuple[str, str, Break]] = {}
"""By name: the check that tells it, part of what it tells, and how it is made in a directory and an environment."""
ID = "11111111-1111-4111-8111-111111111111"
ACME = """
from pydantic import BaseModel, SecretStr
from gateway import hookimpl

class Settings(BaseModel):
    pin: SecretStr = SecretStr("canary-of-the-plugin")
    async def check(self):
        print("a plugin that prints")
        raise ValueError(f"the backend refused {self.pin.get_secret_value()}")

@hookimpl
def register_model_lookups():
    return []
"""


def fault(check: str, told: str) -> Callable[[Break], Break]:
    def decorate(function: Break) -> Break:
        FAULTS[function.__name__.replace("_", " ")] = (check, told, function)
        return function

    return decorate


@fault("settings", "is not valid TOML")
def settings_that_are_no_toml(here: Path, environ: Environ) -> None:
    (here / "gateway.toml").write_text("port = = 8000\n")


@fault("settings", "prot: unknown key; did you mean 'port'?")
def an_unknown_key(here: Path, environ: Environ) -> None:
    (here / "gateway.toml").write_text('log_level = "info"\nprot = 8000\n')


@fault("settings", "egress.allowed: unknown key")
def an_unknown_key_in_a_table(here: Path, environ: Environ) -> None:
    (here / "gateway.toml").write_text('[egress]\nallow = []\nallowed = [\n  "10.0.0.1",\n]\n')


@fault("plugins", "no enabled plugin brings the provider 'gorq'; did you mean 'groq'?")
def a_model_of_an_unknown_provider(here: Path, environ: Environ) -> None:
    url = "https://192.0.32.8/v1"
    gateway(environ, "models", "add", "m", "--provider", "gorq", "--base-url", url, "--model-id", "x")


@fault("settings", "models.m.provider: no enabled plugin provides the provider 'gorq'; did you mean 'groq'?")
def a_declared_model_of_an_unknown_provider(here: Path, environ: Environ) -> None:
    table = '[models.m]\nmodel_id = "x"\nbase_url = "https://192.0.32.8/v1"\nprovider = "gorq"\n'
    (here / "gateway.toml").write_text(table)


def _route(here: Path, environ: Environ, change: str) -> None:
    """A route over two models, and something wrong with it that no command would have done."""
    for name in "ab":
        url = "https://192.0.32.8/v1"
        gateway(environ, "models", "add", name, "--base-url", url, "--model-id", "x", "--id", f"{name * 8}{ID[8:]}")
    gateway(environ, "routes", "add", "r", "--target", "a,weight=3,when=tag:x", "--target", "b")
    with closing(sqlite3.connect(Path(str(environ["GATEWAY_DATA_DIR"])) / "gateway.db")) as database:
        database.execute(change)
        database.commit()


@fault("routes", "no enabled plugin provides the strategy 'wieghted'; did you mean 'weighted'?")
def a_route_of_an_unknown_strategy(here: Path, environ: Environ) -> None:
    _route(here, environ, "UPDATE routes SET strategy = 'wieghted'")


@fault("routes", f"there is no model {'b' * 8}-1111-4111-8111-111111111111; the route goes without.")
def a_route_with_a_target_that_is_gone(here: Path, environ: Environ) -> None:
    _route(here, environ, "DELETE FROM models WHERE name = 'b'")


@fault("routes", "it has no target at all.")
def a_route_without_a_target(here: Path, environ: Environ) -> None:
    _route(here, environ, "DELETE FROM models")


@fault("settings", "GATEWAY_LOG_LEVEL: ")
def a_wrong_variable(here: Path, environ: Environ) -> None:
    environ["GATEWAY_LOG_LEVEL"] = "loud"


@fault("settings", "GATEWAY_CONFIG: cannot read")
def a_settings_file_that_is_not_there(here: Path, environ: Environ) -> None:
    environ["GATEWAY_CONFIG"] = str(here / "nowhere.toml")


@fault("settings", "plugins.json: is damaged")
def damaged_switches(here: Path, environ: Environ) -> None:
    gateway(environ, "plugins", "disable", "supabase")
    (here / "data" / "plugins.json").write_text("{")


@fault("plugins", "no plugin of that name is installed")
def a_plugin_that_is_not_installed(here: Path, environ: Environ) -> None:
    (here / "gateway.toml").write_text('log_level = "info"\n\n[plugins.acne]\nurl = "https://a.example"\n')


@fault("plugins", "plugins.openai.lane: ")
def a_plugin_s_wrong_setting(here: Path, environ: Environ) -> None:
    (here / "gateway.toml").write_text('[plugins.openai]\nlane = "fast"\n')


@fault("data directory", "can be written by other users")
def a_data_directory_for_everybody(here: Path, environ: Environ) -> None:
    (here / "data").mkdir()
    (here / "data").chmod(0o777)


@fault("data directory", "Other users can read")
def an_admin_key_for_everybody(here: Path, environ: Environ) -> None:
    (here / "data").mkdir(mode=0o700)
    (here / "data" / "admin-key").touch(mode=0o644)
    (here / "data" / "admin-key").chmod(0o644)


@fault("keyring", "can be read by other users")
def a_keyring_for_everybody(here: Path, environ: Environ) -> None:
    gateway(environ, "models", "list")
    (here / "data" / "keyring").chmod(0o644)


@fault("keyring", "is damaged")
def a_damaged_keyring(here: Path, environ: Environ) -> None:
    (here / "data").mkdir(mode=0o700)
    (here / "data" / "keyring").touch(mode=0o600)


@fault("keyring", "is a directory")
def a_keyring_that_is_a_directory(here: Path, environ: Environ) -> None:
    (here / "data").mkdir(mode=0o700)
    (here / "data" / "keyring").mkdir()


@fault("database", "is a directory")
def a_database_that_is_a_directory(here: Path, environ: Environ) -> None:
    (here / "data").mkdir(mode=0o700)
    (here / "data" / "gateway.db").mkdir()


@fault("secrets", "GATEWAY_SECRET_KEYS does not open this database")
def the_keys_of_another_database(here: Path, environ: Environ) -> None:
    gateway(environ, "models", "list")
    environ["GATEWAY_SECRET_KEYS"] = "canary-of-the-keyring-which-is-long-enough"


@fault("database", "is damaged")
def a_damaged_database(here: Path, environ: Environ) -> None:
    (here / "data").mkdir(mode=0o700)
    database = here / "data" / "gateway.db"
    database.touch(mode=0o600)
    database.write_text("no database " * 1000)


@fault("certificates", "no certificate where SSL_CERT_FILE and SSL_CERT_DIR points")
def certificates_that_are_not_there(here: Path, environ: Environ) -> None:
    environ["SSL_CERT_FILE"] = environ["SSL_CERT_DIR"] = str(here / "nowhere")


@fault("proxies", "the gateway never uses a proxy")
def a_proxy(here: Path, environ: Environ) -> None:
    environ["HTTPS_PROXY"] = "http://user:canary-of-the-proxy@127.0.0.1:3128"


@fault("settings", "has a port that does not exist")
def an_address_to_allow_that_is_none(here: Path, environ: Environ) -> None:
    (here / "gateway.toml").write_text('[egress]\nallow = ["127.0.0.1:99999"]\n')


@fault("plugins", "it cannot be imported: ZeroDivisionError")
def a_plugin_that_cannot_be_imported(here: Path, environ: Environ) -> None:
    (here / "broken.py").write_text("1 / 0")
    environ["GATEWAY_PLUGIN_FILES"] = str(here / "broken.py")


@fault("plugins", "its own check says ValueError: the backend refused ***")
def a_plugin_whose_own_check_fails(here: Path, environ: Environ) -> None:
    (here / "acme.py").write_text(ACME)
    environ["GATEWAY_PLUGIN_FILES"] = str(here / "acme.py")


@fault(
    "base urls",
    "By the settings that this command sees, the egress guard refuses what models stand for: 127.0.0.1:11434",
)
def models_in_the_private_network(here: Path, environ: Environ) -> None:
    for name, url in (("a", "http://127.0.0.1:11434/v1"), ("b", "http://[::1]:80/v1"), ("c", "http://127.0.0.1:11434")):
        gateway(environ, "models", "add", name, "--model-id", "m", "--base-url", url)


@fault("base urls", "in plain text (http)")
def a_model_over_plain_http(here: Path, environ: Environ) -> None:
    gateway(environ, "models", "add", "a", "--model-id", "m", "--base-url", "http://93.184.216.34/v1")


@fault("base urls", "its base URL cannot be used: Invalid URL")
def a_base_url_that_is_none(here: Path, environ: Environ) -> None:
    gateway(environ, "models", "add", "a", "--model-id", "m", "--base-url", "https://93.184.216.34/v1")
    with closing(sqlite3.connect(here / "data" / "gateway.db")) as database, database:
        database.execute("UPDATE models SET base_url = 'https://[nowhere'")


def test_a_machine_where_nothing_is_yet_is_well_and_stays_as_it_is(patient: Patient) -> None:
    code, findings, _ = patient.examined()
    assert (code, {finding["state"] for finding in findings}) == (0, {"ok"})
    assert list(patient.here.iterdir()) == []


def test_an_installation_in_use_is_well(patient: Patient) -> None:
    add = ("models", "add", "a", "--model-id", "m", "--base-url")
    gateway(patient.environ, *add, "https://93.184.216.34/v1")
    gateway(patient.environ, *add, "http://127.0.0.1:8399/v1", "--id", MODEL_ID)  # reached by `serve --demo` only
    assert patient.troubles() == []


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_named_and_the_printed_repair_repairs_it(patient: Patient, name: str) -> None:
    check, told, make = FAULTS[name]
    make(patient.here, patient.environ)
    troubles = patient.troubles()
    assert [trouble["check"] for trouble in troubles] == [check]
    assert told in troubles[0]["finding"]
    patient.repair(troubles[0]["fix"])
    assert patient.troubles() == []


def test_a_port_in_use_is_told_with_a_free_one(patient: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        patient.environ["GATEWAY_PORT"] = str(other.getsockname()[1])
        [trouble] = patient.troubles()
        assert (trouble["check"], "is in use" in trouble["finding"]) == ("port", True)
        patient.repair(trouble["fix"])
        assert patient.troubles() == []


def test_a_wrong_address_to_allow_makes_no_right_one_seem_to_be_missing(patient: Patient) -> None:
    models_in_the_private_network(patient.here, patient.environ)
    patient.environ["GATEWAY_EGRESS__ALLOW"] = "127.0.0.1,::1,http://x"
    assert [trouble["check"] for trouble in patient.troubles()] == ["settings"]


@pytest.mark.postgres
def test_a_database_that_must_not_migrate_itself_is_migrated_by_the_repair(
    patient: Patient, fresh_postgres_url: str
) -> None:
    patient.environ |= {"GATEWAY_DATABASE_URL": fresh_postgres_url, "GATEWAY_AUTO_MIGRATE": "false"}
    [trouble] = patient.troubles()
    assert (trouble["check"], trouble["fix"]) == ("migrations", "gateway db upgrade")
    patient.repair(trouble["fix"])
    assert patient.troubles() == []


@pytest.fixture
def quiet_pooler_url(postgres_server: str, pgbouncer_url: str) -> Iterator[str]:
    """A database behind a pooler at a port that tells nothing."""
    program = pooler.binary()
    assert program is not None
    with pooler.pgbouncer(program, postgres_server.partition("host=")[2], port=6432) as address:
        yield f"postgresql+asyncpg://postgres:canary-of-the-database@{address}/{pgbouncer_url.rpartition('/')[2]}"


@pytest.mark.postgres
def test_a_pooler_that_the_url_does_not_tell_of_is_found(patient: Patient, quiet_pooler_url: str) -> None:
    patient.environ["GATEWAY_DATABASE_URL"] = quiet_pooler_url
    [trouble] = patient.troubles()
    assert (trouble["check"], trouble["state"]) == ("database", "warning")
    assert "canary" not in patient.examined()[2]
    patient.repair(trouble["fix"])
    assert patient.troubles() == []


def test_everything_broken_at_once_is_told_at_once_without_a_secret(patient: Patient) -> None:
    alone = [
        "a plugin that is not installed",
        "a wrong variable",
        "a keyring for everybody",
        "certificates that are not there",
        "a proxy",
        "a plugin whose own check fails",
        "the keys of another database",
        "models in the private network",
    ]
    patient.environ["GATEWAY_ADMIN_KEY"] = "canary-of-the-admin"
    for name in reversed(alone):
        if name != "the keys of another database":
            FAULTS[name][2](patient.here, patient.environ)
    patient.environ["GATEWAY_SECRET_KEYS"] = "canary-short"
    code, findings, printed = patient.examined()
    assert code == 1
    troubled = {finding["check"] for finding in findings if finding["state"] != "ok"}
    assert troubled >= {"settings", "keyring", "certificates", "proxies", "base urls", "plugins"}
    assert "canary" not in printed
    assert "Traceback" not in printed


def test_the_lines_for_people_hold_state_finding_and_repair(patient: Patient) -> None:
    (patient.here / "gateway.toml").write_text("port = = 8000\n")
    known = {name: value for name, value in patient.environ.items() if value is not None}
    arguments = [sys.executable, "-m", "gateway", "doctor"]
    done = subprocess.run(arguments, env=known, cwd=patient.here, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("failed ")]
    assert "settings" in lines[at]
    assert lines[at + 1].strip() == "fix: mv gateway.toml gateway.toml.broken"
    assert (done.returncode, done.stderr) == (1, "")
