"""Caches and logs on a real host: room that df confirms, nothing else touched, logs that writers follow; and a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fleet import base
from tests.fleet.roundsman import Roundsman
from tests.fleet.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

# A small disk with a cache on it, and below the cache what must not be touched: links, mounts, names of every kind.
CACHES = r"""
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
import os, time
os.chdir("/srv/race")
os.symlink("/etc", "link")
while True:
    os.rename("cache/inner", "aside"); os.rename("link", "cache/inner")
    time.sleep(0.0001)
    os.rename("cache/inner", "link"); os.rename("aside", "cache/inner")
    time.sleep(0.0001)
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
# The running kernel and older ones: held, asked for, needed by a package that somebody asked for, or by one that nobody
# wants any more; and two that are newer.
KERNELS = r"""
set -e
package() {
  mkdir -p /tmp/package/DEBIAN
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: F <f@example.org>\nInstalled-Size: 300\n' $1 $2 \
    > /tmp/package/DEBIAN/control
  printf 'Description: test\n%s' "${3+Depends: $3
}" >> /tmp/package/DEBIAN/control
  dpkg-deb -b /tmp/package /srv/$1.deb > /dev/null; rm -r /tmp/package
}
kernel() {
  mkdir -p /tmp/package/boot /tmp/package/lib/modules/$1
  echo > /tmp/package/boot/vmlinuz-$1; echo > /tmp/package/lib/modules/$1/modules.dep
  package linux-image-$1 $1
}
for release in 2.6.32-5 2.6.32-6 3.2.0-4 3.16.0-4 4.9.0-3 98.0.1+deb99 99.0.1+deb99; do kernel $release-fleet; done
kernel $(uname -r)
package linux-headers-2.6.32-5-fleet 2.6.32-5; package linux-image-fleet 1 linux-image-3.2.0-4-fleet
package old-driver 1 linux-image-2.6.32-6-fleet
dpkg -i /srv/*.deb > /dev/null; rm /srv/*.deb
apt-mark auto 'linux-*' old-driver > /dev/null; apt-mark manual linux-image-4.9.0-3-fleet linux-image-fleet > /dev/null
apt-mark hold linux-image-3.16.0-4-fleet > /dev/null
"""
INSTALLED_KERNELS = "dpkg-query -W -f '${db:Status-Status} ${Package}\\n' 'linux-*' | sed -n 's/^installed //p'"
STAYS = (
    "kernel 2.6.32-6 stays, for old-driver would go with it. To remove both, use "
    "`apt-get remove linux-image-2.6.32-6-fleet`"
)
UNIT = """[Service]
ExecStart=/usr/bin/python3 /srv/writer /var/log/shop/{0}.log
ExecReload=/bin/kill -HUP $MAINPID
"""
# Opens its log again when it is told to, unless it is deaf.
WRITER = """
import signal, sys, time
path = sys.argv[1]
def reopen(*_):
    global log
    log = open(path, "a")
reopen()
signal.signal(signal.SIGHUP, reopen)
while True:
    log.write("x" * 1000); log.flush(); time.sleep(0.2)
"""
LOGS = r"""
set -e
mkdir /var/log/shop
printf '/var/log/shop/good.log /var/log/shop/deaf.log {\n daily\n rotate 2\n create\n sharedscripts\n'\
' postrotate\n systemctl reload good.service\n endscript\n}\n' > /etc/logrotate.d/shop
printf '"/var/log/shop/good.log" 2026-1-1-0:0:0\n"/var/log/shop/deaf.log" 2026-1-1-0:0:0\n' > /tmp/due
mkdir -p /var/lib/logrotate; (echo 'logrotate state -- version 2'; cat /tmp/due) > /var/lib/logrotate/status
rm /tmp/due
head -c 3M /dev/zero > /var/log/shop/forgotten.log
systemctl daemon-reload
systemctl start good deaf
until test -s /var/log/shop/good.log && test -s /var/log/shop/deaf.log; do sleep .1; done
"""
# Everything that a plan could have changed, besides the host's own life and Ansible's directories.
LISTING = (
    "find / /tmp /srv/shop /srv/tmpfs-cache -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /srv/race"
    " -o -path /var/log/journal -o -path /home/ops/.ansible -o -path /var/lib/redis -o -path /var/log/shop/good.log"
    " -o -path /var/log/shop/deaf.log \\) -prune -o ! -path /tmp -printf '%p %i %m %s %n %T@ %C@\\n' | sort | cat -v"
)
ETC = "find /etc /srv/bound ! -path '*/logrotate.d*' -printf '%p %i %s %n %T@\\n' | sort; cat /etc/passwd"
DIRECTORIES = [
    {"path": "/srv/shop/cache", "older_than": "30d"},
    {"path": "/srv/tmpfs-cache", "keep_size": "1M"},
    {"path": "/srv/race/cache", "older_than": "30d"},
]
PLANNED = {
    "/srv/shop/cache", "/srv/tmpfs-cache", "/home/ops/.cache/pip", "/tmp", "/var/cache/apt", "journal",
    "redis localhost:6379", "kernel 2.6.32-5",
}  # fmt: skip
VARIABLES = {
    "roundsman_default_checks": [],
    "roundsman_caches_directories": DIRECTORIES,
    "roundsman_caches_journal_size": "1M",
    "roundsman_caches_evict": [{"redis": "localhost:6379", "match": "cache:*"}],
    "roundsman_logs_unrotated_size": "1MiB",
}


def maintained(roundsman: Roundsman, *arguments: str) -> list[dict[str, Any]]:
    (host,) = roundsman.json("maintain", "caches", "logs", *arguments)["hosts"]
    return list(host["maintenance"])


def free_bytes(host: Host, path: str) -> int:
    blocks, size = host.run(f"sync; stat -f -c '%f %S' {path}").stdout.split()
    return int(blocks) * int(size)


def test_caches_and_logs(fleet: Fleet, tmp_path: Path) -> None:
    host = fleet.host("web1", tree=base.servers_tree, variables=VARIABLES)
    roundsman = Roundsman(tmp_path, fleet.inventory())
    host.write("/srv/writer", WRITER)
    for name in ("good", "deaf"):
        host.write(f"/etc/systemd/system/{name}.service", UNIT.format(name))
    # What systemd would do by itself at midnight is nothing that a plan did.
    host.run("systemctl stop '*.timer'")
    host.run(CACHES + LOGS + KERNELS)
    etc, kernels = host.run(ETC).stdout, host.run(INSTALLED_KERNELS).stdout.split()
    before = host.run(LISTING).stdout.splitlines()

    planned = maintained(roundsman, "--plan")

    assert host.run(LISTING).stdout.splitlines() == before
    assert {action["target"] for action in planned[0]["actions"]} >= PLANNED
    due = ["/var/log/shop/deaf.log", "/var/log/shop/good.log"]
    assert [(one["action"], one["target"]) for one in planned[1]["actions"]] == [("rotate", path) for path in due]
    assert all(one["size_bytes"] for one in planned[1]["actions"])

    free = {path: free_bytes(host, path) for path in ("/srv/shop", "/srv/tmpfs-cache")}
    caches, logs = maintained(roundsman)

    room_is_made_and_nothing_else_is_touched(host, caches, free)
    # apt itself, on its own, would remove old-driver and one of the two newest kernels as well.
    gone = set(kernels) - set(host.run(INSTALLED_KERNELS).stdout.split())
    assert gone == {"linux-image-2.6.32-5-fleet", "linux-headers-2.6.32-5-fleet"}
    logs_are_rotated_and_the_rest_is_told(host, logs)
    host.run("systemctl is-active --quiet swap; systemctl stop swap")
    assert host.run(ETC).stdout == etc

    host.vars.update(roundsman_logs_reopen={"deaf.service": "reload"}, roundsman_logs_install=True)
    fleet.inventory()
    caches, logs = maintained(roundsman)

    assert [one["target"] for one in caches["actions"] if one["target"] != "/srv/race/cache"] == []
    assert (logs["status"], logs["warnings"]) == ("completed", [])
    assert [(one["action"], one["target"]) for one in logs["actions"]] == [
        ("add stanza", "/etc/logrotate.d/roundsman-var-log-shop-forgotten-log-836dc428"),
        ("reload", "deaf.service"),
    ]
    host.run(until("test -s /var/log/shop/deaf.log"))


def room_is_made_and_nothing_else_is_touched(host: Host, done: dict[str, Any], free: dict[str, int]) -> None:
    assert done["warnings"] == [
        "/srv/shop/cache/file was left alone: Device or resource busy",
        STAYS,
    ], done["message"]
    freed = {action["target"]: action["size_bytes"] for action in done["actions"]}
    for path, cache in (("/srv/shop", "/srv/shop/cache"), ("/srv/tmpfs-cache", "/srv/tmpfs-cache")):
        block = int(host.run(f"stat -f -c %S {path}").stdout)
        gained = free_bytes(host, path) - free[path]
        assert abs(freed[cache] - gained) <= block, (cache, freed[cache], gained)
    assert done["reclaimed_bytes"] == sum(size or 0 for size in freed.values())
    assert sorted(host.run("cd /srv/shop/cache && find . -mount").stdout.splitlines()) == [
        ".", "./bound", "./deep", "./deep/er", "./file", "./fresh", "./other",
    ]  # fmt: skip
    assert host.run("cat /srv/precious/one /srv/shop/cache/other/one /srv/shop/data/bound").stdout == "precious\n" * 3
    assert host.run("stat -c %h /srv/shop/data/linked; ls /srv/tmpfs-cache").stdout.split() == ["1", "4"]
    assert host.run("ls /tmp/today /tmp/abandoned /home/ops/.cache/pip/http", check=False).stdout == "/tmp/today\n"
    assert host.run("ls /var/cache/apt/archives/*.deb", check=False).stdout == ""
    assert host.run("redis-cli --raw dbsize").stdout == "50\n"


def logs_are_rotated_and_the_rest_is_told(host: Host, done: dict[str, Any]) -> None:
    assert done["status"] == "completed-with-warnings", done["message"]
    assert host.run("cd /var/log/shop && ls").stdout.split() == [
        "deaf.log", "deaf.log.1", "forgotten.log", "good.log", "good.log.1",
    ]  # fmt: skip
    assert len(done["warnings"]) == 2, done["warnings"]
    unrotated, deaf = done["warnings"]
    assert unrotated.startswith("nobody rotates /var/log/shop/forgotten.log (3.0 MiB). A stanza for it")
    assert "deaf.service) still writes to /var/log/shop/deaf.log.1" in deaf
    assert "`systemctl restart deaf.service`" in deaf
