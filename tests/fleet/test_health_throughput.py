"""Rates of real counters from round to round: of servers that are restarted meanwhile, of a network and of disks."""

from __future__ import annotations

import pytest

from tests.fleet import base
from tests.fleet.test_health_errors import Watch

STATUS = "server { listen 8080; location /status { stub_status; } location / { return 204; } }\n"
WORK = "curl -s 'localhost:8080/[1-500]'; redis-cli -r 500 ping > /dev/null; sleep 1"
REQUESTS = {"id": "requests", "type": "throughput", "source": "nginx", "url": "http://localhost:8080/status"}
COMMANDS = {"id": "commands", "type": "throughput", "source": "redis"}
MIB = 2**20


@pytest.fixture(scope="module")
def edge(shared_fleet):
    host = shared_fleet.host("edge", tree=base.servers_tree)
    host.write("/etc/nginx/sites-enabled/status", STATUS)
    host.run("systemctl start nginx redis-server")
    return host


def test_servers_are_compared_with_the_last_round_until_they_are_restarted(edge):
    watch = Watch(edge, REQUESTS, COMMANDS)
    watch.look()
    edge.run(WORK)
    busy = watch.look()
    edge.run("systemctl restart nginx redis-server; sleep 1.1")
    restarted = watch.look()
    edge.run(WORK)
    again = watch.look()
    for name in ("requests", "commands"):
        assert busy[name]["value"] > 15, busy
        assert (restarted[name]["status"], 0 <= restarted[name]["value"] < 10) == ("OK", True), restarted
        # Only the second for which it looks itself, or a little more on a machine that is hard at work.
        over_s = float(restarted[name]["message"].rpartition("over ")[2].removesuffix(" s"))
        assert 1 <= over_s < restarted[name]["duration_s"] + 0.1, restarted
        assert again[name]["value"] > 15, again


def test_servers_that_are_stopped_or_ask_for_a_password(edge):
    edge.run("systemctl stop nginx; redis-cli config set requirepass geheim")
    found = Watch(edge, REQUESTS, dict(COMMANDS, password="falsch")).look()
    right = Watch(edge, dict(COMMANDS, password="geheim")).one()
    edge.run("redis-cli -a geheim config set requirepass ''; systemctl start nginx")
    assert (found["requests"]["status"], "Connection refused" in found["requests"]["message"]) == ("CRITICAL", True)
    assert (found["commands"]["status"], "WRONGPASS" in found["commands"]["message"]) == ("UNKNOWN", True)
    assert "falsch" not in str(found)
    assert right["status"] == "OK"


def test_bytes_of_the_network_and_of_disks(edge):
    lines = edge.read("/proc/diskstats").splitlines()
    disks = [
        {"id": name, "type": "throughput", "source": "disk", "name": name} for name in (x.split()[2] for x in lines)
    ]
    link = edge.run(f"ip -o addr show to {edge.address}").stdout.split()[1]
    watch = Watch(
        edge, {"id": "link", "type": "throughput", "source": "network", "name": link, "crit": "100kB/s"}, *disks
    )
    watch.look()
    edge.run("cat > /dev/null; sleep 1", text_in="x" * 8 * MIB)
    edge.run("dd if=/dev/zero of=/srv/zeros bs=1M count=64 oflag=direct status=none; rm /srv/zeros")
    found = watch.look()
    assert found["link"]["status"] == "CRITICAL", found["link"]
    assert "iB/s received and sent (crit 100kB/s), over " in found["link"]["message"]
    # Without those of other tests that are gone meanwhile.
    assert max(found[disk["id"]]["value"] or 0 for disk in disks) > MIB, found
