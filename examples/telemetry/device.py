#!/usr/bin/env python3
"""Simulates devices: each connects, sends readings and now and then an alarm, and counts what is acknowledged.
Needs nothing but Python 3.

    python3 device.py [--devices 3] [--messages 20] [--interval 0.2] [--address 127.0.0.1:7020] [--seed 1]

Each message is a checked frame: a header of 13 bytes, then JSON. All numbers are big-endian.

    magic 0x424D (2) | version 1 (1) | kind, 1 is text (2) | length of the body (4) | CRC-32 (4) | body

The checksum covers the nine bytes before it and the body.
"""

import argparse
import json
import random
import socket
import struct
import sys
import threading
import time
import zlib

MAGIC, VERSION, TEXT = 0x424D, 1, 1
FIELDS = struct.Struct(">HBHI")  # magic, version, kind, length
CHECKSUM = struct.Struct(">I")
IMPLAUSIBLE = 999.0


def frame(body: bytes) -> bytes:
    fields = FIELDS.pack(MAGIC, VERSION, TEXT, len(body))
    return fields + CHECKSUM.pack(zlib.crc32(fields + body)) + body


def frames(connection: socket.socket):
    """The bodies that come, until the gateway ends the connection."""
    with connection.makefile("rb") as stream:
        while fields := stream.read(FIELDS.size):
            magic, version, _, length = FIELDS.unpack(fields)
            (checksum,) = CHECKSUM.unpack(stream.read(CHECKSUM.size))
            body = stream.read(length)
            if (magic, version) != (MAGIC, VERSION) or checksum != zlib.crc32(fields + body):
                raise ValueError(f"a frame that is not sound: {fields.hex()}")
            yield body


def messages(device: str, count: int, rng: random.Random):
    for sequence in range(1, count + 1):
        if sequence % 7 == 0:
            yield {"type": "alarm", "device": device, "sequence": sequence, "what": "door open"}
        else:
            value = IMPLAUSIBLE if sequence % 5 == 0 else round(rng.gauss(21.0, 2.0), 2)
            yield {"type": "reading", "device": device, "sequence": sequence, "value": value}


def run(device: str, address: tuple[str, int], options: argparse.Namespace, results: dict) -> None:
    acknowledged = []
    implausible = 0
    try:
        with socket.create_connection(address) as connection:
            reader = threading.Thread(target=lambda: acknowledged.extend(map(json.loads, frames(connection))))
            reader.start()
            for message in messages(device, options.messages, random.Random(f"{options.seed} {device}")):
                implausible += message.get("value") == IMPLAUSIBLE
                connection.sendall(frame(json.dumps(message).encode()))
                time.sleep(options.interval)
            # No more from us. The gateway tells the services, brings their last answers, and ends its side.
            connection.shutdown(socket.SHUT_WR)
            reader.join()
    except OSError as error:
        print(f"{device}: {error}; are the gateway and both services running?", file=sys.stderr)
    expected = options.messages - implausible
    by = {name: sum(answer["by"] == name for answer in acknowledged) for name in ("timeseries", "alarms")}
    print(
        f"{device}: sent {options.messages}, of these {implausible} implausible; acknowledged {len(acknowledged)}"
        f" ({by['timeseries']} by timeseries, {by['alarms']} by alarms)"
    )
    results[device] = len(acknowledged) == expected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=3)
    parser.add_argument("--messages", type=int, default=20)
    parser.add_argument("--interval", type=float, default=0.2, help="seconds between two messages")
    parser.add_argument("--address", default="127.0.0.1:7020")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    results: dict[str, bool] = {}
    devices = [
        threading.Thread(target=run, args=(f"device-{n}", (host, int(port)), options, results))
        for n in range(1, options.devices + 1)
    ]
    for device in devices:
        device.start()
    for device in devices:
        device.join()
    if not all(results.values()):
        sys.exit("not everything that could be true was acknowledged")


if __name__ == "__main__":
    main()
