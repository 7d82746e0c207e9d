"""What the tests of the control plane share: asking it, and a gateway with a single-file plugin to switch."""

from pathlib import Path
from typing import Any

from gateway.testing.client import RawResponse
from gateway.testing.running import RunningGateway

JSON = ("content-type", "application/json")


class Admin:
    """Asks a running gateway's control plane with its first admin key."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway
        self.key = (gateway.data_dir / "admin-key").read_text().strip()

    async def ask(self, method: str, path: str, body: bytes = b"") -> RawResponse:
        headers = [("authorization", f"Bearer {self.key}"), JSON]
        return await self._gateway.client.request(method, f"/admin{path}", headers=headers, body=body)

    async def get(self, path: str) -> Any:
        """The document at a path."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.json()

    async def change(self, path: str) -> Any:
        """The document that a change led to."""
        answer = await self.ask("POST", path)
        assert answer.status == 200, answer.body
        return answer.json()

    async def refused(self, path: str) -> tuple[int | None, str]:
        """Status and words of a change that is refused."""
        answer = await self.ask("POST", path)
        assert answer.header("content-type") == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status
        return answer.status, problem["detail"]


def config(folder: Path, *plugins: Path, more: str = "") -> dict[str, str]:
    """The environment that names a settings file with these single-file plugins."""
    file = folder / "gateway.toml"
    names = ", ".join(f'"{plugin}"' for plugin in plugins)
    file.write_text(f"plugin_files = [{names}]\n{more}")
    return {"GATEWAY_CONFIG": str(file)}
