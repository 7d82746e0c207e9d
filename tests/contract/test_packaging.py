"""Wheel and sdist hold what they should and nothing else; each is built by the tools a user has."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(source: Path, into: Path, *what: str) -> None:
    pytest.importorskip("build", reason="pip install 'litestar-gateway[test]'")
    pytest.importorskip("hatchling", reason="pip install 'litestar-gateway[test]'")
    command = [sys.executable, "-m", "build", "--no-isolation", *what, "--outdir", str(into), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel from the checkout, an sdist, and the wheel made from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder / "direct", "--wheel")
    build(ROOT, folder / "chain")  # the sdist, then a wheel from it
    (direct,) = (folder / "direct").glob("*.whl")
    (sdist,) = (folder / "chain").glob("*.tar.gz")
    (from_sdist,) = (folder / "chain").glob("*.whl")
    return {"wheel": direct, "sdist": sdist, "wheel from sdist": from_sdist}


def names(archive: Path) -> set[str]:
    if archive.suffix == ".whl":
        return set(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as tar:
        return {name.partition("/")[2] for name in tar.getnames()}


@pytest.mark.parametrize("kind", ["wheel", "wheel from sdist"])
def test_a_wheel_has_only_our_top_level_names(built: dict[str, Path], kind: str) -> None:
    top = {name.partition("/")[0] for name in names(built[kind])}
    plugins = {path.name for path in (ROOT / "plugins").glob("gateway_*") if path.is_dir()}
    (info,) = (name for name in top if name.endswith(".dist-info"))
    assert top == {"gateway", *plugins, info}


@pytest.mark.parametrize("kind", ["wheel", "wheel from sdist"])
def test_a_wheel_has_the_migrations_the_markers_and_the_entry_points(built: dict[str, Path], kind: str) -> None:
    inside = names(built[kind])
    assert "gateway/migrations/env.py" in inside
    versions = {f"gateway/migrations/versions/{path.name}" for path in (ROOT / "alembic/versions").glob("*.py")}
    assert versions
    assert versions <= inside
    packages = ["gateway", *(path.name for path in (ROOT / "plugins").glob("gateway_*") if path.is_dir())]
    assert {f"{package}/py.typed" for package in packages} <= inside
    assert not any(name.endswith(".pth") for name in inside)
    (points,) = (name for name in inside if name.endswith("entry_points.txt"))
    text = zipfile.ZipFile(built[kind]).read(points).decode()
    assert "[litestar_gateway.plugins]" in text
    assert "chatbot_ui = gateway_chatbot_ui" in text


def test_both_wheels_hold_the_same_files(built: dict[str, Path]) -> None:
    assert names(built["wheel"]) == names(built["wheel from sdist"])


def test_every_module_and_template_of_the_checkout_is_in_the_wheel(built: dict[str, Path]) -> None:
    ours = {path.relative_to(ROOT).as_posix() for kind in ("*.py", "*.tmpl") for path in (ROOT / "gateway").rglob(kind)}
    ours |= {path.relative_to(ROOT / "plugins").as_posix() for path in (ROOT / "plugins").rglob("*.py")}
    assert ours - names(built["wheel"]) == set()


def test_the_sdist_has_what_building_and_testing_need(built: dict[str, Path]) -> None:
    inside = names(built["sdist"])
    needed = {"pyproject.toml", "README.md", "LICENSE", "alembic/env.py", "plugins/gateway_openai/__init__.py"}
    assert needed <= inside
    assert not any(name.startswith((".venv", ".git/", "dist/")) for name in inside)


def test_a_wheel_brings_its_database_up_outside_the_checkout(built: dict[str, Path], tmp_path: Path) -> None:
    zipfile.ZipFile(built["wheel from sdist"]).extractall(tmp_path / "site")
    environ = {"PYTHONPATH": str(tmp_path / "site"), "GATEWAY_DATA_DIR": str(tmp_path / "data"), "PATH": os.defpath}

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert str(tmp_path) in run("-c", "import gateway; print(gateway.__file__)")
    run("-m", "gateway", "db", "upgrade")
    assert run("-m", "gateway", "db", "current").strip()


def test_the_lock_names_no_registry_and_has_hashes() -> None:
    lock = ROOT / "requirements.lock"
    if not lock.exists():
        pytest.skip("there is no requirements.lock")
    text = lock.read_text("utf-8")
    assert re.search(r"https?://|--index-url|--extra-index-url|--find-links", text) is None
    pins = re.findall(r"^[A-Za-z0-9._\[\]-]+==\S+", text, re.MULTILINE)
    assert pins
    assert text.count("--hash=sha256:") >= len(pins)
