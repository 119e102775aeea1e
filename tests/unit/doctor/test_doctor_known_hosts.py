"""Verdicts on host keys, by what known_hosts says."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from roundsman.doctor.known_hosts import Entry, Key, Verdict, judge, known_kinds, name_of, parse

WEB1, OTHER = Key("ssh-ed25519", b"web1"), Key("ssh-ed25519", b"other")
RSA = Key("ssh-rsa", b"web1 rsa")
AUTHORITY = Key("ssh-ed25519", b"authority")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("", Verdict.UNKNOWN),
        (f"db1 {WEB1.line}", Verdict.UNKNOWN),
        (f"web1 {WEB1.line}", Verdict.KNOWN),
        (f"WEB1,10.0.0.1 {WEB1.line} comment", Verdict.KNOWN),
        (f"web? {WEB1.line}", Verdict.KNOWN),
        (f"*,!web1 {WEB1.line}", Verdict.UNKNOWN),
        (f"web1 {OTHER.line}", Verdict.CHANGED),
        (f"web1 {OTHER.line}\nweb1 {WEB1.line}", Verdict.KNOWN),
        (f"web1 {RSA.line}", Verdict.CHANGED),
        (f"web1 {WEB1.line}\n@revoked * {WEB1.line}", Verdict.REVOKED),
        (f"@revoked web1 {OTHER.line}", Verdict.UNKNOWN),
        (f"@cert-authority web* {AUTHORITY.line}", Verdict.CERTIFIED),
        (f"@cert-authority web* {AUTHORITY.line}\nweb1 {WEB1.line}", Verdict.KNOWN),
        (f"# web1 {WEB1.line}\nweb1 ssh-ed25519\nweb1 ssh-ed25519 !!!\n|1|broken {WEB1.line}", Verdict.UNKNOWN),
    ],
)
def test_verdict(text: str, verdict: Verdict) -> None:
    assert judge(parse(text, "known_hosts"), "web1", WEB1).verdict is verdict


def test_a_changed_key_names_the_lines_to_remove() -> None:
    entries = parse(f"\nweb1 {OTHER.line}\n", "/etc/ssh/ssh_known_hosts")
    assert judge(entries, "web1", WEB1).entries == (Entry("", "web1", OTHER, "/etc/ssh/ssh_known_hosts", 2),)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"[web1]:2222 {WEB1.line}", Verdict.KNOWN),
        (f"web1 {WEB1.line}", Verdict.KNOWN),
        (f"web1 {OTHER.line}", Verdict.UNKNOWN),
        (f"[web1]:2223 {WEB1.line}", Verdict.UNKNOWN),
        (f"[web1]:2222 {OTHER.line}", Verdict.CHANGED),
    ],
)
def test_another_port(text: str, verdict: Verdict) -> None:
    assert judge(parse(text, "f"), name_of("web1", 2222, None), WEB1, "web1").verdict is verdict


def test_names() -> None:
    assert name_of("Web1", 22, None) == "web1"
    assert name_of("web1", 2222, None) == "[web1]:2222"
    assert name_of("web1", 2222, "shop") == "shop"


def test_known_kinds_are_asked_for_first() -> None:
    entries = parse(f"web1 {RSA.line}\n@revoked web1 {WEB1.line}\ndb1 {OTHER.line}", "f")
    assert known_kinds(entries, "web1") == ["ssh-rsa"]


def test_hashed_names_and_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    key, file = tmp_path / "key", tmp_path / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kind, blob = (tmp_path / "key.pub").read_text().split()[:2]
    offered = Key(kind, base64.b64decode(blob))
    file.write_text(f"[web1]:2222 {kind} {blob}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    entries = parse(file.read_text(), str(file))
    assert entries[0].hosts.startswith("|1|")
    assert judge(entries, "[web1]:2222", offered).verdict is Verdict.KNOWN
    assert judge(entries, "web1", offered).verdict is Verdict.UNKNOWN
    shown = subprocess.run(["ssh-keygen", "-lf", f"{key}.pub"], capture_output=True, text=True, check=True).stdout
    assert offered.fingerprint == shown.split()[1]
