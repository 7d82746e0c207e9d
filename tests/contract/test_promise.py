"""The gate before a release tells what would break plugins, and lets everything else through."""

import inspect
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import promise
import pytest

import gateway
from gateway import hookspecs, protocols

ROOT = Path(__file__).parents[2]
Edit = Callable[[str, str, str], None]


class Repository:
    """A git repository of its own with the gateway's package in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "gateway").mkdir()
        for room in (ROOT / "gateway").iterdir():  # the floors that plugins see; the whole house would take longer
            if room.suffix == ".py":
                shutil.copy(room, folder / "gateway")
            elif room.name in (*gateway._ROOMS, "testing"):
                shutil.copytree(room, folder / "gateway" / room.name)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "core.hooksPath=.")
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, timeout=30)

    def release(self, tag: str) -> None:
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", tag)
        self.git("tag", tag)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / "gateway" / file
        text = path.read_text("utf-8")
        assert old in text, f"{file} no longer says {old!r}"
        path.write_text(text.replace(old, new, 1))

    def broken(self) -> list[str]:
        return promise.broken(self.folder)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.release("v0.1.0")
    return made


def test_without_a_release_there_is_nothing_to_compare_with(tmp_path):
    fresh = Repository(tmp_path)
    fresh.git("commit", "--quiet", "--allow-empty", "-m", "first")
    assert promise.releases(tmp_path) == []
    assert fresh.broken() == []


def test_the_release_itself_breaks_nothing(repository):
    assert repository.broken() == []


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("requests.py", "def with_keeps_model(self, keeps: bool)", "def with_keeps_model(self)", "keeps"),
        ("requests.py", "def with_fields(", "def with_values(", "with_fields"),
        ("domain.py", "    sharing: str = ", "    shared: str = ", "sharing"),
        ("domain.py", "    unrestricted: bool = False", "    team: str\n    unrestricted: bool = False", "team"),
        ("errors.py", "class RequestTimeout(", "class RequestTooSlow(", "RequestTimeout"),
        ("events.py", "class Refusal(", "class Refused(", "Refusal"),
        ("testing/conformance/limiter.py", "class LimiterConformance(", "class Limits(", "LimiterConformance"),
        (
            "protocols/stages.py",
            "def map(self, error: Exception",
            "def map(self, tries: int, error: Exception",
            "tries",
        ),
        (
            "protocols/stages.py",
            "    async def settle(",
            "    def refund(self) -> None: ...\n    async def settle(",
            "refund",
        ),
        ("hookspecs.py", "def register_commands(cli:", "def add_commands(cli:", "register_commands"),
        ("hookspecs.py", "def on_app_init(app_config: Any, gateway: ", "def on_app_init(gateway: ", "app_config"),
    ],
)
def test_what_plugins_use_and_is_gone_is_told(repository, file, old, new, told):
    repository.edit(file, old, new)
    found = repository.broken()
    assert found
    assert any(told in sentence for sentence in found)
    assert not any("\x1b" in sentence for sentence in found)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("hookspecs.py", "def on_app_init(app_config: Any, ", "def on_app_init(app_config: Any, host: str, "),
        ("requests.py", "_model(self, keeps: bool)", "_model(self, keeps: bool, x: int = 0)"),
        ("domain.py", "    sharing: str = ", '    colour: str = ""\n    sharing: str = '),
        ("__init__.py", '__version__ = "', '__version__ = "9'),
        ("requests.py", "import msgspec\n", "import msgspec\n\n\ndef new() -> None:\n    pass\n"),
    ],
)
def test_what_is_only_added_passes(repository, file, old, new):
    repository.edit(file, old, new)
    assert repository.broken() == []


def warn(repository: Repository) -> None:
    mark = '@hookspec(warn_on_impl_args={"app_config": DeprecationWarning("use gateway")})\ndef on_app_init('
    repository.edit("hookspecs.py", "@hookspec\ndef on_app_init(", mark)


def remove(repository: Repository) -> None:
    repository.edit("hookspecs.py", "def on_app_init(app_config: Any, gateway: ", "def on_app_init(gateway: ")


def test_an_argument_may_go_after_two_minor_releases_that_warned(repository):
    warn(repository)
    repository.release("v0.2.0")
    repository.release("v0.3.0")
    remove(repository)
    assert repository.broken() == []


def test_an_argument_may_not_go_after_one_minor_release_that_warned(repository):
    warn(repository)
    repository.release("v0.2.0")
    repository.release("v0.2.1")
    remove(repository)
    assert [sentence for sentence in repository.broken() if "app_config" in sentence]


def test_the_next_major_version_of_the_contract_may_break(repository):
    repository.edit("hookspecs.py", "def register_commands(cli:", "def add_commands(cli:")
    repository.edit("__init__.py", 'API_VERSION = "1.', 'API_VERSION = "2.')
    assert repository.broken() == []


def test_the_newest_release_counts_and_not_the_last_made(repository):
    for tag in ("v0.10.0", "v0.9.0", "v0.9.0-rc1", "various"):
        repository.release(tag)
    assert promise.releases(repository.folder) == ["v0.10.0", "v0.9.0", "v0.1.0"]


def test_every_protocol_that_a_hook_returns_counts_as_implemented():
    returned = {
        name
        for _, hook in inspect.getmembers(hookspecs, inspect.isfunction)
        for name in re.findall(r"Iterable\[(\w+)\]", str(inspect.signature(hook).return_annotation))
    }
    assert returned
    assert returned <= set(promise.IMPLEMENTED)
    assert all(hasattr(protocols, name) for name in promise.IMPLEMENTED)


def test_this_commit_keeps_what_the_newest_release_promised():
    assert promise.broken(ROOT) == []
