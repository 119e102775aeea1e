"""Real servers on loopback, good and bad, and certificates made for them."""

import contextlib
import datetime
import http.server
import ipaddress
import socket
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# Another name of 127.0.0.1. It needs no resolver: a Debian fresh from debootstrap knows no localhost.
ALIAS = "127.1"


def certificate(folder, days_left, name="localhost"):
    """Path of a PEM file with key and self-signed certificate for `name` and 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    # Half a day more, so that "expires in N days" does not depend on how long the test takes.
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days_left, hours=12 * (days_left > 0))
    names = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=400))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}-{days_left}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


class Shop(http.server.BaseHTTPRequestHandler):
    """A site with a good page, a broken one, redirects, and a page that shows what it was asked with."""

    def do_GET(self):
        code, body, headers = 200, b"ready", {}
        if self.path == "/broken":
            code = 503
        elif self.path == "/slow":
            time.sleep(0.3)
        elif self.path == "/moved":
            code, headers = 302, {"Location": "/"}
        elif self.path == "/circle":
            code, headers = 302, {"Location": "/circle"}
        elif self.path == "/away":
            code, headers = 302, {"Location": f"http://{ALIAS}:{self.server.server_port}/headers"}
        elif self.path == "/file":
            code, headers = 302, {"Location": "file:///etc/passwd"}
        elif self.path == "/headers":
            body = str(self.headers).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@contextlib.contextmanager
def shop(pem=None):
    """The URL of a running Shop, with TLS when a certificate is given."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"{'https' if pem else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def listener(behave=lambda connection: time.sleep(600)):
    """The port of a server that accepts and then does with each connection whatever `behave` does."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _address = server.accept()
                threading.Thread(target=_quietly, args=(behave, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        # Closing alone does not wake a thread that waits in accept(), which keeps a descriptor reserved for ever.
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def _quietly(behave, connection):
    with contextlib.suppress(OSError), connection:
        behave(connection)


def drips(connection):
    """Sends a byte of a header now and then, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _byte in range(12000):
        connection.sendall(b"x")
        time.sleep(0.05)


def mumbles(connection):
    connection.sendall(b"220 mail.example ESMTP\r\n")


def hangs_up(connection):
    connection.recv(1000)


@contextlib.contextmanager
def full_backlog():
    """The port of a server that never accepts and whose queue is full: connecting takes for ever."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        waiting = [socket.socket() for _number in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        try:
            yield port
        finally:
            for client in waiting:
                client.close()
