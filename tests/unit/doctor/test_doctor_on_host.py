"""What the host's shell answers, and what doctor makes of it; and the rungs of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roundsman.doctor import Become, Fell, HostTarget, Status, check_controller
from roundsman.doctor.controller import collection_version, shadows, version_of
from roundsman.doctor.on_host import Answer, LocalShell, become_command, check_become, check_python


class Says:
    """A host that answers every command alike."""

    def __init__(self, status: int = 0, out: str = "", err: str = "") -> None:
        self.answer, self.asked = Answer(status, out, err), [("", "")]

    def run(self, command: str, stdin: str = "") -> Answer:
        self.asked.append((command, stdin))
        return self.answer


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (Says(0, "ROUNDSMAN-PROBE /usr/bin/python3 3.11.2\n"), "Python 3.11.2 at /usr/bin/python3"),
        (Says(0, "Hi!\nROUNDSMAN-PROBE /opt/my python/python3 3.8.0\n"), "Python 3.8.0 at /opt/my python/python3"),
        (Says(0, "ROUNDSMAN-PROBE /usr/bin/python3 3.7.3\n"), "Python 3.7.3 at /usr/bin/python3 is too old: 3.8"),
        (Says(0, "ROUNDSMAN-PROBE none\n"), "no Python 3 found"),
        (Says(1, "This account is not available.\n"), "does not run: This account is not available."),
        (Says(127, "ROUNDSMAN-PROBE tries /shims/python3.9\n", "no such version\n"), "/shims/python3.9, which Ansible"),
        (Says(127), "does not run: exit status 127, no message"),
    ],
)
def test_python(host: Says, words: str) -> None:
    try:
        finding = check_python(host, HostTarget("web1"), (3, 8))
    except Fell as fell:
        finding = fell.finding
    assert words in finding.message
    assert (finding.status is Status.OK) == (finding.remedy is None)


def test_a_host_without_any_python_is_told_from_a_broken_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roundsman.doctor.on_host.DISCOVERY", ("python3.99", "/nowhere/python3"))
    with pytest.raises(Fell) as fell:
        check_python(LocalShell(60), HostTarget("localhost"), (3, 8))
    assert fell.value.finding.message == "no Python 3 found on the host"


SUDO = Become("sudo", "root")


@pytest.mark.parametrize(
    ("become", "login", "unresolved", "status"),
    [
        (SUDO, "ops", (), Status.OK),
        (SUDO, "root", (), Status.OK),
        (Become("doas", "app"), "ops", (), Status.OK),
        (Become("pbrun"), "ops", (), Status.SKIPPED),
        (Become("su", password="x"), "ops", (), Status.SKIPPED),
        (SUDO, "ops", ("ansible_become_password",), Status.SKIPPED),
    ],
)
def test_become(become: Become, login: str, unresolved: tuple[str, ...], status: Status) -> None:
    host = Says(0, "ROUNDSMAN-PROBE became\n")
    assert check_become(host, become, login, unresolved).status is status


def test_commands_become_as_ansible_does_and_never_carry_the_password() -> None:
    assert become_command(SUDO) == "sudo -H -n -u root /bin/sh -c 'echo ROUNDSMAN-PROBE became'"
    assert become_command(Become("sudo", "o'neil")).split(" /bin/sh")[0] == """sudo -H -n -u 'o'"'"'neil'"""
    assert "hunter" not in become_command(Become("sudo", "root", None, "hunter"))


def test_the_controller_of_these_tests_is_fit(tmp_path: Path) -> None:
    findings = {finding.rung: finding for finding in check_controller({}, tmp_path)}
    for rung in ("controller_python", "ansible_core", "ansible_runner", "ssh_client", "collection"):
        assert findings[rung].status is Status.OK, findings[rung]


def test_a_copy_that_shadows_the_collection(tmp_path: Path) -> None:
    copy = tmp_path / ".ansible/collections/ansible_collections/roundsman/fleet"
    copy.mkdir(parents=True)
    (copy / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": "0.0.9"}}))
    last = check_controller({}, tmp_path)[-1]
    assert last.status is Status.WARNING
    assert f"0.0.9, at {copy}" in last.message
    assert shadows(copy, {}, tmp_path) == []
    assert shadows(copy.parent, {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path)}, tmp_path) == []


def test_versions(tmp_path: Path) -> None:
    assert version_of("2.19.4rc1") == (2, 19)
    assert version_of("devel") is None
    assert collection_version(tmp_path) == "of unknown version"
    (tmp_path / "galaxy.yml").write_text("name: fleet\nversion: 1.2.3\n")
    assert collection_version(tmp_path) == "1.2.3"
