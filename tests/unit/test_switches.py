"""What the operator switches at run time is kept in one file, and the settings win over it."""

import os
import threading
from pathlib import Path

import pytest

from gateway.settings import (
    Settings,
    SettingsError,
    Switches,
    SwitchesChanged,
    SwitchFile,
    apply_switches,
    load_settings,
    managed_by,
)


def load(folder: Path, **environ: str) -> Settings:
    return load_settings(None, {"GATEWAY_DATA_DIR": str(folder), **environ})


def put(folder: Path, **enabled: bool) -> None:
    file = SwitchFile(folder)
    before = file.read()
    after = before
    for name, on in enabled.items():
        after = after.switched(name, on)
    file.write(after, after=before.revision)


def test_without_a_file_nothing_is_switched(tmp_path: Path) -> None:
    assert SwitchFile(tmp_path / "none").read() == Switches()
    assert (load(tmp_path).plugins, load(tmp_path).revision) == ({}, 1)


def test_every_command_loads_what_was_switched(tmp_path: Path) -> None:
    put(tmp_path, keys=False, acme=True)
    settings = load(tmp_path)
    assert settings.plugins == {"keys": {"enabled": False}, "acme": {"enabled": True}}
    assert settings.revision == 3
    assert managed_by(settings, "keys") is None


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    put(tmp_path, keys=False)
    assert (tmp_path / "plugins.json").stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["plugins.json"]


def test_a_switch_leaves_the_rest_of_a_section_alone(tmp_path: Path) -> None:
    put(tmp_path, acme=True)
    assert load(tmp_path, GATEWAY_PLUGINS__ACME__URL="x").plugins == {"acme": {"url": "x", "enabled": True}}


def test_the_environment_wins_and_is_named(tmp_path: Path) -> None:
    put(tmp_path, keys=False)
    settings = load(tmp_path, GATEWAY_PLUGINS__KEYS__ENABLED="true")
    assert settings.plugins["keys"]["enabled"] is True
    origin = managed_by(settings, "keys")
    assert origin is not None
    assert origin.text == "GATEWAY_PLUGINS__KEYS__ENABLED"


def test_the_settings_file_wins_and_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[plugins.keys]\nenabled = true\n")
    put(tmp_path, keys=False)
    origin = managed_by(load(tmp_path), "keys")
    assert origin is not None
    assert origin.text.endswith("gateway.toml: plugins.keys.enabled")


def test_switches_replace_those_that_were_applied_before(tmp_path: Path) -> None:
    settings = apply_switches(load(tmp_path), Switches(2, {"keys": False, "acme": True}))
    again = apply_switches(settings, Switches(3, {"acme": False}))
    assert again.plugins == {"acme": {"enabled": False}}
    assert again.revision == 3


def test_a_rollback_goes_back_one_change_at_a_time() -> None:
    switches = Switches().switched("acme", True).switched("keys", False).switched("acme", None)
    assert switches.enabled == {"keys": False}
    seen = []
    back: Switches | None = switches
    while (back := back.rolled_back() if back else None) is not None:
        seen.append(back.enabled)
    assert seen == [{"acme": True, "keys": False}, {"acme": True}, {}]


def test_the_history_is_bounded() -> None:
    switches = Switches()
    for number in range(100):
        switches = switches.switched("acme", number % 2 == 0)
    assert (switches.revision, len(switches.history)) == (101, 20)


def test_of_two_changes_at_once_one_is_refused(tmp_path: Path) -> None:
    put(tmp_path, acme=True)
    before = SwitchFile(tmp_path).read()
    barrier = threading.Barrier(8)
    outcomes = []

    def change(number: int) -> None:
        file = SwitchFile(tmp_path)
        barrier.wait()
        try:
            file.write(before.switched(f"p{number}", True), after=before.revision)
        except SwitchesChanged:
            outcomes.append("refused")
        else:
            outcomes.append("written")

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["written"]
    assert SwitchFile(tmp_path).read().revision == before.revision + 1


def test_the_lock_of_a_process_that_died_does_not_last(tmp_path: Path) -> None:
    lock = tmp_path / "plugins.lock"
    lock.touch()
    with pytest.raises(SwitchesChanged):
        put(tmp_path, acme=True)
    os.utime(lock, (0, 0))
    put(tmp_path, acme=True)
    assert load(tmp_path).plugins == {"acme": {"enabled": True}}


@pytest.mark.parametrize("content", [b"", b"{", b'{"enabled": {"acme": 1}}', b'{"modules": ["os"]}', b"\xff", b"[]"])
def test_a_damaged_file_is_told_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plugins.json").write_bytes(content)
    with pytest.raises(SettingsError, match="is damaged; remove it"):
        load(tmp_path)


def test_settings_can_be_read_again(tmp_path: Path) -> None:
    settings = load(tmp_path)
    put(tmp_path, acme=True)
    assert settings.again is not None
    assert settings.again().plugins == {"acme": {"enabled": True}}
