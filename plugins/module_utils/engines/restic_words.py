# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said to restic and what its answers mean, from 0.14 to today. Nothing here runs anything."""

from __future__ import annotations

import datetime
import json
import re

from .base import TAG, Snapshot
from .patterns import literal

OLDEST = (0, 14, 0)
SPARSE = (0, 15, 0)

_VERSION = re.compile(r"restic (\d+)\.(\d+)\.(\d+)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$")
_GONE = re.compile(r"no such file|not exist|nosuchkey|nosuchbucket")
_NOISE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_DELAY = re.compile(r"[\d.]+m?s\b")

# First match wins. The order matters: restic wraps one cause in the words of another.
_MEANINGS = (
    ("wrong_password", ("wrong password or no key found",)),
    ("no_space", ("no space left on device", "disk quota exceeded", "not enough space", "insufficient storage")),
    ("repository_locked", ("already locked", "unable to create lock", "failed to lock", "invalid lock file")),
    (
        "repository_unavailable",
        (
            *("connection refused", "connection reset", "no such host", "network is unreachable", "no route to host"),
            *("i/o timeout", "unable to start the sftp session", "ssh: ", "tls: ", "x509: ", "server misbehaving"),
            *("temporary failure in name resolution", "unexpected http response", "http response: 5"),
            *("forbidden", "unauthorized", "access ?denied", "signaturedoesnotmatch", "invalidaccesskeyid"),
            *("connection timed out", "context deadline exceeded"),
        ),
    ),
    (
        "repository_damaged",
        (
            *("does not match id", "hash mismatch", "ciphertext verification failed", "repository contains errors"),
            *("invalid data returned", "wrong data returned", "wrong hash", "loadindex returned errors"),
            *("unable to load index", "not found in (?:repository|index)", r"load\w*\(<?(?:data|index|snapshot)/"),
            *("invalid (?:pack|header|blob|character)", r"tree \w+ (?:is )?not", r"blob \w+ not found", "zlib", "zstd"),
            *("cannot be (?:loaded|decrypted|decoded)", "unable to decode", "unmarshal", "decrypt", "unexpected eof"),
            *("(?:errors|fatal).*(?:index|tree|pack|blob)", "no longer exists"),
        ),
    ),
    ("no_snapshot", ("no matching id found", "no snapshots? (?:matched|found)")),
    ("unprivileged", ("permission denied", "operation not permitted")),
)

_BACKENDS = ("azure", "b2", "gs", "local", "rclone", "rest", "s3", "sftp", "swift")

_EXIT_CODES = {10: "repository_missing", 11: "repository_locked", 12: "wrong_password"}


def version(text):
    """(major, minor, patch) from `restic version`, or None. (0.14 knows no JSON there.)"""
    match = _VERSION.search(text)
    return tuple(int(part) for part in match.groups()) if match else None


def reason_of(rc, text):
    """The reason code of docs/records.md for an exit code (None: time limit) and restic's words."""
    if rc is None:
        return "timeout"
    if rc in _EXIT_CODES:
        return _EXIT_CODES[rc]
    words = text.lower()
    found = next((reason for reason, patterns in _MEANINGS if re.search("|".join(patterns), words)), "engine_failed")
    # Only a clear word that it is not there may lead to a new repository; a server that does not answer says none.
    if found != "repository_unavailable" and "unable to open config file" in words and _GONE.search(words):
        return "repository_missing"
    return found


def last_words(text, limit=600):
    """The end of what the engine said, in one line, without progress and JSON that is no message."""
    lines = {}
    for line in _NOISE.sub("", text).splitlines():
        plain = " ".join(_message(line.strip()).split())
        if plain:
            # The same complaint before each retry is one complaint.
            lines[_DELAY.sub("", plain)] = plain
    joined = " | ".join(lines.values())
    return joined if len(joined) <= limit else "… " + joined[-limit:]


def _message(line):
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict):
        return line
    if record.get("message_type") in ("status", "summary", "verbose_status"):
        return ""
    error = record.get("error")
    text = record.get("message") or (error.get("message") or error.get("Op") if isinstance(error, dict) else error)
    return "{0} {1}".format(text or "error", record.get("item", "")).strip() if text or error else line


def find_command(pattern, host, source):
    """Arguments of `find`; `--` would be taken for a pattern by 0.14, so that a pattern may not begin with a dash."""
    tag = TAG + (",source=" + source if source else "")
    return ["find", "--json", "--host", host, "--tag", tag, pattern]


def found_entries(text):
    """`find --json` as a list of (snapshot id, entry)."""
    return [
        (
            one["snapshot"],
            {
                "path": match["path"],
                "type": match.get("type", "file"),
                "size_bytes": match.get("size", 0),
                "mtime": utc(match["mtime"]),
            },
        )
        for one in json.loads(text or "null") or []
        for match in one.get("matches") or []
    ]


def limit_options(repository, limits):
    """Arguments that keep restic within `limits`."""
    argv = []
    for way in ("upload", "download"):
        kib_s = limits["limit_{0}_kib_s".format(way)]
        argv += ["--limit-" + way, str(kib_s)] if kib_s else []
    if limits["connections"]:
        scheme = repository.partition(":")[0]
        backend = scheme if scheme in _BACKENDS else "local"
        argv += ["-o", "{0}.connections={1}".format(backend, limits["connections"])]
    return argv


def save_command(paths, excludes, host, tags, parent, one_file_system=False):
    """Arguments of `backup`; paths and excludes are bytes, as file names are."""
    argv = ["backup", "--json", "--host", host]
    for tag in tags:
        argv += ["--tag", tag]
    argv += ["--parent", parent] if parent else ["--force"]
    argv += ["--one-file-system"] if one_file_system else []
    return argv + [b"--exclude=" + pattern for pattern in excludes] + ["--"] + list(paths)


def restore_command(snapshot, target, paths, sparse=False):
    """Arguments of `restore`, past the cache: a warm one hides a damaged repository. `sparse` makes holes again."""
    argv = ["restore", snapshot, "--no-cache", "--target", target] + (["--sparse"] if sparse else [])
    return argv + [b"--include=" + literal(path) for path in paths]


def _sizes(told):
    """What restic 0.17 and newer keep with a snapshot."""
    names = {"total_bytes": "total_bytes_processed", "added_bytes": "data_added"}
    return {key: told[name] for key, name in names.items() if name in told} if told else {}


def utc(text):
    """A time as restic writes it (local offset, nanoseconds) as RFC 3339 in UTC with milliseconds."""
    match = _TIME.match(text)
    if not match:
        return text
    zone = "+00:00" if match.group(3) == "Z" else match.group(3)
    moment = datetime.datetime.strptime(match.group(1) + zone, "%Y-%m-%dT%H:%M:%S%z").astimezone(datetime.timezone.utc)
    return "{0}.{1}Z".format(moment.strftime("%Y-%m-%dT%H:%M:%S"), (match.group(2) or "0")[:3].ljust(3, "0"))


def snapshots(text):
    """`snapshots --json` as a list of Snapshot, oldest first."""
    found = [
        Snapshot(
            id=s["id"],
            short_id=s.get("short_id") or s["id"][:8],
            time=utc(s["time"]),
            host=s.get("hostname", ""),
            tags=tuple(s.get("tags") or ()),
            paths=tuple(s.get("paths") or ()),
            original=s.get("original"),
            sizes=_sizes(s.get("summary")),
        )
        for s in json.loads(text) or []
    ]
    return sorted(found, key=lambda s: (s.time, s.id))


def summary(text):
    """The summary record of `backup --json`, or None."""
    for line in reversed(text.splitlines()):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("message_type") == "summary":
            return record
    return None


def unsaved_items(text):
    """What `backup --json` could not read, as (path, whether it had vanished); told on stderr, mixed with prose."""
    found = {}
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("message_type") == "error":
            error = record.get("error") or {}
            words = json.dumps(error).lower()
            vanished = (isinstance(error, dict) and error.get("Err") == 2) or "no such file" in words
            item = record.get("item") or (error.get("Path") if isinstance(error, dict) else None) or "?"
            found[item] = found.get(item, True) and vanished
    return sorted(found.items())
