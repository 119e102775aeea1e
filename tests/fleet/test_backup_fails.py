"""A host that vanishes in mid-backup and one whose clock is set to 2099: a clear failure, an alert, no snapshot."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.fleet import faults
from tests.fleet.roundsman import Roundsman, backed_up

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.hosts import Fleet

# All Python of the host reads this clock; that of a container cannot be set by itself.
CLOCK = "/etc/python3.11/sitecustomize.py"
FUTURE = "import time\nright = time.time\ntime.time = lambda: right() + 73 * 365 * 86400\n"


def test_each_is_told_and_leaves_no_snapshot(fleet: Fleet, tmp_path: Path) -> None:
    slow = {"roundsman_backup_limit_upload_kib_s": 100}
    gone = fleet.host("gone1", variables=backed_up("/srv/data", **slow))
    future = fleet.host("future1", variables=backed_up("/etc"))
    fleet.host("sound1", variables=backed_up("/etc"))
    gone.run("mkdir /srv/data && head -c 20M /dev/urandom > /srv/data/file")
    future.write(CLOCK, FUTURE)
    roundsman = Roundsman(tmp_path, fleet.inventory())
    running = roundsman.start("backup", "run", "--json")
    end = time.monotonic() + 120
    while gone.inside("pgrep", "-f", "restic.* backup ").returncode:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)
    gone.suffer(faults.down)
    said, _ = running.communicate(timeout=600)

    assert running.returncode == 2, said
    alerts = {alert["host"]: alert for alert in roundsman.json("alerts", "list")}
    assert set(alerts) == {"gone1", "future1"}
    assert (alerts["future1"]["check"], alerts["future1"]["status"]) == ("backup:data", "CRITICAL")
    assert "s ahead of the controller's. Nothing was saved" in alerts["future1"]["message"]
    assert [one["host"] for one in roundsman.json("backup", "list")] == ["sound1"]

    gone.recover(faults.down)
    future.write(CLOCK, "")
    gone.vars.update(roundsman_backup_limit_upload_kib_s=0)
    fleet.inventory()
    assert roundsman.run("backup", "run").returncode == 0
    assert sorted(one["host"] for one in roundsman.json("backup", "list")) == ["future1", "gone1", "sound1"]
