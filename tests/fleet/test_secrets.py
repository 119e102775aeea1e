"""The repository password, and a password inside a repository's URL, are found nowhere they do not belong."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.fleet.roundsman import Roundsman, backed_up

if TYPE_CHECKING:
    from tests.fleet.hosts import Fleet

CHECKS = [{"type": "systemd"}]


class Watch:
    """Reads the argument lists of every process of this machine, its hosts' included, and every file in a folder."""

    def __init__(self, folder: Path, words: list[str]) -> None:
        self.found: set[str] = set()
        self.processes_seen = 0
        self._folder, self._secrets = folder, [word.encode() for word in words]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        seen: set[int] = set()
        while not self._over.is_set():
            for pid in psutil.pids():
                with contextlib.suppress(OSError):
                    self._look(f"arguments of {pid}", Path(f"/proc/{pid}/cmdline").read_bytes())
                    seen.add(pid)
            # What is there may be gone a moment later.
            for folder, _folders, files in os.walk(self._folder):
                for path in (Path(folder) / file for file in files):
                    with contextlib.suppress(OSError):
                        # Links lead to files that are seen themselves, or to memory.
                        self._look(path.name, b"" if path.is_symlink() else path.read_bytes())
        self.processes_seen = len(seen)

    def _look(self, where: str, content: bytes) -> None:
        if any(secret in content for secret in self._secrets):
            self.found.add(where)


def test_no_secret_is_anywhere(fleet: Fleet, tmp_path: Path) -> None:
    # Not those of other tests, which may run beside this one and are less careful.
    password, in_url = f"password-{secrets.token_hex(8)}", f"in-a-url-{secrets.token_hex(8)}"
    vault = fleet.backup_server("vault1")

    def remote(name: str) -> str:
        return vault.rest(name).replace("http://", f"http://{name}:{in_url}@")

    web1 = fleet.host("web1", variables=backed_up("/etc", roundsman_checks=CHECKS))
    web2 = fleet.host("web2", variables=backed_up("/etc", roundsman_checks=CHECKS, roundsman_repository=remote("web2")))
    # A failure is when careless programs quote what they were given.
    web3 = fleet.host(
        "web3", variables=backed_up("/etc", "/not/there", roundsman_checks=CHECKS, roundsman_repository=remote("web3"))
    )
    fleet.quick_repositories = False
    roundsman = Roundsman(tmp_path, fleet.inventory([web1, web2, web3]), password=password)

    with Watch(tmp_path, [password, in_url]) as watch:
        outputs = [
            roundsman.run("rounds", "-vvvv"),
            roundsman.run("backup", "verify", "--json"),
            roundsman.run("alerts", "list"),
        ]

    assert [output.returncode for output in outputs[:2]] == [2, 3], outputs[0].stdout + outputs[0].stderr
    assert watch.processes_seen > 50
    assert watch.found == set()
    for output in outputs:
        assert password not in output.stdout + output.stderr
        assert in_url not in output.stdout + output.stderr
    for host in (web1, web2, web3):
        for secret in (password, in_url):
            places = "/var/log /var/lib/roundsman /root /home /tmp /run/log"
            assert host.run(f"grep -rla -e {secret} {places} 2>/dev/null", check=False).stdout == ""
            assert host.run(f"journalctl --no-pager -o export | grep -a -c -e {secret}", check=False).stdout == "0\n"
