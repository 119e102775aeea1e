"""Caches on a real host: room that df confirms, nothing outside touched, a plan that changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fleet import base
from tests.fleet.roundsman import Roundsman

if TYPE_CHECKING:
    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

# A small disk with a cache on it, and below the cache what must not be touched: links, mounts, names of every kind.
STAGE = r"""
set -e
mkdir -p /srv/shop && mount -t tmpfs -o size=64M shop /srv/shop
mkdir -p /srv/shop/cache/deep/er /srv/shop/data /srv/precious /srv/tmpfs-cache /srv/bound
head -c 5M /dev/urandom > /srv/shop/cache/old; head -c 300K /dev/urandom > /srv/shop/cache/deep/er/old
head -c 1M /dev/urandom > /srv/shop/cache/$'new\nline'; head -c 1M /dev/urandom > /srv/shop/cache/$'\xff\xfe -rf *'
head -c 2M /dev/urandom > /srv/shop/cache/fresh
head -c 1M /dev/urandom > /srv/shop/data/linked; ln /srv/shop/data/linked /srv/shop/cache/linked
ln -s /etc /srv/shop/cache/etc; ln -s /etc/passwd /srv/shop/cache/deep/passwd; ln -s / /srv/shop/cache/root
echo precious > /srv/precious/one; mkdir /srv/shop/cache/bound; mount --bind /srv/precious /srv/shop/cache/bound
mkdir /srv/shop/cache/other; mount -t tmpfs other /srv/shop/cache/other; echo precious > /srv/shop/cache/other/one
echo precious > /srv/shop/data/bound; touch /srv/shop/cache/file; mount --bind /srv/shop/data/bound /srv/shop/cache/file
mount -t tmpfs -o size=16M tmp /srv/tmpfs-cache
for n in 1 2 3 4; do head -c 1M /dev/urandom > /srv/tmpfs-cache/$n; done
mount --bind /etc /srv/bound
find /srv/shop/cache /srv/precious /srv/tmpfs-cache -exec touch -h -d '60 days ago' {} + ; touch /srv/shop/cache/fresh
touch -d '40 days ago' /srv/tmpfs-cache/4
# Somebody swaps a directory of the cache for a link to /etc, and back, all the time.
mkdir -p /srv/race/cache/inner && for n in $(seq 3000); do echo > /srv/race/cache/inner/passwd$n; done
for n in $(seq 20); do cp -a /etc/passwd /etc/bait$n; touch -d '60 days ago' /etc/bait$n; done
find /srv/race -exec touch -d '60 days ago' {} +
cat > /srv/race/swap <<'SWAP'
import os
os.chdir("/srv/race")
os.symlink("/etc", "link")
while True:
    os.rename("cache/inner", "aside"); os.rename("link", "cache/inner")
    os.rename("cache/inner", "link"); os.rename("aside", "cache/inner")
SWAP
systemd-run -q --unit=swap python3 /srv/race/swap
# What systemd itself cleans, and what apt downloaded.
echo 'd /tmp 1777 root root m:10d' > /etc/tmpfiles.d/tmp.conf
head -c 100K /dev/urandom > /tmp/abandoned; touch -d '60 days ago' /tmp/abandoned; touch /tmp/today
install -d -o ops -g ops /home/ops/.cache/pip/http; head -c 200K /dev/urandom > /home/ops/.cache/pip/http/wheel
touch -d '60 days ago' /home/ops/.cache/pip/http/wheel
head -c 400K /dev/urandom > /var/cache/apt/archives/old_1_all.deb
for n in 1 2 3 4; do head -c 300K /dev/urandom | base64 -w 100 | systemd-cat -t filler; journalctl --sync --rotate; done
systemctl start redis-server
for n in $(seq 50); do echo "set cache:$n x"; echo "set cart:$n x"; done | redis-cli >/dev/null
sync
"""
# Everything that a plan could have changed, besides the host's own life and Ansible's directories.
LISTING = (
    "find / /tmp /srv/shop /srv/tmpfs-cache -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /srv/race"
    " -o -path /var/log/journal -o -path /home/ops/.ansible -o -path /var/lib/redis \\) -prune"
    " -o ! -path /tmp -printf '%p %i %m %s %n %T@ %C@\\n' | sort | cat -v"
)
DIRECTORIES = [
    {"path": "/srv/shop/cache", "older_than": "30d"},
    {"path": "/srv/tmpfs-cache", "keep_size": "1M"},
    {"path": "/srv/race/cache", "older_than": "30d"},
]
PLANNED = ("/srv/shop/cache", "/srv/tmpfs-cache", "/home/ops/.cache/pip", "/tmp", "/var/cache/apt", "journal")
VARIABLES = {
    "roundsman_default_checks": [],
    "roundsman_caches_directories": DIRECTORIES,
    "roundsman_caches_journal_size": "1M",
    "roundsman_caches_evict": [{"redis": "localhost:6379", "match": "cache:*"}],
}


def maintained(roundsman: Roundsman, *arguments: str) -> dict[str, Any]:
    (host,) = roundsman.json("maintain", "caches", *arguments)["hosts"]
    (record,) = host["maintenance"]
    return dict(record)


def free_bytes(host: Host, path: str) -> int:
    blocks, size = host.run(f"sync; stat -f -c '%f %S' {path}").stdout.split()
    return int(blocks) * int(size)


def test_room_is_made_and_nothing_else_is_touched(fleet: Fleet, tmp_path: Path) -> None:
    host = fleet.host("web1", tree=base.servers_tree, variables=VARIABLES)
    roundsman = Roundsman(tmp_path, fleet.inventory())
    host.run(STAGE, timeout=120)
    etc = host.run("find /etc /srv/bound -printf '%p %i %s %n %T@\\n' | sort; cat /etc/passwd").stdout
    before = host.run(LISTING).stdout.splitlines()

    plan = maintained(roundsman, "--plan")

    assert host.run(LISTING).stdout.splitlines() == before
    planned = {action["target"]: action["size_bytes"] for action in plan["actions"]}
    assert {*PLANNED} <= set(planned)
    free = {path: free_bytes(host, path) for path in ("/srv/shop", "/srv/tmpfs-cache")}

    done = maintained(roundsman)

    assert done["status"] == "completed-with-warnings", done["message"]
    freed = {action["target"]: action["size_bytes"] for action in done["actions"]}
    for path, cache in (("/srv/shop", "/srv/shop/cache"), ("/srv/tmpfs-cache", "/srv/tmpfs-cache")):
        block = int(host.run(f"stat -f -c %S {path}").stdout)
        gained = free_bytes(host, path) - free[path]
        assert abs(freed[cache] - gained) <= block, (cache, freed[cache], gained)
        assert freed[cache] <= planned[cache]
    assert done["reclaimed_bytes"] == sum(size or 0 for size in freed.values())
    assert sorted(host.run("cd /srv/shop/cache && find . -mount").stdout.splitlines()) == [
        ".", "./bound", "./deep", "./deep/er", "./file", "./fresh", "./other",
    ]  # fmt: skip
    assert host.run("cat /srv/precious/one /srv/shop/cache/other/one /srv/shop/data/bound").stdout == "precious\n" * 3
    assert host.run("stat -c %h /srv/shop/data/linked; ls /srv/tmpfs-cache").stdout.split() == ["1", "4"]
    host.run("systemctl is-active --quiet swap; systemctl stop swap")
    assert host.run("find /etc /srv/bound -printf '%p %i %s %n %T@\\n' | sort; cat /etc/passwd").stdout == etc
    assert host.run("ls /tmp/today /tmp/abandoned /home/ops/.cache/pip/http", check=False).stdout == "/tmp/today\n"
    assert host.run("ls /var/cache/apt/archives/*.deb", check=False).stdout == ""
    assert host.run("redis-cli --raw dbsize").stdout == "50\n"
    assert done["warnings"] == ["/srv/shop/cache/file was left alone: Device or resource busy"]

    again = maintained(roundsman)

    assert [one["target"] for one in again["actions"] if one["target"] != "/srv/race/cache"] == []
