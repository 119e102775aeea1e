"""From a receiver in the configuration to its channels."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import SecretStr

from roundsman import receivers_config
from roundsman.notify.alertmanager import Alertmanager
from roundsman.notify.apprise_channel import AppriseChannel
from roundsman.notify.channel import Channel, Target
from roundsman.notify.http import SCHEMES
from roundsman.notify.mail import Email
from roundsman.notify.pagerduty import PagerDuty
from roundsman.notify.webhook import Webhook
from roundsman.receivers_config import Receiver


def channels(receiver: Receiver) -> dict[str, Channel]:
    """The receiver's channels by a name that holds no secret: `team/url/1`, `team/webhook/1`, `team/pagerduty/1`."""
    found: dict[str, list[Channel]] = {
        "url": [open_url(Target(url.get_secret_value())) for url in receiver.urls],
        "webhook": [_webhook(hook) for hook in receiver.webhooks],
        "pagerduty": [
            PagerDuty(one.routing_key.get_secret_value(), one.url, one.timeout.total_seconds())
            for one in receiver.pagerduty
        ],
        "alertmanager": [
            Alertmanager(
                peer.url.get_secret_value(), _shown(peer.headers), peer.timeout.total_seconds(), peer.resolve_timeout
            )
            for peer in receiver.alertmanagers
        ],
        "email": [_email(mail, to) for mail in receiver.email for to in mail.to],
    }
    return {f"{receiver.name}/{kind}/{n}": channel for kind, same in found.items() for n, channel in enumerate(same, 1)}


def told_who_has_it(receiver: Receiver, known: Collection[str]) -> set[str]:
    """Which of the receiver's channels are told who acknowledges: if not all, then PagerDuty, which else pages on."""
    if receiver.notify_acknowledged:
        return set(known)
    return {f"{receiver.name}/pagerduty/{n}" for n in range(1, len(receiver.pagerduty) + 1)}


def _webhook(hook: receivers_config.Webhook) -> Webhook:
    secret = hook.secret.get_secret_value() if hook.secret else None
    url, headers = hook.url.get_secret_value(), _shown(hook.headers)
    return Webhook(Target(url, headers, hook.timeout.total_seconds(), secret))


def _email(mail: receivers_config.Email, to: str) -> Email:
    host, port = mail.server
    password = mail.password.get_secret_value() if mail.password else None
    return Email(to, mail.from_, host, port, mail.tls, mail.username, password, mail.timeout.total_seconds())


def _shown(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in headers.items()}


def open_url(target: Target) -> Channel:
    """`http://` and `https://` are webhooks; every other scheme is Apprise's."""
    return Webhook(target) if target.scheme in SCHEMES else AppriseChannel(target)
