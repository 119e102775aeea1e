# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where nothing is ever removed, whatever a configuration says. No effects. Paths are bytes."""

from __future__ import annotations

import os

# Neither these nor anything in them.
TREES = (
    b"/bin", b"/boot", b"/dev", b"/efi", b"/etc", b"/lib", b"/lib32", b"/lib64", b"/libx32", b"/proc", b"/run",
    b"/sbin", b"/sys", b"/usr", b"/var/backups", b"/var/lib/apt", b"/var/lib/cassandra", b"/var/lib/clickhouse",
    b"/var/lib/containerd", b"/var/lib/containers", b"/var/lib/dnf", b"/var/lib/docker", b"/var/lib/dpkg",
    b"/var/lib/elasticsearch", b"/var/lib/etcd", b"/var/lib/influxdb", b"/var/lib/kubelet", b"/var/lib/ldap",
    b"/var/lib/libvirt", b"/var/lib/lxc", b"/var/lib/machines", b"/var/lib/mongo", b"/var/lib/mongodb",
    b"/var/lib/mysql", b"/var/lib/nfs", b"/var/lib/pgsql", b"/var/lib/postgresql", b"/var/lib/rabbitmq",
    b"/var/lib/redis", b"/var/lib/roundsman", b"/var/lib/rpm", b"/var/lib/systemd", b"/var/lib/valkey",
    b"/var/log/journal", b"/var/mail", b"/var/spool/cron", b"/var/spool/mail",
)  # fmt: skip
# Not these themselves, though what is in them may be a cache.
ROOTS = (
    b"/", b"/home", b"/media", b"/mnt", b"/opt", b"/root", b"/srv", b"/tmp", b"/var", b"/var/cache", b"/var/lib",
    b"/var/local", b"/var/log", b"/var/spool", b"/var/tmp", b"/var/www",
)  # fmt: skip
# Of a home directory: keys, settings and data, which no cache is kept among.
PRIVATE = (
    b".aws", b".config", b".docker", b".gnupg", b".kube", b".local", b".mozilla", b".password-store", b".pki", b".ssh",
    b".thunderbird",
)  # fmt: skip


def refusal(path, homes):
    """Why nothing may be removed below `path`, in words, or None. `homes` are home directories of this host."""
    if not path.startswith(b"/") or os.path.normpath(path) != path or path.startswith(b"//"):
        return "it is not an absolute path without .., // or a slash at its end"
    tree = guarded_tree(path)
    if tree is not None:
        return "nothing is ever removed from {0}".format(os.fsdecode(tree))
    for root in (*ROOTS, *homes):
        if path == root:
            return "it is no cache of one program"
    for kept in (*TREES, *ROOTS, *homes):
        if _is_below(kept, path):
            return "{0} lies in it".format(os.fsdecode(kept))
    for home in homes:
        # Some programs have / for a home.
        if home != b"/" and _is_below(path, home) and _rest(path, home).split(b"/")[0] in PRIVATE:
            return "a home directory's settings and data are no cache"
    return None


def guarded_tree(path):
    """Which of TREES a path lies in, or None."""
    return next((tree for tree in TREES if _is_below(path, tree)), None)


def aliases(path, mount, mounts):
    """`path`, which lies on `mount`, and each other path that shows the same directory: `mounts` are Mounts.

    So what is mounted a second time somewhere else (bind mounts, subvolumes) is known by all its names.
    """
    inside = _joined(os.fsencode(mount.root), _rest(path, os.fsencode(mount.path)))
    found = {path}
    for other in mounts:
        root = os.fsencode(other.root)
        if other.device == mount.device and _is_below(inside, root):
            found.add(_joined(os.fsencode(other.path), _rest(inside, root)))
    return sorted(found)


def _is_below(path, tree):
    """Whether `path` is `tree` or lies in it."""
    return (path.rstrip(b"/") + b"/").startswith(tree.rstrip(b"/") + b"/")


def _rest(path, tree):
    return path[len(tree.rstrip(b"/")) :].lstrip(b"/")


def _joined(tree, rest):
    return tree.rstrip(b"/") + b"/" + rest if rest else tree
