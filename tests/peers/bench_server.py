"""A WebSocket server for `weir bench`, on `websockets`: what it does with messages depends on the path.

    /echo          sends each back
    /drop          not the fifth of each ten
    /double        the fifth of each ten twice
    /reorder       the fifth of each ten after the sixth
    /wrap          four at a time, as one message of JSON
    /cut           as a stream: each in three messages, cut in the middle of the payload
    /fragments     in fragments
    /ping          only when a ping was answered
    /stall         the hundredth of a connection only after a second, and those behind it after that
    /close         closes with code 4000 at the fiftieth
    /refuse        no WebSocket: status 403
    /pubsub        lines as NATS has them: SUB, PUB, PING, PONG; nobody is subscribed before it has answered a ping
    /pubsub-lossy  the same, and the first subscriber of each group misses the fifth of each ten

Says {"port": …} when it listens.
"""

import asyncio
import json
from collections import defaultdict
from http import HTTPStatus

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

groups: dict[bytes, list] = defaultdict(list)


def as_text(message: str | bytes) -> str:
    return message if isinstance(message, str) else message.decode()


async def release(socket, held: list, message) -> None:
    """Sends what is held, if it is this."""
    if held and held[0] is message:
        await socket.send(held.pop())


async def answer(socket, path: str) -> None:
    held = []
    number = 0
    async for message in socket:
        number += 1
        fifth = number % 10 == 5
        match path:
            case "/drop" if fifth:
                pass
            case "/double" if fifth:
                await socket.send(message)
                await socket.send(message)
            case "/reorder" if fifth:
                held.append(message)
                # The last one is not lost for want of one behind it.
                later = lambda late: asyncio.create_task(release(socket, held, late))
                asyncio.get_running_loop().call_later(0.2, later, message)
            case "/reorder" if held:
                late = held[0]
                await socket.send(message)
                await release(socket, held, late)
            case "/wrap":
                held.append(as_text(message))
                if len(held) == 4:
                    await socket.send(json.dumps({"items": held}))
                    held = []
            case "/cut":
                whole = b"MSG " + as_text(message).encode() + b"\r\n"
                first = 4 + number % 24
                for part in (whole[:first], whole[first : first + 3], whole[first + 3 :]):
                    await socket.send(part)
            case "/fragments":
                third = len(message) // 3
                await socket.send([message[:third], message[third : 2 * third], message[2 * third :]])
            case "/ping":
                await (await socket.ping())
                await socket.send(message)
            case "/stall" if number == 100:
                await asyncio.sleep(1)
                await socket.send(message)
            case "/close" if number == 50:
                await socket.close(4000, "enough")
            case _:
                await socket.send(message)


async def pubsub(socket, lossy: bool) -> None:
    wanted, rest, published = [], b"", 0
    await socket.send(b"INFO {}\r\n")
    async for message in socket:
        rest += message if isinstance(message, bytes) else message.encode()
        while b"\r\n" in rest:
            line, rest = rest.split(b"\r\n", 1)
            word, *words = line.split(b" ")
            match word:
                case b"SUB":
                    wanted.append(words[0])
                case b"PING":
                    await socket.send(b"PING\r\n")
                case b"PONG":
                    for group in wanted:
                        groups[group].append(socket)
                    wanted = []
                    await socket.send(b"READY\r\n")
                case b"PUB":
                    size = int(words[1])
                    while len(rest) < size + 2:
                        more = await socket.recv()
                        rest += more if isinstance(more, bytes) else more.encode()
                    payload, rest = rest[:size], rest[size + 2 :]
                    published += 1
                    told = b"MSG %s 1 %d\r\n%s\r\n" % (words[0], size, payload)
                    for at, subscriber in enumerate(groups[words[0]]):
                        if not (lossy and at == 0 and published % 10 == 5):
                            try:
                                await subscriber.send(told)
                            except ConnectionClosed:
                                pass
    for subscribers in groups.values():
        if socket in subscribers:
            subscribers.remove(socket)


async def handle(socket) -> None:
    path = socket.request.path
    try:
        if path.startswith("/pubsub"):
            await pubsub(socket, path == "/pubsub-lossy")
        else:
            await answer(socket, path)
    except ConnectionClosed:
        pass


def refuse(connection, request):
    if request.path == "/refuse":
        return connection.respond(HTTPStatus.FORBIDDEN, "not here\n")
    return None


async def main() -> None:
    server = await serve(handle, "127.0.0.1", 0, process_request=refuse, compression=None)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
