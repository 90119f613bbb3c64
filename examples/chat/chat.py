#!/usr/bin/env python3
"""A chat client for the terminal: lines over TCP. Needs nothing but Python 3.

    python3 chat.py NAME [HOST:PORT]
"""

import socket
import sys
import threading


def show(connection: socket.socket) -> None:
    """Prints every line that comes, until the gateway ends the connection."""
    with connection.makefile("r", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            print(line, end="", flush=True)


def main() -> None:
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    name = sys.argv[1]
    host, _, port = (sys.argv[2] if len(sys.argv) == 3 else "127.0.0.1:7010").rpartition(":")
    try:
        connection = socket.create_connection((host, int(port)))
    except OSError as error:
        sys.exit(f"cannot connect to {host}:{port}: {error}; is the gateway running?")
    print("connected; each line is a message, Ctrl-D ends", file=sys.stderr)
    reader = threading.Thread(target=show, args=(connection,), daemon=True)
    reader.start()
    try:
        for line in sys.stdin:
            if line.strip():
                connection.sendall(f"{name}: {line.strip()}\n".encode())
        # No more from us. The gateway delivers what it still has for us, then ends its side too.
        connection.shutdown(socket.SHUT_WR)
        reader.join(timeout=5)
    except (KeyboardInterrupt, BrokenPipeError, ConnectionResetError):
        pass


if __name__ == "__main__":
    main()
