"""`gateway providers list`, and models added by the name of their provider."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

Run = Callable[..., Result]
GROQ = ("models", "add", "fast", "--provider", "groq", "--model-id", "llama")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), env={"GATEWAY_DATA_DIR": str(tmp_path)})
        assert (result.exit_code, "Traceback" in result.output) == (code, False), result.output
        return result

    return run


def test_providers_are_listed_with_what_each_knows_of_itself(run: Run) -> None:
    told = {one["name"]: one for one in json.loads(run("providers", "list", "--json").stdout)}
    groq = told["groq"]
    assert (groq["plugin"], groq["base_url"]) == ("openai", "https://api.groq.com/openai/v1")
    assert (groq["api_key_env"], "developer as system" in groq["differences"]) == ("GROQ_API_KEY", True)
    assert (told["anthropic"]["plugin"], told["anthropic"]["base_url"]) == ("anthropic", "https://api.anthropic.com/v1")
    keys = {name: told[name]["api_key_env"] for name in ("anthropic", "bedrock", "cohere", "gemini")}
    assert keys == {
        "anthropic": "ANTHROPIC_API_KEY",
        "bedrock": "AWS_BEARER_TOKEN_BEDROCK",
        "cohere": "CO_API_KEY",
        "gemini": "GEMINI_API_KEY",
    }
    [line] = [line for line in run("providers", "list").stdout.splitlines() if line.startswith("groq ")]
    assert "https://api.groq.com/openai/v1" in line


def test_a_model_without_a_base_url_gets_its_providers(run: Run) -> None:
    added = json.loads(run(*GROQ, "--json").stdout)
    assert (added["provider"], added["base_url"]) == ("groq", "https://api.groq.com/openai/v1")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--base-url"),
        (("--provider", "gorq"), "did you mean 'groq'?"),
        (("--provider", "no-such-thing"), "No enabled plugin brings a provider 'no-such-thing'."),
    ],
)
def test_a_model_nobody_knows_the_place_of_is_refused(run: Run, arguments: tuple[str, ...], told: str) -> None:
    assert told in run("models", "add", "m", "--model-id", "x", *arguments, code=2).output
    assert run("models", "list").stdout == ""


def test_the_help_says_what_a_model_without_provider_or_base_url_meets(run: Run) -> None:
    """`openai` is OpenAI's dialect and its address: a forgotten --base-url must not send keys and prompts there."""
    told = " ".join(run("models", "add", "--help").output.split())
    assert "[default: that of --provider or --from-catalog; one of the three must be given]" in told
    assert "[default: openai, which then needs --base-url]" in told
    refused = run("models", "add", "m", "--model-id", "x", code=2).output
    assert "--provider openai" in refused
    added = json.loads(run("models", "add", "m", "--model-id", "x", "--provider", "openai", "--json").stdout)
    assert added["base_url"] == "https://api.openai.com/v1"
    changed = " ".join(run("models", "update", "--help").output.split())
    assert "default: openai" not in changed


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("[plugins.limits]\nrpmm = 5", "plugins.limits.rpmm: unknown key; did you mean 'rpm'?"),
        ('[plugins.supabase]\nurl = "ftp://x"', "plugins.supabase.url: "),
        ('[order]\nmodel_lookups = ["regstry"]', "order.model_lookups: no plugin is called 'regstry'"),
        ("[plugins.nope]\nx = 1", "plugins.nope: no plugin of that name is installed"),
    ],
)
@pytest.mark.parametrize(
    "command", [("providers", "list"), ("models", "add", "m", "--provider", "groq", "--model-id", "x")]
)
def test_wrong_settings_of_plugins_end_what_loads_them_with_all_that_is_wrong(
    tmp_path: Path, run: Run, command: tuple[str, ...], file: str, told: str
) -> None:
    (tmp_path / "gateway.toml").write_text(f'{file}\n[plugins.openai]\nlane = "fast"\n')
    refused = run(*command, code=2)
    assert told in refused.stderr
    assert "plugins.openai.lane: " in refused.stderr


def test_quirks_are_added_one_by_one(run: Run) -> None:
    run(*GROQ, "--quirk", "omit=user", "--quirk", "rename=seed:random_seed")
    run("models", "update", "fast", "--quirk", "omit=temperature", "--quirk", "roles=developer:system")
    run("models", "update", "fast", "--quirk", "keep=n", "--quirk", "response_format=json")
    assert json.loads(run("models", "show", "fast", "--json").stdout)["quirks"] == {
        "omit": ["temperature", "user"],
        "rename": {"seed": "random_seed"},
        "roles": {"developer": "system"},
        "keep": ["n"],
        "response_format": "json",
    }
    shown = next(line for line in run("models", "show", "fast").stdout.splitlines() if line.startswith("quirks "))
    pasted = f"quirks={shown.removeprefix('quirks').strip()}"
    before = json.loads(run("models", "show", "fast", "--json").stdout)["quirks"]
    run("models", "update", "fast", "--set", pasted)
    assert json.loads(run("models", "show", "fast", "--json").stdout)["quirks"] == before
    run("models", "update", "fast", "--set", "quirks={}", "--quirk", "omit=seed")
    assert json.loads(run("models", "show", "fast", "--json").stdout)["quirks"] == {"omit": ["seed"]}


@pytest.mark.parametrize("quirk", ["omit", "omit=", "rename=a", "rename=a:", "nope=a", "response_format=yaml"])
def test_a_quirk_that_is_none_is_refused_and_changes_nothing(run: Run, quirk: str) -> None:
    run(*GROQ)
    assert "response_format" in run("models", "update", "fast", "--quirk", quirk, code=2).output
    assert json.loads(run("models", "show", "fast", "--json").stdout)["quirks"] == {}
