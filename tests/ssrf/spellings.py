"""URLs that lead to a forbidden address in one parser or another: each parser that reads one of them as an
address must have it judged, and each that does not must refuse it or ask for it as a name."""

import ipaddress

# An address of each IPv4 range, and the one that all clouds give their secrets out at.
TARGETS4 = """
    127.0.0.1 169.254.169.254 10.0.0.1 0.0.0.0 100.64.0.1 172.16.0.1 192.0.0.1 192.0.2.1 192.88.99.1
    192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
    """.split()
# The ranges that most is found in have every form; the others the common ones.
THOROUGH = TARGETS4[:4]
TARGETS6 = """
    ::1 :: 100::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1 2001::1 2001:10::1 2001:20::1
    2001:db8::1 2002:7f00:1::1 3fff::1 4000::1 8000::1 64:ff9b::7f00:1 64:ff9b:1::7f00:1
    """.split()

FULLWIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")
CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")
BOLD = str.maketrans("0123456789", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def common_forms(text):
    a, b, c, d = map(int, text.split("."))
    number = int(ipaddress.ip_address(text))
    yield text
    yield str(number)
    yield hex(number)
    yield f"0{number:o}"
    yield f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"
    yield f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"
    yield f"{a}.{number & 0xFFFFFF}"
    yield f"{text}."
    yield f"[::ffff:{text}]"
    yield f"[64:ff9b::{text}]"
    yield f"[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]"
    yield f"{text.replace('.', '-')}.names.test"  # a name of this address


def further_forms(text):
    a, b, c, d = map(int, text.split("."))
    number = int(ipaddress.ip_address(text))
    high, low = number >> 16, number & 0xFFFF
    yield f"{a}.{b}.{low}"
    yield f"0x{a:x}.{number & 0xFFFFFF}"
    yield f"{a}.{b}.0x{c:X}.0{d:o}"
    yield f"0X{number:X}"
    yield f"0x{number:016x}"
    yield f"000000000000{number:o}"
    yield f"{a:03}.{b:03}.{c:03}.{d:03}"
    yield f"0{a:05o}.0{b:05o}.0{c:05o}.0{d:05o}"
    yield str(number + 2**32)
    yield f"{a + 256}.{b + 256}.{c + 256}.{d + 256}"
    yield f"{number}."
    yield f"{text}.."
    yield f"{text}.0"
    yield "".join(f"%{ord(x):02X}" for x in text)
    yield "".join(f"%25{ord(x):02X}" for x in text)
    yield text.replace(".", "%2e")
    yield f"{text}%00.example.com"
    yield f"{text}%20"
    yield f"{text}%2f"
    yield text.translate(FULLWIDTH)
    yield text.translate(CIRCLED)
    yield text.translate(BOLD)
    yield text.translate(ARABIC)
    yield text.replace(".", "。")
    yield text.replace(".", "｡")
    yield str(number).translate(FULLWIDTH)
    yield f"0ｘ{number:x}"
    yield f"{text[0]}\u200b{text[1:]}"
    yield f"{text[0]}\u00ad{text[1:]}"
    yield f"[::ffff:{high:x}:{low:x}]"
    yield f"[::FFFF:{high:X}:{low:X}]"
    yield f"[0:0:0:0:0:ffff:{text}]"
    yield f"[0000:0000:0000:0000:0000:ffff:{high:04x}:{low:04x}]"
    yield f"[::{text}]"
    yield f"[::ffff:0:{text}]"
    yield f"[64:ff9b:1::{text}]"
    yield f"[2001:0:{high:x}:{low:x}::1]"
    yield f"[2001::{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]"
    yield f"[fe80::5efe:{text}]"
    yield f"[::ffff:{text}%25lo]"
    yield f"[::ffff:{text}%lo]"
    yield f"[{text}]"
    yield f"%5b::ffff:{text}%5d"
    yield f"user@{text}"
    yield f"8.8.8.8@{text}"
    yield f"user:password@{text}"
    yield f"8.8.8.8:80@{text}"
    yield f"8.8.8.8%40{text}"
    yield f"8.8.8.8\\@{text}"
    yield f"8.8.8.8#@{text}"
    yield f"{text}#@8.8.8.8"
    yield f"{text}\\@8.8.8.8"
    yield f"{text}?@8.8.8.8"
    yield f"{text}:80@8.8.8.8:80"
    yield f"{text};8.8.8.8"
    yield f"{text},8.8.8.8"
    yield f"{text} 8.8.8.8"
    yield f"{text}\t"
    yield f"{text}\r\nhost: 8.8.8.8"
    yield f"{text}:"
    yield f"{text}:080"
    yield f"{text}:80:80"
    yield f"{text}:65616"  # 80 modulo 2^16


def forms6(text):
    address = ipaddress.ip_address(text)
    yield f"[{text}]"
    yield f"[{address.exploded.upper()}]"
    yield f"[{text}%25lo]"
    yield f"[{text}%251]"
    yield f"[{text}]."
    yield text
    yield "".join(f"{x:x}." for x in reversed(address.packed)) + "ip6.names.test"  # a name of this address


NAMES = """
    localhost LOCALHOST localhost. LocalHost.localdomain sub.localhost sub.localhost. ip6-localhost
    local%68ost ｌｏｃａｌｈｏｓｔ ⓛⓞⓒⓐⓛⓗⓞⓢⓣ xn--localhost internal.hosts.test INTERNAL.HOSTS.TEST alias.names.test
    both.names.test [localhost] 1.0x7f 127.0.0.0x1.
    """.split()

# Whole URLs whose scheme or slashes are odd; where the last two hosts lead only a lookup can show.
HOSTS = ("127.0.0.1", "localhost", "[::1]", "internal.hosts.test", "both.names.test")
ODD = [form.replace("HOST", host) for host in HOSTS for form in """
    HTTP://HOST/ hTTp://HOST/ https://HOST/ HTTPS://HOST:8080/ http:/HOST/ http:///HOST/ http:////HOST/ http:HOST
    //HOST/ HOST /HOST http:\\\\HOST\\ http://\\HOST/ ftp://HOST/ gopher://HOST:80/_POST file://HOST/etc/hostname
    dict://HOST:80/x ldap://HOST/ telnet://HOST/ smtp://HOST:80/ unix:///run/x.sock http+unix://HOST/ http://HOST?
    http://HOST?x@8.8.8.8/ http://8.8.8.8:@HOST/ http://:@HOST/ http://@HOST/ http://HOST:8080/
    view-source:http://HOST/ url:http://HOST/ http://HOST%3a80/ http://HOST%09/
    """.split()]


def urls():
    """All of them, none twice."""
    found = dict.fromkeys(f"http://{host}/" for text in TARGETS4 for host in common_forms(text))
    found |= dict.fromkeys(f"http://{host}/" for text in THOROUGH for host in further_forms(text))
    found |= dict.fromkeys(f"http://{host}/" for text in TARGETS6 for host in forms6(text))
    found |= dict.fromkeys(f"http://{host}/" for host in NAMES)
    found |= dict.fromkeys(ODD)
    return list(found)


def add_names(server):
    """What the name server must know."""
    for text in TARGETS4:
        server.add(f"{text.replace('.', '-')}.names.test", a=[text])
    for text in TARGETS6:
        packed = ipaddress.ip_address(text).packed
        server.add("".join(f"{x:x}." for x in reversed(packed)) + "ip6.names.test", aaaa=[text])
    server.add("target.names.test", a=["127.0.0.1"], aaaa=["::1"])
    server.names["alias.names.test"] = {"A": ["target.names.test"], "AAAA": ["target.names.test"]}
    server.add("both.names.test", a=["10.0.0.1", "127.0.0.1"], aaaa=["fc00::1", "::1"])
