"""Judges a host key against known_hosts files. Pure. The format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.

paramiko's own reader knows no patterns, no markers, and only the first key of a type; it would call good keys changed.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SSH_PORT = 22


class Verdict(StrEnum):
    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"
    CERTIFIED = "certified"  # only a certificate authority is known for the host; paramiko cannot judge that


@dataclass(frozen=True)
class Key:
    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def line(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True)
class Entry:
    marker: str
    hosts: str
    key: Key
    file: str
    line: int


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    entries: tuple[Entry, ...] = ()


def parse(text: str, file: str) -> list[Entry]:
    """Entries of one file; lines that are not entries are passed over, as ssh does."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        marker = fields.pop(0) if fields[0].startswith("@") else ""
        if len(fields) < 3:
            continue
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except binascii.Error:
            continue
        entries.append(Entry(marker, fields[0], Key(fields[1], blob), file, number))
    return entries


def name_of(host: str, port: int, alias: str | None) -> str:
    """The name under which ssh looks a host up; an alias stands without a port."""
    if alias:
        return alias
    return host.lower() if port == SSH_PORT else f"[{host.lower()}]:{port}"


def matches(hosts: str, name: str) -> bool:
    if hosts.startswith("|1|"):
        return _hash_matches(hosts, name)
    patterns = hosts.lower().split(",")
    name = name.lower()
    if any(p.startswith("!") and _like(p[1:], name) for p in patterns):
        return False
    return any(_like(p, name) for p in patterns if not p.startswith("!"))


def _like(pattern: str, name: str) -> bool:
    """Only * and ? are special; [ is part of `[host]:port`."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _hash_matches(hosts: str, name: str) -> bool:
    try:
        _, _, salt, digest = hosts.split("|")
        wanted = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(wanted, base64.b64decode(digest))
    except (ValueError, binascii.Error):
        return False


def known_kinds(entries: Iterable[Entry], name: str) -> list[str]:
    """Key types known for the host; asking the server for these first keeps a good host from looking changed."""
    return list(dict.fromkeys(e.key.kind for e in entries if not e.marker and matches(e.hosts, name)))


def judge(entries: Iterable[Entry], name: str, offered: Key, bare_name: str | None = None) -> Judgement:
    """`bare_name` is the host without its port: like ssh, we accept a matching key that is listed under it."""
    everything = list(entries)
    here = [e for e in everything if matches(e.hosts, name)]
    bare = [e for e in everything if bare_name and matches(e.hosts, bare_name)]
    same = [e for e in here + bare if e.key == offered]
    plain = [e for e in here if not e.marker]
    if revoked := [e for e in same if e.marker == "@revoked"]:
        return Judgement(Verdict.REVOKED, tuple(revoked))
    if good := [e for e in same if not e.marker]:
        return Judgement(Verdict.KNOWN, tuple(good))
    if authorities := [e for e in here if e.marker == "@cert-authority"]:
        return Judgement(Verdict.CERTIFIED, tuple(authorities))
    return Judgement(Verdict.CHANGED, tuple(plain)) if plain else Judgement(Verdict.UNKNOWN)
