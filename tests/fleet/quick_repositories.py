"""Puts an empty repository that opens at once where a host of a fleet keeps its backups.

restic spends half a second of CPU on each opening of a repository that it made itself, and a fleet's rounds open
theirs many times. What is proven about Roundsman making a repository needs `fleet.quick_repositories = False`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fleet.backup_server import FOLDER, PORT
from tests.fleet.roundsman import PASSWORD, PASSWORD_VARIABLE
from tests.unit.backup import quick_repository

if TYPE_CHECKING:
    from tests.fleet.host import Host

DEFAULT = "/var/backups/roundsman"
ON_SERVER = (
    re.compile(rf"rest:http://(?P<address>[\d.]+):{PORT}/(?P<name>[^/]+)/"),
    re.compile(rf"sftp:ops@(?P<address>[\d.]+):{FOLDER}/(?P<name>[^/]+)"),
)


def bring(host: Host, by_address: dict[str, Host]) -> None:
    """Make the repository of one host, wherever it is kept, unless something is there."""
    restic = shutil.which("restic")
    if restic is None:
        return
    keeper, path, owner = host, host.vars.get("roundsman_repository", DEFAULT), "root"
    for found in filter(None, (pattern.fullmatch(path) for pattern in ON_SERVER)):
        keeper, path, owner = by_address[found["address"]], f"{FOLDER}/{found['name']}", "ops"
    if not path.startswith("/"):
        return
    password = host.vars["roundsman_repository_password"]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "repository"
        quick_repository.make(Path(restic), made, PASSWORD if PASSWORD_VARIABLE in password else password)
        keeper.bring(made, path, owner)
