"""S8, S16: no spelling, answer, redirect or variable leads a request to an address the guard denies.

Two canaries on loopback count connections. The same requests through a client that allows every address must be seen
by them: so the tests can fail.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import product

import httpx2
import pytest

from gateway.domain import Timeouts
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import InvalidUpstreamUrl, UpstreamRedirect, UpstreamUnreachable

EVERYTHING = ("0.0.0.0/0", "::/0")
FAST = Timeouts(connect=5.0, first=5.0)

V4 = [
    *("0.0.0.0", "10.0.0.1", "100.100.100.200", "127.0.0.1", "127.1.2.3", "127.255.255.254", "168.63.129.16"),
    *("169.254.169.254", "169.254.170.2", "172.16.0.1", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1"),
    *("240.0.0.1", "255.255.255.255", "192.0.2.1", "198.51.100.7", "203.0.113.9", "192.88.99.1"),
]
V6 = [
    *("::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "ff02::1", "100::1", "2001::1"),
    *("2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002::1", "3fff::1", "5f00::1", "4000::1", "1::1"),
]
FULL_WIDTH = str.maketrans("0123456789.abcdefx", "０１２３４５６７８９．ａｂｃｄｅｆｘ")
CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")


def v4_spellings(text: str) -> Iterator[str]:
    """Ways to write an IPv4 address that one resolver or another understands."""
    address = int(IPv4Address(text))
    octets = [int(part) for part in text.split(".")]
    forms = ("{}", "0{:o}", "0x{:x}", "0X{:X}", "0x{:08x}", "000{:o}")
    for styles in product(forms[:4], repeat=4):
        yield ".".join(style.format(octet) for style, octet in zip(styles, octets, strict=True))
    for form in forms:
        yield form.format(address)
        yield form.format(address) + "."
        yield ".".join((form.format(octets[0]), form.format(address & 0xFFFFFF)))
        yield ".".join((form.format(octets[0]), form.format(octets[1]), form.format(address & 0xFFFF)))
    for written in (text, str(address), f"0x{address:08x}"):
        yield written.translate(FULL_WIDTH)
        yield written.translate(CIRCLED)
        yield "".join(f"%{ord(sign):02x}" for sign in written)
        yield written.replace(".", "。")
        yield written.replace(".", "｡")
        yield "\u00ad".join(written)
        yield "\u200b".join(written)
        yield "\t".join(written)
    yield f"user@{text}"
    yield f"public.test@{text}"
    yield f"public.test:80@{text}"
    yield f"public.test%40{text}"
    yield f"{text}#@public.test"
    yield f"{text}?@public.test"
    yield f"{text}\\@public.test"
    yield f"{text}%00.public.test"
    yield f"{text}:00080"
    yield f"\\\\{text}"
    yield text + "." * 2
    yield f"{text} "


def v6_spellings(text: str) -> Iterator[str]:
    """Ways to write an IPv6 address."""
    address = IPv6Address(text)
    for written in (text, address.exploded, address.exploded.upper(), address.compressed):
        yield f"[{written}]"
        yield f"user:pw@[{written}]"
        yield f"[{written}]."
        yield f"[{written}%25lo]"
        yield f"[{written}%lo]"
        yield written
        yield f"%5b{written}%5d"
        yield f"[{written}]".translate(FULL_WIDTH)
    low = int(address) & 0xFFFFFFFF
    yield f"[{address.exploded[:29]}:{IPv4Address(low)}]"


def embedded(text: str) -> Iterator[str]:
    """IPv6 addresses that carry an IPv4 address."""
    value = int(IPv4Address(text))
    high, low = value >> 16, value & 0xFFFF
    for prefix in ("::", "::ffff:", "::ffff:0:", "64:ff9b::", "64:ff9b:1::", "0:0:0:0:0:ffff:", "0:0:0:0:ffff:0:"):
        yield f"[{prefix}{text}]"
        yield f"[{prefix}{high:x}:{low:x}]"
        yield f"[{prefix}{high:04X}:{low:04X}]"
    yield f"[2002:{high:x}:{low:x}::1]"
    yield f"[2001:0:1:2:3:4:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]"


NAMES = ["localhost", "LOCALHOST", "localhost.", "ｌｏｃａｌｈｏｓｔ", "lo%63alhost", "a.localhost", "ⓛocalhost"]

SPELLINGS = sorted(
    {spelling for text in V4 for spelling in v4_spellings(text)}
    | {spelling for text in V4 for spelling in embedded(text)}
    | {spelling for text in V6 for spelling in v6_spellings(text)}
    | set(NAMES)
)


class FakeNames:
    """A resolver with scripted answers: each name's next one, the last for ever; others are this machine."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        answers = self.answers.get(host, [["127.0.0.1"]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Canary:
    """Listens on loopback, both families on one port, and counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0
        self.reply = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.reply)
            await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        writer.close()


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    canary = Canary()
    server = await asyncio.start_server(canary.take, "127.0.0.1", 0)
    canary.port = server.sockets[0].getsockname()[1]
    try:
        second = await asyncio.start_server(canary.take, "::1", canary.port)
    except OSError:  # no IPv6 on this machine
        second = None
    yield canary
    for listening in (server, second):
        if listening is not None:
            listening.close()


async def outcomes(client: EgressClient, urls: list[str]) -> list[object]:
    """What each URL came to: an exception or a status."""

    async def one(url: str) -> object:
        try:
            response = await client.send("GET", url, timeouts=FAST)
        except Exception as error:
            return error
        response.close()
        return response.status

    return [await one(url) for url in urls]


def test_there_are_enough_spellings() -> None:
    assert len(SPELLINGS) >= 5000


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_spelling_of_a_denied_address_is_dialled(canary: Canary, scheme: str) -> None:
    client = EgressClient(EgressPolicy(), resolver=FakeNames())
    results = await outcomes(client, [f"{scheme}://{spelling}:{canary.port}/" for spelling in SPELLINGS])
    bare = await outcomes(client, [f"{scheme}://{spelling}/" for spelling in SPELLINGS])
    assert canary.connections == 0
    for result in results + bare:
        assert type(result) in (UpstreamUnreachable, InvalidUpstreamUrl), result
    await client.aclose()


async def test_the_same_spellings_reach_the_canary_without_the_guard(canary: Canary) -> None:
    reachable = sorted({*v4_spellings("127.0.0.1"), "[::1]", *NAMES})
    client = EgressClient(EgressPolicy(allow=EVERYTHING), resolver=FakeNames())
    await outcomes(client, [f"http://{spelling}:{canary.port}/" for spelling in reachable])
    assert canary.connections > 200
    await client.aclose()


async def test_an_allowed_address_is_dialled_in_its_every_spelling(canary: Canary) -> None:
    client = EgressClient(EgressPolicy(allow=(f"127.0.0.1:{canary.port}",)))
    urls = [f"http://{host}:{canary.port}/" for host in ("127.0.0.1", "2130706433", "0x7f.1", "127.1", "127.0.0.1.")]
    assert await outcomes(client, urls) == [200] * 5
    assert canary.connections == 5
    await client.aclose()


async def test_a_denied_dial_looks_exactly_like_a_refused_one(canary: Canary) -> None:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1:1",)))
    refused, denied = await outcomes(client, ["http://127.0.0.1:1/", f"http://127.0.0.1:{canary.port}/"])
    for error in (refused, denied):
        assert isinstance(error, UpstreamUnreachable)
    seen = [
        (type(error), str(error), error.message, error.code, error.status, error.retry_after)
        for error in (refused, denied)
    ]
    assert seen[0] == seen[1]
    await client.aclose()


async def test_a_denied_dial_is_no_more_retried_than_a_name_that_is_not_known() -> None:
    """Else the time until the answer would tell which internal names there are."""
    client = EgressClient(EgressPolicy(), resolver=FakeNames(internal_test=[["10.0.0.7"]], unknown_test=[[]]))
    denied, unknown = await outcomes(client, ["http://internal.test/", "http://unknown.test/"])
    for error in (denied, unknown):
        assert type(error) is UpstreamUnreachable
        assert not error.retryable
    await client.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["::1"],
        ["93.184.215.14", "127.0.0.1"],
        ["127.0.0.1", "93.184.215.14"],
        ["2606:4700::1", "::ffff:127.0.0.1"],
        ["169.254.169.254"],
        ["fe80::1%lo"],
        ["not an address"],
        [],
    ],
)
async def test_a_public_name_with_a_private_answer_is_not_dialled(canary: Canary, answer: list[str]) -> None:
    client = EgressClient(EgressPolicy(), resolver=FakeNames(public_test=[answer]))
    (error,) = await outcomes(client, [f"http://public.test:{canary.port}/"])
    assert type(error) is UpstreamUnreachable
    assert canary.connections == 0
    await client.aclose()


@pytest.mark.parametrize(("allow", "reached"), [(("127.0.0.9",), 0), (EVERYTHING, 1)])
async def test_a_rebinding_name_gets_no_second_answer_in(canary: Canary, allow: tuple[str, ...], reached: int) -> None:
    """127.0.0.9 plays the public address: the name answers with it first, then with the canary's."""
    public = Canary()
    server = await asyncio.start_server(public.take, "127.0.0.9", canary.port)
    names = FakeNames(rebind_test=[["127.0.0.9"], ["127.0.0.1"]])
    client = EgressClient(EgressPolicy(allow=allow), resolver=names)
    url = f"http://rebind.test:{canary.port}/"
    assert await outcomes(client, [url]) == [200]
    assert (len(names.asked), public.connections, canary.connections) == (1, 1, 0)
    (second,) = await outcomes(client, [url])
    assert (type(second) is UpstreamUnreachable) is not bool(reached)
    assert (len(names.asked), public.connections, canary.connections) == (2, 1, reached)
    await client.aclose()
    server.close()


@pytest.mark.parametrize("entry", ["inside.test", "inside.test:{port}", "127.0.0.1", "127.0.0.0/8"])
async def test_a_name_is_dialled_when_it_or_its_address_is_allowed(canary: Canary, entry: str) -> None:
    policy = EgressPolicy(allow=(entry.format(port=canary.port),))
    client = EgressClient(policy, resolver=FakeNames())
    assert await outcomes(client, [f"http://inside.test:{canary.port}/"]) == [200]
    assert canary.connections == 1
    await client.aclose()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(canary: Canary, status: int) -> None:
    upstream = Canary()
    server = await asyncio.start_server(upstream.take, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    location = f"http://127.0.0.1:{canary.port}/"
    upstream.reply = b"HTTP/1.1 %d Go\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % (status, location.encode())
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    (error,) = await outcomes(client, [f"http://127.0.0.1:{upstream.port}/"])
    assert isinstance(error, UpstreamRedirect)
    assert (upstream.connections, canary.connections) == (1, 0)
    assert await outcomes(client, [location]) == [200]
    assert canary.connections == 1, "the canary would have seen it"
    await client.aclose()
    server.close()


async def test_proxy_variables_lead_nowhere(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"http://127.0.0.1:{canary.port}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SOCKS_PROXY"):
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.lower(), proxy)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        client = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
        for scheme in ("http", "https"):
            (error,) = await outcomes(client, [f"{scheme}://127.0.0.1:{port}/"])
            assert type(error) is UpstreamUnreachable
    assert canary.connections == 0
    assert await outcomes(client, [f"{proxy}/"]) == [200]
    assert canary.connections == 1, "the canary would have seen it"
    await client.aclose()


async def test_the_httpx2_door_is_guarded_too(canary: Canary) -> None:
    for allow, reached in (((), 0), (("127.0.0.1",), 1)):
        client = EgressClient(EgressPolicy(allow=allow))
        async with httpx2.AsyncClient(transport=client.httpx2_transport(), follow_redirects=True) as http:
            try:
                await http.get(f"http://127.0.0.1:{canary.port}/")
            except httpx2.ConnectError:
                assert not allow
        assert canary.connections == reached
        await client.aclose()
