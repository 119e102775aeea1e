"""A host that keeps other hosts' restic repositories, over HTTP (rclone serve restic) and over SFTP (its sshd)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fleet.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.host import Host

PORT = 8000
FOLDER = "/srv/backup"
UNIT = """[Unit]
Description=restic repositories over HTTP
[Service]
User=ops
ExecStart=/usr/bin/rclone serve restic --addr :{port} {append_only} {folder}
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""


class BackupServer:
    """`host` is the server itself, for faults and for what only its administrator may do (forget, prune)."""

    def __init__(self, host: Host, client_key: Path, *, append_only: bool) -> None:
        self.host = host
        self._client_key = client_key
        unit = UNIT.format(port=PORT, folder=FOLDER, append_only="--append-only" if append_only else "")
        host.run(f"install -d -o ops -g ops {FOLDER}")
        host.write("/etc/systemd/system/rest-server.service", unit)
        host.run("systemctl daemon-reload && systemctl enable --quiet --now rest-server")
        # It answers 404 at its root.
        host.run(until(f"curl -so /dev/null http://localhost:{PORT}"))

    def rest(self, repository: str) -> str:
        """The address of a repository for restic over HTTP."""
        return f"rest:http://{self.host.address}:{PORT}/{repository}/"

    def sftp(self, repository: str) -> str:
        """The address of the same repository over SFTP; a client needs `trusted_by` first."""
        return f"sftp:ops@{self.host.address}:{FOLDER}/{repository}"

    def path(self, repository: str) -> str:
        """The folder of a repository on the server."""
        return f"{FOLDER}/{repository}"

    def trusted_by(self, client: Host) -> None:
        """Let root of another host in by SFTP, with this server's key known to it."""
        client.write("/root/.ssh/id_ed25519", self._client_key.read_text(), mode="0600")
        client.write("/root/.ssh/known_hosts", f"{self.host.address} {self.host.public_key}\n")
