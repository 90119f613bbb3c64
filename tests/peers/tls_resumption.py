"""Opens TLS connections, keeps the session of each, and comes back with them: how many were resumed.

Arguments: host, port, the number of connections, the version ("1.2" or "1.3")."""

import json
import socket
import ssl
import sys

host, port, count, version = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
# Who the server is, is looked at by other tests.
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]
MESSAGE = b"\0\0\0\5hello"


def connect(session=None):
    """One message there and back: a ticket of TLS 1.3 comes after the handshake, and is read with the answer."""
    with socket.create_connection((host, port), timeout=60) as plain:
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as secure:
            secure.sendall(MESSAGE)
            answer = b""
            while len(answer) < len(MESSAGE):
                part = secure.recv(len(MESSAGE) - len(answer))
                if not part:
                    raise SystemExit("the answer ends early")
                answer += part
            assert answer == MESSAGE, answer
            return secure.session, secure.session_reused, secure.session.has_ticket


first = [connect() for _ in range(count)]
assert not any(reused for _, reused, _ in first), "nobody was here before"
again = [connect(session) for session, _, _ in first]
print(json.dumps({
    "tickets": sum(ticket for _, _, ticket in first),
    "resumed": sum(reused for _, reused, _ in again),
}))
