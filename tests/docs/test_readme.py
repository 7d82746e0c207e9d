"""What the README shows works as shown."""

import json
import re
import shlex
from pathlib import Path

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


async def test_the_commands_of_the_readme_make_a_gateway(tmp_path):
    commands = next(block for block in blocks("sh") if "gateway models add" in block)
    async with DemoUpstream(delay=0) as upstream:
        environ = {"GATEWAY_EGRESS__ALLOW": f'["127.0.0.1:{upstream.port}"]', "OPENAI_API_KEY": "sk-from-the-shell"}
        async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
            printed = {}
            for line in commands.splitlines():
                command = shlex.split(line.replace("https://api.openai.com/v1", upstream.base_url), comments=True)
                if command[:1] == ["gateway"] and command[1] != "serve":
                    printed[command[1]] = await gateway.command(*command[1:])
            secret = printed["keys"].strip()
            assert len(secret.split()) == 1
            model_id = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", printed["models"])
            assert model_id is not None
            response = await eventually(gateway, model_id[0], secret)
            assert response.complete
            assert b"Hello" in response.body


async def eventually(gateway: RunningGateway, model_id: str, secret: str):
    """A change by another process is seen within the stated bound; until then the answer is a refusal."""
    while True:
        response = await gateway.client.chat(model_id, "Hello", key=secret, model="gpt-4o-mini")
        if response.status == 200:
            return response
        assert response.status in (401, 500), response.body
