"""Every way a plugin can be broken, installed as a distribution, against the real server and the real command line."""

import asyncio
import json
import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.secrets import Secret
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

HEAD = "from gateway import hookimpl\n"
LIMIT = 60.0

REFUSED = {
    "raises": ("1 / 0", "it cannot be imported: ZeroDivisionError: division by zero"),
    "syntax": ("def (:", "its code has a syntax error: invalid syntax"),
    "exits": ("import sys\nsys.exit(3)", "its code ends the process when it is imported (SystemExit)"),
    "endless": (
        "while True: pass",
        "its import did not return within 1 seconds; it hangs in broken_endless.py, line 1",
    ),
    "sleeps": (
        "import time\ntime.sleep(600)",
        "its import did not return within 1 seconds; it hangs in broken_sleeps.py, line 2: time.sleep(600)",
    ),
    "lacks": (
        "import acme_client",
        "it needs the module 'acme_client', which is not installed: pip install 'acme_client'",
    ),
    "too_new": ("", "it is written for plugin API ~=9.0, this gateway has"),
    "misspelt": (
        HEAD + "@hookimpl\ndef register_provider(gateway): ...",
        "it implements a hook 'register_provider' that does not exist; did you mean 'register_providers'?",
    ),
    "argument": (
        HEAD + "@hookimpl\ndef register_providers(gatway): ...",
        "its hook 'register_providers' asks for an argument 'gatway' that does not exist; did you mean 'gateway'?",
    ),
    "async_hook": (
        HEAD + "@hookimpl\nasync def register_providers(gateway): ...",
        "its hook 'register_providers' is 'async def': hooks are called once, by synchronous code",
    ),
    "lookup": (
        HEAD + "@hookimpl\ndef register_model_lookups(): raise OSError('no models here')",
        "its hook 'register_model_lookups' failed: OSError: no models here",
    ),
    "hanging_init": (
        HEAD + "class A:\n    def __init__(self):\n        while True: pass\n"
        "@hookimpl\ndef register_authenticators(): return [A()]",
        "its hook 'register_authenticators' did not return within 1 seconds;"
        " it hangs in broken_hanging_init.py, line 4: while True: pass",
    ),
    "limiter": (
        HEAD + "class L:\n    def acquire(self, exchange): ...\n@hookimpl\ndef register_limiters(): return [L()]",
        "what its hook 'register_limiters' returned (L) needs a method 'async def acquire(self, exchange)';"
        " it is not 'async def'",
    ),
    "guard": (
        HEAD + "class G:\n    guard = True\n    on_error = 'skip'\n"
        "@hookimpl\ndef register_request_transforms(): return [G()]",
        "(G) needs a method 'async def transform(self, request, exchange)'; it has none",
    ),
    "app_init": (
        HEAD + "@hookimpl\ndef on_app_init(app_config): raise KeyError('routes')",
        "its hook 'on_app_init' failed: KeyError: 'routes'",
    ),
}
"""Code and reason of the plugins that the server does not start with."""

SPARED = {
    "declared_provider": ("1 / 0", "it cannot be imported: ZeroDivisionError: division by zero"),
    "provider": (
        HEAD + "class P:\n    name = 'p'\n    def __init__(self):\n        while True: pass\n"
        "@hookimpl\ndef register_providers(): return [P()]",
        "its hook 'register_providers' did not return within 1 seconds; it hangs in broken_provider.py, line 5",
    ),
    "mapper": (
        HEAD + "@hookimpl\ndef register_error_mappers(): raise SystemExit(1)",
        "its hook 'register_error_mappers' failed: SystemExit: 1",
    ),
    "skipping": (
        HEAD + "class T:\n    on_error = 'skip'\n@hookimpl\ndef register_stream_transforms(): return [T()]",
        "(T) needs a method 'def start(self, exchange)'; it has none",
    ),
    "sink": (
        HEAD + "@hookimpl\ndef register_usage_sinks(): return 7",
        "its hook 'register_usage_sinks' returned int, not a list",
    ),
    "observer": (
        HEAD + "@hookimpl\ndef register_stream_observers(): raise RuntimeError('no view')",
        "its hook 'register_stream_observers' failed: RuntimeError: no view",
    ),
}
"""The same of those that it serves without."""

KEYWORDS = {"too_new": "gateway-api~=9.0", "declared_provider": "gateway-api~=1.0,gateway-kind-provider"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a distribution for each of them."""
    folder = tmp_path_factory.mktemp("site")
    for name, (code, _) in {**REFUSED, **SPARED}.items():
        install(folder, f"gateway-{name.replace('_', '-')}", name, f"broken_{name}", code, KEYWORDS.get(name, ""))
    return folder


def install(folder: Path, distribution: str, name: str, module: str, code: str, keywords: str = "") -> None:
    """What an installer leaves behind: the module, and the metadata beside it."""
    (folder / f"{module}.py").write_text(dedent(code))
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n" + (f"Keywords: {keywords}\n" if keywords else "")
    )
    (info / "entry_points.txt").write_text(f"[litestar_gateway.plugins]\n{name} = {module}\n")


def environ(site: Path, *names: str) -> dict[str, str]:
    enabled = {f"GATEWAY_PLUGINS__{name.upper()}__ENABLED": "true" for name in names}
    return {"PYTHONPATH": str(site), "GATEWAY_PLUGIN_START_SECONDS": "1", **enabled}


async def command(data: Path, environ: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Run a gateway command to its end: exit code, what it printed, what it told."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *arguments),
        env={**clean, "GATEWAY_DATA_DIR": str(data), **environ},
        cwd=data,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()


LATER = {"app_init"}
"""Called with what the other hooks made, so not while one of those is refused."""


@pytest.mark.parametrize("names", [{*REFUSED, *SPARED} - LATER, LATER], ids=["assembling", "routes"])
async def test_the_command_line_starts_with_all_of_them_and_tells_each(
    tmp_path: Path, site: Path, names: set[str]
) -> None:
    wanted = {name: broken for name, broken in {**REFUSED, **SPARED}.items() if name in names}
    code, out, err = await command(tmp_path, environ(site, *wanted), "plugins", "list", "--json")
    assert code == 0, err
    rows = {row["name"]: row for row in json.loads(out)}
    for name, (_, reason) in wanted.items():
        assert rows[name]["state"] == "failed", name
        assert reason in rows[name]["reason"], name
        told = [line for line in err.splitlines() if line.startswith(f"Problem: plugin '{name}' ")]
        assert len(told) == (1 if name in REFUSED else 0), name
    assert rows["registry"]["state"] == "active"
    assert "Traceback" not in err


@pytest.mark.parametrize("name", REFUSED)
async def test_the_server_does_not_start_and_one_line_says_why(tmp_path: Path, site: Path, name: str) -> None:
    code, _, err = await command(tmp_path, environ(site, name), "serve", "--port", "0")
    assert code == 1
    lines = [line for line in err.splitlines() if REFUSED[name][1] in line]
    assert lines == [f"Error: plugin '{name}' (gateway-{name.replace('_', '-')}): " + lines[0].partition("): ")[2]]
    assert "Traceback" not in err


async def test_the_server_serves_without_what_may_be_missing_and_tells_each(tmp_path: Path, site: Path) -> None:
    async with RunningGateway(tmp_path, environ=environ(site, *SPARED)) as running:
        assert (await running.client.request("GET", "/health/ready")).status == 200
        for name, (_, reason) in SPARED.items():
            told = [line for line in running.log.splitlines() if "plugin_failed" in line and f"plugin={name}" in line]
            assert len(told) == 1, name
            assert reason.split("'")[0] in told[0]
            assert f"Not serving:    {name}: " in running.log
        assert await running.stop() == 0


async def test_workers_do_not_start_either_and_it_is_told_once(tmp_path: Path, site: Path) -> None:
    code, _, err = await command(tmp_path, environ(site, "lookup"), "serve", "--port", "0", "--workers", "2")
    assert code == 1
    assert err.splitlines() == [f"Error: plugin 'lookup' (gateway-lookup): {REFUSED['lookup'][1]}"]


async def test_other_providers_answer_while_a_broken_ones_models_are_unavailable(tmp_path: Path, site: Path) -> None:
    basic = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true"}
    fine, broken = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
    async with ScriptedUpstream() as upstream:
        base_url = upstream.play("case", stream(*chat_events("still", " here")))
        common = {"model_id": "m", "base_url": base_url, "api_key": Secret("acme-1")}
        models = [NewModel(id=fine, name="Fine", **common), NewModel(id=broken, name="Broken", provider="p", **common)]
        await seed(tmp_path, basic, models=models)
        async with RunningGateway(tmp_path, environ={**environ(site, *SPARED), **basic}) as running:
            answered = await running.client.chat(fine)
            unavailable = await running.client.chat(broken)
    assert (answered.status, answered.body, answered.complete) == (200, b"still here", True)
    assert unavailable.status == 503


async def test_two_of_one_name_are_refused_naming_both(tmp_path: Path) -> None:
    for distribution in ("gateway-one", "gateway-two"):
        install(tmp_path, distribution, "twin", f"broken_{distribution[8:]}", HEAD)
    code, _, err = await command(tmp_path, environ(tmp_path, "twin"), "serve", "--port", "0")
    assert code == 1
    assert "two plugins are called 'twin', of 'gateway-one' and 'gateway-two'" in err
    code, out, _ = await command(tmp_path, environ(tmp_path, "twin"), "plugins", "list", "--json")
    assert code == 0
    assert [row["state"] for row in json.loads(out) if row["name"] == "twin"] == ["active", "failed"]


async def test_a_broken_plugin_can_be_disabled(tmp_path: Path, site: Path) -> None:
    switched = {**environ(site, "raises"), "GATEWAY_PLUGINS__RAISES__ENABLED": "false"}
    async with RunningGateway(tmp_path, environ=switched) as running:
        assert (await running.client.request("GET", "/health/ready")).status == 200
