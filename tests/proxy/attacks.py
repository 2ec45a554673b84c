"""Requests that two parsers may read differently. Each hides a second request where one of them may see
the body of the first, its trailers, or nothing at all."""

END = b"\r\n\r\n"
LAST = b"0" + END


def chunk(body):
    return b"%x\r\n%s\r\n" % (len(body), body)


def framed(*lines):
    """Two lines of framing at most, as they go over the wire."""
    return b"".join(line + b"\r\n" for line in lines)


# What ends the connection for whoever sees it as a request.
GOODBYE = b"GET /api/v1/health HTTP/1.1\r\nHost: h\r\nConnection: close" + END

CL = b"Content-Length: %d"
TE = b"Transfer-Encoding: chunked"

# By name: the framing lines, whether the body is sent in chunks, and what stands before the hidden request.
# %d in a framing line is the length of the body, %h that of the body with the hidden request behind it.
FRAMINGS = {
    "nothing odd": ([CL], False),
    "nothing odd, in chunks": ([TE], True),
    "both lengths": ([CL, TE], True),
    "both, coding first": ([TE, CL], True),
    "both, length over the hidden": ([b"Content-Length: %h", TE], True),
    "both, length over the hidden, coding first": ([TE, b"Content-Length: %h"], True),
    "both, length of nothing": ([b"Content-Length: 0", TE], True),
    "two lengths": ([CL, b"Content-Length: %h"], False),
    "two lengths, the long one first": ([b"Content-Length: %h", CL], False),
    "the same length twice": ([CL, CL], False),
    "a list of lengths": ([b"Content-Length: %d, %h"], False),
    "a list of one length": ([b"Content-Length: %d, %d"], False),
    "no length": ([], False),
    "a length of nothing": ([b"Content-Length: 0"], False),
    "a length over the hidden": ([b"Content-Length: %h"], False),
    "a signed length": ([b"Content-Length: +%d"], False),
    "a negative length": ([b"Content-Length: -1"], False),
    "a hexadecimal length": ([b"Content-Length: 0x%d"], False),
    "a length with zeros": ([b"Content-Length: 000000%d"], False),
    "a length with many zeros": ([b"Content-Length: 00000000000000000000%d"], False),
    "a length with a fraction": ([b"Content-Length: %d.0"], False),
    "a length in two words": ([b"Content-Length: %d %h"], False),
    "a length with text behind": ([b"Content-Length: %dx"], False),
    "a length in quotes": ([b'Content-Length: "%d"'], False),
    "a length that overflows": ([b"Content-Length: 18446744073709551616"], False),
    "a length that overflows to its value": ([b"Content-Length: 18446744073709551%d"], False),
    "a length with a space in its name": ([CL, b"Content-Length : %h"], False),
    "a length with a tab in its name": ([CL, b"Content-Length\t: %h"], False),
    "a length with a space before it": ([CL, b" Content-Length: %h"], False),
    "a length with an underscore": ([CL, b"Content_Length: %h"], False),
    "a length with a vertical tab before it": ([CL, b"\x0bContent-Length: %h"], False),
    "a folded length": ([b"Content-Length:", b" %d"], False),
    "a length behind a fold": ([CL, b"X: y", b" Content-Length: %h"], False),
    "a length behind a bare line feed": ([CL, b"X: y\nContent-Length: %h"], False),
    "a length behind a bare carriage return": ([CL, b"X: y\rContent-Length: %h"], False),
    "a length behind a NUL": ([CL, b"X: y\x00\r\nContent-Length: %h"], False),
    "a NUL in a length": ([b"Content-Length: %d\x000"], False),
    "a NUL in a length's name": ([CL, b"Content-\x00Length: %h"], False),
    "a length in a second name": ([CL, b"X-Content-Length: %h"], False),
    "a coding with a space in its name": ([CL, b"Transfer-Encoding : chunked"], False),
    "a coding with a space before it": ([CL, b" Transfer-Encoding: chunked"], False),
    "a coding with a tab before its value": ([CL, b"Transfer-Encoding:\tchunked"], True),
    "a coding with a vertical tab": ([CL, b"Transfer-Encoding: \x0bchunked"], False),
    "a coding with a form feed": ([CL, b"Transfer-Encoding: \x0cchunked"], False),
    "a coding with an underscore": ([CL, b"Transfer_Encoding: chunked"], False),
    "a coding in capitals": ([b"TRANSFER-ENCODING: CHUNKED"], True),
    "a coding in quotes": ([CL, b'Transfer-Encoding: "chunked"'], False),
    "a coding with a comma behind": ([CL, b"Transfer-Encoding: chunked,"], False),
    "a coding with a parameter": ([CL, b"Transfer-Encoding: chunked;q=1"], False),
    "a coding twice in a list": ([b"Transfer-Encoding: chunked, chunked"], True),
    "two codings": ([TE, b"Transfer-Encoding: identity"], True),
    "two codings, the other way round": ([b"Transfer-Encoding: identity", TE], True),
    "two equal codings": ([TE, TE], True),
    "the identity coding": ([CL, b"Transfer-Encoding: identity"], False),
    "an unknown coding": ([CL, b"Transfer-Encoding: xchunked"], False),
    "a compressed coding": ([b"Transfer-Encoding: gzip, chunked"], True),
    "a coding that ends compressed": ([CL, b"Transfer-Encoding: chunked, gzip"], False),
    "an empty coding": ([CL, b"Transfer-Encoding:"], False),
    "a folded coding": ([CL, b"Transfer-Encoding:", b" chunked"], False),
    "a coding behind a bare line feed": ([CL, b"X: y\nTransfer-Encoding: chunked"], False),
    "a coding behind a bare carriage return": ([CL, b"X: y\rTransfer-Encoding: chunked"], False),
    "a NUL behind a coding": ([CL, b"Transfer-Encoding: chunked\x00"], False),
    "a coding that is hop by hop": ([TE, b"Connection: Transfer-Encoding"], True),
    "a length that is hop by hop": ([CL, b"Connection: Content-Length"], False),
    "an upgrade": ([CL, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"], False),
    "an upgrade to sockets": ([CL, b"Connection: Upgrade", b"Upgrade: websocket"], False),
    "a wish for 100": ([CL, b"Expect: 100-continue"], False),
    "a strange wish": ([CL, b"Expect: 100-continue, x"], False),
    "two hosts": ([CL, b"Host: other"], False),
    "a name that is no token": ([CL, b"X{Y}: z"], False),
    "a line without a colon": ([CL, b"junk"], False),
    "a line without a name": ([CL, b": z"], False),
    "a control byte in a value": ([CL, b"X: a\x01b"], False),
}

# By name: the chunks that stand in the place of a whole body; {body} is the body, {size} its size.
CHUNKS = {
    "a chunk size with a mark": b"0x{size}\r\n{body}\r\n0\r\n\r\n",
    "a signed chunk size": b"+{size}\r\n{body}\r\n0\r\n\r\n",
    "a chunk size with a space": b" {size}\r\n{body}\r\n0\r\n\r\n",
    "a chunk size with a space behind": b"{size} \r\n{body}\r\n0\r\n\r\n",
    "a chunk size with zeros": b"000000000000000{size}\r\n{body}\r\n0\r\n\r\n",
    "a chunk size that overflows": b"f0000000000000000{size}\r\n{body}\r\n0\r\n\r\n",
    "a chunk with an extension": b"{size};a=b\r\n{body}\r\n0\r\n\r\n",
    "a chunk extension with a bare line feed": b"{size};a\nb\r\n{body}\r\n0\r\n\r\n",
    "a chunk extension with a bare carriage return": b"{size};a\rb\r\n{body}\r\n0\r\n\r\n",
    "a chunk extension in quotes": b'{size};a="\r\n{body}\r\n0\r\n\r\n',
    "chunks with bare line feeds": b"{size}\n{body}\n0\n\n",
    "a last chunk with bare line feeds": b"{size}\r\n{body}\r\n0\n\n",
    "a chunk without its end": b"{size}\r\n{body}0\r\n\r\n",
    "a chunk longer than its size": b"1\r\n{body}\r\n0\r\n\r\n",
    "trailers": b"{size}\r\n{body}\r\n0\r\nX: y\r\n\r\n",
    "a length as a trailer": b"{size}\r\n{body}\r\n0\r\nContent-Length: 1\r\n\r\n",
    "a coding as a trailer": b"{size}\r\n{body}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two last chunks": b"{size}\r\n{body}\r\n0\r\n\r\n0\r\n\r\n",
    "no last chunk": b"{size}\r\n{body}\r\n",
    "a last chunk of zeros": b"{size}\r\n{body}\r\n0000\r\n\r\n",
    "a negative chunk size": b"{size}\r\n{body}\r\n-0\r\n\r\n",
}

# By name: the request line; {target} is the path.
LINES = {
    "a tab in the request line": b"POST\t{target}\tHTTP/1.1",
    "two spaces in the request line": b"POST  {target}  HTTP/1.1",
    "a space behind the version": b"POST {target} HTTP/1.1 ",
    "an old version": b"POST {target} HTTP/1.0",
    "a version to come": b"POST {target} HTTP/1.2",
    "a space in the target": b"POST {target} x HTTP/1.1",
    "a whole URL": b"POST http://h{target} HTTP/1.1",
    "a fragment": b"POST {target}#x HTTP/1.1",
    "dots in the path": b"POST /x/..{target} HTTP/1.1",
    "two slashes": b"POST /{target} HTTP/1.1",
    "a NUL in the target": b"POST {target}\x00 HTTP/1.1",
    "an escaped line end in the target": b"POST {target}?%0d%0aX:%20y HTTP/1.1",
    "an escaped slash": b"POST {target}%2F HTTP/1.1",
}


def requests(target, token, body_of):
    """(name, marks, bytes): `body_of(mark)` is a body that leaves a trace under its mark."""
    common = b"Host: h\r\nAuthorization: Bearer " + token + b"\r\n"

    def hidden(mark):
        body = body_of(mark)
        return b"POST " + target + b" HTTP/1.1\r\n" + common + CL % len(body) + END + body

    def whole(line, framing, content, mark):
        return line + b"\r\n" + common + framing + b"\r\n" + content + hidden(mark)

    plain = b"POST " + target + b" HTTP/1.1"
    number = 0
    for name, (lines, chunked) in FRAMINGS.items():
        number += 1
        body, marks = body_of(f"main.{number}"), (f"main.{number}", f"hidden.{number}")
        behind = len(hidden(marks[1]))
        content = chunk(body) + LAST if chunked else body
        lengths = {b"%d": b"%d" % len(body), b"%h": b"%d" % (len(content) + behind)}
        framing = framed(*lines)
        for form, value in lengths.items():
            framing = framing.replace(form, value)
        yield name, marks, whole(plain, framing, content, marks[1])
    for name, content in CHUNKS.items():
        number += 1
        body, marks = body_of(f"main.{number}"), (f"main.{number}", f"hidden.{number}")
        content = content.replace(b"{size}", b"%x" % len(body)).replace(b"{body}", body)
        yield name, marks, whole(plain, framed(TE), content, marks[1])
    for name, line in LINES.items():
        number += 1
        body, marks = body_of(f"main.{number}"), (f"main.{number}", f"hidden.{number}")
        line = line.replace(b"{target}", target)
        yield name, marks, whole(line, framed(CL % len(body)), body, marks[1])
