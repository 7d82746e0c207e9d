"""What `gateway plugins new` writes, for every kind: clean, typed, tested, and served as it is."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.plugins.new import new
from gateway.testing.running import RunningGateway

ROOT = Path(__file__).parents[2]
(KIND,) = (parameter for parameter in new.params if parameter.name == "kind")
KINDS = tuple(KIND.type.choices)  # type: ignore[attr-defined]
RULES = "I,E,F,W,UP,B,C4,SIM,PIE,RUF,ASYNC,S,PT,RET,TID,T20,BLE"


def short(kind: str) -> str:
    return f"my_{kind.replace('-', '_')}"


class Site:
    """A folder with a package and a file of every kind, and the packages as pip installs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages = [folder / short(kind) for kind in KINDS]
        self.files = [folder / f"file_{short(kind)}.py" for kind in KINDS]
        self.installed = folder / "site"

    def write(self) -> None:
        for kind in KINDS:
            for arguments in ((short(kind),), (f"file_{short(kind)}", "--single-file")):
                command = ["plugins", "new", *arguments, "--kind", kind, "--directory", str(self.folder)]
                result = CliRunner().invoke(main, command)
                assert result.exit_code == 0, result.output
        offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
        self.run("pip", "install", *offline, "--target", str(self.installed), *map(str, self.packages))

    def run(self, module: str, *arguments: str, cwd: Path | None = None, **environ: str) -> str:
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def environ(self) -> Mapping[str, str]:
        """What switches every one of them on."""
        switches = {f"GATEWAY_PLUGINS__{path.name.upper()}__ENABLED": "true" for path in self.packages}
        files = json.dumps([str(path) for path in self.files])
        return {"PYTHONPATH": str(self.installed), "GATEWAY_PLUGIN_FILES": files, **switches}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(tmp_path_factory.mktemp("scaffolds"))
    made.write()
    return made


def test_the_linter_and_the_formatter_find_nothing(site: Site) -> None:
    for package in site.packages:  # from inside: that is where a linter learns what is first-party
        site.run("ruff", "check", "--isolated", "--no-cache", "--select", RULES, "--ignore", "S101", ".", cwd=package)
    site.run("ruff", "check", "--isolated", "--no-cache", "--select", RULES, *map(str, site.files))
    everything = [*site.packages, *site.files]
    site.run("ruff", "format", "--isolated", "--no-cache", "--check", *map(str, everything))


def test_strict_types_hold(site: Site) -> None:
    sources = [str(file) for package in site.packages for file in package.rglob("*.py")]
    cache = f"--cache-dir={site.folder / 'types'}"
    site.run("mypy", "--strict", cache, *sources, *map(str, site.files), MYPYPATH=str(ROOT))


def test_their_own_tests_pass(site: Site) -> None:
    # In one run, with the first one's configuration: all packages get the same.
    common = ("-q", "-W", "error", "-p", "no:cacheprovider", "-c", f"{site.packages[0].name}/pyproject.toml")
    told = site.run(
        "pytest", *common, "--rootdir=.", *(path.name for path in site.packages), PYTHONPATH=str(site.installed)
    )
    assert " passed" in told
    assert "deselected" not in told


@pytest.mark.parametrize("number", range(len(KINDS)), ids=KINDS)
def test_the_conformance_kit_passes_a_single_file(site: Site, number: int) -> None:
    file = f"./{site.files[number].name}"
    told = json.loads(site.run("gateway", "plugins", "check", file, "--json", GATEWAY_DATA_DIR=str(site.folder)))
    assert told["passed"]
    assert {row["kind"] for row in told["checks"] if row["status"] == "passed"} >= {"plugin"}


@pytest.mark.parametrize("number", range(len(KINDS)), ids=KINDS)
def test_a_single_file_is_short(site: Site, number: int) -> None:
    assert len(site.files[number].read_text("utf-8").splitlines()) < 70


def test_every_plugin_is_listed_as_active_with_its_hook(site: Site) -> None:
    rows = json.loads(site.run("gateway", "plugins", "list", "--json", **site.environ()))
    states = {row["name"]: (row["state"], len(row["hooks"]), row["reason"]) for row in rows}
    names = [path.stem for path in (*site.packages, *site.files)]
    assert {name: states[name] for name in names} == dict.fromkeys(names, ("active", 1, ""))
    by_name = {row["name"]: row for row in rows}
    assert all(by_name[path.name]["api"].startswith("~=") for path in site.packages)


async def test_the_gateway_serves_with_all_of_them(site: Site, tmp_path: Path) -> None:
    async with RunningGateway(tmp_path, environ=site.environ()) as running:
        answer = await running.client.request("GET", "/health/live")
    assert answer.status == 200
    assert "plugin_failed" not in running.log
