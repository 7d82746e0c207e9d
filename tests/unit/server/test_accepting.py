"""Taking up connections where nothing is left to take them up with: a few tries a second, and none lost."""

import asyncio
import contextlib
import errno
import os
import resource
import socket

import pytest

from gateway.server.accepting import Acceptor


class Counted(socket.socket):
    """Counts how often it is looked at: a few times for each try to accept."""

    looks = 0
    exhausted = False

    def fileno(self) -> int:
        self.looks += 1
        return super().fileno()

    def accept(self):
        if self.exhausted:
            self.looks += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class Greeter(asyncio.Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def limit():
    """Sets how many descriptors there may be beside those that are open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def leave(listener: socket.socket, count: int) -> None:
        os.close(lowest := os.dup(listener.fileno()))
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + count, before[1]))

    yield leave
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def turns() -> None:
    """Let the loop turn until nothing but its clock can bring anything new."""
    for _ in range(30):
        await asyncio.sleep(0)


@pytest.mark.parametrize("by", ["too few are left", "the system has none"])
async def test_who_cannot_accept_tries_a_few_times_a_second_and_takes_up_everybody_later(
    by: str, limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Counted() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        stack.callback(Acceptor(listener, Greeter).close)
        if by == "too few are left":
            limit(listener, 16)
        else:
            listener.exhausted = True
        reading = [await asyncio.open_connection(*listener.getsockname()) for _ in range(3)]
        for _, writer in reading:
            stack.callback(writer.transport.abort)
        now = loop.time()
        with monkeypatch.context() as stopped:
            stopped.setattr(loop, "time", lambda: now)
            await turns()
            tries = 0
            for _ in range(30):  # three seconds
                listener.looks = 0
                now += 0.1
                await turns()
                tries += listener.looks > 0
                listener.looks = 0
                await turns()
                assert not listener.looks, "it spins"
            assert 3 <= tries <= 15
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        listener.exhausted = False
        async with asyncio.timeout(60):
            assert [await reader.read() for reader, _ in reading] == [b"hello"] * 3


class Turns(socket.socket):
    """Tells how many were taken up in each turn of the loop: every turn begins with a look at the descriptors."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[int] = []

    def fileno(self) -> int:
        if self.taken[-1:] != [0]:
            self.taken.append(0)
        return super().fileno()

    def accept(self):
        accepted = super().accept()
        self.taken[-1] += 1
        return accepted


async def test_a_crowd_is_taken_up_faster_each_turn_and_a_few_leave_some_for_others() -> None:
    with Turns() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(400)
        stack.callback(Acceptor(listener, Greeter).close)
        for count, turn_by_turn in ((300, [16, 32, 64, 128, 60]), (40, [16, 24])):
            listener.taken.clear()
            for _ in range(count):
                stack.enter_context(socket.create_connection(listener.getsockname()))
            async with asyncio.timeout(60):
                while sum(listener.taken) < count:
                    await asyncio.sleep(0)
            assert [taken for taken in listener.taken if taken] == turn_by_turn
