"""A client around Python's `websockets`: what an echo over WebSocket must do. Prints what it sent and received.

    websocket_client.py URL
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

MIB = 1 << 20
ECHOES = [
    "hello",
    "",
    "привет, 世界 🦀",
    b"\x00\xff\x80",
    b"",
    "z" * 125,
    "z" * 126,
    "z" * 65535,
    "z" * 65536,
    "ж" * (MIB // 2),
    b"\xfe" * MIB,
]


async def echoes(url: str) -> int:
    """One at a time, in fragments, many at once; a close with a code of its own."""
    count = 0
    async with connect(url, max_size=2 * MIB) as socket:
        assert not socket.protocol.extensions, "compression is not offered"
        for message in ECHOES:
            await socket.send(message)
            assert await socket.recv() == message, message[:40]
            count += 1
        # A list goes out as fragments.
        for parts in (["one ", "", "two ", "🦀", " three"], [b"\xff", b"\x00" * 70000, b"end"]):
            await socket.send(parts)
            assert await socket.recv() == type(parts[0])().join(parts)
            count += 1

        async def pinged():
            for part in ("before ", "between ", "after"):
                yield part
                await (await socket.ping(part.encode()))

        await socket.send(pinged())
        assert await socket.recv() == "before between after"
        count += 1
        assert await (await socket.ping(b"x" * 125)) >= 0
        many = [f"message {n}" for n in range(1000)]
        sending = asyncio.create_task(send_all(socket, many))
        for message in many:
            assert await socket.recv() == message
            count += 1
        await sending
        await socket.close(4321, "that was all")
        assert (socket.close_code, socket.close_reason) == (4321, "that was all")
    return count


async def send_all(socket, messages) -> None:
    for message in messages:
        await socket.send(message)


async def told(url: str, breach) -> tuple[int, str]:
    """The code and reason that a breach of the rules gets."""
    async with connect(url, max_size=2 * MIB) as socket:
        await socket.send("fine")
        assert await socket.recv() == "fine"
        try:
            await breach(socket)
            await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code, closed.rcvd.reason
    raise AssertionError("the gateway did not close")


async def refused(url: str, **options) -> int:
    try:
        async with connect(url, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


async def main(url: str) -> None:
    count = await echoes(url)
    codes = [
        await told(url, lambda socket: socket.send(b"x" * (MIB + 1))),
        await told(url, lambda socket: socket.send(b"caf\xe9", text=True)),
        await told(url, lambda socket: socket.send(["x"] * 200)),
    ]
    codes = [code for code, _ in codes]
    statuses = [
        await refused(url + "elsewhere"),
        await refused(url, origin="https://evil.example"),
        await refused(url + "?query=allowed"),
    ]
    # Each of the breaches came after one message that was fine.
    print(json.dumps({"echoed": count + len(codes), "codes": codes, "statuses": statuses}))


asyncio.run(main(sys.argv[1]))
