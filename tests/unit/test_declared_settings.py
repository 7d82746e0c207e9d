"""What cannot be in a model or route of the settings: all of it is told at once, each with its place."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from gateway.cli import main
from gateway.domain import Prices, Quirks, Timeouts
from gateway.registry.declared import declared
from gateway.settings import Settings, SettingsError, load_settings
from gateway.settings.declared import DeclaredPrices, DeclaredQuirks, DeclaredTimeouts

FILE = """
[models.big]
base_url = "https://a.example/v1"
model_id = "gpt"
api_key = { env = "BIG_KEY" }
headers = { x-org = { env = "BIG_ORG" } }
timeouts = { total = 30 }

[models."other name"]
base_url = "https://b.example/v1"
model_id = "m"
api_key = { file = "key" }

[routes.chat]
strategy = "weighted"
targets = ["big", { model = "other name", weight = 0.5, priority = 1, when = ["tag:a", "tokens<100"] }]
affinity = "header:X-S"
hedge = { percentile = 90 }
"""
ENVIRON = {"BIG_KEY": "sk-canary-big", "BIG_ORG": "canary-org"}


def loaded(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "key").write_text("sk-canary-file\n")
    (folder / "gateway.toml").write_text(text)
    environment = {"GATEWAY_DATA_DIR": str(folder / "data"), **ENVIRON, **(environ or {})}
    return load_settings(folder / "gateway.toml", environment)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models.m]\nmodel_id = 'm'\n", "models.m.base_url: is required"),
        ("[models.m]\nbase_url = 'a.example'\nmodel_id = 'm'\n", "models.m.base_url: the base URL 'a.example' is not"),
        ("[models.m]\nbase_ur = 'x'\n", "models.m.base_ur: unknown key; did you mean 'base_url'?"),
        (
            FILE.replace("{ total = 30 }", "{ totl = 30 }"),
            "models.big.timeouts.totl: unknown key; did you mean 'total'?",
        ),
        (FILE.replace("x-org =", '"x org" ='), "models.big.headers: the header 'x org' cannot be sent"),
        (FILE.replace("BIG_KEY", "NO_KEY"), "models.big.api_key: the environment variable NO_KEY is not set"),
        (
            FILE.replace('["big",', '["bug",'),
            "routes.chat.targets.0.model: there is no [models.bug]; did you mean 'big'?",
        ),
        (FILE.replace('["big",', '["big", "big",'), "routes.chat.targets: names big twice"),
        (FILE.replace("weight = 0.5", "weight = -1"), "routes.chat.targets.1.weight: input should be greater than"),
        (FILE.replace("tag:a", "moon:full"), "routes.chat.targets.1.when: the condition 'moon:full' is none of"),
        (FILE.replace("header:X-S", "moon"), "routes.chat.affinity: the affinity 'moon' is none of"),
        (FILE.replace("percentile = 90", "percentile = 100"), "routes.chat.hedge.percentile: input should be less"),
        ("[routes.r]\ntargets = []\n", "routes.r.targets: names no model"),
        (
            "[routes.r]\ntargets = ['m']\n",
            "routes.r.targets.0.model: there is no [models.m]; a model of the registry is",
        ),
        ("[routes.\" \"]\ntargets = ['big']\n", "routes. : the name is empty"),
        (FILE.replace("x-org = { env", "x-org = { evn"), "models.big.headers.x-org: write the text itself"),
        (
            FILE.replace('file = "key"', 'file = "key", env = "BIG_KEY"'),
            "models.other name.api_key: write the text itself",
        ),
    ],
)
def test_what_cannot_be_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = FILE.replace("a.example", "a b").replace("b.example", "c d").replace('["big",', '["bug", "big",')
    with pytest.raises(SettingsError, match="3 settings are wrong"):
        loaded(tmp_path, text)


def told(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is told of that file, without its name."""
    with pytest.raises(SettingsError) as caught:
        loaded(folder, text, environ)
    return sorted(problem.removeprefix(f"{folder}/gateway.toml: ") for problem in caught.value.problems)


def test_no_problem_hides_another(tmp_path: Path) -> None:
    text = """
port = "high"

[models.a]
base_url = "ftp://a.example"
timeouts = { conect = 5, total = "long" }
quirks = { omit = "x", response_format = "yaml" }
prices = { inpt = 1 }
headers = { a = 1 }

[models.b]
base_url = "b.example"
model_id = "m"
parameters = 1

[routes.r]
targets = [{ model = "a", wieght = 1 }, { model = "b", weight = -1 }, "c"]
"""
    assert [problem.partition(": ")[0] for problem in told(tmp_path, text)] == [
        "models.a.base_url",
        "models.a.headers.a",
        "models.a.model_id",
        "models.a.prices.inpt",
        "models.a.quirks.omit",
        "models.a.quirks.response_format",
        "models.a.timeouts.conect",
        "models.a.timeouts.total",
        "models.b.base_url",
        "models.b.parameters",
        "port",
        "routes.r.targets.0.wieght",
        "routes.r.targets.1.weight",
        "routes.r.targets.2.model",
    ]


def test_an_unknown_key_is_told_with_the_nearest_known_one_and_brings_no_other_problem(tmp_path: Path) -> None:
    text = FILE + '[routes.r]\ntargets = [{ model = "big", wieght = 1 }]\n'
    assert told(tmp_path, text) == ["routes.r.targets.0.wieght: unknown key; did you mean 'weight'?"]
    text = FILE + '[routes.r]\ntargets = [{ model = "big", weight = -1 }]\n'
    assert told(tmp_path, text) == ["routes.r.targets.0.weight: input should be greater than or equal to 0"]


def test_what_an_element_of_a_list_lacks_is_told_where_the_list_stands(tmp_path: Path) -> None:
    """No variable names an element."""
    assert told(tmp_path, "[routes.r]\ntargets = [{ weight = 1 }]\n") == ["routes.r.targets.0.model: is required"]


def test_a_variable_may_hold_whole_tables_and_is_checked_like_the_file(tmp_path: Path) -> None:
    models = '{"m": {"base_url": "https://m.example/v1", "model_id": "m", "timeouts": {"total": 7}}}'
    environ = {"GATEWAY_MODELS": models, "GATEWAY_ROUTES__R__TARGETS": '["m"]'}
    settings = loaded(tmp_path, "", environ)
    assert [model.timeouts.total for model in declared(settings).models.values()] == [7]
    environ["GATEWAY_ROUTES__R__TARGETS"] = '["n"]'
    [problem] = told(tmp_path, "", environ)
    assert problem.startswith("GATEWAY_ROUTES__R__TARGETS.0.model: there is no [models.n]")


@pytest.mark.parametrize(
    ("table", "struct"), [(DeclaredTimeouts, Timeouts), (DeclaredPrices, Prices), (DeclaredQuirks, Quirks)]
)
def test_a_table_knows_what_a_model_can_have(table: type[BaseModel], struct: type[msgspec.Struct]) -> None:
    assert tuple(table.model_fields) == struct.__struct_fields__


@pytest.mark.parametrize("command", ["keys list", "secrets list", "providers list", "chat m"])
def test_a_model_that_cannot_be_ends_every_command(tmp_path: Path, command: str) -> None:
    environ = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), **ENVIRON}
    (tmp_path / "gateway.toml").write_text('[models.m]\nbase_url = "ftp://x"\nmodel_id = "m"\n')
    ended = CliRunner().invoke(main, ["--config", str(tmp_path / "gateway.toml"), *command.split()], env=environ)
    assert ended.exit_code == 2
    assert "models.m.base_url: the base URL's scheme is 'ftp': use https or http" in ended.stderr
