"""A client around `aioquic`: what WebTransport must do, and what it must refuse. Prints what it saw.

    webtransport_client.py PORT PATH
"""

import asyncio
import json
import ssl
import struct
import sys

from aioquic.asyncio import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.buffer import Buffer, encode_uint_var
from aioquic.h3.connection import H3_ALPN, FrameType, H3Connection, encode_frame
from aioquic.h3.events import DatagramReceived, DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StopSendingReceived, StreamDataReceived

CLOSE, DRAIN = 0x2843, 0x78AE


class Client(QuicConnectionProtocol):
    """One connection; what comes is sorted by stream."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.http = H3Connection(self._quic, enable_webtransport=True)
        self.answers: dict[int, asyncio.Future] = {}
        self.capsules: asyncio.Queue = asyncio.Queue()
        self.datagrams: asyncio.Queue[bytes] = asyncio.Queue()
        self.streams: dict[int, asyncio.StreamReader] = {}
        self.stopped: asyncio.Future = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event) -> None:
        if isinstance(event, ConnectionTerminated) and not self.ended.done():
            self.ended.set_result(event)
        if isinstance(event, StopSendingReceived) and not self.stopped.done():
            self.stopped.set_result(event)
        if isinstance(event, StreamDataReceived) and event.stream_id in self.streams:
            # aioquic takes what comes back on a stream of the client's own for frames of HTTP/3.
            self.streams[event.stream_id].feed_data(event.data)
            if event.end_stream:
                self.streams[event.stream_id].feed_eof()
            return
        for event in self.http.handle_event(event):
            if isinstance(event, HeadersReceived):
                self.answers[event.stream_id].set_result(dict(event.headers))
            elif isinstance(event, DataReceived):
                self.capsules.put_nowait((event.data, event.stream_ended))
            elif isinstance(event, DatagramReceived):
                self.datagrams.put_nowait(event.data)
        super().quic_event_received(event)

    def open(self, session: int) -> int:
        stream = self.http.create_webtransport_stream(session)
        self.streams[stream] = asyncio.StreamReader(limit=4 << 20)
        return stream

    async def ask(self, *headers: tuple[str, str], end: bool = False) -> tuple[int, dict]:
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = asyncio.get_running_loop().create_future()
        self.http.send_headers(stream, [(name.encode(), value.encode()) for name, value in headers], end)
        self.transmit()
        return stream, await asyncio.wait_for(self.answers[stream], 20)

    async def session(self, path: str, *more: tuple[str, str]) -> tuple[int, dict]:
        return await self.ask(
            (":method", "CONNECT"),
            (":protocol", "webtransport"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", path),
            *more,
        )

    def write(self, stream: int, data: bytes, end: bool = False) -> None:
        self._quic.send_stream_data(stream, data, end)
        self.transmit()

    async def take(self, stream: int) -> bytes:
        reader = self.streams[stream]
        (length,) = struct.unpack(">I", await asyncio.wait_for(reader.readexactly(4), 20))
        return await asyncio.wait_for(reader.readexactly(length), 20)


def dial(port: int):
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=H3_ALPN,
        verify_mode=ssl.CERT_NONE,
        server_name="localhost",
        max_datagram_frame_size=65536,
        max_stream_data=2 << 20,
        max_data=8 << 20,
    )
    return connect("127.0.0.1", port, configuration=configuration, create_protocol=Client)


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def capsule(kind: int, value: bytes) -> bytes:
    return encode_frame(FrameType.DATA, encode_uint_var(kind) + encode_uint_var(len(value)) + value)


def capsules(data: bytes):
    buffer = Buffer(data=data)
    while not buffer.eof():
        kind = buffer.pull_uint_var()
        yield kind, buffer.pull_bytes(buffer.pull_uint_var())


async def echoes(client: Client, session: int) -> int:
    streams = [client.open(session) for _ in range(8)]
    for number in range(50):
        for lane, stream in enumerate(streams):
            client.write(stream, frame(f"{lane}/{number}".encode()))
    for lane, stream in enumerate(streams):
        for number in range(50):
            assert await client.take(stream) == f"{lane}/{number}".encode()
    # A stream that is finished still gets its answers, and its end.
    client.write(streams[3], frame(b"the last of lane 3"), end=True)
    assert await client.take(streams[3]) == b"the last of lane 3"
    assert await asyncio.wait_for(client.streams[streams[3]].read(), 20) == b""
    for byte in frame("bytewise 🦀".encode()):
        client.write(streams[5], bytes([byte]))
    assert await client.take(streams[5]) == "bytewise 🦀".encode()
    for body in (b"", bytes(1 << 20)):
        client.write(streams[5], frame(body))
        assert await client.take(streams[5]) == body
    for number in range(20):
        client.http.send_datagram(session, f"datagram {number}".encode())
        client.transmit()
        assert await asyncio.wait_for(client.datagrams.get(), 20) == f"datagram {number}".encode()
    # One of a session that is not there is nobody's.
    client.http.send_datagram(session + 400, b"lost")
    client.transmit()
    return 8 * 50 + 4 + 20


async def good(port: int, path: str) -> dict:
    async with dial(port) as client:
        session, answer = await client.session(path + "?token=1")
        assert answer[b":status"] == b"200", answer
        echoed = await echoes(client, session)
        # A stream of one direction is not wanted; the session goes on.
        stream = client.http.create_webtransport_stream(session, is_unidirectional=True)
        client.write(stream, b"hello?")
        stopped = await asyncio.wait_for(client.stopped, 20)
        assert stopped.stream_id == stream
        _, second = await client.session(path)
        _, plain = await client.ask(
            (":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", path), end=True
        )
        stream = client.open(session)
        client.write(stream, frame(b"still here"))
        assert await client.take(stream) == b"still here"
        client.write(session, capsule(0x1234, bytes(100)) + capsule(CLOSE, struct.pack(">I", 4242) + b"that was all"), True)
        ended = await asyncio.wait_for(client.ended, 20)
        return {
            "echoed": echoed + 1,
            "second": int(second[b":status"]),
            "plain": int(plain[b":status"]),
            "end": ended.error_code,
        }


async def refused(port: int, *headers: tuple[str, str]) -> list:
    async with dial(port) as client:
        _, answer = await client.ask(*headers)
        ended = await asyncio.wait_for(client.ended, 20)
        return [int(answer[b":status"]), ended.error_code]


async def too_long(port: int, path: str) -> list:
    async with dial(port) as client:
        session, _ = await client.session(path)
        stream = client.open(session)
        client.write(stream, struct.pack(">I", (1 << 20) + 1))
        said = b""
        while True:
            data, last = await asyncio.wait_for(client.capsules.get(), 20)
            said += data
            if last:
                break
        ((kind, value),) = capsules(said)
        assert kind == CLOSE
        await asyncio.wait_for(client.ended, 20)
        return [struct.unpack(">I", value[:4])[0], value[4:].decode()]


async def broken(port: int, path: str, breach) -> int:
    """What the connection is closed with."""
    async with dial(port) as client:
        session, answer = await client.session(path)
        assert answer[b":status"] == b"200"
        breach(client, session)
        client.transmit()
        return (await asyncio.wait_for(client.ended, 20)).error_code


def on_control(data: bytes):
    return lambda client, _: client._quic.send_stream_data(client.http._local_control_stream_id, data)


def end_control(client: Client, _: int) -> None:
    client._quic.send_stream_data(client.http._local_control_stream_id, b"", end_stream=True)


def second_control(client: Client, _: int) -> None:
    client._quic.send_stream_data(client._quic.get_next_available_stream_id(True), b"\0\4\0")


def on_session(data: bytes):
    return lambda client, session: client._quic.send_stream_data(session, data)


def no_prefix(client: Client, _: int) -> None:
    client._quic.send_datagram_frame(b"\xff")


async def drained(port: int, path: str) -> None:
    async with dial(port) as client:
        session, _ = await client.session(path)
        stream = client.open(session)
        client.write(stream, frame(b"here"))
        assert await client.take(stream) == b"here"
        print(json.dumps({"ready": True}), flush=True)
        said = b""
        while True:
            data, last = await asyncio.wait_for(client.capsules.get(), 60)
            said += data
            if last:
                break
        await asyncio.wait_for(client.ended, 20)
        kinds = [[kind, value[:4].hex(), value[4:].decode()] for kind, value in capsules(said)]
        print(json.dumps({"capsules": kinds}))


async def main(port: int, path: str, what: str) -> None:
    if what == "drain":
        return await drained(port, path)
    connect_to = lambda path, *more: [
        (":method", "CONNECT"),
        (":protocol", "webtransport"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
        *more,
    ]
    get = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
    print(
        json.dumps(
            {
                **await good(port, path),
                "refused": [
                    await refused(port, *headers)
                    for headers in (
                        connect_to("/elsewhere"),
                        connect_to(path, ("origin", "https://evil.example")),
                        get,
                        [(":method", "CONNECT"), (":protocol", "websocket"), *connect_to(path)[2:]],
                        connect_to(path, ("x-long", "x" * 20_000)),
                        connect_to(path, *((f"x-{number}", "") for number in range(70))),
                        connect_to(path, ("connection", "close")),
                    )
                ],
                "too_long": await too_long(port, path),
                "broken": [
                    await broken(port, path, breach)
                    for breach in (
                        on_control(b"\4\0"),
                        on_control(b"\0\3abc"),
                        on_control(b"\2\0"),
                        end_control,
                        second_control,
                        on_session(b"\1\0"),
                        on_session(b"\0\5\x68\x43\x02ab"),
                        no_prefix,
                    )
                ],
            }
        )
    )


asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "all"))
