"""Many clients at once, each with a message of 60 MiB in 60 KiB: prints the codes that they get.

    compression_bomb.py URL CLIENTS
"""

import asyncio
import json
import sys
import zlib

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def client(url: str, bomb: bytes, ready: asyncio.Barrier) -> int:
    async with connect(url) as socket:
        await ready.wait()
        socket.transport.write(bomb)
        try:
            await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code
    raise AssertionError("somebody heard a bomb")


async def main(url: str, clients: int) -> None:
    context = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = (context.compress(bytes(60 << 20)) + context.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert 125 < len(payload) < 65536
    bomb = b"\xc2\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload
    ready = asyncio.Barrier(clients)
    codes = await asyncio.gather(*(client(url, bomb, ready) for _ in range(clients)))
    print(json.dumps({"bombs": len(codes), "codes": sorted(set(codes))}))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
