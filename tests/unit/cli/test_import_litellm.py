"""`gateway import litellm`: every field of a configuration has a finding, and nothing comes in twice."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.cli import main
from gateway.cli.endings import Failed
from gateway.cli.importing.litellm.deployments import Around
from gateway.cli.importing.litellm.document import parse
from gateway.cli.importing.litellm.notes import Field, Level, Notes
from gateway.cli.importing.litellm.placing import place
from gateway.cli.importing.litellm.plan import Plan, make_plan, read_all
from gateway.registry import Database, InvalidValue, ModelStore
from gateway.registry.references import KeyReference
from gateway.registry.routes import RouteStore
from gateway.secrets import Secret
from gateway.settings import load_settings

CONFIGS = Path(__file__).parent / "litellm"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
AROUND = Around(
    providers={
        "openai": "https://api.openai.com/v1",
        "anthropic": "https://api.anthropic.com/v1",
        "bedrock": "",
        "groq": "https://api.groq.com/openai/v1",
    },
    denied=lambda url: "localhost is refused." if "localhost" in url else None,
    environ={"AZURE_BASE_US": "https://contoso-us.openai.azure.com", "STREAM_TIMEOUT": "7", "AWS_REGION": "eu-west-1"},
)


def planned(text: str, **around: Any) -> Plan:
    return make_plan([parse(text)], Around(**{**{name: getattr(AROUND, name) for name in FIELDS}, **around}))


FIELDS = ("providers", "denied", "environ")


def of_file(name: str) -> Plan:
    return make_plan(read_all(CONFIGS / f"{name}.yaml"), AROUND)


def levels(plan: Plan) -> dict[str, Level]:
    return {note.path: note.level for note in plan.notes.all()}


def columns(plan: Plan, name: str) -> dict[str, Any]:
    [found] = [one.columns for one in plan.deployments if one.columns is not None and one.columns["name"] == name]
    return found


def leaves(field: Field, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of every leaf, each with those of what it stands in."""
    below = [*(one for _, one in field.fields()), *field.elements()]
    here = (*above, field.path)
    if not below:
        yield here
    for one in below:
        yield from leaves(one, here)


def uncovered(plan: Plan, *contents: tuple[str, Any]) -> list[str]:
    said = levels(plan)
    return [
        paths[-1]
        for prefix, content in contents
        for paths in leaves(Field(content, prefix, Notes()))
        if not any(path in said for path in paths[1:] or ("(file)",))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_a_finding_and_no_secret_is_in_one(name: str) -> None:
    documents = read_all(CONFIGS / f"{name}.yaml")
    plan = make_plan(documents, AROUND)
    contents = [(f"{one.name}: " if number else "", one.content) for number, one in enumerate(documents)]
    assert uncovered(plan, *contents) == []
    assert "canary" not in json.dumps([(note.path, note.message) for note in plan.notes.all()]).lower()
    ids = {one.id for one in plan.deployments if one.columns is not None}
    assert all(target.model in ids for route in plan.routes for target in route.targets)


def test_there_are_enough_configurations() -> None:
    assert len(NAMES) >= 20


def test_a_field_that_nobody_spoke_of_would_be_seen() -> None:
    notes = Notes()
    Field({"a": {"b": 1, "c": [2]}}, "", notes).get("a").get("b").exact("known")  # type: ignore[union-attr]
    plan = Plan(deployments=[], routes=[], notes=notes, wants_admin=False)
    assert uncovered(plan, ("", {"a": {"b": 1, "c": [2]}})) == ["a.c[0]"]


async def test_all_come_in_and_nothing_twice(tmp_path: Path) -> None:
    settings = load_settings(None, {"GATEWAY_DATA_DIR": str(tmp_path)})
    for name in NAMES:
        dry = await place(of_file(name), settings, dry_run=True)
        first = await place(of_file(name), settings, dry_run=False)
        second = await place(of_file(name), settings, dry_run=False)
        assert dry.results == first.results
        assert {one.done for one in second.results} <= {"unchanged", "failed", "left"}, name
        assert second.admin is None
    database = await Database.open(settings)
    models, routes = await ModelStore(database).all(), await RouteStore(database).all()
    await database.aclose()
    assert len({model.id for model in models}) == len(models) > 40
    assert len({route.id for route in routes}) == len(routes) > 5


def test_keys_stay_references_and_others_are_sealed() -> None:
    plan = of_file("fallbacks")
    assert columns(plan, "large")["api_key"] == Secret("canary-anthropic")
    assert columns(of_file("quick_start"), "gpt-4o")["api_key"] == KeyReference("env", "OPENAI_API_KEY")
    usual = planned("model_list: [{model_name: a, litellm_params: {model: groq/x}}]")
    assert columns(usual, "a")["api_key"] == KeyReference("env", "GROQ_API_KEY")


def test_no_upstream_sees_a_setting_of_the_gateway() -> None:
    plan = planned("model_list: [{model_name: a, litellm_params: {model: openai/x, api_key: os.environ/GATEWAY_KEY}}]")
    assert columns(plan, "a")["api_key"] is None
    assert levels(plan)["model_list[0].litellm_params.api_key"] is Level.MANUAL


def test_azure_is_asked_at_the_api_of_its_resource() -> None:
    plan = of_file("azure_balanced")
    [first, second, _] = [one.columns for one in plan.deployments]
    assert first is not None
    assert second is not None
    assert first["base_url"] == "https://contoso-eu.openai.azure.com/openai/v1"
    assert second["base_url"] == "https://contoso-us.openai.azure.com/openai/v1"
    assert first["prices"]["input"] == 2.5
    assert first["context_length"] == 128_000
    assert levels(plan)["model_list[1].litellm_params.api_base"] is Level.APPROXIMATE
    [route] = plan.routes
    assert [target.weight for target in route.targets] == [900.0, 100.0, 500.0]
    assert (route.name, route.strategy) == ("gpt-4o", "least-busy")


def test_weights_and_order_are_those_of_targets() -> None:
    [route] = of_file("weights_order").routes
    assert [(target.weight, target.priority) for target in route.targets] == [(9.0, 1), (1.0, 1), (1.0, 2)]
    assert route.strategy == "weighted"


def test_fallbacks_and_aliases_are_targets_and_routes() -> None:
    plan = of_file("fallbacks")
    names = {one.id: (one.columns or {})["name"] for one in plan.deployments}
    routes = {route.name: [(names[target.model], target.priority) for target in route.targets] for route in plan.routes}
    assert routes == {
        "zephyr-beta": [("zephyr-beta#1", 0), ("zephyr-beta#2", 0), ("small#1", 1), ("large", 2)],
        "small": [("small#1", 0), ("large", 1)],
        "gpt-4": [("small#1", 0), ("large", 1)],
        "hidden": [("large", 0)],
    }
    said = levels(plan)
    assert said["router_settings.model_group_alias.lost"] is Level.MANUAL
    assert said["router_settings.model_group_alias.large"] is Level.MANUAL
    assert said["litellm_settings.fallbacks[1].nobody"] is Level.MANUAL
    assert said["litellm_settings.content_policy_fallbacks"] is Level.UNSUPPORTED


def test_a_tag_is_a_condition() -> None:
    [route] = of_file("tags").routes
    assert [target.when for target in route.targets] == [("tag:free",), ("tag:paid",), (), ()]
    assert route.targets[1].model == "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_credentials_are_those_of_the_list() -> None:
    model = columns(of_file("credentials"), "gpt-4o")
    assert model["api_key"] == KeyReference("env", "AZURE_API_KEY")
    assert model["base_url"] == "https://contoso.openai.azure.com/openai/v1"


def test_an_access_key_of_aws_is_one_key() -> None:
    model = columns(of_file("bedrock_vertex"), "claude-on-aws")
    assert model["api_key"] == Secret("AKIACANARY:canary-secret")
    assert model["base_url"] == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert model["model_id"] == "us.anthropic.claude-sonnet-4-20250514-v1:0"


def test_prices_are_for_a_million_tokens() -> None:
    model = columns(of_file("prices"), "custom")
    assert model["prices"] == {"input": 0.42, "output": 1.5, "cache_read": 0.042}
    assert (model["context_length"], model["capabilities"]) == (32768, ["vision"])


def test_parameters_headers_and_limits_of_time() -> None:
    model = columns(of_file("parameters"), "tuned")
    assert model["parameters"]["response_format"] == {"type": "json_object"}
    assert model["parameters"]["nested"] == {"a": 1}
    assert model["headers"] == {"X-Team": "search", "Authorization": "Bearer canary-header", "X-Num": "7"}
    assert model["timeouts"] == {"total": 30.0, "first": 7.0}


def test_what_no_plugin_speaks_to_is_not_imported() -> None:
    plan = of_file("every_provider")
    lost = {one.group for one in plan.deployments if one.columns is None}
    assert lost == {"watsonx", "palm", "sagemaker"}
    assert columns(plan, "groq")["provider"] == "groq"
    assert columns(plan, "deepseek")["provider"] == "openai"
    assert levels(plan)["model_list[2].litellm_params.model"] is Level.APPROXIMATE
    assert levels(plan)["model_list[14].litellm_params.api_base"] is Level.MANUAL


def test_included_files_are_read_and_their_sections_win() -> None:
    plan = of_file("include")
    assert [one.field.path for one in plan.deployments] == [
        "model_list[0]",
        "included_models.yml: model_list[0]",
        "included_models.yml: model_list[1]",
    ]
    assert levels(plan)["litellm_settings"] is Level.MANUAL
    assert [len(route.targets) for route in plan.routes] == [3]


def test_a_key_that_stands_twice_is_told() -> None:
    said = levels(of_file("repeated_keys"))
    assert {path for path in said if path.startswith("(repeated)")} == {
        "(repeated) api_key",
        "(repeated) litellm_settings",
    }
    assert not any(path.startswith("(repeated)") for path in levels(of_file("anchors")))


LEVELS = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))
BOMB = "\n".join(("a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *LEVELS))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "line 1"),
        ("- a\n- b", "holds no mapping"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: &a [*a]", "levels deep"),
        ("[" * 60, "levels deep"),
        (BOMB, "aliases"),
        ("a: 2024-99-99", "cannot be read"),
        ("a: \x00", "characters"),
        ("? [1, 2]\n: b", "no YAML that can be read"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(Failed) as failed:
        parse(text)
    assert words in failed.value.message


SECTIONS = ("router_settings", "litellm_settings", "general_settings", "credential_list", "environment_variables")
KNOWN = (
    "model_name", "litellm_params", "model_info", "model", "api_base", "api_key", "api_version", "rpm", "weight",
    "order", "tags", "timeout", "id", "input_cost_per_token", "fallbacks", "context_window_fallbacks", "base_model",
    "default_fallbacks", "model_group_alias", "routing_strategy", "credential_name", "credential_values", "headers",
    "litellm_credential_name", "extra_body", "enable_tag_filtering", "max_tokens", "aws_access_key_id", "master_key",
    "aws_secret_access_key", "aws_region_name", "organization", "custom_llm_provider",
)  # fmt: skip
WORDS = ("a", "b", "*", "openai/x", "azure/y", "ollama/z", "os.environ/X", "https://h.example/v1", "gpt-4o")
TEXTS = st.text(max_size=6) | st.sampled_from(WORDS)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(KNOWN) | TEXTS, below, max_size=4),
    max_leaves=12,
)
PARAMS = st.fixed_dictionaries({"model": TEXTS}, optional={name: VALUES for name in KNOWN if name != "model"})
DEPLOYMENT = st.fixed_dictionaries({"model_name": TEXTS, "litellm_params": PARAMS}, optional={"model_info": VALUES})
CONFIG = st.fixed_dictionaries(
    {"model_list": st.lists(DEPLOYMENT | VALUES, max_size=4)},
    optional={name: st.dictionaries(st.sampled_from(KNOWN), VALUES, max_size=5) | VALUES for name in SECTIONS},
)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(CONFIG)
def test_whatever_its_shape_every_field_has_a_finding(config: dict[str, Any]) -> None:
    document = parse(
        json.dumps(config).replace("NaN", ".nan").replace("-Infinity", "-.inf").replace("Infinity", ".inf")
    )
    plan = make_plan([document], AROUND)
    assert uncovered(plan, ("", document.content)) == []
    ids = [one.id for one in plan.deployments if one.columns is not None]
    assert all(target.model in ids for route in plan.routes for target in route.targets)


def run(data_dir: Path, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["import", "litellm", *arguments], env={"GATEWAY_DATA_DIR": str(data_dir)})
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert "canary" not in result.output.lower()
    return result


def test_the_command_imports_tells_and_does_so_again(tmp_path: Path) -> None:
    config = str(CONFIGS / "tags.yaml")
    dry = json.loads(run(tmp_path, config, "--dry-run", "--json").stdout)
    assert not (tmp_path / "gateway.db").exists()
    assert dry["counts"] == {"added": 5, "updated": 0, "unchanged": 0, "failed": 0, "left": 0}
    first = json.loads(run(tmp_path, config, "--json").stdout)
    assert {**first, "admin_key_file": None} == {**dry, "dry_run": False}
    assert Path(first["admin_key_file"]).stat().st_mode & 0o777 == 0o600
    again = run(tmp_path, config)
    assert "5 unchanged" in again.stderr
    assert "exact        model_list[0].model_name" in again.stdout


def test_strict_writes_nothing_unless_all_is_exact(tmp_path: Path) -> None:
    refused = run(tmp_path, str(CONFIGS / "production.yaml"), "--strict", code=1)
    assert "nothing was written" in refused.stderr
    assert not list(tmp_path.glob("*.db"))
    assert "1 added" in run(tmp_path, str(CONFIGS / "quick_start.yaml"), "--strict").stderr


def test_models_that_cannot_come_in_are_told_by_the_exit_code(tmp_path: Path) -> None:
    assert "1 added" in run(tmp_path, str(CONFIGS / "wildcards.yaml"), code=3).stderr
    run(tmp_path, str(tmp_path / "missing.yaml"), code=1)
    run(tmp_path, code=2)


BALANCED = """
model_list:
- {model_name: chat, litellm_params: {model: openai/a, api_key: k}}
- {model_name: chat, litellm_params: {model: openai/b, api_key: k}}
- {model_name: old, litellm_params: {model: openai/c, api_key: k}}
"""
SINGLE = "model_list: [{model_name: chat, litellm_params: {model: openai/a, api_key: k}}]"


def test_what_the_file_has_no_more_is_told_and_names_that_stand_for_two(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(BALANCED)
    assert "left" not in run(tmp_path, str(config)).stdout
    config.write_text(SINGLE)
    dry = run(tmp_path, str(config), "--dry-run", "--json")
    told = run(tmp_path, str(config), "--json")
    results, dried = json.loads(told.stdout), json.loads(dry.stdout)
    assert {**dried, "dry_run": False} == results
    assert {(one["kind"], one["name"]) for one in results["results"] if one["done"] == "left"} == {
        ("model", "chat#2"),
        ("model", "old"),
        ("route", "chat"),
    }
    [(name, same)] = results["ambiguous"].items()
    assert name == "chat"
    assert sorted(one.partition(" ")[0] for one in same) == ["model", "route"]
    again = run(tmp_path, str(config))
    assert "3 of earlier imports are not in this file, and stay" in again.stderr
    assert "Warning: chat names more than one now" in again.stderr


async def test_a_route_that_cannot_be_written_takes_the_models_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(None, {"GATEWAY_DATA_DIR": str(tmp_path)})

    async def refuse(*_: Any) -> None:
        raise InvalidValue("no route today")

    with monkeypatch.context() as patched:
        patched.setattr(RouteStore, "add_within", refuse)
        with pytest.raises(InvalidValue):
            await place(planned(BALANCED), settings, dry_run=False)
    database = await Database.open(settings)
    assert await ModelStore(database).all() == []
    await database.aclose()


def test_settings_of_failures_name_what_there_is_instead() -> None:
    plan = of_file("fallbacks")
    said = {note.path: note.message for note in plan.notes.all()}
    for name in ("num_retries", "allowed_fails", "cooldown_time"):
        assert levels(plan)[f"litellm_settings.{name}"] is Level.APPROXIMATE
        assert "docs/routing.md" in said[f"litellm_settings.{name}"]
    many = [f"{{model_name: a, litellm_params: {{model: openai/{name}}}}}" for name in "xyz"]
    more = "{model_name: b, litellm_params: {model: openai/w}}"
    text = f"model_list: [{', '.join(many)}, {more}]\nrouter_settings: {{fallbacks: [{{a: [b]}}]}}"
    [note] = [note for note in planned(text).notes.all() if note.path == "router_settings.fallbacks[0].a"]
    assert "With 3 models before them and 3 attempts" in note.message
