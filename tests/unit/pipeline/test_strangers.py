"""S17: an address that keeps coming with wrong credentials is refused, and nobody who was right from there."""

import pytest
from kept_log import Log

from gateway import Credentials, Secret
from gateway.pipeline import Addresses, Strangers, strangers

OFFICE, OTHER = "203.0.114.7", "203.0.114.8"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def scope(address=OFFICE, token=None, *forwarded):
    headers = [] if token is None else [(b"authorization", b"Bearer " + token.encode())]
    return {"client": (address, 1), "headers": [*headers, *((b"x-forwarded-for", one.encode()) for one in forwarded)]}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def door(clock, log):
    return Strangers(Addresses(), 60, log, clock)


def flood(door, address=OFFICE, times=60):
    for _ in range(times):
        door.wrong(scope(address))


def test_an_address_that_was_wrong_too_often_is_refused_and_forgiven_evenly(door, clock, log):
    flood(door, times=59)
    assert door.refusal(scope()) is None
    flood(door, times=1)
    assert door.refusal(scope()).retry_after == 1
    assert door.refusal(scope(OTHER)) is None
    clock.now += 1
    assert door.refusal(scope()) is None
    flood(door, times=1)
    assert door.refusal(scope()) is not None
    assert door.refused == 2
    assert log.events == [("address_refused", {"address": OFFICE})]
    clock.now += 59
    assert door.refusal(scope()) is None
    flood(door, times=58)
    assert door.refusal(scope()) is None


def test_who_was_right_from_a_refused_address_is_let_in_until_that_is_wrong_too(door):
    flood(door, times=1)
    door.right(Credentials(Secret("good")))
    flood(door)
    assert door.refusal(scope(OFFICE, "good")) is None
    assert door.refusal(scope(OFFICE, "bad")) is not None
    door.wrong(scope(OFFICE, "good"))
    assert door.refusal(scope(OFFICE, "good")) is not None


def test_without_a_limit_nobody_is_refused(log):
    door = Strangers(Addresses(), 0, log)
    flood(door, times=100_000)
    assert door.refusal(scope()) is None


def test_what_is_remembered_is_bounded(door, monkeypatch):
    monkeypatch.setattr(strangers, "REMEMBERED", 10)
    flood(door)
    for number in range(9):
        flood(door, f"203.0.115.{number}", 1)
        door.right(Credentials(Secret(str(number))))
    assert door.refusal(scope()) is not None
    flood(door, OTHER, 1)
    assert door.refusal(scope()) is None
    for number in range(20):
        door.right(Credentials(Secret(f"more {number}")))
    flood(door, OTHER, 60)
    assert door.refusal(scope(OTHER, "8")) is not None
    assert door.refusal(scope(OTHER, "more 19")) is None


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ((), OFFICE, (), OFFICE),
        ((), OFFICE, ("1.2.3.4",), OFFICE),
        ((), "127.0.0.1", ("1.2.3.4",), None),
        ((), "10.1.2.3", (), None),
        ((), "", (), None),
        ((), "2a00:1450:4001:81b:1:2:3:4", (), "2a00:1450:4001:81b::/64"),
        ((), f"::ffff:{OFFICE}", (), OFFICE),
        (("127.0.0.1",), "127.0.0.1", (), None),
        (("127.0.0.1",), "127.0.0.1", ("6.6.6.6, 1.2.3.4",), "1.2.3.4"),
        (("127.0.0.1",), "127.0.0.1", ("6.6.6.6", "1.2.3.4:5678"), "1.2.3.4"),
        (("127.0.0.1", "10.0.0.0/8"), "127.0.0.1", ("6.6.6.6, 1.2.3.4, 10.0.0.1",), "1.2.3.4"),
        (("127.0.0.1",), "127.0.0.1", ("1.2.3.4, unknown",), None),
        (("127.0.0.1",), "10.1.2.3", ("1.2.3.4",), "10.1.2.3"),
    ],
)
def test_the_address_is_the_clients_as_far_as_somebody_who_is_trusted_says_so(trusted, peer, forwarded, client):
    asked = scope(peer, None, *forwarded)
    assert Addresses(trusted).of(asked) == client


def test_a_request_without_a_peer_has_no_address():
    assert Addresses().of({"client": None, "headers": []}) is None
