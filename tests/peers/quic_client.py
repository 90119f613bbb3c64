"""A client around `aioquic`: what an echo over QUIC must do. Prints what it sent and received.

    quic_client.py PORT
"""

import asyncio
import json
import ssl
import struct
import sys

from aioquic.asyncio import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, DatagramFrameReceived


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.datagrams: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended: asyncio.Future[ConnectionTerminated] = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event) -> None:
        if isinstance(event, DatagramFrameReceived):
            self.datagrams.put_nowait(event.data)
        elif isinstance(event, ConnectionTerminated) and not self.ended.done():
            self.ended.set_result(event)
        super().quic_event_received(event)

    def send_datagram(self, data: bytes) -> None:
        self._quic.send_datagram_frame(data)
        self.transmit()


def dial(port: int, alpn: str = "weir/1"):
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=[alpn],
        verify_mode=ssl.CERT_NONE,
        server_name="localhost",
        max_datagram_frame_size=65536,
        max_stream_data=2 << 20,
        max_data=8 << 20,
    )
    return connect("127.0.0.1", port, configuration=configuration, create_protocol=Client)


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


async def take(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return await reader.readexactly(length)


async def lanes(client: Client) -> int:
    """Messages of several streams in turns; each answer comes on the stream of its message, in order."""
    streams = []
    for lane in range(8):
        # A stream has its number for good only when something was written to it.
        reader, writer = await client.create_stream()
        writer.write(frame(f"{lane}/0".encode()))
        streams.append((reader, writer))
    for number in range(1, 50):
        for lane, (_, writer) in enumerate(streams):
            writer.write(frame(f"{lane}/{number}".encode()))
    for lane, (reader, _) in enumerate(streams):
        for number in range(50):
            assert await take(reader) == f"{lane}/{number}".encode()
    # A stream that is finished still gets its answers, and its end.
    reader, writer = streams[3]
    writer.write(frame(b"the last of lane 3"))
    writer.write_eof()
    assert await take(reader) == b"the last of lane 3"
    assert await reader.read() == b""
    # Cut anywhere; empty; 1 MiB.
    reader, writer = streams[5]
    for byte in frame("bytewise 🦀".encode()):
        writer.write(bytes([byte]))
        client.transmit()
    assert await take(reader) == "bytewise 🦀".encode()
    for body in (b"", bytes(1 << 20)):
        writer.write(frame(body))
        assert await take(reader) == body
    return 8 * 50 + 4


async def datagrams(client: Client) -> int:
    for number in range(20):
        client.send_datagram(f"datagram {number}".encode())
        assert await asyncio.wait_for(client.datagrams.get(), 20) == f"datagram {number}".encode()
    return 20


async def main(port: int) -> None:
    async with dial(port) as client:
        echoed = await lanes(client) + await datagrams(client)
        client.close(error_code=4242, reason_phrase="that was all")

    # A message longer than the limit: the close code is that of WebSocket.
    async with dial(port) as client:
        _, writer = await client.create_stream()
        writer.write(struct.pack(">I", (1 << 20) + 1))
        ended = await asyncio.wait_for(client.ended, 20)
        codes = [ended.error_code]
        assert ended.frame_type is None, "an application close"
        assert ended.reason_phrase == "message longer than the limit", ended.reason_phrase

    try:
        async with dial(port, alpn="h3"):
            alpn = "accepted"
    except ConnectionError:
        alpn = "refused"
    print(json.dumps({"echoed": echoed, "codes": codes, "alpn": alpn}))


asyncio.run(main(int(sys.argv[1])))
