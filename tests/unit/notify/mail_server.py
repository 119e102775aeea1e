"""A real mail server that accepts, rejects, greylists, hangs, or drops the line in the middle of a mail."""

from __future__ import annotations

import asyncio
import email
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.ports import free_port

PASSWORD = "geheim-0815"
# Longer than anybody waits, and than a machine that is busy with other tests makes anybody wait.
HANG_S = 600
Encryption = Literal["starttls", "tls", "none"]


class MailServer:
    """What a test tells the server to do next, and what the server got."""

    def __init__(self) -> None:
        self.answers: dict[str, list[str]] = {}  # verb -> what to answer the next times, instead of accepting
        self.mails: list[EmailMessage] = []
        self.ways: list[dict[str, Any]] = []  # of each mail: from, to, user, encrypted
        self.port = 0

    def next(self, verb: str) -> str | None:
        answers = self.answers.get(verb)
        return answers.pop(0) if answers else None

    async def take_sender(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.next("MAIL")
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 OK"

    async def take_recipient(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.next("RCPT")
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def take_mail(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.next("DATA")
        if answer == "hang":
            await asyncio.sleep(HANG_S)
        if answer is None:
            self.mails.append(email.message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
            user = session.auth_data.login.decode() if session.auth_data else None
            way = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "user": user, "encrypted": bool(session.ssl)}
            self.ways.append(way)
        return answer or "250 OK: queued"


async def _data(smtp: SMTP, arg: str) -> None:
    if smtp.event_handler.server.next("drop"):
        await smtp.push("354 go ahead")
        smtp.transport.abort()
        return
    await SMTP.smtp_DATA(smtp, arg)


async def _quit(smtp: SMTP, arg: str) -> None:
    if smtp.event_handler.server.next("QUIT"):
        await asyncio.sleep(HANG_S)
    await SMTP.smtp_QUIT(smtp, arg)


# The names by which aiosmtpd finds what answers a verb.
_Smtp = type("_Smtp", (SMTP,), {"smtp_DATA": _data, "smtp_QUIT": _quit})


class _Controller(Controller):
    def factory(self) -> Any:
        return _Smtp(self.handler, **self.SMTP_kwargs)


def _judge(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
    right = isinstance(given, LoginPassword) and given.password == PASSWORD.encode()
    return AuthResult(success=right, handled=False, auth_data=given)


@contextmanager
def mail_server(encryption: Encryption = "none", pem: Path | None = None) -> Iterator[MailServer]:
    """Takes anybody's mail unencrypted, and with `pem` (key and certificate) that of who knows PASSWORD."""
    server = MailServer()
    server.port = free_port()
    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": server.port, "ready_timeout": 60}
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        options |= {"authenticator": _judge, "auth_required": True}
        if encryption == "tls":
            options |= {"ssl_context": context, "auth_require_tls": False}
        else:
            options |= {"tls_context": context, "require_starttls": True}
    hooks = {"handle_MAIL": server.take_sender, "handle_RCPT": server.take_recipient, "handle_DATA": server.take_mail}
    controller = _Controller(SimpleNamespace(server=server, **hooks), **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop(no_assert=True)
