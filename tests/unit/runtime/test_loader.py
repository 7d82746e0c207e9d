"""Plugins are loaded one by one; a broken one is told and keeps nobody else from serving."""

import os
import sys
from pathlib import Path

import pytest
from plugin_entries import Install, Load, found

from gateway.runtime import State
from gateway.runtime.discovery import discover

PLUGINS = Path(__file__).parents[3] / "plugins"
OURS = sorted(path.name.removeprefix("gateway_") for path in PLUGINS.glob("gateway_*"))

GOOD = """
from gateway import hookimpl

@hookimpl
def register_model_lookups(gateway):
    return []
"""

BAD = {
    "exits": ("raise SystemExit(3)", "its code ends the process when it is imported"),
    "raises": ("1 / 0", "it cannot be imported: ZeroDivisionError: division by zero"),
    "asks to stop": ("raise BaseException('odd')", "it cannot be imported: BaseException: odd"),
    "does not parse": ("def (:", "its code has a syntax error"),
    "lacks a name": (
        "from gateway import nonsense",
        "it cannot be imported: ImportError: cannot import name 'nonsense'",
    ),
    "lacks a module": (
        "import acme_client.streams",
        "it needs the module 'acme_client', which is not installed: pip install 'acme_client'",
    ),
    "async hook": (
        "from gateway import hookimpl\n@hookimpl\nasync def register_providers(gateway): ...",
        "its hook 'register_providers' is 'async def': hooks are called once, by synchronous code",
    ),
    "async generator hook": (
        "from gateway import hookimpl\n@hookimpl\nasync def lifespan(gateway): yield",
        "its hook 'lifespan' is 'async def'",
    ),
    "misspelt hook": (
        "from gateway import hookimpl\n@hookimpl\ndef register_provider(gateway): ...",
        "it implements a hook 'register_provider' that does not exist; did you mean 'register_providers'?",
    ),
    "wrong argument": (
        "from gateway import hookimpl\n@hookimpl\ndef register_providers(gatway): ...",
        "its hook 'register_providers' asks for an argument 'gatway' that does not exist; did you mean 'gateway'?",
    ),
    "settings of a wrong kind": ("Settings = dict", "its 'Settings' is no pydantic model"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_plugin_is_told_and_the_others_are_loaded(install: Install, load: Load, case: str) -> None:
    code, reason = BAD[case]
    install(code, name="broken")
    install(GOOD, name="fine")
    plugins = load("broken", "fine")
    broken = found(plugins, "broken")
    assert broken.state is State.FAILED
    assert broken.reason.startswith(reason)
    assert found(plugins, "fine").state is State.ACTIVE
    (problem,) = plugins.problems()
    assert problem == f"plugin 'broken' (gateway-broken): {broken.reason}"
    assert "\n" not in problem
    assert "Traceback" not in problem


@pytest.mark.parametrize(
    ("requires", "install_line"),
    [
        (("acme-client>=2",), "'acme-client'"),
        (('acme-client>=2; extra == "fast"',), "'gateway-acme[fast]'"),
        (("pyacme (>=1)", "litestar-gateway"), "'pyacme'"),
    ],
)
def test_a_missing_dependency_is_told_with_the_line_that_installs_it(
    install: Install, load: Load, requires: tuple[str, ...], install_line: str
) -> None:
    install("import acme_client", requires=requires)
    reason = found(load("acme")).reason
    assert reason == f"it needs the module 'acme_client', which is not installed: pip install {install_line}"


def test_an_installed_plugin_is_neither_enabled_nor_imported(install: Install, load: Load) -> None:
    install("raise SystemExit")
    plugins = load()
    entry = found(plugins)
    assert (entry.state, entry.distribution, entry.version) == (State.DISABLED, "gateway-acme", "1.2")
    assert entry.reason.startswith("installed, not enabled")
    assert plugins.problems() == ()
    assert "acme_plugin_acme" not in sys.modules


def test_an_enabled_plugin_is_active_and_its_hooks_are_known(install: Install, load: Load) -> None:
    install(GOOD)
    plugins = load("acme")
    entry = found(plugins)
    assert (entry.state, entry.hooks, entry.origin) == (State.ACTIVE, ("register_model_lookups",), "acme_plugin_acme")
    assert plugins.problems() == plugins.warnings == ()


def test_the_gateways_own_plugins_are_on_and_each_can_be_turned_off(load: Load) -> None:
    plugins = load(ours=True, GATEWAY_PLUGINS__KEYS__ENABLED="false")
    states = {entry.name: entry.state for entry in plugins.entries if entry.distribution == "litestar-gateway"}
    assert states.pop("keys") is State.DISABLED
    assert State.DISABLED not in states.values()
    assert list(states) == [name for name in OURS if name != "keys"]


def test_the_gateway_loads_with_none_of_its_own_plugins(load: Load) -> None:
    plugins = load()
    assert plugins.active == ()
    assert plugins.problems() == ()


def test_ours_come_first_then_others_by_name_then_files(install: Install, load: Load, tmp_path: Path) -> None:
    install(GOOD, name="zeta")
    install(GOOD, name="alpha")
    (tmp_path / "a_file.py").write_text(GOOD)
    plugins = load("alpha", "zeta", ours=True, files=(tmp_path / "a_file.py",))
    names = [entry.name for entry in plugins.entries]
    assert names == [*OURS, "alpha", "zeta", "a_file"]


def test_safe_mode_loads_only_the_gateways_own(install: Install, load: Load, tmp_path: Path) -> None:
    install(GOOD)
    (tmp_path / "single.py").write_text(GOOD)
    plugins = load("acme", files=(tmp_path / "single.py",), GATEWAY_SAFE_MODE="1")
    assert {found(plugins, name).reason for name in ("acme", "single")} == {
        "safe mode loads only the gateway's own plugins"
    }
    assert plugins.problems() == ()


def test_two_plugins_of_one_name_are_refused_naming_both_distributions(install: Install, load: Load) -> None:
    install(GOOD, module="acme_plugin_one", distribution="gateway-one")
    install(GOOD, module="acme_plugin_two", distribution="gateway-two")
    plugins = load("acme")
    (problem,) = plugins.problems()
    assert "two plugins are called 'acme', of 'gateway-one' and 'gateway-two'; uninstall one of them" in problem


def test_a_file_of_an_installed_plugins_name_is_to_be_renamed(install: Install, load: Load, tmp_path: Path) -> None:
    """Both have the table `[plugins.acme]`: no setting turns off one of them."""
    install(GOOD, distribution="gateway-one")
    file = tmp_path / "acme.py"
    file.write_text(GOOD)
    (problem,) = load("acme", files=(file,)).problems()
    assert (
        f"two plugins are called 'acme', of 'gateway-one' and '{file}'; rename the file or uninstall 'gateway-one'"
        in problem
    )
    assert "enabled" not in problem


def test_a_plugin_cannot_take_the_name_of_one_of_ours(install: Install, load: Load) -> None:
    install(GOOD, name="registry", distribution="gateway-impostor")
    both = "'litestar-gateway' and 'gateway-impostor'"
    sentence = f"two plugins are called 'registry', of {both}; uninstall 'gateway-impostor'"
    plugins = load(ours=True)
    assert plugins.entry("registry").distribution == "litestar-gateway"
    assert any(sentence in warning for warning in plugins.warnings)
    assert any(sentence in problem for problem in load("registry", ours=True).problems())


def test_a_single_file_is_enabled_by_naming_it(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "single.py"
    file.write_text(GOOD + "\nclass Settings(__import__('pydantic').BaseModel):\n    url: str = 'x'\n")
    plugins = load(files=(file, file), GATEWAY_PLUGINS__SINGLE__URL="https://a")
    entry = found(plugins, "single")
    assert (entry.state, entry.distribution, entry.origin) == (State.ACTIVE, "", str(file))
    assert entry.settings is not None
    assert entry.settings.model_dump() == {"url": "https://a"}


def test_an_edit_of_the_same_length_in_the_same_second_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "edited.py"
    [candidate] = [found for found in discover([file]) if found.is_file]
    words = []
    for word in ("one", "two"):
        file.write_text(f"WORD = {word!r}\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        words.append(candidate.load().WORD)
    assert words == ["one", "two"]
    assert [left.name for left in tmp_path.iterdir()] == ["edited.py"]


def test_a_file_that_is_missing_is_told(load: Load, tmp_path: Path) -> None:
    (problem,) = load(files=(tmp_path / "none.py",)).problems()
    assert "No such file" in problem


@pytest.mark.parametrize("stem", ["Acme", "my-plugin", "a__b", "1st"])
def test_a_name_that_cannot_be_a_variable_is_refused(load: Load, tmp_path: Path, stem: str) -> None:
    (tmp_path / f"{stem}.py").write_text(GOOD)
    (problem,) = load(files=(tmp_path / f"{stem}.py",)).problems()
    assert f"'{stem}' cannot be a plugin's name" in problem


@pytest.mark.parametrize(
    ("keywords", "reason"),
    [
        ("llm,gateway-api~=1.0", ""),
        ("gateway-api>=1.0,gateway-api<3", ""),
        ("llm", ""),
        ("gateway-api~=2.0", "it is written for plugin API ~=2.0, this gateway has 1.0"),
        ("gateway-api~=1.7", "it is written for plugin API ~=1.7, this gateway has 1.0"),
        ("gateway-api<1", "it is written for plugin API <1, this gateway has 1.0"),
        ("gateway-api=1", "its keyword 'gateway-api=1' is no range of versions; write for example 'gateway-api~=1.0'"),
        (
            "gateway-api~=1",
            "its keyword 'gateway-api~=1' is no range of versions; write for example 'gateway-api~=1.0'",
        ),
    ],
)
def test_the_range_of_the_plugin_api_is_checked_before_the_import(
    install: Install, load: Load, keywords: str, reason: str
) -> None:
    install(GOOD, keywords=keywords)
    entry = found(load("acme"))
    assert entry.reason == reason
    assert ("acme_plugin_acme" in sys.modules) is (not reason)


SETTINGS = GOOD + "from pydantic import BaseModel\nclass Settings(BaseModel):\n    url: str\n    tries: int = 3\n"


def test_a_plugins_own_settings_are_validated_with_their_origins(install: Install, load: Load) -> None:
    install(SETTINGS)
    plugins = load("acme", GATEWAY_PLUGINS__ACME__TRIES="many")
    assert plugins.problems() == (
        "plugins.acme.url: is required; set it in the file or as GATEWAY_PLUGINS__ACME__URL",
        "GATEWAY_PLUGINS__ACME__TRIES: input should be a valid integer, unable to parse string as an integer",
    )
    assert found(plugins).state is State.FAILED


def test_a_plugin_without_settings_takes_none(install: Install, load: Load, tmp_path: Path) -> None:
    install(GOOD)
    (tmp_path / "gateway.toml").write_text("[plugins.acme]\nenabled = true\nurl = 'x'\n")
    assert load().problems() == ("gateway.toml: plugins.acme.url: unknown key",)


def test_a_section_of_a_plugin_nobody_installed_is_refused_with_the_nearest(load: Load, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[plugins.regstry]\nx = 1\n")
    assert load().problems() == ("plugins.regstry: no plugin of that name is installed; did you mean 'registry'?",)


def test_enabling_a_plugin_nobody_installed_is_refused_and_its_variables_only_warn(load: Load) -> None:
    assert load("nobody").problems() == ("plugins.nobody: no plugin of that name is installed",)
    plugins = load(GATEWAY_PLUGINS__NOBODY__URL="x")
    assert plugins.problems() == ()
    assert plugins.warnings == ("plugins.nobody: no plugin of that name is installed",)


def test_what_is_most_likely_a_slip_is_a_warning(install: Install, load: Load) -> None:
    install("def register_providers(gateway): ...", name="bare")
    install("from gateway import hookimpl\n@hookimpl(wrapper=True)\ndef register_providers(): yield", name="wraps")
    plugins = load("bare", "wraps")
    assert plugins.problems() == ()
    assert plugins.warnings == (
        "plugin 'bare' (gateway-bare): its function 'register_providers' is not called: put @hookimpl above it",
        "plugin 'bare' (gateway-bare): it implements no hook",
        "plugin 'wraps' (gateway-wraps): its hook 'register_providers' is a wrapper and is not called",
    )
