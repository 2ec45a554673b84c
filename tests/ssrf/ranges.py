"""Which addresses may be reached, by two judges that know nothing of the guard: Python's ipaddress, and the
special-purpose registries of IANA written down by hand (as of October 2025)."""

import ipaddress

# Globally reachable as the registry says it; None where it says N/A.
IANA4 = [
    ("0.0.0.0/8", False, "this network"),
    ("0.0.0.0/32", False, "this host on this network"),
    ("10.0.0.0/8", False, "private use"),
    ("100.64.0.0/10", False, "shared address space"),
    ("127.0.0.0/8", False, "loopback"),
    ("169.254.0.0/16", False, "link local"),
    ("172.16.0.0/12", False, "private use"),
    ("192.0.0.0/24", False, "IETF protocol assignments"),
    ("192.0.0.0/29", False, "IPv4 service continuity prefix"),
    ("192.0.0.8/32", False, "IPv4 dummy address"),
    ("192.0.0.9/32", True, "port control protocol anycast"),
    ("192.0.0.10/32", True, "traversal using relays around NAT anycast"),
    ("192.0.0.170/32", False, "NAT64 and DNS64 discovery"),
    ("192.0.0.171/32", False, "NAT64 and DNS64 discovery"),
    ("192.0.2.0/24", False, "documentation (TEST-NET-1)"),
    ("192.31.196.0/24", True, "AS112-v4"),
    ("192.52.193.0/24", True, "AMT"),
    ("192.88.99.0/24", None, "6to4 relay anycast, deprecated"),
    ("192.168.0.0/16", False, "private use"),
    ("192.175.48.0/24", True, "direct delegation AS112 service"),
    ("198.18.0.0/15", False, "benchmarking"),
    ("198.51.100.0/24", False, "documentation (TEST-NET-2)"),
    ("203.0.113.0/24", False, "documentation (TEST-NET-3)"),
    ("224.0.0.0/4", False, "multicast; a registry of its own"),
    ("240.0.0.0/4", False, "reserved"),
    ("255.255.255.255/32", False, "limited broadcast"),
]
IANA6 = [
    ("::1/128", False, "loopback address"),
    ("::/128", False, "unspecified address"),
    ("::ffff:0:0/96", False, "IPv4-mapped address"),
    ("64:ff9b::/96", True, "IPv4-IPv6 translation (NAT64)"),
    ("64:ff9b:1::/48", False, "IPv4-IPv6 translation (local NAT64)"),
    ("100::/64", False, "discard only"),
    ("100:0:0:1::/64", False, "dummy IPv6 prefix"),
    ("2001::/23", False, "IETF protocol assignments"),
    ("2001::/32", None, "Teredo"),
    ("2001:1::1/128", True, "port control protocol anycast"),
    ("2001:1::2/128", True, "traversal using relays around NAT anycast"),
    ("2001:1::3/128", True, "DNS-SD service registration protocol anycast"),
    ("2001:2::/48", False, "benchmarking"),
    ("2001:3::/32", True, "AMT"),
    ("2001:4:112::/48", True, "AS112-v6"),
    ("2001:10::/28", None, "ORCHID, deprecated"),
    ("2001:20::/28", True, "ORCHIDv2"),
    ("2001:30::/28", True, "drone remote identification"),
    ("2001:db8::/32", False, "documentation"),
    ("2002::/16", None, "6to4"),
    ("2620:4f:8000::/48", True, "direct delegation AS112 service"),
    ("3fff::/20", False, "documentation"),
    ("5f00::/16", False, "segment routing identifiers"),
    ("fc00::/7", False, "unique local"),
    ("fe80::/10", False, "link-local unicast"),
    ("fec0::/10", False, "site-local, deprecated by RFC 3879; in the address space registry"),
    ("ff00::/8", False, "multicast; a registry of its own"),
]

# Where the guard refuses what a judge lets pass.
STRICTER = {
    "192.0.0.0/24": "two anycast addresses of it are reachable, and serve no webhook",
    "64:ff9b::/96": "reachable for IANA; a translator would unpack the IPv4 address that it carries",
    "2001::/23": "what is reachable in it are anycast services and identifiers, no hosts that take webhooks",
}
# Where the guard does not follow a judge: these are judged as the IPv4 address that they carry, because that
# is where a connection to them goes.
MAPPED = ipaddress.ip_network("::ffff:0:0/96")


def python_refuses(address):
    return not address.is_global or address.is_multicast or address.is_reserved


class Registry:
    """IANA's judgement: the longest block decides, and N/A is no."""

    def __init__(self, rows):
        self.rows = sorted(
            ((ipaddress.ip_network(block), reachable) for block, reachable, _ in rows),
            key=lambda row: -row[0].prefixlen,
        )
        self.blocks = [block for block, _ in self.rows]

    def refuses(self, address):
        for block, reachable in self.rows:
            if address in block:
                return not reachable
        return False


REGISTRY = {4: Registry(IANA4), 6: Registry(IANA6)}
STRICT = {v: [n for n in map(ipaddress.ip_network, STRICTER) if n.version == v] for v in (4, 6)}


def forbidden(address):
    """What the guard must refuse, and nothing else."""
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    return (
        python_refuses(address)
        or REGISTRY[address.version].refuses(address)
        or any(address in block for block in STRICT[address.version])
    )


def python_blocks(version):
    """The blocks that ipaddress keeps: only their edges are used, so that none is missed."""
    found = []
    for value in vars(getattr(ipaddress, f"_IPv{version}Constants")).values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
                found.append(item)
    assert len(found) > 10
    return found


def starts(version):
    """The first address of each interval in which no judge changes its mind."""
    found = {0}
    for block in python_blocks(version) + REGISTRY[version].blocks + STRICT[version]:
        found |= {int(block.network_address), int(block.broadcast_address) + 1}
    if version == 6:
        mapped = int(MAPPED.network_address)
        found |= {mapped + start for start in starts(4)}
    return sorted(found - {1 << (32 if version == 4 else 128)})
