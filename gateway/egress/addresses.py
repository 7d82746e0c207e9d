"""Which addresses no upstream may have, unless the operator names them.

Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and what was added since), the
multicast registries, and the metadata services of the large clouds. `ipaddress.is_global` is not enough: it calls
168.63.129.16 and the embedded forms of private IPv4 addresses global.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

DENIED_V4: Final = tuple(
    (IPv4Network(block), why)
    for block, why in (
        ("0.0.0.0/8", "this network"),  # RFC 791
        ("10.0.0.0/8", "private"),  # RFC 1918
        ("100.64.0.0/10", "shared address space"),  # RFC 6598; 100.100.100.200 is Alibaba's metadata service
        ("127.0.0.0/8", "loopback"),  # RFC 1122
        ("168.63.129.16/32", "cloud metadata"),  # Azure's wire server, a public address
        ("169.254.0.0/16", "link local"),  # RFC 3927; 169.254.169.254, .170.2 and .170.23 are metadata services
        ("172.16.0.0/12", "private"),  # RFC 1918
        ("192.0.0.0/24", "protocol assignments"),  # RFC 6890; 192.0.0.192 is Oracle's metadata service
        ("192.0.2.0/24", "documentation"),  # RFC 5737
        ("192.31.196.0/24", "AS112"),  # RFC 7535
        ("192.52.193.0/24", "multicast tunnelling"),  # RFC 7450
        ("192.88.99.0/24", "6to4 relay"),  # RFC 7526
        ("192.168.0.0/16", "private"),  # RFC 1918
        ("192.175.48.0/24", "AS112"),  # RFC 7534
        ("198.18.0.0/15", "benchmarking"),  # RFC 2544
        ("198.51.100.0/24", "documentation"),  # RFC 5737
        ("203.0.113.0/24", "documentation"),  # RFC 5737
        ("224.0.0.0/4", "multicast"),  # RFC 5771
        ("240.0.0.0/4", "reserved"),  # RFC 1112, with the limited broadcast 255.255.255.255 of RFC 919
    )
)

DENIED_V6: Final = tuple(
    (IPv6Network(block), why)
    for block, why in (
        ("::/96", "unspecified, loopback, IPv4-compatible"),  # RFC 4291
        ("::ffff:0:0/96", "IPv4-mapped"),  # RFC 4291
        ("::ffff:0:0:0/96", "IPv4-translated"),  # RFC 2765
        ("64:ff9b::/96", "NAT64"),  # RFC 6052
        ("64:ff9b:1::/48", "local NAT64"),  # RFC 8215
        ("100::/64", "discard only"),  # RFC 6666
        ("100:0:0:1::/64", "dummy prefix"),  # RFC 9780
        ("2001::/23", "protocol assignments"),  # RFC 2928: Teredo, benchmarking, ORCHID, drone identities and others
        ("2001:db8::/32", "documentation"),  # RFC 3849
        ("2002::/16", "6to4"),  # RFC 3056
        ("2620:4f:8000::/48", "AS112"),  # RFC 7534
        ("3fff::/20", "documentation"),  # RFC 9637
        ("5f00::/16", "segment routing"),  # RFC 9602
        ("fc00::/7", "unique local"),  # RFC 4193; fd00:ec2::254 and fd20:ce::254 are metadata services
        ("fe80::/10", "link local"),  # RFC 4291
        ("fec0::/10", "site local"),  # RFC 3879
        ("ff00::/8", "multicast"),  # RFC 4291
    )
)

GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All global unicast addresses IANA has given out; what lies outside is no place for an upstream."""


def why_denied(address: Address) -> str | None:
    """The kind of special address this is; None for an ordinary public one."""
    if isinstance(address, IPv4Address):
        return next((why for block, why in DENIED_V4 if address in block), None)
    found = next((why for block, why in DENIED_V6 if address in block), None)
    if found is None and address not in GLOBAL_V6:
        return "not global unicast"
    return found
