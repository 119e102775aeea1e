"""A message as an e-mail: plain text, the same as HTML, and one thread for all news of an alert."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

from roundsman.notify.message import Message
from roundsman.notify.view import AlertView

_LONGEST_THREAD = 20  # ids in References: mail servers limit the length of a header
_PAGE = "<!DOCTYPE html>\n<html><body><h3>{title}</h3>\n<pre>{text}</pre></body></html>\n"
_URL = re.compile(r"https?://[^\s<>\"']+")


def letter(message: Message, *, sender: str, to: str, domain: str, now: datetime) -> EmailMessage:
    """The same message gets the same Message-ID at every attempt, so that mailboxes can tell a repeat."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = message.title
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message.key}@{domain}>"
    thread = _thread(message.alerts, domain)
    mail["In-Reply-To"] = thread[-1]
    mail["References"] = " ".join(thread)
    mail["Auto-Submitted"] = "auto-generated"
    # 8bit, the default, is not taken by every server.
    mail.set_content(message.text, cte="quoted-printable")
    mail.add_alternative(_page(message), subtype="html", cte="quoted-printable")
    return mail


def _thread(alerts: Sequence[AlertView], domain: str) -> list[str]:
    """The id of each alert in its present episode, the oldest first.

    No mail bears these ids. Readers put together what refers to the same id, so the mails of an alert are one thread
    from its opening to its end, and alerts that were ever told in one mail share theirs.
    """
    oldest_first = sorted(alerts, key=lambda alert: (alert.since, alert.fingerprint))
    return [f"<roundsman.{alert.fingerprint}.{alert.episode}@{domain}>" for alert in oldest_first[:_LONGEST_THREAD]]


def _page(message: Message) -> str:
    text = _URL.sub(r'<a href="\g<0>">\g<0></a>', html.escape(message.text))
    return _PAGE.format(title=html.escape(message.title), text=text)
