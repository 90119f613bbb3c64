"""QUIC clients that break the rules, packet by packet, around `aioquic`. Prints what the gateway made of it.

    quic_attacker.py MODE PORT [ARGS…]
"""

import json
import select
import socket
import ssl
import struct
import sys
import time

from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, StreamDataReceived
from aioquic.quic.packet import QuicPacketType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.tls import Epoch

PATIENCE = 20
#: linux/udp.h: several datagrams of one size in one call, which may arrive as one too.
SOL_UDP, UDP_SEGMENT = 17, 103
HELLO = struct.pack(">I", 5) + b"hello"


class Client:
    """A connection whose packets are sent and received when the attack says so."""

    def __init__(self, port: int, alpn: str = "weir/1", ticket=None) -> None:
        self.tickets = []
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=[alpn],
            verify_mode=ssl.CERT_NONE,
            server_name="localhost",
            max_datagram_frame_size=65536,
            session_ticket=ticket,
        )
        self.quic = QuicConnection(configuration=configuration, session_ticket_handler=self.tickets.append)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.end = None
        self.open = False
        self.early = False
        self.read = b""
        self.peer = ("127.0.0.1", port)
        self.quic.connect(self.peer, now=time.monotonic())

    def flush(self) -> int:
        sent = 0
        for data, _ in self.quic.datagrams_to_send(time.monotonic()):
            self.send(data)
            sent += len(data)
        return sent

    def send(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except OSError:
            pass

    def step(self, wait: float = 0.05) -> None:
        """Takes what has come, for so long at most, and answers as a client does."""
        if select.select([self.socket], [], [], wait)[0]:
            while True:
                try:
                    data = self.socket.recv(65536)
                except OSError:
                    break
                self.quic.receive_datagram(data, self.peer, time.monotonic())
        due = self.quic.get_timer()
        if due is not None and due <= time.monotonic():
            self.quic.handle_timer(time.monotonic())
        while (event := self.quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                self.end = event
            elif isinstance(event, HandshakeCompleted):
                self.open = True
                self.early = event.early_data_accepted
            elif isinstance(event, StreamDataReceived):
                self.read += event.data
        self.flush()

    def until(self, what: str, condition) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"in vain: {what}"
            self.step()

    def connect(self) -> "Client":
        self.flush()
        self.until("a connection", lambda: self.open or self.end)
        assert self.open, self.end
        # What the handshake leaves behind is sent and taken, so that nothing of it disturbs the attack.
        self.until("the handshake's end", lambda: self.quic._handshake_confirmed)
        return self

    def packet(self, frames: bytes, full: bool = False) -> bytes:
        """A packet with these frames, filled up to the usual size."""
        quic = self.quic
        builder = QuicPacketBuilder(
            host_cid=quic.host_cid,
            is_client=True,
            max_datagram_size=1200,
            packet_number=quic._packet_number,
            peer_cid=quic._peer_cid.cid,
            version=quic._version,
        )
        builder.start_packet(QuicPacketType.ONE_RTT, quic._cryptos[Epoch.ONE_RTT])
        buffer = builder.start_frame(frames[0])
        buffer.push_bytes(frames[1:])
        if full:
            buffer.push_bytes(bytes(builder.remaining_flight_space))
        (datagram,), _ = builder.flush()
        quic._packet_number = builder.packet_number
        return datagram

    def ended(self) -> list:
        """The code and the kind of the gateway's close, or nothing when there is none."""
        deadline = time.monotonic() + PATIENCE
        while self.end is None and time.monotonic() < deadline:
            self.step()
        return None if self.end is None else self.end.error_code


def stream(number: int, offset: int, data: bytes, fin: bool = False) -> bytes:
    return bytes([0x0F if fin else 0x0E]) + b"".join(
        [encode_uint_var(number), encode_uint_var(offset), encode_uint_var(len(data)), data]
    )


def spoofed(port: int, count: str, seconds: str) -> dict:
    """First packets and nothing more: what comes back to addresses that never said that they are theirs."""
    answered, retried = [], 0
    clients = []
    for _ in range(int(count)):
        client = Client(port)
        clients.append((client, client.flush(), [0, 0]))
        # Slowly enough for a socket's buffer.
        if len(clients) % 50 == 0:
            time.sleep(0.01)
    deadline = time.monotonic() + float(seconds)
    by_socket = {client.socket: got for client, _, got in clients}
    while (left := deadline - time.monotonic()) > 0:
        for ready in select.select(list(by_socket), [], [], left)[0]:
            try:
                data = ready.recv(65536)
            except OSError:
                continue
            got = by_socket[ready]
            got[0] += len(data)
            # RFC 9000, section 17.2.5: a long header of type 3.
            got[1] |= data[0] & 0xF0 == 0xF0
    for _, sent, (got, retry) in clients:
        retried += retry
        answered.append(got / sent)
    full = [ratio for _, sent, (got, retry) in clients if not retry and (ratio := got / sent) > 0]
    return {"most": max(answered), "retried": retried, "shaken": len(full)}


def streams(port: int) -> dict:
    """One stream more than allowed; one of a kind that is not allowed; streams that are begun and taken back."""
    codes = []
    for number in (16 * 4, 2):
        client = Client(port).connect()
        client.send(client.packet(stream(number, 0, b"x")))
        codes.append(client.ended())
    # Begun and taken back at once, for as long as there is credit for more.
    client = Client(port).connect()
    quic, begun, began = client.quic, 0, time.monotonic()
    while time.monotonic() - began < 2 and client.end is None:
        while begun < quic._remote_max_streams_bidi:
            quic.send_stream_data(4 * begun, b"\0")
            client.flush()
            quic.reset_stream(4 * begun, 7)
            client.flush()
            begun += 1
        client.step(0.001)
    return {"codes": codes, "reset": begun, "reset_end": client.end and client.end.error_code}


def flow(port: int, window: str, session: str) -> dict:
    """A byte beyond the window of a stream, and beyond that of the connection."""
    window, session = int(window), int(session)
    codes = []
    client = Client(port).connect()
    client.send(client.packet(stream(0, window, b"x")))
    codes.append(client.ended())
    client = Client(port).connect()
    # The last byte of the window of each, all others missing: credit is taken by offset.
    for number in range(session // window):
        client.send(client.packet(stream(4 * number, window - 1, b"x")))
    client.step()
    assert client.end is None, client.end
    client.send(client.packet(stream(4 * (session // window), 0, b"x")))
    codes.append(client.ended())
    return {"codes": codes}


def gaps(port: int, connections: str, piece: str, step: str, window: str, session: str) -> dict:
    """Every window filled with pieces that have gaps between them; then held until the next line of input."""
    piece, step, window, session = int(piece), int(step), int(window), int(session)
    clients, sent = [], 0
    for _ in range(int(connections)):
        client = Client(port).connect()
        clients.append(client)
        for number in range(session // window):
            if client.end is not None:
                break
            frames, size = b"", 0
            for offset in range(1, window - piece, step):
                frames += stream(4 * number, offset, bytes(piece))
                size += 1
                if len(frames) > 1000 - piece:
                    client.send(client.packet(frames))
                    frames = b""
                    sent += size
                    size = 0
                    client.step(0)
                    if client.end is not None:
                        break
            if frames and client.end is None:
                client.send(client.packet(frames))
                sent += size
        client.step(0.01)
    print(json.dumps({"sent": sent}), flush=True)
    hold(clients)
    return {"ended": sorted({client.end.error_code for client in clients if client.end is not None})}


def segments(port: int, connections: str, window: str, session: str) -> dict:
    """Single bytes with gaps between them, each in a datagram that arrives in one piece with 40 others that are empty."""
    window, session = int(window), int(session)
    clients, sent = [], 0
    for _ in range(int(connections)):
        client = Client(port).connect()
        clients.append(client)
        for number in range(session // window):
            for offset in range(1, 100, 2):
                first = client.packet(stream(4 * number, offset, b"x"), full=True)
                batch = [first] + [client.packet(b"\x00", full=True) for _ in range(40)]
                assert {len(part) for part in batch} == {len(first)}
                ancillary = [(SOL_UDP, UDP_SEGMENT, struct.pack("H", len(first)))]
                try:
                    client.socket.sendmsg([b"".join(batch)], ancillary)
                    sent += 1
                except BlockingIOError:
                    client.step(0.01)
                if sent % 8 == 0:
                    client.step(0.001)
    print(json.dumps({"sent": sent}), flush=True)
    hold(clients)
    return {"ended": sorted({client.end.error_code for client in clients if client.end is not None})}


def hold(clients: list) -> None:
    """Keeps connections alive until there is input, and closes them."""
    while not select.select([sys.stdin], [], [], 0)[0]:
        for client in clients:
            client.step(0)
        time.sleep(0.02)
    for client in clients:
        client.step(0)
        if client.end is None:
            client.quic.close()
            client.flush()


def alpn(port: int) -> dict:
    client = Client(port, alpn="h3")
    client.flush()
    return {"code": client.ended()}


def early(port: int) -> dict:
    """Data in the first flight of a connection that was resumed."""
    first = Client(port).connect()
    until = time.monotonic() + 2
    while not first.tickets and time.monotonic() < until:
        first.step()
    first.quic.close()
    first.flush()
    if not first.tickets:
        return {"ticket": False}
    ticket = first.tickets[0]
    offered = ticket.max_early_data_size
    # The client is one that does not care what the ticket says.
    ticket.max_early_data_size = 0xFFFFFFFF
    second = Client(port, ticket=ticket)
    second.quic.send_stream_data(0, HELLO)
    second.connect()
    second.until("an echo", lambda: len(second.read) >= len(HELLO))
    assert second.read == HELLO, second.read
    second.quic.close()
    second.flush()
    return {"ticket": True, "offered": offered, "accepted": second.early}


def vanish(port: int, seconds: str) -> dict:
    """Says something, hears the answer, and then nothing for ever."""
    client = Client(port).connect()
    client.quic.send_stream_data(0, HELLO)
    client.until("an echo", lambda: client.read == HELLO)
    print(json.dumps({"gone": True}), flush=True)
    time.sleep(float(seconds))
    return {}


MODES = {mode.__name__: mode for mode in (spoofed, streams, flow, gaps, segments, alpn, early, vanish)}
print(json.dumps(MODES[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])))
