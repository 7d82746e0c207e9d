"""The operator's list of allowed upstreams, and the table of denied addresses behind it."""

import re
from ipaddress import ip_address

import pytest

from gateway.egress import EgressPolicy
from gateway.egress.addresses import why_denied
from gateway.egress.policy import AllowList


@pytest.mark.parametrize(
    "entry",
    [
        "",
        " ",
        "*",
        "*.internal",
        "http://ollama",
        "user@host",
        "host/path",
        "10.0.0.1/8",
        "10.0.0.0/8:80",
        "10.0.0.0/33",
        "10.0.0",
        "0x7f.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:70000",
        "127.0.0.1:http",
        "[::1",
        "[127.0.0.1]:80",
        "::g",
        "fe80::1%eth0",
        "a b",
        "host:",
        "host?x",
        "host#x",
        "-",
    ],
)
def test_an_entry_that_cannot_be_understood_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(entry))):
        EgressPolicy(allow=("127.0.0.1", entry))


@pytest.mark.parametrize(
    ("entry", "why"), [("10.0.0.1/8", "without host bits or port"), ("host/path", "none of a host")]
)
def test_a_network_that_is_none_is_told_why(entry: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        EgressPolicy(allow=(entry,))


@pytest.mark.parametrize(
    ("entry", "address", "port", "covered"),
    [
        ("127.0.0.1", "127.0.0.1", 1, True),
        ("127.0.0.1", "127.0.0.2", 1, False),
        ("127.0.0.1", "::ffff:127.0.0.1", 1, False),
        ("127.0.0.1:8399", "127.0.0.1", 8399, True),
        ("127.0.0.1:8399", "127.0.0.1", 80, False),
        ("10.0.0.0/8", "10.200.0.1", 443, True),
        ("10.0.0.0/8", "11.0.0.1", 443, False),
        ("::1", "::1", 80, True),
        ("[::1]:80", "::1", 80, True),
        ("[::1]:80", "::1", 81, False),
        ("fd00::/8", "fd12::1", 81, True),
        ("ollama", "127.0.0.1", 80, False),
    ],
)
def test_an_address_is_allowed_by_itself_or_its_network(entry: str, address: str, port: int, covered: bool) -> None:
    assert AllowList([entry]).covers(ip_address(address), port) is covered


@pytest.mark.parametrize(
    ("entry", "host", "port", "named"),
    [
        ("ollama:11434", "ollama", 11434, True),
        ("ollama:11434", "ollama", 80, False),
        ("ollama", "ollama", 80, True),
        ("Ollama.Internal.", "ollama.internal", 80, True),
        ("bücher.test", "xn--bcher-kva.test", 80, True),
        ("my_host", "my_host", 80, True),
        ("ollama", "evil.ollama", 80, False),
        ("127.0.0.1", "127.0.0.1.test", 80, False),
    ],
)
def test_a_host_name_is_allowed_by_name(entry: str, host: str, port: int, named: bool) -> None:
    assert AllowList([entry]).names(host, port) is named


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "168.63.129.16", "169.254.169.254"),
        *("169.254.170.2", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.0.1", "198.19.255.255"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b:1::1"),
        *("100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "3fff::1"),
        *("5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1", "1::1", "fe00::1"),
    ],
)
def test_special_addresses_are_denied(address: str) -> None:
    assert why_denied(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "100.63.0.1", "126.255.255.255", "168.63.129.17", "172.32.0.1", "192.0.1.1"),
        *("223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "2003::1"),
    ],
)
def test_public_addresses_are_not(address: str) -> None:
    assert why_denied(ip_address(address)) is None
