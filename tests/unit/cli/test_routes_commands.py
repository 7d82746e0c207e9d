"""`gateway routes`, as a user runs it."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

OWNER = "0b1c2d3e-0000-4000-8000-00000000000a"
Run = Callable[..., Result]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a command on an installation with two models, `big` and `small`."""
    environment = {"GATEWAY_DATA_DIR": str(tmp_path / "data")}
    if request.param == "postgres":
        environment["GATEWAY_DATABASE_URL"] = request.getfixturevalue("fresh_postgres_url")
    return furnished(environment)


@pytest.fixture
def run_embedded(tmp_path: Path) -> Run:
    """The same on SQLite only."""
    return furnished({"GATEWAY_DATA_DIR": str(tmp_path / "data")})


def furnished(environment: dict[str, str]) -> Run:
    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), env=environment)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    for name, length in (("big", "100000"), ("small", "8000")):
        run("models", "add", name, "--base-url", "https://a.example/v1", "--model-id", name, "--context-length", length)
    return run


def test_a_route_is_added_listed_shown_changed_and_removed(run: Run) -> None:
    targets = ("--target", "big,weight=9", "--target", "small, priority=1, when=tag:a, when=tokens<100")
    more = ("--strategy", "weighted", "--affinity", "header:X-S", "--hedge", "90,budget=0.1", "--owner", OWNER)
    route_id = run("routes", "add", "r", *targets, *more).stdout.strip()
    assert str(uuid.UUID(route_id)) == route_id
    ids = {model["name"]: model["id"] for model in json.loads(run("models", "list", "--json").stdout)}
    [listed] = json.loads(run("routes", "list", "--json").stdout)
    assert listed["targets"] == [
        {"model": ids["big"], "weight": 9.0, "priority": 0, "when": []},
        {"model": ids["small"], "weight": 1.0, "priority": 1, "when": ["tag:a", "tokens<100"]},
    ]
    assert listed["options"] == {"affinity": "header:x-s", "hedge": {"percentile": 90.0, "budget": 0.1}}
    assert (listed["owner"], listed["sharing"], listed["strategy"]) == (OWNER, "private", "weighted")
    changed = json.loads(run("routes", "update", "r", "--hedge", "off", "--target", "small", "--json").stdout)
    assert changed["options"] == {"affinity": "header:x-s", "hedge": None}
    assert [target["model"] for target in changed["targets"]] == [ids["small"]]
    assert json.loads(run("routes", "show", route_id, "--json").stdout) == changed
    run("routes", "remove", "r")
    assert run("routes", "list").stdout == ""
    assert "big" in run("models", "list").stdout


def test_a_list_shows_targets_as_they_can_be_written_again(run_embedded: Run) -> None:
    written = "small,weight=0.5,priority=2,when=header:x-team=red"
    run_embedded("routes", "add", "r", "--target", "big", "--target", written)
    assert f"big, {written}" in run_embedded("routes", "list").stdout
    assert written in run_embedded("routes", "show", "r").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--target", "bog"), 1, "There is no model 'bog': `gateway models list` shows all. Did you mean 'big'?"),
        (("--target", "big", "--target", "big"), 2, "is a target twice: name it once."),
        (("--target", ",weight=1"), 2, "names no model: write it like gpt,weight=9."),
        (("--target", "big,weight=-1"), 2, "--target big: the weight -1 is not a number from 0 up."),
        (("--target", "big,weight=much"), 2, "--target big: the weight 'much' is no number."),
        (("--target", "big,wait=1"), 2, "there is no term 'wait', only weight, priority, when."),
        (("--target", "big,when=moon"), 2, "the condition 'moon' is none of tag:NAME"),
        (("--target", "big,when=header:cookie"), 2, "the header cookie holds a credential"),
        (("--target", "big", "--strategy", "wieghted"), 2, "Did you mean 'weighted'?"),
        (("--target", "big", "--affinity", "moon"), 2, "the affinity 'moon' is none of key, user or header:NAME."),
        (("--target", "big", "--hedge", "fast"), 2, "--hedge 'fast' is no number"),
        (("--target", "big", "--hedge", "95,share=1"), 2, "--hedge takes PERCENTILE[,budget=SHARE] or off"),
        (("--target", "big", "--hedge", "100"), 2, "the percentile 100 is not between 0 and 100."),
        (("--target", "big", "--owner", "me"), 2, "The owner 'me' is not a UUID"),
        ((), 2, "Missing option '--target'."),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    run_embedded: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    refused = run_embedded("routes", "add", "r", *arguments, code=code)
    assert words in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert run_embedded("routes", "list").stdout == ""


def test_targets_that_callers_go_without_are_told(run_embedded: Run) -> None:
    run_embedded("models", "update", "small", "--owner", OWNER)
    run_embedded("models", "update", "big", "--disable")
    told = run_embedded("routes", "add", "r", "--target", "big", "--target", "small").stderr
    assert "The model big is disabled: the route goes without it." in told
    assert "The model small is private to another owner: who else asks goes without it." in told


def test_a_name_that_is_no_longer_enough_is_told(run_embedded: Run) -> None:
    told = run_embedded("routes", "add", "big", "--target", "big").stderr
    assert "This owner has another model or route called big: ask for both by id." in told


def test_removing_a_model_tells_of_its_routes(run_embedded: Run) -> None:
    run_embedded("routes", "add", "r", "--target", "big", "--target", "small")
    assert "It was a target of the route r" in run_embedded("models", "remove", "small").stderr
    assert "(gone)" in run_embedded("routes", "show", "r").stdout


def tried(result: Result) -> list[tuple[str, str | None]]:
    return [(one["name"], one["excluded"]) for one in json.loads(result.stdout)["candidates"]]


def test_a_dry_run_tells_whom_a_described_request_gets_and_why(run_embedded: Run) -> None:
    targets = ("--target", "small,when=tag:cheap", "--target", "big,when=header:x-team=red", "--target", "big-too")
    run_embedded("models", "add", "big-too", "--base-url", "https://a.example/v1", "--model-id", "b")
    run_embedded("routes", "add", "r", *targets)

    def dry(*described: str) -> list[tuple[str, str | None]]:
        return tried(run_embedded("routes", "test", "r", "--dry-run", "--json", *described))

    no_tag, no_team = "the condition tag:cheap does not hold", "the condition header:x-team=red does not hold"
    assert dry() == [("big-too", None), ("small", no_tag), ("big", no_team)]
    assert dry("--tag", "cheap") == [("small", None), ("big-too", None), ("big", no_team)]
    assert dry("--header", "X-Team=red") == [("big", None), ("big-too", None), ("small", no_tag)]
    long = dry("--tag", "cheap", "--tokens", "9000")
    assert long[0] == ("big-too", None)
    assert ("small", "about 9000 tokens are asked for, it takes 8000") in long


def test_a_dry_run_that_is_refused_says_so(run_embedded: Run) -> None:
    run_embedded("routes", "add", "r", "--target", "small,when=key:ci")
    refused = run_embedded("routes", "test", "r", "--dry-run", code=1)
    assert "the condition key:ci does not hold" in refused.stdout
    assert 'No model of "r" takes a request like this one.' in refused.stderr
    run_embedded("keys", "create", "ci")
    run_embedded("routes", "test", "r", "--dry-run", "--key", "ci")


def test_a_description_without_a_dry_run_is_refused(run_embedded: Run) -> None:
    run_embedded("routes", "add", "r", "--target", "big")
    assert "for --dry-run only" in run_embedded("routes", "test", "r", "--tag", "a", code=2).stderr
    assert (
        "is disabled"
        in run_embedded(
            "routes", "test", run_embedded("routes", "update", "r", "--disable").stdout.strip(), "--dry-run", code=1
        ).stderr
    )
