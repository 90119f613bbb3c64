"""A service behind the gateway, on Python's own sockets and TLS, and on `websockets`.

    upstream.py (line | length | websocket) [CERT KEY]

Says {"port": …} when it listens, {"opened": n} for each connection, and {"closed": n, "got": …, "code": …} at its end. What it
does with a message depends on the message:

    .TEXT         counts it and says nothing
    count         answers how many messages it had
    stop          reads no more until the order `go`
    push N SIZE   sends N messages of SIZE bytes that begin with their number
    close CODE    closes, over WebSocket with this code
    die           resets the connection
    half          ends in the middle of a message, over WebSocket without a close frame
    TEXT          answers "> TEXT"

When the gateway says that no more comes, it answers "bye, N" and ends too. Orders on standard input: `stop`, `go`, and
`pushed`, which says how many messages of a push have gone out.
"""

import asyncio
import itertools
import json
import socket
import ssl
import struct
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

numbers = itertools.count(1)
going = asyncio.Event()
pushed = 0


def say(**said) -> None:
    print(json.dumps(said), flush=True)


class Closed(Exception):
    """The conversation is over."""


class Lines:
    """One message a line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def receive(self) -> str | None:
        line = await self.reader.readline()
        return line.decode().removesuffix("\n") if line else None

    async def send(self, text: str) -> None:
        self.writer.write(text.encode() + b"\n")
        await self.writer.drain()

    async def close(self, code: int) -> None:
        self.writer.close()

    def reset(self) -> None:
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def half(self) -> None:
        self.writer.write(b"\0\0\0")
        self.writer.close()

    def code(self) -> int:
        return 0


class Lengths(Lines):
    """Behind its length, 32 bits, big endian."""

    async def receive(self) -> str | None:
        try:
            (length,) = struct.unpack(">I", await self.reader.readexactly(4))
            return (await self.reader.readexactly(length)).decode()
        except asyncio.IncompleteReadError as end:
            assert not end.partial, "a frame is whole"
            return None

    async def send(self, text: str) -> None:
        body = text.encode()
        self.writer.write(struct.pack(">I", len(body)) + body)
        await self.writer.drain()


class WebSocket:
    """Text messages of a WebSocket."""

    def __init__(self, socket) -> None:
        self.socket = socket

    async def receive(self) -> str | None:
        try:
            return await self.socket.recv()
        except ConnectionClosed:
            return None

    async def send(self, text: str) -> None:
        await self.socket.send(text)

    async def close(self, code: int) -> None:
        await self.socket.close(code, "the service says so")

    def reset(self) -> None:
        self.socket.transport.abort()

    async def half(self) -> None:
        self.socket.transport.write(b"\x81\x05hel")
        self.socket.transport.close()

    def code(self) -> int:
        return self.socket.close_code or 0


async def converse(peer) -> None:
    global pushed
    number, got = next(numbers), 0
    say(opened=number)
    try:
        while True:
            await going.wait()
            message = await peer.receive()
            if message is None:
                if not isinstance(peer, WebSocket):
                    await peer.send(f"bye, {got}")
                    await peer.close(1000)
                break
            got += 1
            word, *rest = message.split(" ")
            if word.startswith("."):
                pass
            elif word == "count":
                await peer.send(f"count {got}")
            elif word == "stop":
                going.clear()
            elif word == "push":
                count, size = map(int, rest)
                for item in range(count):
                    await peer.send(f"{item} ".ljust(size, "x"))
                    pushed = item + 1
            elif word == "close":
                await peer.close(int(rest[0]))
                break
            elif word == "half":
                await peer.half()
                break
            elif word == "die":
                peer.reset()
                break
            else:
                await peer.send("> " + message)
    except (ConnectionError, ConnectionClosed):
        pass
    say(closed=number, got=got, code=peer.code())


async def orders() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        match line.decode().strip():
            case "go":
                going.set()
            case "stop":
                going.clear()
            case "pushed":
                say(pushed=pushed)


async def main(speech: str, *files: str) -> None:
    tls = None
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)
    going.set()
    if speech == "websocket":
        server = await serve(
            lambda socket: converse(WebSocket(socket)), "127.0.0.1", 0, ssl=tls, max_size=2 << 20, max_queue=4
        )
    else:
        kind = {"line": Lines, "length": Lengths}[speech]
        server = await asyncio.start_server(
            lambda reader, writer: converse(kind(reader, writer)), "127.0.0.1", 0, ssl=tls, limit=2 << 20
        )
    say(port=server.sockets[0].getsockname()[1])
    await orders()


asyncio.run(main(*sys.argv[1:]))
