"""Errors in journals and log files of real hosts: each counts once, whatever happens to the log between two looks."""

from __future__ import annotations

import json
import time

import pytest

from tests.fleet.looking import look
from tests.fleet.roundsman import Roundsman, kill_everything
from tests.fleet.test_health import by_id, sweep
from tests.fleet.waiting import until

LOGROTATE = """%(path)s {
    rotate 4
    size 1
    %(how)s
}
"""


class Watch:
    """Checks of a host that go on where they stopped, from round to round, sent as the action plugin sends them."""

    def __init__(self, host, *checks, user="root"):
        self.host, self.checks, self.user = host, list(checks), user
        self.left = {}

    def look(self):
        """The results by id."""
        return by_id({"checks": look(self.host, *self.checks, user=self.user, left=self.left)})

    def one(self):
        (result,) = self.look().values()
        return result


def counted(result):
    """How many journal entries a result is about."""
    return int(result["perfdata"].rpartition("'entries'=")[2].partition(";")[0])


@pytest.fixture(scope="module")
def alba(shared_fleet):
    host = shared_fleet.host("alba")
    # A journal that survives a reboot, and takes a flood.
    host.write("/etc/systemd/journald.conf.d/fleet.conf", "[Journal]\nStorage=persistent\nRateLimitBurst=0\n")
    host.run("systemctl restart systemd-journald")
    return host


def complain(host, *messages, priority="err"):
    for message in messages:
        host.run(f"systemd-cat -t shop -p {priority}", text_in=message + "\n")
    host.run("journalctl --sync")


def test_entries_of_the_journal_count_once_through_vacuum_and_reboot(alba):
    watch = Watch(alba, {"type": "journal", "match": "^shop", "ignore": "expected"})
    complain(alba, "shop 1", "shop 2", "shop expected", "other")
    complain(alba, "shop is fine", priority="info")
    first = watch.one()
    assert (counted(first), "in 15 min" in first["message"]) == (2, True)
    assert first["message"].endswith(": shop 2")
    nothing = watch.one()
    assert (counted(nothing), nothing["status"]) == (0, "OK")

    complain(alba, "shop 3")
    alba.run("journalctl --rotate --vacuum-time=1s")
    complain(alba, "shop 4", "shop 5")
    after = watch.one()
    assert (counted(after), after["status"]) in [(2, "WARNING"), (3, "WARNING")]  # 3 may be vacuumed

    complain(alba, "shop 6")
    alba.kill()
    alba.start()
    complain(alba, "shop 7")
    assert counted(watch.one()) == 2


def test_units_and_messages_that_are_no_text(alba):
    watch = Watch(alba, {"type": "journal", "units": ["shop*.service"], "match": "broken"})
    script = r"printf '<3>\377\376 broken \000\001 \n<3>broken, password=hunter2\n<6>broken but fine\n'"
    alba.run(f"systemd-run --quiet --wait --unit=shop-1 sh -c {json.dumps(script)}")
    complain(alba, "broken elsewhere")
    result = watch.one()
    assert counted(result) == 2
    assert "hunter2" not in str(result)
    assert "shop-1.service: broken, password=***" in result["message"]


def test_a_flood_is_cut_in_time(alba):
    watch = Watch(alba, {"type": "journal", "match": "^flood", "timeout": "30s"})
    alba.run("seq -f 'flood %g' 60000 | systemd-cat -t flood -p err; journalctl --sync")
    result = watch.one()
    assert (result["status"], "there are older ones that were not counted" in result["message"]) == ("WARNING", True)
    assert counted(result) > 5000
    assert counted(watch.one()) == 0


def test_who_may_not_read_the_journal_is_told_so(alba):
    watch = Watch(alba, {"type": "journal"}, user="ops")
    result = watch.one()
    assert (result["status"], result["message"]) == ("UNKNOWN", "no permission to read the system's journal")
    assert "systemd-journal" in result["remedy"]
    alba.run("usermod -aG systemd-journal ops")
    assert watch.one()["status"] != "UNKNOWN"
    alba.run("gpasswd -d ops systemd-journal")


def test_a_host_without_journal_is_no_failure_where_it_is_optional(alba):
    alba.run("mv /usr/bin/journalctl /usr/bin/journalctl.away")
    assert Watch(alba, {"type": "journal"}).one()["message"] == "journalctl is not installed"
    assert Watch(alba, {"type": "journal", "optional": True}).look() == {}
    alba.run("mv /usr/bin/journalctl.away /usr/bin/journalctl")


@pytest.mark.parametrize(
    ("name", "how"),
    [("renamed", "create"), ("copied", "copytruncate"), ("dated", "create\n    dateext\n    dateformat -%Y%m%d-%s")],
)
def test_what_logrotate_does_between_two_looks(alba, name, how):
    path = f"/var/log/{name}.log"
    alba.write("/etc/rotated.conf", LOGROTATE % {"path": path, "how": how})
    watch = Watch(alba, {"type": "logfile", "path": path, "regex": "ERROR"})
    alba.run(f"echo ERROR 1 >> {path}")
    assert watch.one()["value"] == 1
    alba.run(f"echo ERROR 2 >> {path}; logrotate --force /etc/rotated.conf && printf 'ERROR 3\\nERR' >> {path}")
    result = watch.one()
    assert (result["value"], "missed" in result["message"]) == (2, False), result["message"]
    alba.run(f"echo OR 4 >> {path}")
    assert watch.one()["value"] == 1


def test_what_logrotate_compressed_is_said_to_be_missed(shared_fleet, alba):
    path = "/var/log/packed.log"
    alba.write("/etc/rotated.conf", LOGROTATE % {"path": path, "how": "create\n    compress"})
    check = {"id": "log", "type": "logfile", "path": path, "regex": "ERROR"}
    plain = {"checks": [check], "become": True, "transport": "module"}
    alba.run(f"echo ERROR 1 >> {path}")
    first = sweep(shared_fleet, alba, **plain)["alba"]
    alba.run(f"echo ERROR 2 >> {path}; logrotate --force /etc/rotated.conf && echo ERROR 3 >> {path}")
    result = by_id(sweep(shared_fleet, alba, bookmarks=first["bookmarks"], **plain)["alba"])["log"]
    assert result["value"] == 1
    missed = f"{path} was rotated and compressed as {path}.1.gz: what it got after the last look is missed"
    assert missed in result["message"]


def test_two_gigabytes_of_log(alba):
    path = "/var/log/huge.log"
    growing = {"id": "growing", "type": "logfile", "path": path, "regex": "ERROR [0-9]+$", "timeout": "3s"}
    watch = Watch(alba, growing)
    alba.run(f"echo fine > {path}")
    watch.one()
    line = "2026-11-25T12:00:00 ERROR in something that goes on and on about what it tried to do for whom and why"
    alba.run(f"yes '{line}' | head -c 2G >> {path}; echo >> {path}; echo ERROR 7 >> {path}")
    fresh = {**growing, "id": "fresh"}
    watch.checks = [growing, fresh, {"id": "ssh", "type": "tcp", "port": 22, "warn": None}]
    results = watch.look()
    alba.run(f"truncate -s 0 {path}")

    assert "GiB behind, as the time limit ended the reading" in results["growing"]["message"]
    assert watch.left["growing"]["files"][0][3] > 100_000
    assert (results["fresh"]["value"], "behind" in results["fresh"]["message"]) == (1, False), results["fresh"]
    assert results["ssh"]["status"] == "OK"


def test_logs_that_are_no_text_or_may_not_be_read_or_are_not_there(alba):
    alba.run("(head -c 200000 /dev/urandom; printf '\\n\\377 ERROR \\200\\n') > /var/log/garbage.log")
    alba.run("install -m 0600 /dev/null /var/log/secret.log")
    checks = [
        {"id": name, "type": "logfile", "path": f"/var/log/{name}.log", "regex": "ERROR .$"}
        for name in ("garbage", "secret", "absent")
    ]
    results = Watch(alba, *checks, user="ops").look()
    assert results["garbage"]["value"] == 1
    assert results["secret"]["message"] == "no permission to read /var/log/secret.log"
    assert "roundsman_health_become" in results["secret"]["remedy"]
    assert results["absent"]["message"] == "/var/log/absent.log is not there"


def test_an_expression_that_never_ends_costs_its_check_only(alba):
    alba.run("printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\\n' > /var/log/evil.log")
    evil = {"id": "evil", "type": "logfile", "path": "/var/log/evil.log", "regex": "(a+)+$", "timeout": "2s"}
    results = Watch(alba, evil, {"id": "ssh", "type": "tcp", "port": 22, "warn": None}).look()
    assert results["evil"]["message"] == "no answer within 2 s"
    assert results["ssh"]["status"] == "OK"
    alba.run(until("! pgrep -f 'python3 -I -$'"))


def last_count(roundsman):
    """What the newest ledger says that the check counted, and None when it has no such record."""
    ledger = max((roundsman.state / "ledger").glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    records = [json.loads(line) for line in ledger.read_text().splitlines()]
    found = [check["value"] for one in records if one["kind"] == "health" for check in one["data"]["checks"]]
    return found[0] if found else None


def test_rounds_count_an_error_once_and_a_killed_one_loses_none(shared_fleet, tmp_path):
    bela = shared_fleet.host("bela")
    bela.run("echo ERROR 1 > /var/log/shop.log")
    check = {"type": "logfile", "path": "/var/log/shop.log", "regex": "ERROR", "crit": 0, "timeout": "20s"}

    def asked_for(*checks):
        bela.vars["roundsman_default_checks"] = checks
        return Roundsman(tmp_path, shared_fleet.inventory(hosts=[bela], path=tmp_path / "inventory.yml"))

    roundsman = asked_for(check)
    roundsman.run("health")
    assert last_count(roundsman) == 1

    bela.run("echo ERROR 2 >> /var/log/shop.log")
    # For so long that it is met on the way.
    process = asked_for(check, {"type": "cpu", "sample": "1min", "timeout": "2min"}).start("health")
    deadline = time.monotonic() + 120
    while bela.inside("pgrep", "-f", "python3 -I -c").returncode:
        assert (process.poll(), time.monotonic() < deadline) == (None, True)
        time.sleep(0.1)
    kill_everything(process)
    assert last_count(roundsman) is None

    asked_for(check)
    for expected in (1, 0):
        roundsman.run("health")
        assert last_count(roundsman) == expected
