"""Services: what has failed, what is stopped, what will expire."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from roundsman.insight.advice import Advice, Ansible, HostEvidence, Urgency, is_amiss, is_plain, items
from roundsman.times import span

_NAME = r"[A-Za-z0-9][A-Za-z0-9.-]*"
# As checks write where they look: a URL, `host:port`, `host:port (server name)`.
_ADDRESS = re.compile(rf"(?:https://)?({_NAME})(?::(\d+))?(?:/.*| \(({_NAME})\))?")
_LETS_ENCRYPT = re.compile(rf"/etc/letsencrypt/live/({_NAME})/[a-z0-9]+\.pem")
# Ports whose servers speak plainly first, and openssl's word for how they go on.
STARTTLS = {"25": "smtp", "587": "smtp", "110": "pop3", "143": "imap", "389": "ldap", "5432": "postgres"}
CERTIFICATES = ("certificate", "http")
# A renewal takes a person a day or two, and ought not to be the last thing of a week.
RENEW_WITHIN = timedelta(days=30)


def unit_failed(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """systemd calls a unit failed: start it anew."""
    for result in host.of_type("systemd"):
        if not is_amiss(result):
            continue
        unit, message = result.get("target") or "", result["message"]
        failed = [unit] if f"{unit} is failed" in message else []
        if not unit:
            failed = (result.get("details") or {}).get("failed") or []
        for name in filter(is_plain, failed):
            command = Ansible("systemd_service", f"name={name} state=restarted")
            yield Advice(host.host, Urgency.NOW, name, partial(_is, name, "has failed"), command, message)


def unit_is_stopped(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """A unit that has to be active is not, though it is installed: start it."""
    for result in host.of_type("systemd"):
        unit, message = result.get("target") or "", result["message"]
        if is_amiss(result) and is_plain(unit) and f"{unit} is inactive" in message and "masked" not in message:
            command = Ansible("systemd_service", f"name={unit} state=started")
            yield Advice(host.host, Urgency.NOW, unit, partial(_is, unit, "is stopped"), command, message)


def certificate_expires(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """A certificate is about to expire: renew it, or see who issued it."""
    for result in host.of_type(*CERTIFICATES):
        left = items(result).get("certificate")
        # Of several files, and of patterns, the message names the one that ends first.
        named = re.match(r"(/[^:;,\s]+): ", result["message"])
        where = named[1] if named else result.get("target") or ""
        command = _renewal(where)
        if left is None or command is None or not is_amiss(result) or left.value > RENEW_WITHIN.total_seconds():
            continue
        yield Advice(
            host.host, Urgency.NOW, where, partial(_expires, where), command, result["message"], left.value
        )


def _renewal(where: str) -> Ansible | None:
    """Certbot's certificates it can renew. Of any other, the file or the address tells who issued it."""
    lineage = _LETS_ENCRYPT.fullmatch(where)
    if lineage:
        return Ansible("command", f"certbot renew --cert-name {lineage[1]}")
    if where.startswith("/") and is_plain(where):
        return Ansible("command", f"openssl x509 -in {where} -noout -subject -issuer -enddate")
    address = _ADDRESS.fullmatch(where)
    if address is None:
        return None
    name, port = address[1], address[2] or "443"
    greeting = f" -starttls {STARTTLS[port]}" if port in STARTTLS else ""
    # With something to read it does not wait for a person to type.
    line = f"openssl s_client -connect {name}:{port} -servername {address[3] or name}{greeting} -showcerts stdin=Q"
    return Ansible("command", line)


def _is(unit: str, what: str, _amounts: Sequence[float]) -> str:
    return f"{unit} {what}"


def _expires(where: str, left_s: Sequence[float]) -> str:
    least = min(left_s)
    when = f"expires in {span(least)}" if least > 0 else f"expired {span(-least)} ago"
    return f"the certificate of {where} {when}"
