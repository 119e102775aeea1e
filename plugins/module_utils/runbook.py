# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How to get a host's data back with nothing but restic, the repository and its password.

The text is a script for bash whose explanations are comments: it can be read, pasted line by line, or run. It restores
below TARGET and compares; what touches a live server or its files is in functions that it only defines.
"""

from __future__ import annotations

import shlex

from .runbook_loads import load

TARGET = "/srv/restored"

_CHECK = r"""python3 -c 'import json, os, sys
for line in open(sys.argv[1]):
    entry = json.loads(line)
    if "sha256" in entry:
        name = os.fsencode(sys.argv[2] + entry["path"])
        plain = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
        mark = b"\\" if plain != name else b""
        sys.stdout.buffer.write(mark + entry["sha256"].encode() + b"  " + plain + b"\n")
' %s %s | sha256sum --check --quiet -"""


def runbook(host, access, sources):
    """The whole text. `access`: repository (without credentials), password (where it is), environment (names).

    `sources`: dicts with source, type and, where one snapshot is meant and not the newest, snapshot, time, entries,
    size_bytes, evidence, restore_s.
    """
    lines = [
        "# How to restore {0} without Roundsman".format(host),
        "#",
        "# On any Linux host with restic 0.14 or newer, as root. Nothing here changes the repository.",
        "command -v restic || apt-get install -y restic || dnf install -y restic || zypper install -y restic",
        "export RESTIC_REPOSITORY={0}".format(shlex.quote(access["repository"])),
        "# If the repository takes a user name and a password in its address, write them into it here.",
    ]
    lines += ["# Needed, too: export {0}=…".format(name) for name in access["environment"]]
    lines += [
        "# The repository's password is {0}.".format(access["password"]),
        '[ -n "$RESTIC_PASSWORD" ] || read -rsp "password of the repository: " RESTIC_PASSWORD; export RESTIC_PASSWORD',
        "restic snapshots --no-lock --host {0} --tag roundsman".format(shlex.quote(host)),
    ]
    for source in sources:
        lines += ["", *_of_source(host, source)]
    return "\n".join(lines) + "\n"


def _of_source(host, source):
    name = source["source"]
    target = "{0}/{1}".format(TARGET, name)
    which = "latest --host {0} --tag {1}".format(
        shlex.quote(host), shlex.quote("roundsman,source={0},complete".format(name))
    )
    known = [
        "# The newest complete snapshot is taken. For an older one, or where one above is dated in the future by a",
        "# wrong clock, put the id of the wanted one in the place of `latest …`.",
    ]
    if source.get("snapshot"):
        which = source["snapshot"]
        known = ["# " + _known(source)]
    manifest = "{0}/{1}.manifest.jsonl".format(TARGET, name)
    return [
        "# Source {0} (type {1})".format(name, source["type"]),
        *known,
        "mkdir -p -m 700 {0}".format(shlex.quote(target)),
        "restic restore --no-lock {0} --target {1}".format(which, shlex.quote(target)),
        "# Every file must have the SHA-256 that it had at backup time; this prints only what differs:",
        "inside=$(restic ls --no-lock {0} | grep -x '/.*/manifests/{1}[.]jsonl')".format(
            which, name.replace(".", "[.]")
        ),
        'restic dump --no-lock {0} "$inside" > {1}'.format(which, shlex.quote(manifest)),
        _CHECK % (shlex.quote(manifest), shlex.quote(target)),
        *load(name, source["type"], target, manifest),
    ]


def _known(source):
    text = "Snapshot {snapshot:.8} of {time}, {entries} entries, {size_bytes} bytes; evidence: {evidence}".format(
        **source
    )
    if source["restore_s"] is not None:
        text += "; its restore took {0:.0f} s".format(source["restore_s"])
    return text
