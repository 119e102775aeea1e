"""Pending updates on a real host, from repositories that the test makes: apt, and dnf where apt is not."""

from __future__ import annotations

import pytest

from tests.fleet import base
from tests.fleet.package_repository import APT, DNF
from tests.fleet.test_health import sweep

OLD = "touch -d '12 days ago' /var/lib/apt/lists"


@pytest.fixture(scope="module")
def alba(shared_fleet):
    return shared_fleet.host("alba", tree=base.peer_tree)


@pytest.fixture
def look(shared_fleet, alba):
    def look(become=False, **keys):
        check = dict(keys, type="updates", timeout="1min")
        return sweep(shared_fleet, alba, checks=[check], become=become)["alba"]["checks"][0]

    return look


def test_updates_of_apt_are_counted_without_privilege(alba, look):
    alba.run(f"set -eu; {APT}")
    unknown = look()
    assert (unknown["status"], "were never fetched" in unknown["message"]) == ("UNKNOWN", True), unknown

    alba.run("apt-get update")
    pending = look()
    assert pending["status"] == "WARNING"
    words = "1 security updates (warn 0) (tool), 3 updates in all, held back: kept"
    assert (pending["message"], pending["value"]) == (words, 1)
    assert pending["details"] == {
        "manager": "apt",
        "security": 1,
        "all": 3,
        "security_packages": ["tool"],
        "held": ["kept"],
    }
    assert look(warn=None, all_crit="2")["status"] == "CRITICAL"

    alba.run("apt-get -qq -y install tool")
    done = look()
    assert (done["status"], done["message"]) == ("OK", "0 security updates, 2 updates in all, held back: kept")

    alba.run(OLD)
    stale = look()
    assert (stale["status"], "are 12 days old" in stale["message"]) == ("UNKNOWN", True), stale
    assert look(stale="warning")["status"] == "WARNING"

    # A refresh that fails must not pass for one that succeeded.
    alba.run("mv /srv/apt /srv/gone; apt-get update", check=False)
    assert "are 12 days old" in look()["message"]
    alba.run("mv /srv/gone /srv/apt")

    alba.run("dpkg -i --force-depends /srv/apt/elsewhere/pool/broken*.deb")
    broken = look()
    assert (broken["status"], broken["message"].startswith("apt-get cannot tell: ")) == ("UNKNOWN", True), broken
    assert broken["remedy"]


def test_updates_of_dnf_are_counted_by_root(alba, look):
    alba.run(f"set -eu; mv /usr/bin/apt-get /root; {DNF}")

    assert look()["remedy"].startswith("check as root")
    assert "were never fetched" in look(become=True)["message"]
    alba.run("dnf --quiet makecache")
    pending = look(become=True)

    assert pending["status"] == "WARNING", pending
    assert pending["message"] == "1 security updates (warn 0) (tool), 2 updates in all"
    assert pending["details"]["manager"] == "dnf"
    alba.run("mv /root/apt-get /usr/bin")
