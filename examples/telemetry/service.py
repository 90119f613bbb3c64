#!/usr/bin/env python3
"""A service behind the gateway: takes lines over TCP, prints them, and acknowledges each. Needs nothing but Python 3.

    python3 service.py NAME PORT
"""

import json
import socketserver
import sys


class Device(socketserver.StreamRequestHandler):
    """One connection of the gateway. Weir makes one for each device that has something for this service."""

    def handle(self) -> None:
        for line in self.rfile:
            text = line.decode().rstrip("\n")
            print(f"{self.server.name} <- {text}\n", end="", flush=True)  # one write, so that lines stay whole
            answer = {"ack": json.loads(text)["sequence"], "by": self.server.name}
            self.wfile.write((json.dumps(answer) + "\n").encode())


class Service(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with Service(("127.0.0.1", int(sys.argv[2])), Device) as service:
        service.name = sys.argv[1]
        print(f"{service.name} listens on 127.0.0.1:{sys.argv[2]}", flush=True)
        try:
            service.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
