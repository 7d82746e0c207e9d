"""A sink that keeps failing is left out, and everything that shows the gateway's condition says so."""

import asyncio
import json
from pathlib import Path

from control_plane import Admin, config
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, reply

HANG = 60
MODEL_ID = "7d9f0c52-6a51-4c1b-9a44-2f0f5c9f3b10"
SINK = """
from gateway import hookimpl

class Sink:
    async def write(self, records):
        raise OSError("the disk of the sink is full")

@hookimpl
def register_usage_sinks():
    return [Sink()]
"""


async def test_a_quarantined_sink_shows_in_the_health_the_list_and_the_metrics(tmp_path: Path) -> None:
    plugin = tmp_path / "fullsink.py"
    plugin.write_text(SINK)
    data_dir = tmp_path / "data"
    async with ScriptedUpstream() as upstream:
        model = NewModel(id=MODEL_ID, name="m", base_url=upstream.play("m", reply(400, b"no")), model_id="m")
        environ = {**config(tmp_path, plugin), "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
        people: dict[str, str | None] = {"one": None, "boss": None}
        keys = await seed(data_dir, environ, models=[model], keys=people, admins=["boss"])
        async with RunningGateway(data_dir, environ=environ) as gateway:
            admin = Admin(gateway)
            before = await admin.get("/health")
            assert (before["status"], before["quarantined"], before["failed_plugins"]) == ("ready", [], [])
            assert before["stats"]["generation"] == 1
            assert before["stats"]["snapshot_age"] < HANG
            async with asyncio.timeout(HANG):
                while not (after := await admin.get("/health"))["quarantined"]:
                    exchange = await gateway.client.open_chat(MODEL_ID, key=keys["one"])
                    await exchange.finish()
            assert after["quarantined"] == [{"plugin": "fullsink", "stage": "usage_sinks", "workers": 1}]
            (fault,) = after["stats"]["faults"]
            assert fault["failures"] >= 10
            assert after["status"] == "ready"
            url = f"http://{gateway.host}:{gateway.port}"
            listed = json.loads(await gateway.command("plugins", "list", "--url", url, "--json"))
            row = next(row for row in listed if row["name"] == "fullsink")
            assert (row["state"], row["quarantined"]) == ("quarantined", ["usage_sinks"])
            assert row["reason"] == "it keeps failing in usage_sinks"
            text = await gateway.command("plugins", "list", "--url", url)
            assert "quarantined" in text
            asker = [("authorization", f"Bearer {admin.key}")]
            chat = [("authorization", f"Bearer {keys['one']}")]
            assert (await gateway.client.request("GET", "/metrics")).status == 401
            assert (await gateway.client.request("GET", "/metrics", headers=chat)).status == 403
            metrics = (await gateway.client.request("GET", "/metrics", headers=asker)).body.decode()
            assert 'gateway_plugin_quarantined{plugin="fullsink",stage="usage_sinks"} 1.0\n' in metrics
            assert (
                f'gateway_plugin_errors_total{{plugin="fullsink",stage="usage_sinks"}} {fault["failures"]}' in metrics
            )
            assert (await gateway.client.request("GET", "/admin/health")).status == 401
            assert "plugin_quarantined" in gateway.log
