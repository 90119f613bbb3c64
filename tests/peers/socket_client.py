"""Plain sockets and frames written by hand, byte by byte from docs/wire-formats.md. Prints what it sent and received.

    socket_client.py '{"u8": PORT, …}'
"""

import json
import socket
import struct
import sys
import threading
import zlib


def varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def checked(body: bytes) -> bytes:
    fields = struct.pack(">HBHI", 0x424D, 1, 2, len(body))
    return fields + struct.pack(">I", zlib.crc32(fields + body)) + body


FRAMES = {
    "u8": lambda body: struct.pack("B", len(body)) + body,
    "u16be": lambda body: struct.pack(">H", len(body)) + body,
    "u16le": lambda body: struct.pack("<H", len(body)) + body,
    "u32be": lambda body: struct.pack(">I", len(body)) + body,
    "u32le": lambda body: struct.pack("<I", len(body)) + body,
    "varint": lambda body: varint(len(body)) + body,
    "line": lambda body: body + b"\n",
    "delimiter": lambda body: body + b"||",
    "checked": checked,
    "raw": lambda body: body,
}
# On the page, to the byte.
assert FRAMES["varint"](b"x" * 300)[:2] == bytes.fromhex("ac02")
assert checked(b"\x00\xff\x10") == bytes.fromhex("424d010002000000038b90955300ff10")

BODIES = [b"hi", b"", "привет 🦀".encode(), bytes(range(32, 124)), b"\x00\xff\x10", b"z" * 250]


def dial(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read(connection: socket.socket, length: int) -> bytes:
    got = b""
    while len(got) < length:
        part = connection.recv(length - len(got))
        assert part, f"the end after {len(got)} of {length} bytes: {got[:40]!r}"
        got += part
    return got


def rest(connection: socket.socket) -> bytes:
    got = b""
    while part := connection.recv(65536):
        got += part
    return got


def one_framing(name: str, port: int) -> int:
    frame = FRAMES[name]
    frames = [frame(body) for body in BODIES]
    stream = b"".join(frames)
    sent = 0

    # One at a time.
    with dial(port) as connection:
        for body in filter(None, frames):
            connection.sendall(body)
            assert read(connection, len(body)) == body, name
            sent += 1

    # All in one packet, and the sending side shut down: the answers come, then the end.
    with dial(port) as connection:
        connection.sendall(stream)
        connection.shutdown(socket.SHUT_WR)
        assert rest(connection) == stream, name
        sent += len(frames)

    # Byte by byte.
    with dial(port) as connection:
        for byte in stream:
            connection.sendall(bytes([byte]))
        assert read(connection, len(stream)) == stream, name
        sent += len(frames)

    # Cut in two at every place.
    with dial(port) as connection:
        for cut in range(1, len(frames[2])):
            connection.sendall(frames[2][:cut])
            connection.sendall(frames[2][cut:])
            assert read(connection, len(frames[2])) == frames[2], (name, cut)
            sent += 1

    # Two thousand frames, written while the answers are read.
    with dial(port) as connection:
        many = b"".join(frame(f"message {number}".encode()) for number in range(2000))
        writer = threading.Thread(target=connection.sendall, args=(many,))
        writer.start()
        assert read(connection, len(many)) == many, name
        writer.join()
        connection.shutdown(socket.SHUT_WR)
        assert rest(connection) == b"", name
        sent += 2000
    return sent


def main() -> None:
    ports = json.loads(sys.argv[1])
    assert ports.keys() == FRAMES.keys(), ports
    print(json.dumps({name: one_framing(name, port) for name, port in ports.items()}))


main()
