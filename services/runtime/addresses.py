"""Where on a network we may call on somebody else's word: the one rule for addresses that people hand in."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Reach(StrEnum):
    """What an address leads to, as seen from a server of ours."""

    PUBLIC = "public"
    SELF = "this machine"
    INSIDE = "an address inside somebody's network"
    NOWHERE = "an address that no receiver can have"


_SELF = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
_INSIDE = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "fc00::/7"),
    )
)
_NOWHERE = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
            # what clouds answer their guests on: it hands out credentials, whatever network it lies in
            "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::/32", "fd20:ce::254/128",
            # inside 2000::/3: Teredo and other protocols, documentation, 6to4
            "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        ),
    )
)  # fmt: skip
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""The upper half of an interface id that goes on with an IPv4 address."""


def networks(value: object) -> object:
    """Return the networks of a setting, `10.20.0.0/16` with commas between them; whatever is no text as it is."""
    if not isinstance(value, str):
        return value
    return tuple(ip_network(one.strip()) for one in value.split(",") if one.strip())


def parsed(text: str) -> Address:
    """Return the address in `text`. One that IPv6 only wraps as `::ffff:a.b.c.d` is the IPv4 address itself.

    Raises:  ValueError for what is no address in its full form.
    """
    address = ip_address(text)
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def reach(address: Address) -> Reach:
    """Return what `address` leads to.

    IPv6 has many ways to carry an IPv4 address, each of which some gateway on the way unwraps. A NAT64 name server
    makes one up for every public receiver: it leads where the IPv4 address does, if that is public. All other
    wrappings, and whatever IPv6 has not given out, are nowhere.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return reach(address.ipv4_mapped)
        if address.scope_id is not None:
            return Reach.NOWHERE
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
            return Reach.PUBLIC if reach(inner) is Reach.PUBLIC else Reach.NOWHERE
        if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
            return Reach.NOWHERE
    for networks, found in ((_NOWHERE, Reach.NOWHERE), (_SELF, Reach.SELF), (_INSIDE, Reach.INSIDE)):
        if any(address in network for network in networks):
            return found
    return Reach.PUBLIC if isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST else Reach.NOWHERE


def reach_of_host(host: str) -> Reach | None:
    """Return what the host of a URL leads to, None for a name: where that leads is known when it is called.

    `host` is in the normal form of the URL standard, in which every spelling of an IPv4 address is four numbers.
    """
    bare = host.removesuffix(".").casefold()
    if bare == "localhost" or bare.endswith(".localhost"):
        return Reach.SELF
    try:
        return reach(parsed(bare.removeprefix("[").removesuffix("]")))
    except ValueError:
        return None
