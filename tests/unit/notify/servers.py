"""Real servers on loopback that accept, fail, hang, rate-limit and recover, one behaviour per connection."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import Any

# Longer than anybody waits, and than a machine that is busy with other tests makes anybody wait.
HANG_S = 600
SMTP_ANSWERS = {
    "EHLO": "250-mail.example\r\n250 AUTH PLAIN LOGIN",
    "AUTH": "235 welcome",
    "DATA": "354 go ahead",
    "QUIT": "221 bye",
}


class Server:
    """What a test tells the server to do next, and what the server got."""

    def __init__(self) -> None:
        self.behaviours: list[Any] = []  # taken from the front; empty: accept
        self.received: list[tuple[dict[str, str], Any]] = []  # headers and body of what was accepted
        self.bodies: list[bytes] = []
        self.answers_get: list[Any] = []  # statuses, or `hang`; empty: 200
        self.pings = 0
        self.requests = 0
        self.stop = threading.Event()
        self.port = 0

    @property
    def documents(self) -> list[Any]:
        return [body for _, body in self.received]

    def next(self) -> Any:
        self.requests += 1
        return self.behaviours.pop(0) if self.behaviours else "accept"


def _trickle(stream: BufferedIOBase, stop: threading.Event) -> None:
    """Every byte comes in time; the whole answer never does."""
    for char in "HTTP/1.0 200 OK\r\nX: " + "x" * 10 * HANG_S:
        stream.write(char.encode())
        if stop.wait(0.1):
            return


class QuietHTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        pass  # a client that gave up


@contextmanager
def http_server() -> Iterator[Server]:
    """Behaviours of POST: `accept`, `hang`, `trickle`, or a status with headers: (429, {"Retry-After": "7"})."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            behaviour = server.next()
            if behaviour == "hang":
                server.stop.wait(HANG_S)
                return
            if behaviour == "trickle":
                _trickle(self.wfile, server.stop)
                return
            status, headers = (200, {}) if behaviour == "accept" else behaviour
            if status == 200:
                server.bodies.append(body)
                server.received.append((dict(self.headers.items()), json.loads(body)))
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(b"you sent me: " + str(dict(self.headers)).encode())

        def do_GET(self) -> None:
            """As an Alertmanager that knows of no alert."""
            server.pings += 1
            answer = server.answers_get.pop(0) if server.answers_get else 200
            if answer == "hang":
                server.stop.wait(HANG_S)
                return
            self.send_response(answer)
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *args: Any) -> None:
            pass

    with running(QuietHTTPServer(("127.0.0.1", 0), Handler), server):
        yield server


@contextmanager
def smtp_server() -> Iterator[Server]:
    """Behaviours: `accept`, `hang`, or (code, {}) as the answer to MAIL."""
    server = Server()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            behaviour = server.next()
            if behaviour == "hang":
                server.stop.wait(HANG_S)
                return
            self.say("220 mail.example ESMTP")
            while line := self.rfile.readline():
                self.answer(line.decode().split()[0].upper(), behaviour)

        def answer(self, verb: str, behaviour: Any) -> None:
            refused = verb == "MAIL" and behaviour != "accept"
            self.say(f"{behaviour[0]} not now" if refused else SMTP_ANSWERS.get(verb, "250 fine"))
            if verb == "DATA" and behaviour != "accept":
                self.say("503 no mail")
            elif verb == "DATA":
                lines = iter(self.rfile.readline, b".\r\n")
                server.received.append(({}, b"".join(lines).decode()))
                self.say("250 taken")

    class Quiet(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *args: Any) -> None:
            pass

    with running(Quiet(("127.0.0.1", 0), Handler), server):
        yield server


@contextmanager
def running(listener: socketserver.TCPServer, server: Server, pem: Path | None = None) -> Iterator[None]:
    """Serve, with TLS when there is a file with key and certificate."""
    server.port = listener.server_address[1]
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop.set()
        listener.shutdown()
        listener.server_close()
        thread.join(60)
