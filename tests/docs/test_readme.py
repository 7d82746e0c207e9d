"""What the README shows works as shown."""

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from gateway.testing.demo import DemoUpstream
from gateway.testing.running import RunningGateway

README = (Path(__file__).parents[2] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


async def test_the_plugin_of_the_readme_answers_as_a_single_file(tmp_path):
    (source,) = blocks("python")
    async with DemoUpstream(delay=0) as upstream:
        plugin = tmp_path / "mine.py"
        plugin.write_text(source.replace("https://api.openai.com/v1", upstream.base_url))
        environ = {"GATEWAY_EGRESS__ALLOW": f'["127.0.0.1:{upstream.port}"]'}
        async with RunningGateway(tmp_path / "data", environ=environ, arguments=("--plugin", str(plugin))) as gateway:
            secret = json.loads(await gateway.command("keys", "create", "reader", "--json"))["secret"]
            model_id = re.search(r'id="([0-9a-f-]{36})"', source)
            assert model_id is not None
            response = await eventually(gateway, model_id[1], secret)
            assert response.complete
            assert b"Hello" in response.body


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_the_commands_of_the_readme_make_a_gateway(tmp_path):
    making, asking = (next(block for block in blocks("sh") if part in block) for part in ("models add", "curl"))
    async with DemoUpstream(delay=0) as upstream:
        environ = {"GATEWAY_EGRESS__ALLOW": f'["127.0.0.1:{upstream.port}"]', "OPENAI_API_KEY": "sk-from-the-shell"}
        async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
            shell = {
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "GATEWAY_DATA_DIR": str(gateway.data_dir),
                **environ,
            }
            made = making.replace("https://api.openai.com/v1", upstream.base_url) + 'echo "$MODEL $KEY"\n'
            model_id, secret = (await run(made, shell)).split()
            await eventually(gateway, model_id, secret)
            asked = asking.replace("127.0.0.1:8000", f"127.0.0.1:{gateway.port}")
            assert "Hello" in await run(asked, {**shell, "MODEL": model_id, "KEY": secret})


async def run(script: str, environ: dict[str, str]) -> str:
    """What the script prints, run as it stands in the README."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("sh", "-euc", script, env=environ, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def eventually(gateway: RunningGateway, model_id: str, secret: str):
    """A change by another process is seen within the stated bound; until then the answer is a refusal."""
    while True:
        response = await gateway.client.chat(model_id, "Hello", key=secret, model="gpt-4o-mini")
        if response.status == 200:
            return response
        assert response.status in (401, 500), response.body
