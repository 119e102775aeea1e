# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads lines of logs and counts. Runs in a process of its own (apart.py), so it imports nothing of ours."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time

CHUNK = 128 * 1024
LONGEST_LINE = 1024 * 1024
HEAD = 1024
MOST_TIMES = 100000

# host ident user [time] "request" status bytes: common and combined, also with a virtual host before or more behind.
ACCESS = re.compile(rb'\S+ [^"]*?\[[^\]"\[]*\] "(?:[^"\\]|\\.)*" (\d{3}) (?:\d+|-)(?: |$)')


def head_of(file, count):
    """A hash of the first `count` bytes, by which a log is known again."""
    file.seek(0)
    return hashlib.sha256(file.read(count)).hexdigest()[:32]


class Reading:
    """Whole lines of an open log from `position` on; afterwards `position` is where the next look begins."""

    def __init__(self, file, position, partial):
        self.file = file
        self.position = position
        self.finished = False
        self._partial = partial  # the first line has begun before

    def lines(self, ends_at):
        rest = b""
        self.file.seek(self.position)
        while time.monotonic() < ends_at:
            chunk = self.file.read(CHUNK)
            if not chunk:
                self.finished = True
                return
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            self.position += sum(map(len, lines)) + len(lines)
            if len(rest) >= LONGEST_LINE:  # no log line; in pieces, or it would have to be kept
                self.position += len(rest)
                lines.append(rest)
                rest = b""
            if self._partial and lines:
                del lines[0]
                self._partial = False
            yield from lines


class Matches:
    """Counts lines that match `regex` and not `ignore`."""

    def __init__(self, request):
        self._regex = re.compile(request["regex"])
        self._ignore = re.compile(request["ignore"]) if request["ignore"] else None
        self._encoding = request["encoding"]
        self._found, self._last = 0, ""

    def see(self, line):
        text = line.decode(self._encoding, "replace")
        if self._regex.search(text) and not (self._ignore and self._ignore.search(text)):
            self._found += 1
            self._last = text

    def sums(self):
        return {"found": self._found, "last": self._last[:2000]}


class Requests:
    """Counts requests of an access log by their status, and collects how long they took."""

    def __init__(self, request):
        self._status_fields, self._time_fields = request["status_fields"], request["time_fields"]
        names = "|".join(re.escape(name) for name in self._time_fields)
        self._time = re.compile((r'[ "](?:%s)=([0-9.]+)' % names).encode())
        self._statuses, self._strange, self._requests = {}, 0, 0
        self._times, self._every = [], 1

    def see(self, line):
        status, took = self._json(line) if line.lstrip()[:1] == b"{" else self._text(line)
        if status is None:
            self._strange += bool(line.strip())
            return
        self._requests += 1
        self._statuses[status] = self._statuses.get(status, 0) + 1
        if took is not None and self._requests % self._every == 0:
            self._times.append(took)
            if len(self._times) > MOST_TIMES:
                self._times, self._every = self._times[::2], self._every * 2

    def _text(self, line):
        match = ACCESS.match(line)
        if not match:
            return None, None
        took = self._time.search(line, match.end() - 1)
        return match.group(1).decode(), _number(took.group(1)) if took else None

    def _json(self, line):
        try:
            record = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None, None
        status = str(field(record, self._status_fields))
        took = _number(field(record, self._time_fields))
        return (status, took) if re.match(r"[0-9]{3}$", status) else (None, None)

    def sums(self):
        return {
            "statuses": self._statuses,
            "strange": self._strange,
            "times": {name: percentile(self._times, share) for name, share in (("p50", 50), ("p95", 95), ("max", 100))},
        }


def field(record, names):
    """The first of some fields that a record has; a dot in a name leads into what is nested."""
    for name in names:
        value = record.get(name)
        if value is None and "." in name:
            value = record
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def _number(raw):
    try:
        value = float(raw)
    except (TypeError, ValueError):
        return None
    return value if 0 <= value < float("inf") else None


def percentile(values, share):
    """The nearest rank; None of nothing."""
    return sorted(values)[max(0, -(-len(values) * share // 100) - 1)] if values else None


def answer(request):
    """What counting `request["segments"]` gives, and of each [end, length of its head, head, bytes left unread]; None
    where the file is another now.
    """
    ends_at = time.monotonic() + request["seconds"]
    counts = {"matches": Matches, "requests": Requests}[request["count"]](request)
    ends = []
    for path, device, inode, start, partial in request["segments"]:
        try:
            with open(path, "rb") as file:
                state = os.fstat(file.fileno())
                if (state.st_dev, state.st_ino) != (device, inode):
                    ends.append(None)
                    continue
                reading = Reading(file, start, partial)
                for line in reading.lines(ends_at):
                    counts.see(line)
                known = min(HEAD, reading.position)
                left = 0 if reading.finished else os.fstat(file.fileno()).st_size - reading.position
                ends.append([reading.position, known, head_of(file, known), left])
        except OSError:  # gone since it was planned; the next look finds it by its inode
            ends.append(None)
    return dict(counts.sums(), ends=ends)
