"""Mails to a real mail server, and what they look like in a mailbox."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from roundsman.notify.channel import Outcome
from roundsman.notify.mail import Email, Tls

from ..health.servers import certificate
from .cast import full_disk, heard, message, problem, repaired_disk
from .mail_server import HANG_S, PASSWORD, MailServer, mail_server

# The test server has to be told that it is encrypted from the start.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def channel(server: MailServer, tls: Tls = "none", **changes: object) -> Email:
    to, sender = "Bob <bob@example.org>", "Roundsman <rounds@example.org>"
    plain = Email(to, sender, "127.0.0.1", server.port, tls, timeout_s=60)
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_the_mail_of_a_full_disk(server: MailServer) -> None:
    outcome = channel(server).send(message())
    assert outcome == Outcome(ok=True, detail="accepted by 127.0.0.1")
    (mail,) = server.mails
    assert mail["Subject"] == "CRITICAL web3: /var 97% used"
    assert (mail["From"], mail["To"]) == ("Roundsman <rounds@example.org>", "Bob <bob@example.org>")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] is not None
    assert text(mail, "plain").splitlines() == message().text.splitlines()
    assert "<h3>CRITICAL web3: /var 97% used</h3>" in text(mail, "html")
    assert server.ways == [{"from": "rounds@example.org", "to": ["bob@example.org"], "user": None, "encrypted": False}]


def text(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_hostile_words_stay_words(server: MailServer) -> None:
    words = "<script>x</script>\r\nBcc: eve@example.org \udcff ü"
    assert channel(server).send(message(heard(problem("disk", words)))).ok
    (mail,) = server.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "CRITICAL web3: <script>x</script> Bcc: eve@example.org ü"
    assert "&lt;script&gt;" in text(mail, "html")
    assert "<script>" not in text(mail, "html")


def thread(mail: EmailMessage) -> list[str]:
    return str(mail["References"]).split()


def test_all_mails_of_an_alert_are_one_thread_and_a_repeat_is_the_same_mail(server: MailServer) -> None:
    mailer = channel(server)
    for news in (full_disk(), full_disk(), repaired_disk()):
        assert mailer.send(message(news)).ok
    first, repeat, end = server.mails
    assert first["Message-ID"] == repeat["Message-ID"] != end["Message-ID"]
    assert thread(first) == thread(end) == [first["In-Reply-To"]]


def test_the_next_episode_is_another_thread(server: MailServer) -> None:
    again = heard(problem("disk", "full"), problem("disk", "fine", "OK", 5), problem("disk", "full", minute=10))
    for news in (full_disk(), again):
        channel(server).send(message(news))
    first, second = server.mails
    assert not set(thread(first)) & set(thread(second))


def test_alerts_that_were_told_together_share_a_thread(server: MailServer) -> None:
    load = heard(problem("load", "load 9", minute=3))
    for news in ([full_disk()], [load, full_disk()], [load]):
        channel(server).send(message(*news))
    disk, both, alone = server.mails
    assert thread(both) == [*thread(disk), *thread(alone)], "the oldest first: readers hang the others below it"


REFUSALS = [
    # verb, answer, permanent
    ("MAIL", "451 4.7.1 greylisted, come back later", False),
    ("RCPT", "450 4.2.0 greylisted", False),
    ("RCPT", "550 5.1.1 no such user", True),
    ("MAIL", "553 5.1.8 who are you", True),
    ("DATA", "452 4.3.1 disk full", False),
    ("DATA", "554 5.7.1 this is spam", True),
    ("DATA", "421 4.3.2 shutting down", False),
]


@pytest.mark.parametrize(("verb", "answer", "permanent"), REFUSALS)
def test_refusals_are_quoted_and_told_apart(server: MailServer, verb: str, answer: str, permanent: bool) -> None:
    server.answers = {verb: [answer]}
    outcome = channel(server).send(message())
    assert outcome == Outcome(ok=False, permanent=permanent, detail=f"127.0.0.1: {answer}")
    assert server.mails == []
    assert channel(server).send(message()).ok, "the next attempt"


def test_a_line_that_drops_in_the_middle_of_a_mail_is_temporary(server: MailServer) -> None:
    server.answers = {"drop": ["now"]}
    outcome = channel(server).send(message())
    assert (outcome.ok, outcome.permanent, server.mails) == (False, False, [])


def test_a_server_that_hangs_over_a_mail_is_left_in_time(server: MailServer) -> None:
    server.answers = {"DATA": ["hang"]}
    began = time.monotonic()
    outcome = channel(server, timeout_s=0.5).send(message())
    assert (outcome.ok, outcome.permanent) == (False, False)
    assert time.monotonic() - began < HANG_S / 10


def test_a_mail_that_was_taken_is_sent_whatever_becomes_of_the_goodbye(server: MailServer) -> None:
    server.answers = {"QUIT": ["hang"]}
    assert channel(server).send(message()).ok
    assert len(server.mails) == 1


@pytest.fixture(params=["starttls", "tls"])
def encrypted(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Email]:
    """A channel to a server that wants a password, whose certificate is trusted as one of a company's own would be."""
    pem = certificate(tmp_path, 30)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with mail_server(request.param, pem) as server:
        yield channel(server, request.param, username="alice", password=PASSWORD)


def test_encrypted_and_with_a_password(encrypted: Email) -> None:
    assert encrypted.send(message()).ok


def test_a_certificate_that_nobody_vouches_for_is_not_taken(encrypted: Email, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    outcome = encrypted.send(message())
    assert (outcome.ok, outcome.permanent) == (False, False)
    assert "its certificate is not trusted: self-signed certificate" in outcome.detail


def test_a_certificate_for_another_name_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, 30, "elsewhere")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with mail_server("starttls", pem) as server:
        outcome = channel(server, "starttls").send(message())
    assert "its certificate is not trusted: IP address mismatch" in outcome.detail
    assert server.mails == []


def test_a_wrong_password_is_not_given_up_at_once_and_never_shown(encrypted: Email) -> None:
    outcome = replace(encrypted, password="wrong-password").send(message())
    assert (outcome.ok, outcome.permanent) == (False, False)
    assert "user or password is not taken: 535" in outcome.detail
    assert "wrong-password" not in outcome.detail + repr(encrypted)


def test_without_encryption_where_it_is_asked_for_nothing_is_sent(server: MailServer) -> None:
    outcome = channel(server, "starttls").send(message())
    assert (outcome.ok, server.mails) == (False, [])
    assert "STARTTLS" in outcome.detail


PROBLEMS = [
    ({"to": "bob"}, "to is not an e-mail address of ASCII characters"),
    ({"to": "bob@example.org\nBcc: eve@example.org"}, "to is not an e-mail address of ASCII characters"),
    ({"sender": "bøb@example.org"}, "from is not an e-mail address of ASCII characters"),
    ({"host": "mail.example.org", "username": "a", "password": "b"}, "a password is sent with tls: starttls or tls:"),
]


@pytest.mark.parametrize(("changes", "said"), PROBLEMS)
def test_what_cannot_work_is_found_before(server: MailServer, changes: dict[str, str], said: str) -> None:
    mailer = channel(server, **changes)
    assert str(mailer.problem()).startswith(said)
    assert mailer.send(message()).permanent
