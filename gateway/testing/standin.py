"""A gateway for plugins under test: real settings and a real way out, a registry and a log that are looked into."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import gettempdir
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.domain import Model, Principal, Route
from gateway.protocols import ClientDialect, Egress, Gateway, Receive, Send, Snapshot, Stats
from gateway.secrets import Secret
from gateway.testing.database import StandInDatabase

MODEL_ID = "11111111-1111-4111-8111-111111111111"
PRIVATE_ID = "22222222-2222-4222-8222-222222222222"
OWNER = "33333333-3333-4333-8333-333333333333"
"""Whose the private model is."""


class RecordingLog:
    """Keeps what was logged; see `gateway.protocols.Logger`."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, Mapping[str, object]]] = []

    def enabled(self, level: int) -> bool:
        """Whether anything of that level is kept: all of it is."""
        return True

    def log(self, level: int, event: str, **fields: object) -> None:
        """Keep an event of that level."""
        self.lines.append((level, event, fields))

    def debug(self, event: str, **fields: object) -> None:
        """Keep an event."""
        self.log(logging.DEBUG, event, **fields)

    def info(self, event: str, **fields: object) -> None:
        """Keep an event."""
        self.log(logging.INFO, event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Keep an event."""
        self.log(logging.WARNING, event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """Keep an event."""
        self.log(logging.ERROR, event, **fields)

    def text(self) -> str:
        """All that was logged, fields included."""
        return "\n".join(f"{event} {fields!r}" for _, event, fields in self.lines)


class StandInSnapshot:
    """A registry's snapshot made of these models, keys and routes; see `gateway.protocols.Snapshot`."""

    generation = 1
    is_current = True

    def __init__(
        self,
        models: Iterable[Model] = (),
        keys: Mapping[str, Principal] | None = None,
        routes: Iterable[Route] = (),
    ) -> None:
        self._models = {model.id: model for model in models}
        self._keys = dict(keys or {})
        self._routes = {route.id: route for route in routes}

    def model(self, model_id: str) -> Model | None:
        """The model with that id."""
        return self._models.get(model_id)

    def models_named(self, name: str) -> Sequence[Model]:
        """The models of that name."""
        return [model for model in self._models.values() if model.name == name]

    def models(self) -> Sequence[Model]:
        """Every model."""
        return list(self._models.values())

    def route(self, route_id: str) -> Route | None:
        """The route with that id."""
        return self._routes.get(route_id)

    def routes_named(self, name: str) -> Sequence[Route]:
        """The routes of that name."""
        return [route for route in self._routes.values() if route.name == name]

    def routes(self) -> Sequence[Route]:
        """Every route."""
        return list(self._routes.values())

    def principal(self, token: str) -> Principal | None:
        """Whom a key stands for."""
        return self._keys.get(token)


class BrokenSnapshot:
    """A registry that cannot be asked."""

    generation = 0
    is_current = False

    def model(self, model_id: str) -> Model | None:
        """Raises."""
        raise ConnectionError("the registry cannot be asked")

    def models_named(self, name: str) -> Sequence[Model]:
        """Raises."""
        raise ConnectionError("the registry cannot be asked")

    def models(self) -> Sequence[Model]:
        """Raises."""
        raise ConnectionError("the registry cannot be asked")

    def route(self, route_id: str) -> Route | None:
        """Raises."""
        raise ConnectionError("the registry cannot be asked")

    def routes_named(self, name: str) -> Sequence[Route]:
        """Raises."""
        raise ConnectionError("the registry cannot be asked")

    def routes(self) -> Sequence[Route]:
        """Raises."""
        raise ConnectionError("the registry cannot be asked")

    def principal(self, token: str) -> Principal | None:
        """Raises."""
        raise ConnectionError("the registry cannot be asked")


class Loopback(msgspec.Struct, frozen=True):
    """Served on this machine only."""

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path(gettempdir())


class StandInGateway:
    """What a plugin's hooks receive; see `gateway.protocols.Gateway`."""

    def __init__(self, settings: Any, egress: Egress, snapshot: Snapshot) -> None:
        self.settings = settings
        self.egress = egress
        self.snapshot = snapshot
        self.database = StandInDatabase()
        self.log = RecordingLog()
        self.serving = Loopback()
        self.stats = Stats()
        self.state = SimpleNamespace()

    async def serve(
        self, scope: Any, receive: Receive, send: Send, dialect: ClientDialect, *, anonymous: Principal | None = None
    ) -> None:
        """Answer 503: exchanges are served by a whole gateway only."""
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def furnished(key: str = "", *, token: str = "", base_url: str = "http://127.0.0.1:1/v1") -> StandInSnapshot:
    """A snapshot with one model for everybody and one of `OWNER` alone; `token` is a key of the operator."""
    fields: dict[str, Any] = {"model_id": "m", "base_url": base_url, "api_key": Secret(key)}
    models = (
        Model(id=MODEL_ID, name="kit-model", sharing="public", **fields),
        Model(id=PRIVATE_ID, name="kit-private", owner=OWNER, **fields),
    )
    return StandInSnapshot(models, {token: Principal("kit")} if token else None)


if TYPE_CHECKING:
    _: type[Gateway] = StandInGateway
    _snapshot: tuple[type[Snapshot], type[Snapshot]] = (StandInSnapshot, BrokenSnapshot)
