"""What files are besides their bytes, and what commands dump, on real hosts of both releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fleet.roundsman import PASSWORD, Roundsman
from tests.fleet.test_drill import drilled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.hosts import Fleet

CHECK = 'echo "users=$(grep -c : "$ROUNDSMAN_COPY/passwd")"; test "$(id -un)" = ops; ! ip -o link | grep -v " lo"'


def test_another_host_checks_what_a_command_dumped_and_files_come_back_whole(fleet: Fleet, tmp_path: Path) -> None:
    vault = fleet.backup_server("vault1", append_only=True)
    app = fleet.host("app1", release="trixie")
    fleet.host("spare1")
    app.vars.update(
        roundsman_backups=[
            {"id": "users", "type": "custom", "dump": "getent passwd", "into": "passwd", "check": CHECK, "user": "ops"},
            {"id": "srv", "type": "files", "paths": ["/srv"], "one_file_system": True, "check": "test -s ./srv/one"},
        ],
        roundsman_repository=vault.rest("app1"),
        roundsman_repository_password=PASSWORD,
        roundsman_drill_host="spare1",
    )
    app.run(
        "mkdir -p /srv/disk /srv/a && mount -t tmpfs roundsman-test /srv/disk && echo x > /srv/disk/hidden && "
        "echo 1 > /srv/one && ln /srv/one /srv/a/two && mkfifo /srv/pipe && "
        'python3 -c \'import os; os.setxattr("/srv/one", "user.origin", bytes([99, 233, 10]))\''
    )
    roundsman = Roundsman(tmp_path, fleet.inventory())
    assert roundsman.run("backup", "run", "--limit", "app1").returncode == 0

    users, srv = drilled(roundsman, "--limit", "app1")

    assert (users["level"], users["outcome"], users["where"]) == ("proven", "ok", "spare1"), users
    assert {one["what"] for one in users["findings"]} == {"check", "users"}
    assert (srv["level"], srv["outcome"], srv["entries"]) == ("proven", "ok", 6), srv
