"""E-mail through a smarthost, without anything between us and its answers."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Literal

from roundsman import times
from roundsman.notify.channel import Outcome
from roundsman.notify.deadline import within
from roundsman.notify.letter import letter
from roundsman.notify.message import Message
from roundsman.notify.redact import redact

Tls = Literal["starttls", "tls", "none"]
_GOODBYE_S = 1.0


@dataclass(frozen=True)
class Email:
    """One mail to one address for each message."""

    to: str
    sender: str
    host: str
    port: int
    tls: Tls = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0

    def problem(self) -> str | None:
        for name, address in (("to", self.to), ("from", self.sender)):
            if not _domain(address) or not (address.isascii() and address.isprintable()):
                return f"{name} is not an e-mail address of ASCII characters"
        if self.username and self.tls == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            return "a password is sent with tls: starttls or tls: tls only, unless the smarthost is this machine"
        return None

    def send(self, message: Message) -> Outcome:
        if problem := self.problem():
            return Outcome(ok=False, permanent=True, detail=problem)
        mail = letter(message, sender=self.sender, to=self.to, domain=_domain(self.sender), now=times.now())
        try:
            return within(self.timeout_s, lambda: self._talk(mail.as_bytes()))
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return self._failure(error)

    def _talk(self, mail: bytes) -> Outcome:
        client = self._connected()
        try:
            if self.username:
                client.login(self.username, self.password or "")
            client.sendmail(parseaddr(self.sender)[1], [parseaddr(self.to)[1]], mail)
            return Outcome(ok=True, detail=f"accepted by {self.host}")
        finally:
            # The mail is on its way or not, whatever becomes of the goodbye.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                if client.sock:
                    client.sock.settimeout(_GOODBYE_S)
                client.quit()
            client.close()

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_s, context=context)
        client = smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
        try:
            if self.tls == "starttls":
                client.starttls(context=context)
        except BaseException:
            client.close()
            raise
        return client

    def _failure(self, error: Exception) -> Outcome:
        code = 0
        match error:
            case TimeoutError():
                words = f"no answer within {self.timeout_s:g} s"
            case smtplib.SMTPRecipientsRefused():
                ((code, reply),) = error.recipients.values()
                words = f"{code} {_text(reply)}"
            case smtplib.SMTPAuthenticationError():
                # A person mends it within the day, so it is no reason to give up.
                words = f"user or password is not taken: {error.smtp_code} {_text(error.smtp_error)}"
            case smtplib.SMTPResponseException():
                code, words = error.smtp_code, f"{error.smtp_code} {_text(error.smtp_error)}"
            case ssl.SSLCertVerificationError():
                words = f"its certificate is not trusted: {error.verify_message}"
            case _:
                words = f"{type(error).__name__}: {error}"
        detail = redact(f"{self.host}: {words}", [self.password] if self.password else [])
        return Outcome(ok=False, permanent=500 <= code < 600, detail=detail)


def _domain(address: str) -> str:
    """What follows the @; empty when it is no address."""
    name, _, domain = parseaddr(address)[1].rpartition("@")
    return domain if name and not any(char.isspace() for char in domain) else ""


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
