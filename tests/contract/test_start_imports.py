"""What a start does not load: time and memory of every start, and of everything that waits for one."""

import re
import subprocess
import sys
from pathlib import Path

from seeding import seed

from gateway.registry import NewModel
from gateway.testing.demo import DemoUpstream
from gateway.testing.running import RunningGateway

_IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
NOT_BY_SERVE = (
    "alembic",  # the database is up to date
    "anyio._backends",  # no plugin listens to Litestar's events
    "anyio.streams",
    "asyncpg",  # the database is SQLite
    "botocore",
    "ctypes",  # nothing hangs
    "difflib",  # nothing is misspelt
    "gateway.cli.doctor",
    "gateway.cli.importing",
    "gateway.cli.models",
    "gateway.registry.postgres",
    "gateway.testing",
    "genai_prices",  # no model has a public address
    "httpx",
    "httpx2",
    "jwt",
    "litestar.cli",
    "litestar.contrib",
    "litestar.plugins.attrs",  # all routes are the gateway's own
    "litestar.plugins.pydantic",
    "litestar.template",
    "litestar.testing",
    "openai",
    "pydantic.v1",
    "prometheus_client",  # nobody has asked for metrics
    "redis",
    "rich",
    "sqlalchemy.dialects.mssql",
    "sqlalchemy.dialects.mysql",
    "sqlalchemy.dialects.oracle",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.ext.asyncio",  # it loads the ORM
    "sqlalchemy.orm",
    "uvicorn.protocols.websockets",
)
NOT_BY_HELP = (
    *("asyncio", "difflib", "gateway.cli.serve", "gateway.errors", "gateway.settings", "httptools", "httpx2"),
    *("litestar", "msgspec", "openai", "pluggy", "pydantic", "rich", "sqlalchemy", "ssl", "tomllib", "uvicorn"),
)


def among(names: tuple[str, ...], imported: set[str]) -> list[str]:
    """The imported modules that are one of these, or in one of them."""
    return sorted(one for one in imported if any(one == name or one.startswith(f"{name}.") for name in names))


async def test_a_default_serve_loads_nothing_that_its_first_answers_do_not_need(tmp_path: Path) -> None:
    """The second start: database and model are there."""
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    async with DemoUpstream() as upstream:
        model = NewModel(name="m", base_url=upstream.base_url, model_id="demo")
        key = (await seed(tmp_path, environ, models=[model], keys={"one": None}))["one"]
        async with RunningGateway(tmp_path, environ={**environ, "PYTHONPROFILEIMPORTTIME": "1"}) as gateway:
            for stream in ("true", "false"):
                answer = await gateway.client.request(
                    "POST",
                    "/v1/chat/completions",
                    headers=[("authorization", f"Bearer {key}")],
                    body=b'{"model":"m","stream":%s,"messages":[{"role":"user","content":"hi"}]}' % stream.encode(),
                )
                assert answer.status == 200
            imported = set(_IMPORTED.findall(gateway.log))
    assert {"gateway.app.application", "gateway_openai.provider", "litestar", "sqlalchemy"} <= imported
    assert among(NOT_BY_SERVE, imported) == []


def test_help_loads_the_command_line_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gateway", "--help"], capture_output=True, text=True, timeout=60
    )
    imported = set(_IMPORTED.findall(done.stderr))
    assert (done.returncode, "gateway.cli.root" in imported) == (0, True)
    assert among(NOT_BY_HELP, imported) == []
