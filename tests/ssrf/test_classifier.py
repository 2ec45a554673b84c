"""The guard against two judges of its own kind (ranges.py): ten million addresses, drawn from the edges and
the insides of every range and at random."""

import bisect
import ipaddress
import multiprocessing
import os
import random
import re
import subprocess
from pathlib import Path

import pytest

import ranges

JUDGE = Path(os.environ.get("SSRF_JUDGE", "build/ssrf/judge")).resolve()
COUNT = int(os.environ.get("SSRF_ADDRESSES", "10000000"))
CHUNK = 100_000
SEED = 8
ADDRESS = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
BITS = {4: 32, 6: 128}


class Table:
    """The expected verdict as intervals: `letters[bisect(starts, x)]` is that of x."""

    def __init__(self, version):
        self.version = version
        self.starts = ranges.starts(version)
        self.ends = [start - 1 for start in self.starts[1:]] + [2 ** BITS[version] - 1]
        self.letters = [0] + [self.letter(start) for start in self.starts]

    def letter(self, x):
        return ord("r" if ranges.forbidden(ADDRESS[self.version](x)) else "p")

    def expect(self, addresses):
        find, starts, letters = bisect.bisect_right, self.starts, self.letters
        return bytes([letters[find(starts, x)] for x in addresses])


TABLES = {version: Table(version) for version in (4, 6)}


def near_edges(table, count, draw):
    """The three addresses on either side of every edge, again and again with what lies a little further."""
    top = table.ends[-1]
    close = [min(max(start + d, 0), top) for start in table.starts for d in range(-3, 4)]
    further = [min(max(draw.choice(table.starts) + draw.randrange(-4096, 4096), 0), top)
               for _ in range(max(0, count - len(close)))]
    return (close + further)[:max(count, len(close))]


def insides(table, count, draw):
    """Every range alike, be it one address or half of all."""
    spans = [(start, end - start + 1) for start, end in zip(table.starts, table.ends)]
    uniform = draw.random
    return [start + int(uniform() * size) if size < 2**50 else start + draw.randrange(size)
            for start, size in draw.choices(spans, k=count)]


def anywhere(table, count, draw):
    size = BITS[table.version] // 8
    raw = draw.randbytes(size * count)
    return [int.from_bytes(raw[i : i + size], "big") for i in range(0, len(raw), size)]


def embedded(table, count, draw):
    """IPv4 addresses in the forms that carry them: mapped, compatible, translated, NAT64, 6to4, Teredo."""
    four = insides(TABLES[4], count, draw)
    forms = [(int(ipaddress.IPv6Address(prefix)), shift) for prefix, shift in [
        ("::ffff:0:0", 0), ("::", 0), ("::ffff:0:0:0", 0), ("::fffe:0:0", 0), ("64:ff9b::", 0),
        ("64:ff9b:1::", 0), ("2002::", 80), ("2001::", 64), ("2001::", 0), ("fe80::5efe:0:0", 0)]]
    return [prefix + (x << shift) for x, (prefix, shift) in zip(four, draw.choices(forms, k=count))]


def pack(version, addresses):
    shift = 128 - BITS[version]
    return b"".join([(x << shift).to_bytes(16, "big") for x in addresses])


def guard(version, addresses, subnets=""):
    """The guard's own answers."""
    ran = subprocess.run([JUDGE, str(version), subnets], input=pack(version, addresses), capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


def draw_and_compare(job):
    """The first addresses that the guard judges otherwise, and how many were asked."""
    version, make, count, seed = job
    table = TABLES[version]
    addresses = make(table, count, random.Random(seed))
    expected, answered = table.expect(addresses), guard(version, addresses)
    assert len(answered) == len(addresses)
    wrong = []
    if expected != answered:
        wrong = [(str(ADDRESS[version](x)), chr(e), chr(a))
                 for x, e, a in zip(addresses, expected, answered) if e != a][:20]
    return wrong, len(addresses)


def test_the_guard_and_the_judges_agree_on_ten_million_addresses():
    kinds = [(4, near_edges), (4, insides), (4, anywhere), (6, near_edges), (6, insides), (6, anywhere),
             (6, embedded)]
    each = -(-COUNT // CHUNK)
    jobs = [(*kinds[i % len(kinds)], CHUNK, f"{SEED}.{i}") for i in range(max(each, len(kinds)))]
    with multiprocessing.Pool() as pool:
        results = list(pool.imap_unordered(draw_and_compare, jobs))
    assert [row for wrong, _ in results for row in wrong][:20] == []
    assert sum(asked for _, asked in results) >= COUNT


@pytest.mark.parametrize("version", [4, 6])
def test_the_table_is_what_the_judges_say(version):
    """At each edge, and where an edge may be missing: inside of each interval and anywhere."""
    table, draw = TABLES[version], random.Random(SEED)
    addresses = list(table.starts) + table.ends + insides(table, 60_000, draw) + anywhere(table, 20_000, draw)
    expected = table.expect(addresses)
    assert [str(ADDRESS[version](x)) for x, letter in zip(addresses, expected) if table.letter(x) != letter] == []


@pytest.mark.parametrize("version", [4, 6])
def test_the_guard_admits_nothing_that_a_judge_refuses(version):
    """Without the table between them; mapped addresses are the one difference, and each of them is the IPv4
    address in it."""
    table, draw = TABLES[version], random.Random(SEED + 1)
    addresses = list(table.starts) + table.ends + insides(table, 60_000, draw)
    for x, answer in zip(addresses, guard(version, addresses)):
        address = ADDRESS[version](x)
        if version == 6 and address in ranges.MAPPED:
            address = address.ipv4_mapped
        refused = ranges.python_refuses(address) or ranges.REGISTRY[address.version].refuses(address)
        assert answer == ord("r") or not refused, ADDRESS[version](x)


@pytest.mark.parametrize("block", ranges.STRICTER)
def test_each_difference_in_the_list_is_one(block):
    block = ipaddress.ip_network(block)
    table = TABLES[block.version]
    inside = [x for x in table.starts + table.ends if ADDRESS[block.version](x) in block]
    addresses = [ADDRESS[block.version](x) for x in inside]
    assert set(guard(block.version, inside)) == {ord("r")}
    assert not all(ranges.python_refuses(a) and ranges.REGISTRY[a.version].refuses(a) for a in addresses)


def test_the_page_lists_what_is_refused():
    page = (Path(__file__).resolve().parents[2] / "docs/security.md").read_text()
    listed = [ipaddress.ip_network(block) for block in re.findall(r"^\| `(\S+)` \|", page, re.MULTILINE)]
    for version, table in TABLES.items():
        for x in table.starts + table.ends:
            address = ADDRESS[version](x)
            plain = (version == 6 and address.ipv4_mapped) or address
            assert ranges.forbidden(address) == any(plain in block for block in listed), address


def test_allowed_subnets_change_nothing_but_themselves():
    """The control: verdicts can be other ones."""
    subnets = ["10.1.0.0/16", "127.0.0.0/8", "fd00:1::/33", "::1/128"]
    blocks = [ipaddress.ip_network(subnet) for subnet in subnets]
    for version in (4, 6):
        table, draw = TABLES[version], random.Random(SEED + 2)
        addresses = insides(table, 20_000, draw)
        for block in (b for b in blocks if b.version == version):
            first, size = int(block.network_address), block.num_addresses
            addresses += [first - 1, first, first + size - 1, first + size]
            addresses += [first + draw.randrange(size) for _ in range(1000)]
        answered = guard(version, addresses, ",".join(subnets))
        assert ord("a") in answered
        for x, letter, answer in zip(addresses, table.expect(addresses), answered):
            address = ADDRESS[version](x)
            plain = (version == 6 and address.ipv4_mapped) or address
            allowed = any(plain in block for block in blocks if block.version == plain.version)
            assert answer == (ord("a") if allowed and letter == ord("r") else letter), address
