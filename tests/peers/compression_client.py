"""A client around Python's `websockets`, which offers compression by itself: what an echo and a group must do. Prints what it sent
and received.

    compression_client.py ECHO_URL GROUP_URL
"""

import asyncio
import json
import os
import sys
import zlib

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

MIB = 1 << 20
PROSE = "It was the best of times, it was the worst of times, привет 🦀. "


def agreed(socket) -> str:
    """What was agreed on, as the gateway said it."""
    return socket.response.headers.get("Sec-WebSocket-Extensions", "")


async def echoes(url: str, **options) -> int:
    """Of all sizes, of order and of noise; in fragments; many at once."""
    count = 0
    async with connect(url, max_size=2 * MIB, **options) as socket:
        said = agreed(socket)
        assert said.startswith("permessage-deflate; server_no_context_takeover; client_no_context_takeover"), said
        for size in (0, 1, 20, 127, 128, 1000, 65535, 65536, 65537, 300_000, MIB):
            for message in (PROSE.encode() * (size // 60 + 1))[:size], os.urandom(size), b"\0" * size:
                await socket.send(message)
                assert await socket.recv() == message, (size, message[:40])
                count += 1
        text = PROSE * 3000
        await socket.send(text)
        assert await socket.recv() == text
        # A list goes out as fragments of one compressed message.
        await socket.send(["one ", "", PROSE * 100, "🦀", " three"])
        assert await socket.recv() == f"one {PROSE * 100}🦀 three"
        assert await (await socket.ping(b"control frames are not compressed")) >= 0
        many = [f"{PROSE} {n}" * (n % 7) for n in range(1000)]
        sending = asyncio.create_task(send_all(socket, many))
        for message in many:
            assert await socket.recv() == message
        await sending
        count += 2 + len(many)
    return count


async def send_all(socket, messages) -> None:
    for message in messages:
        await socket.send(message)


async def windows(url: str) -> int:
    """Narrow ones, which the gateway keeps to; the library would not understand it otherwise."""
    count = 0
    for bits in range(9, 16):
        factory = ClientPerMessageDeflateFactory(server_max_window_bits=bits, client_max_window_bits=bits)
        async with connect(url, compression=None, extensions=[factory]) as socket:
            assert agreed(socket).endswith(f"; server_max_window_bits={bits}"), agreed(socket)
            message = (os.urandom(2000) + PROSE.encode() * 20) * 10
            await socket.send(message)
            assert await socket.recv() == message
            count += 1
    async with connect(url, compression=None, extensions=[ClientPerMessageDeflateFactory(server_max_window_bits=8)]) as socket:
        assert agreed(socket) == "", "a window of 8 cannot be promised"
    return count


async def fan_out(url: str) -> int:
    """One speaks, those who agreed to compression hear it, and one who did not."""
    members = [await connect(url, max_size=2 * MIB) for _ in range(5)] + [await connect(url, compression=None)]
    assert agreed(members[-1]) == ""
    for message in (PROSE * 10, PROSE * 5000, "short"):
        await members[0].send(message)
        for member in members:
            assert await member.recv() == message
    for member in members:
        await member.close()
    return 3


def frame(first: int, payload: bytes) -> bytes:
    """A client's frame, masked with zeros."""
    assert len(payload) < 65536
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + len(payload).to_bytes(2, "big")
    return bytes([first]) + length + bytes(4) + payload


async def told(url: str, breach) -> int:
    """The code that a breach of the rules gets, after one message that was fine: bytes go out as they are."""
    async with connect(url, max_size=2 * MIB) as socket:
        await socket.send(PROSE)
        assert await socket.recv() == PROSE
        try:
            if isinstance(breach, bytes):
                socket.transport.write(breach)
            else:
                await socket.send(breach)
            await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code
    raise AssertionError("the gateway did not close")


def deflated(data: bytes) -> bytes:
    context = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (context.compress(data) + context.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def main(echo: str, group: str) -> None:
    count = await echoes(echo) + await windows(echo)
    breaches = [
        bytearray(MIB + 1),
        # A gigabyte or so would be too slow to make; it stops at the limit all the same.
        frame(0xC2, deflated(b"\0" * (60 * MIB))),
        frame(0xC1, deflated(b"caf\xe9")),
        frame(0xC1, b"\xff\xff\xff"),
        frame(0xC1, deflated(b"cut in the middle" * 9)[:9]),
        frame(0x41, deflated(b"fragments")[:4]) + frame(0xC0, deflated(b"fragments")[4:]),
        frame(0xC9, b"ping"),
    ]
    codes = [await told(echo, breach) for breach in breaches]
    print(json.dumps({"echoed": count + len(codes), "published": await fan_out(group), "codes": codes}))


asyncio.run(main(sys.argv[1], sys.argv[2]))
