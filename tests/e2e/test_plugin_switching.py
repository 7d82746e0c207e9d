"""Plugins are switched, reloaded and taken back while the gateway serves; what fails leaves the old set serving."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from control_plane import Admin, config

from gateway.testing.running import GatewayFailed, RunningGateway

DEMO = "de300000-0000-4000-8000-000000000001"

GREETER = """
from contextlib import asynccontextmanager
from litestar import get
from pydantic import BaseModel
from gateway import hookimpl

class Settings(BaseModel):
    word: str = "hello"

@hookimpl
def on_app_init(app_config, gateway):
    word = gateway.settings.word

    @get("/greeting", opt={"public": True}, media_type="text/plain")
    async def greeting() -> str:
        return word

    app_config.route_handlers.append(greeting)
"""

BROKEN = {
    "does not parse": ("def (:", "its code has a syntax error"),
    "raises when imported": ("1 / 0", "it cannot be imported: ZeroDivisionError"),
    "ends the process": ("import sys; sys.exit(3)", "its code ends the process"),
    "never returns": ("while True: pass", "did not return within 1 seconds"),
    "needs a module": ("import nobody_has_this", "'nobody_has_this', which is not installed"),
    "misspells a hook": (
        "from gateway import hookimpl\n@hookimpl\ndef on_app_innit(): ...",
        "did you mean 'on_app_init'",
    ),
    "has an async hook": ("from gateway import hookimpl\n@hookimpl\nasync def on_app_init(): ...", "is 'async def'"),
    "raises in its hook": (
        GREETER.replace("    word = gateway", "    1 / 0\n    word = gateway"),
        "its hook 'on_app_init' failed: ZeroDivisionError",
    ),
    "registers what cannot serve": (
        GREETER + "\n@hookimpl\ndef register_model_lookups(): return [object()]",
        "register_model_lookups",
    ),
    "takes no settings any more": ("from gateway import hookimpl", "plugins.greeter.word: unknown key"),
    "has a lifespan that does not start": (
        GREETER
        + """
@hookimpl
def lifespan():
    @asynccontextmanager
    async def life():
        raise OSError("port taken")
        yield
    return life()
""",
        "its lifespan failed to start: port taken",
    ),
    "adds an unguarded route": (GREETER.replace('opt={"public": True}, ', ""), "does not say who may use it"),
    "adds a route that is taken": (GREETER.replace("/greeting", "/health/live"), "cannot be served together"),
    "fails when the application starts": (
        GREETER.replace(
            "    app_config.route_handlers",
            "    def fail(): raise OSError('disk full')\n    app_config.on_startup.append(fail)\n"
            "    app_config.route_handlers",
        ),
        "disk full",
    ),
}


@pytest.fixture
def greeter(tmp_path: Path) -> Path:
    file = tmp_path / "greeter.py"
    write(file, GREETER)
    return file


@pytest.fixture
async def gateway(tmp_path: Path, greeter: Path) -> AsyncIterator[RunningGateway]:
    more = "plugin_start_seconds = 1\n[plugins.greeter]\nword = 'hello'\n"
    async with RunningGateway(tmp_path / "data", environ=config(tmp_path, greeter, more=more)) as running:
        yield running


@pytest.fixture
def admin(gateway: RunningGateway) -> Admin:
    return Admin(gateway)


def write(file: Path, text: str) -> None:
    file.write_text(text)


async def greeting(gateway: RunningGateway) -> tuple[int | None, bytes]:
    answer = await gateway.client.request("GET", "/greeting")
    return answer.status, answer.body


@pytest.fixture(autouse=True)
def hangups_arrive():
    """Also where the tests run under `nohup`: what ignores SIGHUP hands that on to the gateway, which respects it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


async def test_a_plugin_is_switched_off_and_on_with_its_routes(gateway: RunningGateway, admin: Admin) -> None:
    off = await admin.change("/plugins/greeter/disable")
    assert {plugin["name"]: plugin["state"] for plugin in off["plugins"]}["greeter"] == "disabled"
    assert (off["generation"], [worker["generation"] for worker in off["workers"]]) == (2, [2])
    assert (await greeting(gateway))[0] == 404
    await admin.change("/plugins/greeter/enable")
    assert await greeting(gateway) == (200, b"hello")


async def test_a_failed_swap_of_every_kind_leaves_the_old_set_serving(
    gateway: RunningGateway, admin: Admin, greeter: Path
) -> None:
    for case, (code, reason) in BROKEN.items():
        write(greeter, code)
        status, detail = await admin.refused("/plugins/reload")
        assert (status, reason in detail) == (422, True), f"{case}: {status} {detail}"
        assert "Traceback" not in detail
        assert await greeting(gateway) == (200, b"hello"), case
        assert (await admin.get("/plugins"))["generation"] == 1
    write(greeter, GREETER.replace("return word", "return word + word"))
    assert (await admin.change("/plugins/reload"))["generation"] == 2
    assert await greeting(gateway) == (200, b"hellohello")


async def test_a_broken_plugin_cannot_be_switched_on(gateway: RunningGateway, admin: Admin, greeter: Path) -> None:
    await admin.change("/plugins/greeter/disable")
    write(greeter, "1 / 0")
    status, detail = await admin.refused("/plugins/greeter/enable")
    assert (status, "ZeroDivisionError" in detail) == (422, True)
    assert (await admin.get("/plugins"))["generation"] == 2


async def test_settings_are_read_anew_and_wrong_ones_are_refused(gateway: RunningGateway, admin: Admin) -> None:
    file = gateway.data_dir.parent / "gateway.toml"
    before = file.read_text()
    write(file, before.replace("hello", "good evening"))
    await admin.change("/plugins/reload")
    assert await greeting(gateway) == (200, b"good evening")
    write(file, before.replace("'hello'", "['hello']"))
    status, detail = await admin.refused("/plugins/reload")
    assert (status, "plugins.greeter.word" in detail) == (422, True)
    write(file, "this is no TOML")
    assert (await admin.refused("/plugins/reload"))[0] == 422
    assert await greeting(gateway) == (200, b"good evening")


async def test_what_counts_from_the_next_start_only_is_told(gateway: RunningGateway, admin: Admin) -> None:
    file = gateway.data_dir.parent / "gateway.toml"
    write(file, "body_limit = 100000\n" + file.read_text())
    assert (await admin.change("/plugins/reload"))["needs_restart"] == ["body_limit"]


async def test_a_rollback_takes_the_last_switch_back(gateway: RunningGateway, admin: Admin) -> None:
    status, detail = await admin.refused("/plugins/rollback")
    assert (status, "nothing to go back to" in detail) == (409, True)
    await admin.change("/plugins/greeter/disable")
    await admin.change("/plugins/rollback")
    assert await greeting(gateway) == (200, b"hello")


async def test_what_a_file_or_a_variable_manages_is_refused_by_name(tmp_path: Path, greeter: Path) -> None:
    environ = config(tmp_path, greeter, more="[plugins.greeter]\nenabled = true\n")
    environ["GATEWAY_PLUGINS__SUPABASE__ENABLED"] = "false"
    async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
        admin = Admin(gateway)
        status, detail = await admin.refused("/plugins/greeter/disable")
        assert status == 409
        assert "gateway.toml: plugins.greeter.enabled" in detail
        status, detail = await admin.refused("/plugins/supabase/enable")
        assert status == 409
        assert "GATEWAY_PLUGINS__SUPABASE__ENABLED" in detail


async def test_an_unknown_plugin_is_not_found(admin: Admin) -> None:
    status, detail = await admin.refused("/plugins/greter/enable")
    assert (status, detail) == (404, "no plugin 'greter' is installed; did you mean 'greeter'?")


async def test_the_last_authenticator_cannot_be_switched_off(admin: Admin) -> None:
    status, detail = await admin.refused("/plugins/keys/disable")
    assert (status, "No authenticator would be left" in detail) == (422, True)


async def test_a_switch_outlives_a_restart(tmp_path: Path, greeter: Path) -> None:
    environ = config(tmp_path, greeter)
    async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
        await Admin(gateway).change("/plugins/greeter/disable")
        assert await gateway.stop() == 0
    assert (tmp_path / "data" / "plugins.json").stat().st_mode & 0o777 == 0o600
    async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
        assert (await greeting(gateway))[0] == 404
        assert (await Admin(gateway).get("/plugins"))["generation"] == 2


async def test_the_command_line_switches_a_running_gateway(gateway: RunningGateway) -> None:
    url = f"http://127.0.0.1:{gateway.port}"
    said = await gateway.command("plugins", "disable", "greeter", "--url", url)
    assert said == "'greeter' is off: generation 2, served by 1 worker.\n"
    assert (await greeting(gateway))[0] == 404
    await gateway.command("plugins", "rollback", "--url", url)
    await gateway.command("plugins", "reload", "--url", url)
    assert await greeting(gateway) == (200, b"hello")
    with pytest.raises(GatewayFailed, match="no plugin 'nobody' is installed"):
        await gateway.command("plugins", "enable", "nobody", "--url", url)
    (gateway.data_dir / "admin-key").write_text("gw-nobody")
    with pytest.raises(GatewayFailed, match="refused the key"):
        await gateway.command("plugins", "reload", "--url", url)


async def all_serve(gateway: RunningGateway, status: int) -> bool:
    """Whether many requests in a row, of any worker, are answered so."""
    return {(await greeting(gateway))[0] for _ in range(30)} == {status}


async def test_every_worker_follows_and_tells_its_generation(tmp_path: Path, greeter: Path) -> None:
    environ = config(tmp_path, greeter, more="port = 1\n")  # where nobody answers the command line
    async with RunningGateway(tmp_path / "data", environ=environ, arguments=("--workers", "2")) as gateway:
        admin = Admin(gateway)
        async with asyncio.timeout(30):
            while len((await admin.get("/generations"))["workers"]) < 2:
                await asyncio.sleep(0.05)
        off = await admin.change("/plugins/greeter/disable")
        assert [worker["generation"] for worker in off["workers"]] == [2, 2]
        assert len({worker["pid"] for worker in off["workers"]}) == 2
        assert await all_serve(gateway, 404)
        # What the command line switches without asking anybody is followed too.
        await gateway.command("plugins", "enable", "greeter")
        async with asyncio.timeout(30):
            while not await all_serve(gateway, 200):
                await asyncio.sleep(0.05)


ALONE = """
import os
from contextlib import asynccontextmanager
from gateway import hookimpl

@hookimpl
def lifespan():
    @asynccontextmanager
    async def life():
        os.close(os.open("{file}", os.O_CREAT | os.O_EXCL))
        yield
    return life()
"""


async def test_a_worker_that_cannot_follow_serves_on_and_says_why(tmp_path: Path) -> None:
    plugin = tmp_path / "alone.py"
    write(plugin, "from gateway import hookimpl\n@hookimpl\ndef register_providers(): return []\n")
    environ = config(tmp_path, plugin)
    async with RunningGateway(tmp_path / "data", environ=environ, arguments=("--workers", "2")) as gateway:
        admin = Admin(gateway)
        async with asyncio.timeout(30):
            while len((await admin.get("/generations"))["workers"]) < 2:
                await asyncio.sleep(0.05)
        write(plugin, ALONE.format(file=tmp_path / "taken"))
        workers = (await admin.change("/plugins/reload"))["workers"]
    assert [worker["generation"] for worker in workers] == [2, 1]
    assert "File exists" in workers[1]["reason"]
    assert "File exists" not in workers[0]["reason"]


@pytest.mark.parametrize("count", [1, 2])
async def test_a_hangup_reloads(tmp_path: Path, greeter: Path, count: int) -> None:
    environ, arguments = config(tmp_path, greeter), ("--workers", str(count))
    async with RunningGateway(tmp_path / "data", environ=environ, arguments=arguments) as gateway:
        admin = Admin(gateway)
        config(tmp_path, greeter, more="[plugins.greeter]\nword = 'changed'\n")
        gateway.send(signal.SIGHUP)
        async with asyncio.timeout(30):
            # Asked of each, for requests may all meet one of them while another has yet to read the file.
            while [w["generation"] for w in (await admin.get("/generations"))["workers"]] != [2] * count:
                await asyncio.sleep(0.05)
        assert await greeting(gateway) == (200, b"changed")
        write(greeter, "1 / 0")
        gateway.send(signal.SIGHUP)
        async with asyncio.timeout(30):
            while gateway.log.count("ZeroDivisionError") < count:
                await asyncio.sleep(0.05)
        assert await greeting(gateway) == (200, b"changed")
        assert "Traceback" not in gateway.log


SINK = """
from pathlib import Path
from gateway import hookimpl

class Sink:
    async def write(self, records):
        with Path("{file}").open("a") as file:
            file.writelines(record.outcome.value + "\\n" for record in records)

@hookimpl
def register_usage_sinks():
    return [Sink()]
"""


async def test_usage_goes_to_the_sinks_of_the_set_that_serves(tmp_path: Path) -> None:
    written, always = tmp_path / "book.txt", tmp_path / "always.txt"
    for file in (written, always):
        file.with_suffix(".py").write_text(SINK.format(file=file))
    environ = config(tmp_path, written.with_suffix(".py"), always.with_suffix(".py"))
    async with RunningGateway(tmp_path / "data", environ=environ, arguments=("--demo",)) as gateway:
        admin, key = Admin(gateway), (gateway.data_dir / "demo-key").read_text().strip()
        await admin.change("/plugins/book/disable")
        await gateway.client.chat(DEMO, key=key)
        async with asyncio.timeout(30):
            while not always.exists() or always.read_text() != "ok\n":  # it goes to whoever serves when it is written
                await asyncio.sleep(0.01)
        await admin.change("/plugins/book/enable")
        await gateway.client.chat(DEMO, key=key)
        assert await gateway.stop() == 0
    assert (written.read_text(), always.read_text()) == ("ok\n", "ok\nok\n")


BLIND = """
from gateway import hookimpl

class Observer:
    wants = frozenset()

    def start(self, exchange):
        raise OSError("the disk is full")

@hookimpl
def register_stream_observers():
    return [Observer()]
"""


async def test_a_plugin_that_keeps_failing_is_shown_with_its_quarantine(tmp_path: Path) -> None:
    plugin = tmp_path / "blind.py"
    write(plugin, BLIND)
    environ = config(tmp_path, plugin)
    async with RunningGateway(tmp_path / "data", environ=environ, arguments=("--demo",)) as gateway:
        key = (gateway.data_dir / "demo-key").read_text().strip()
        answers = await asyncio.gather(*(gateway.client.chat(DEMO, key=key) for _ in range(10)))
        assert all(answer.complete for answer in [*answers, await gateway.client.chat(DEMO, key=key)])
        plugins = (await Admin(gateway).get("/plugins"))["plugins"]
    told = {plugin["name"]: (plugin["state"], plugin["failures"], plugin["quarantined"]) for plugin in plugins}
    assert told["blind"] == ("active", 10, ["stream_observers"])
    assert told["keys"] == ("active", 0, [])
