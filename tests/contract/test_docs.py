"""docs/hooks.md is complete, its examples are plugins that load, and no link leads nowhere."""

import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from gateway import hookspecs, protocols
from gateway.runtime import assemble, load_plugins
from gateway.runtime.plugins import hook_names, new_manager
from gateway.settings import Settings

ROOT = Path(__file__).parents[2]
HOOKS = (ROOT / "docs/hooks.md").read_text("utf-8")
NAMES = hook_names(new_manager())
EXAMPLES = re.findall(r"^```python\n(.*?)^```", HOOKS, re.MULTILINE | re.DOTALL)
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]


@pytest.mark.parametrize("name", NAMES)
def test_a_hook_is_documented_with_its_signature_its_failures_and_an_example(name: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, name)).parameters)
    heading = f"### {name}({arguments})\n"
    assert heading in HOOKS
    section = HOOKS.partition(heading)[2].partition("\n### ")[0]
    assert "Since 0." in section
    assert "```python" in section
    assert f"def {name}(" in section


@pytest.mark.parametrize("name", NAMES)
def test_a_hook_says_in_the_code_what_it_is_for_and_since_when(name: str) -> None:
    text = inspect.getdoc(getattr(hookspecs, name)) or ""
    assert text.splitlines()[0].endswith(".") or ":" in text.splitlines()[0]
    assert ".. versionadded::" in text


def test_no_hook_is_documented_that_does_not_exist() -> None:
    section = HOOKS.partition("## The hooks")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^### (\w+)\(", section, re.MULTILINE)) == NAMES


@pytest.mark.parametrize(
    "name",
    [
        *("Authenticator", "ModelLookup", "Limiter", "RequestTransform", "RoutingStrategy", "Provider"),
        *("ProviderClient", "StreamTransform", "StreamObserver", "ErrorMapper", "UsageSink"),
    ],
)
def test_an_object_is_documented_with_each_of_its_methods(name: str) -> None:
    section = HOOKS.partition(f"### {name}\n")[2].partition("\n### ")[0]
    for method, function in inspect.getmembers(getattr(protocols, name), inspect.isfunction):
        if not method.startswith("_"):
            arguments = ", ".join(inspect.signature(function).parameters)
            assert f"def {method}({arguments})" in section


class Door:
    """What the examples' hooks use of a gateway while they are called."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.log = self

    def info(self, event: str, **fields: object) -> None:
        assert event


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_is_a_plugin_that_loads_and_assembles(number: int, tmp_path: Path) -> None:
    file = tmp_path / f"example{number}.py"
    file.write_text(EXAMPLES[number])
    own = {path.name.removeprefix("gateway_"): {"enabled": False} for path in ROOT.glob("plugins/gateway_*")}
    plugins = load_plugins(Settings(data_dir=tmp_path, plugins=own), files=[file])
    assert plugins.problems() == ()
    assert plugins.warnings == ()
    (entry,) = plugins.active
    assert entry.hooks
    assemble(plugins, lambda entry: Door(entry.settings), 1)  # type: ignore[arg-type,return-value]


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path) if path else page
        found = place.exists() and (not anchor or anchor in anchors(place))
        if not found:
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_of_the_test_kit_exists(page: Path) -> None:
    names = set(re.findall(r"`gateway\.testing((?:\.\w+)+)", page.read_text("utf-8")))
    assert [name for name in names if not kit_has(name.removeprefix(".").split("."))] == []


def kit_has(path: list[str]) -> bool:
    """Whether a module of `gateway.testing` is there, and in it what the rest of the path names."""
    found = importlib.import_module("gateway.testing")
    for name in path:
        if hasattr(found, name):
            found = getattr(found, name)
        elif inspect.ismodule(found) and importlib.util.find_spec(f"{found.__name__}.{name}"):
            found = importlib.import_module(f"{found.__name__}.{name}")
        else:
            return False
    return True


def test_pages_name_no_machine_path() -> None:
    found = [page.name for page in PAGES if re.search(r"/(work|root|tmp)/", page.read_text("utf-8"))]
    assert found == []


def test_every_setting_is_documented() -> None:
    page = ROOT / "docs/settings.md"
    text = page.read_text("utf-8")
    hidden = {name for name, field in Settings.model_fields.items() if field.exclude}
    tables = {"egress", "plugins", "order", "models", "routes", "server", "usage"}
    names = set(Settings.model_fields) - hidden - tables | {
        "egress.allow",
        "usage.durability",
        "server.max_in_flight",
        "server.max_lag",
        "models.NAME.base_url",
        "routes.NAME.targets",
    }
    assert {name for name in names if f"`{name}`" not in text} == set()
