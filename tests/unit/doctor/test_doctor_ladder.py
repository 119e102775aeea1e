"""Each rung, broken in the way that it breaks in real life, against real sockets and a real sshd."""

from __future__ import annotations

import getpass
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from roundsman.doctor import Become, HostReport, HostTarget, Status, ladder, probe_all, probe_host
from roundsman.doctor.on_host import SshShell
from tests.alertmanager import wait_for
from tests.ports import free_port, refusing_port

from .conftest import Web1, keygen, sshd

# For each rung, where it is not about the limit: other tests are at work on the same machine.
PATIENT_S = 60


def rungs(report: HostReport) -> list[tuple[str, str]]:
    return [(finding.rung, finding.status.value) for finding in report.findings]


def fell(report: HostReport, rung: str) -> tuple[str, str]:
    """The message and remedy of the rung where the climb ended."""
    last = report.findings[-1]
    assert (last.rung, last.status) == (rung, Status.FAILED), report.to_dict()
    assert last.remedy
    return last.message, last.remedy


def test_a_good_host_holds_on_every_rung(web1: Web1) -> None:
    report = probe_host(web1.target(), PATIENT_S)
    expected = ["name", "tcp", "banner", "host_key", "authentication", "python"]
    assert rungs(report) == [(rung, "ok") for rung in expected], report.to_dict()
    assert report.status is Status.OK


def test_a_name_that_does_not_resolve(web1: Web1) -> None:
    message, _ = fell(probe_host(web1.target(address="web1.invalid"), PATIENT_S), "name")
    assert "web1.invalid does not resolve" in message


def test_nobody_listens(web1: Web1) -> None:
    message, remedy = fell(probe_host(web1.target(port=refusing_port()), PATIENT_S), "tcp")
    assert "refused" in message
    assert "systemctl status ssh" in remedy


def test_packets_vanish(web1: Web1) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        message, remedy = fell(probe_host(web1.target(port=port), 2), "tcp")
        for sock in waiting:
            sock.close()
    assert "no answer within 2 s" in message
    assert "firewall" in remedy


def test_a_hung_host_accepts_and_says_nothing(web1: Web1, listener) -> None:
    message, _ = fell(probe_host(web1.target(port=listener(None)), 2), "banner")
    assert "no SSH banner within 2 s" in message


def test_a_host_that_hangs_up_at_once(web1: Web1, listener) -> None:
    message, remedy = fell(probe_host(web1.target(port=listener(b"")), PATIENT_S), "banner")
    assert "before it closed the connection" in message
    assert "MaxStartups" in remedy


def test_a_port_of_another_service(web1: Web1, listener) -> None:
    report = probe_host(web1.target(port=listener(b"220 mail.example ESMTP\r\n")), PATIENT_S)
    message, remedy = fell(report, "banner")
    assert "does not speak SSH; it says '220 mail.example ESMTP'" in message
    assert "ansible_port" in remedy
    assert report.duration_s < PATIENT_S / 2


def test_an_unknown_host_key_gets_no_credentials(web1: Web1) -> None:
    web1.known_hosts.write_text("")
    attempts = authentications(web1)
    message, remedy = fell(probe_host(web1.target(password="secret"), PATIENT_S), "host_key")
    assert fingerprint(web1, "host") in message
    assert "compare" in remedy
    assert f"ssh-keyscan -t ed25519 -p {web1.port} 127.0.0.1 >> {web1.known_hosts}" in remedy
    assert authentications(web1) == attempts


def test_the_advice_for_an_unknown_key_works(web1: Web1) -> None:
    web1.known_hosts.write_text("")
    _, remedy = fell(probe_host(web1.target(), PATIENT_S), "host_key")
    subprocess.run(remedy.split("if it is the same: ")[1], shell=True, check=True, capture_output=True)
    assert probe_host(web1.target(), PATIENT_S).status is Status.OK


def test_a_changed_host_key_gets_no_credentials(web1: Web1) -> None:
    web1.know(f"[127.0.0.1]:{web1.port} {web1.host_key('other')}")
    attempts = authentications(web1)
    message, remedy = fell(probe_host(web1.target(password="secret"), PATIENT_S), "host_key")
    assert "HOST KEY CHANGED" in message
    assert fingerprint(web1, "host") in message
    assert fingerprint(web1, "other") in message
    assert f"ssh-keygen -R '[127.0.0.1]:{web1.port}' -f {web1.known_hosts}" in remedy
    assert authentications(web1) == attempts


def test_the_advice_for_a_changed_key_works(web1: Web1) -> None:
    web1.know(f"[127.0.0.1]:{web1.port} {web1.host_key('other')}")
    _, remedy = fell(probe_host(web1.target(), PATIENT_S), "host_key")
    subprocess.run(remedy.split("if it is the same: ")[1], shell=True, check=True, capture_output=True)
    assert probe_host(web1.target(), PATIENT_S).status is Status.OK


def test_a_hashed_known_hosts_file_and_a_key_alias(web1: Web1) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(web1.known_hosts)], check=True, capture_output=True)
    assert web1.known_hosts.read_text().startswith("|1|")
    assert probe_host(web1.target(), PATIENT_S).status is Status.OK
    web1.know(f"shop {web1.host_key()}")
    aliased = web1.target(ssh_args=(*web1.target().ssh_args, "-o", "HostKeyAlias=shop"))
    assert probe_host(aliased, PATIENT_S).status is Status.OK


def test_a_key_that_the_host_does_not_know(web1: Web1) -> None:
    stranger = web1.folder / "stranger"
    message, remedy = fell(probe_host(web1.target(private_key_file=str(stranger)), PATIENT_S), "authentication")
    assert f"does not let {getpass.getuser()} in" in message
    assert str(stranger) in message
    assert f"ssh-copy-id -i {stranger} -p {web1.port}" in remedy


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda key: key.unlink(), "does not exist"),
        (lambda key: key.chmod(0o644), "chmod 600"),
        (lambda key: key.write_text("no key"), "was not tried"),
    ],
)
def test_a_key_file_that_cannot_be_used(web1: Web1, tmp_path: Path, spoil, words: str) -> None:
    key = tmp_path / "key"
    keygen(key)
    spoil(key)
    message, _ = fell(probe_host(web1.target(private_key_file=str(key)), PATIENT_S), "authentication")
    assert words in message


def test_a_key_that_needs_its_passphrase(web1: Web1, tmp_path: Path) -> None:
    keygen(tmp_path / "key", passphrase="correct horse")
    message, _ = fell(probe_host(web1.target(private_key_file=str(tmp_path / "key")), PATIENT_S), "authentication")
    assert f"ssh-add {tmp_path / 'key'}" in message


def listens(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(place)) == 0


def test_a_key_that_only_the_agent_holds(web1: Web1, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
        wait_for(lambda: agent.poll() is not None or listens(place))
        subprocess.run(["ssh-add", "-q", str(web1.key)], check=True, capture_output=True)
        args = tuple(arg for arg in web1.target().ssh_args if "IdentityAgent" not in arg)
        args = tuple(arg for index, arg in enumerate(args) if index < len(args) - 1 or arg != "-o")
        report = probe_host(web1.target(private_key_file=None, ssh_args=args), PATIENT_S)
    finally:
        agent.terminate()
        agent.wait()
    assert report.status is Status.OK, report.to_dict()
    assert "the agent's ssh-ed25519 key" in report.findings[4].message


def test_a_password_in_a_vault_makes_it_a_warning_not_a_failure(web1: Web1) -> None:
    target = web1.target(private_key_file=str(web1.folder / "stranger"), unresolved=("ansible_password",))
    last = probe_host(target, PATIENT_S).findings[-1]
    assert (last.rung, last.status) == ("authentication", Status.WARNING)
    assert "ansible_password could not be tried" in last.message


def test_an_interpreter_that_is_not_there(web1: Web1) -> None:
    message, remedy = fell(probe_host(web1.target(python="/opt/none/python3"), PATIENT_S), "python")
    assert "/opt/none/python3 (ansible_python_interpreter) does not run" in message
    assert "ansible_python_interpreter" in remedy


def test_a_host_that_hangs_after_login(web1: Web1, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only from the login on: what comes before may take longer here.
    monkeypatch.setattr(ladder, "SshShell", lambda transport, _limit_s: SshShell(transport, 3))
    message, _ = fell(probe_host(web1.target(python="sleep 600;"), PATIENT_S), "python")
    assert "no answer within 3 s" in message


def test_sudo_refuses(web1: Web1, tmp_path: Path) -> None:
    """sudo's words from a stand-in, since the machine of the tests need not have sudo; tests/fleet has the real one."""
    stand_in = tmp_path / "sudo"
    stand_in.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    stand_in.chmod(0o755)
    become = Become(user="nobody", exe=str(stand_in))
    message, remedy = fell(probe_host(web1.target(become=become), PATIENT_S), "become")
    assert message == "sudo to nobody: sudo: a password is required"
    assert "ansible_become_password" in remedy


def test_the_become_password_goes_over_stdin(web1: Web1, tmp_path: Path) -> None:
    stand_in = tmp_path / "sudo"
    stand_in.write_text(
        '#!/bin/sh\nread -r given\n[ "$given" = "hunter two" ] || exit 1\n'
        'while [ "$1" != /bin/sh ]; do shift; done\nexec "$@"\n'
    )
    stand_in.chmod(0o755)
    become = Become(user="nobody", exe=str(stand_in), password="hunter two")
    report = probe_host(web1.target(become=become), PATIENT_S)
    assert report.status is Status.OK, report.to_dict()
    assert "hunter" not in str(report) + str(become) + str(web1.target(become=become, password="hunter"))


def test_a_proxy_command_carries_the_probe(web1: Web1) -> None:
    relay = "import socket,sys,threading,shutil,os\n"
    relay += "s=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
    relay += "def up():\n while (d:=os.read(0,4096)): s.sendall(d)\n"
    relay += "threading.Thread(target=up,daemon=True).start()\nwhile (d:=s.recv(4096)): os.write(1,d)\n"
    script = web1.folder / "relay.py"
    script.write_text(relay)
    through = (*web1.target().ssh_args, "-o", f"ProxyCommand=python3 {script} %h %p")
    report = probe_host(web1.target(ssh_args=through), PATIENT_S)
    assert rungs(report)[0] == ("tcp", "skipped")
    assert rungs(report)[-1] == ("python", "ok"), report.to_dict()


def test_a_jump_host_is_taken_as_ssh_takes_it(web1: Web1, tmp_path: Path) -> None:
    config = tmp_path / "config"
    me = getpass.getuser()
    keys = f"UserKnownHostsFile {web1.known_hosts}\nIdentityFile {web1.key}\nIdentityAgent none\nUser {me}\n"
    config.write_text(
        f"Host jump\nHostName 127.0.0.1\nPort {web1.port}\n{keys}\nHost db1\nHostName 127.0.0.1\nProxyJump jump\n{keys}"
    )
    target = HostTarget("db1", port=web1.port, ssh_args=("-F", str(config)), python=sys.executable)
    report = probe_host(target, PATIENT_S)
    assert rungs(report)[-1] == ("python", "ok"), report.to_dict()


def test_a_proxy_that_fails_says_why(web1: Web1) -> None:
    through = (*web1.target().ssh_args, "-o", "ProxyCommand=sh -c 'echo jump is down >&2; exit 1'")
    message, _ = fell(probe_host(web1.target(ssh_args=through), PATIENT_S), "banner")
    assert "jump is down" in message


def test_ssh_that_refuses_its_configuration(web1: Web1) -> None:
    message, _ = fell(probe_host(web1.target(ssh_args=("-o", "NoSuchOption=yes")), PATIENT_S), "ssh_config")
    assert "nosuchoption" in message.lower()


def test_too_many_keys_are_reported_as_such(tmp_path: Path, running_web1: Web1) -> None:
    for name in ("host", "client", *(f"key{n}" for n in range(4))):
        keygen(tmp_path / name)
    strict = Web1(tmp_path, free_port())
    strict.know()
    files = [f"IdentityFile={tmp_path / f'key{n}'}" for n in range(4)]
    args = (*strict.target().ssh_args, *(arg for file in files for arg in ("-o", file)))
    with sshd(tmp_path, strict.port, "MaxAuthTries 2"):
        report = probe_host(strict.target(private_key_file=None, ssh_args=args), PATIENT_S)
    message, _ = fell(report, "authentication")
    assert "too many" in message.lower()


def test_local_hosts_and_foreign_connections() -> None:
    local = probe_host(HostTarget("localhost", connection="local"), PATIENT_S)
    assert rungs(local)[0][0] == "python"
    windows = probe_host(HostTarget("win1", connection="winrm"), PATIENT_S)
    assert rungs(windows) == [("connection", "skipped")]
    hidden = probe_host(HostTarget("db1", unresolved=("ansible_host",), blocked="ansible_host"), PATIENT_S)
    assert rungs(hidden) == [("variables", "warning")]


def test_a_fleet_is_probed_side_by_side_and_reported_in_order(web1: Web1) -> None:
    hosts = [web1.target(name="web1"), web1.target(name="down", port=refusing_port()), web1.target(name="web2")]
    seen: list[str] = []
    reports = probe_all(hosts, timeout_s=PATIENT_S, on_report=lambda report: seen.append(report.host))
    assert [report.host for report in reports] == ["web1", "down", "web2"]
    assert sorted(seen) == ["down", "web1", "web2"]
    assert [report.status.value for report in reports] == ["ok", "failed", "ok"]


def test_the_package_is_cheap_to_import() -> None:
    code = "import sys, roundsman.doctor; print({'paramiko', 'cryptography', 'ansible'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def fingerprint(web1: Web1, name: str) -> str:
    command = ["ssh-keygen", "-lf", str(web1.folder / f"{name}.pub")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1]


def authentications(web1: Web1) -> int:
    """How often somebody tried to log in, as the server tells it, once all who were connected are gone."""
    server = psutil.Process(int((web1.folder / "pid").read_text()))
    wait_for(lambda: not server.children())
    log = (web1.folder / "log").read_text()
    return sum(word in line for line in log.splitlines() for word in ("Accepted", "Failed", "authenticating"))


def test_a_server_that_turns_this_address_away_is_not_taken_for_another_service(tmp_path: Path) -> None:
    """OpenSSH 9.8 and newer says this instead of a banner, after failed attempts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def turn_away() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"Not allowed at this time\r\n")

        threading.Thread(target=turn_away, daemon=True).start()
        target = HostTarget("web1", address="127.0.0.1", port=port, user="ops", ssh_args=("-F", "none"))
        *_, finding = probe_host(target, PATIENT_S).findings
    assert (finding.rung, finding.status) == ("banner", Status.FAILED)
    assert "turns this address away" in finding.message
    assert "wait" in (finding.remedy or "")
