"""Everything wrong in the settings is told at once: the gateway's own, and every plugin's section."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main

ACME = """
from pydantic import BaseModel

class Settings(BaseModel):
    tries: int = 1
    code: str = ""
"""


def test_a_wrong_port_and_wrong_sections_are_one_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme.py").write_text(ACME)
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "gateway.toml").write_text(
        'port = "high"\nplugin_files = ["acme.py", "broken.py"]\n'
        'secret_keys = [{env = "ACME_NOT_THERE"}]\n'
        '[order]\nusage_sinks = ["acne"]\n'
        '[plugins.acme]\ntries = "often"\ncodes = "x"\n'
        '[plugins.supabase]\nurl = "ftp://example"\nservice_role_key = "a-secret"\n'
    )
    result = CliRunner().invoke(main, ["keys", "list"])
    assert result.exit_code == 2
    head, *problems = result.stderr.splitlines()
    assert head == "Error: 6 settings are wrong:"
    assert sorted(problem.partition(": ")[2].partition(": ")[0] for problem in problems) == [
        "order.usage_sinks",
        "plugins.acme.codes",
        "plugins.acme.tries",
        "plugins.supabase.url",
        "port",
        "secret_keys",
    ]
    assert "a-secret" not in result.output


def test_a_wrong_key_of_the_plugins_themselves_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text('plugin_start_seconds = 0\n[plugins.openai]\nlane = "fast"\n')
    result = CliRunner().invoke(main, ["plugins", "list"])
    assert result.exit_code == 2
    assert "gateway.toml: plugin_start_seconds: " in result.stderr
    assert "gateway.toml: plugins.openai.lane: " in result.stderr


COMMANDS = ("models list", "keys list", "routes list", "usage sum", "secrets list", "db current", "providers list")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_address_to_allow_that_is_none_ends_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text('port = "high"\n[egress]\nallow = ["ollama:11434", "http://x"]\n')
    result = CliRunner().invoke(main, command.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "gateway.toml: port: " in result.stderr
    assert (
        "gateway.toml: egress.allow: 'http://x' is none of a host, host:port, an address or a network: "
        "write it like ollama, ollama:11434, [::1]:80 or 10.0.0.0/8, without http://"
    ) in result.stderr
