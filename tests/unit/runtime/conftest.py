"""Real distributions, written where Python finds them: metadata, entry points and code."""

import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from textwrap import dedent

import pytest
from plugin_entries import Install, Load

from gateway.runtime import Plugins, load_plugins
from gateway.settings import load_settings


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Write a distribution with one plugin; returns its short name. What it imports is forgotten after the test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def write(
        code: str,
        *,
        name: str = "acme",
        module: str | None = None,
        distribution: str | None = None,
        keywords: str = "",
        requires: tuple[str, ...] = (),
        commands: tuple[str, ...] = (),
    ) -> str:
        module = module or f"acme_plugin_{name}"
        distribution = distribution or f"gateway-{name}"
        (site / f"{module}.py").write_text(dedent(code))
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {distribution}", "Version: 1.2"]
        lines += [f"Keywords: {keywords}"] if keywords else []
        lines += [f"Requires-Dist: {requirement}" for requirement in requires]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
        points = f"[litestar_gateway.plugins]\n{name} = {module}\n"
        points += "[litestar_gateway.commands]\n" + "".join(f"{command} = {module}\n" for command in commands)
        (info / "entry_points.txt").write_text(points)
        return name

    yield write
    for added in set(sys.modules) - before:
        if added.startswith(("acme_plugin_", "litestar_gateway_file_")):
            del sys.modules[added]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load plugins with the named ones enabled and the gateway's own off, unless asked for."""
    monkeypatch.chdir(tmp_path)

    def loaded(*names: str, ours: bool = False, files: tuple[Path, ...] = (), **environ: str) -> Plugins:
        variables = {"GATEWAY_DATA_DIR": str(tmp_path), **environ}
        if not ours:
            points = distribution("litestar-gateway").entry_points.select(group="litestar_gateway.plugins")
            variables |= {f"GATEWAY_PLUGINS__{point.name.upper()}__ENABLED": "false" for point in points}
        variables |= {f"GATEWAY_PLUGINS__{name.upper()}__ENABLED": "true" for name in names}
        return load_plugins(load_settings(environ=variables), files=files)

    return loaded
