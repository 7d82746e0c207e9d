"""Health's one word, and the refusals of what nobody serves, through a real Litestar application."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar, get, post
from litestar.params import FromPath
from litestar.testing import TestClient

from gateway.api import exception_handlers, health_handlers
from gateway.registry import DatabaseUnavailable


class _House:
    """What health asks."""

    def __init__(self) -> None:
        self.missing = ""
        self.is_draining = False
        self.asked = 0

    async def unready(self) -> str:
        self.asked += 1
        return self.missing

    def draining(self) -> bool:
        return self.is_draining


@get("/boom", opt={"public": True})
async def _boom() -> None:
    raise ZeroDivisionError("the secret is sk-1234567890abcdef")


@post("/admin/things", opt={"public": True})
async def _write() -> None:
    raise DatabaseUnavailable("PostgreSQL at db.internal cannot be reached.")


@get("/v1/things/{name:str}", opt={"public": True})
async def _thing(name: FromPath[str]) -> str:
    return name


@pytest.fixture
def house() -> _House:
    return _House()


@pytest.fixture
def client(house: _House) -> Iterator[TestClient[Litestar]]:
    app = Litestar(
        [*health_handlers(house.unready, house.draining), _boom, _thing, _write],
        exception_handlers=exception_handlers(),
        openapi_config=None,
        logging_config=None,
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_live_says_ok(client: TestClient[Litestar]) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_ready_says_ready(client: TestClient[Litestar]) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.text) == (200, "ready")


def test_a_failed_check_is_not_ready_and_says_why(client: TestClient[Litestar], house: _House) -> None:
    house.missing = "the database is away"
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.text) == (503, "not ready: the database is away")


def test_draining_is_told_at_once_whatever_the_last_check_said(client: TestClient[Litestar], house: _House) -> None:
    assert client.get("/health/ready").status_code == 200
    house.is_draining = True
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.text) == (503, "draining")


def test_the_database_is_not_asked_for_every_probe(client: TestClient[Litestar], house: _House) -> None:
    for _ in range(20):
        client.get("/health/ready")
    assert house.asked < 10


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/v1/nothing", "application/json"),
        ("/admin/nothing", "application/problem+json"),
        ("/api/nothing", "text/plain;charset=UTF-8"),
        ("/nothing", "application/json"),
        ("/v1x", "application/json"),
    ],
)
def test_an_unmatched_path_answers_in_the_dialect_of_its_prefix(
    client: TestClient[Litestar], path: str, content_type: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == content_type
    body: dict[str, Any] = answer.json()
    if path.startswith("/v1/"):
        assert body["error"]["code"] == "unknown_url"
        assert body["error"]["type"] == "invalid_request_error"
    elif path.startswith("/admin/"):
        assert (body["status"], body["title"]) == (404, "Not Found")
    else:
        assert set(body) == {"message"}


@pytest.mark.parametrize("path", ["/health/live", "/v1/things/one"])
def test_a_wrong_method_is_told_the_right_ones(client: TestClient[Litestar], path: str) -> None:
    answer = client.delete(path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, OPTIONS"


def test_an_unexpected_error_tells_the_client_nothing_of_itself(client: TestClient[Litestar]) -> None:
    answer = client.get("/boom")
    assert answer.status_code == 500
    assert answer.json() == {"message": "The gateway failed to answer this request."}


def test_what_needs_the_database_while_it_is_away_is_to_be_tried_again(client: TestClient[Litestar]) -> None:
    answer = client.post("/admin/things")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The database is away: try again later.",
    }
