# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Counts entries of the journal. Runs in a process of its own (apart.py), so it imports nothing of ours."""

from __future__ import annotations

import json
import re
import subprocess
import time

MOST_ENTRIES = 50000
FIELDS = "MESSAGE,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER"


def command(request):
    """journalctl, newest first: what is old ends the reading, however many gigabytes lie behind it."""
    argv = ["journalctl", "--no-pager", "--reverse", "--output=json", "--output-fields=" + FIELDS]
    return [*argv, "--priority=" + request["priority"]] + ["--unit=" + unit for unit in request["units"]]


def position(entry):
    """[boot id, microseconds since boot, microseconds since the epoch] of an entry."""
    times = [int(entry[name]) for name in ("__MONOTONIC_TIMESTAMP", "__REALTIME_TIMESTAMP")]
    return [entry["_BOOT_ID"], *times]


def is_new(place, seen, boot):
    """Whether an entry came after the one at `seen`. `boot` is the present one.

    Within a boot the clock may have been set back, and after a boot it may be wrong: there its time says nothing.
    """
    if place[0] == seen[0]:
        return place[1] > seen[1]
    return place[0] == boot or place[2] > seen[2]


def text_of(message):
    """A message as text: journalctl gives bytes that are no UTF-8 as numbers, and null for what is very long."""
    if isinstance(message, list):
        if message and not isinstance(message[0], int):  # the field is there more than once
            return text_of(message[0])
        return bytes(message).decode("utf-8", "replace")
    return message or ""


def count(lines, request, ends_at):
    """Counts of the entries in `lines` of JSON, newest first, down to the one at `request["seen"]`.

    `ended`: at `all` there are, at an `old` one, or `early`, when there were too many.
    """
    wanted, ignored = re.compile(request["match"] or ""), re.compile(request["ignore"] or "(?!)")
    sums = {"found": 0, "last": "", "newest": None, "oldest": None, "ended": "all"}
    for read, line in enumerate(lines):
        if not line.startswith(b"{"):
            continue
        entry = json.loads(line.decode("utf-8", "replace"))
        place = position(entry)
        if not is_new(place, request["seen"], request["boot"]):
            sums["ended"] = "old"
            break
        if read >= MOST_ENTRIES or time.monotonic() > ends_at:
            sums["ended"] = "early"
            break
        sums["newest"] = sums["newest"] or place
        sums["oldest"] = place
        text = text_of(entry.get("MESSAGE"))
        if wanted.search(text) and not ignored.search(text):
            if not sums["found"]:
                who = text_of(entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER"))
                sums["last"] = "%s: %s" % (who or "?", text[:2000])
            sums["found"] += 1
    return sums


def answer(request):
    """What `count` gives, and journalctl's exit code (negative when we ended it) and words."""
    ends_at = time.monotonic() + request["seconds"]
    # There is no AnsibleModule on the lean way, and what goes on for gigabytes has to be read as it comes.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function
        command(request), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        sums = count(process.stdout, request, ends_at)
        if sums["ended"] != "all":
            process.kill()
        words = process.stderr.read().decode("utf-8", "replace")
        code = process.wait()
    return dict(sums, code=code, words=words)
