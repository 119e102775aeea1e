# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an RDB file of Redis holds, as redis-check-rdb and the file's own words tell."""

from __future__ import annotations

import re
from collections import namedtuple

from ..engines.base import BackupError

# databases: number -> (keys, those of them with an expiry); memory_bytes: what they took in the server that wrote them;
# made_at: seconds since 1970, as text
Rdb = namedtuple("Rdb", "databases memory_bytes made_at")

_RESIZE_DB = 0xFB
_LONGEST = 1 + 2 * 9


def look_through(effects, argv, path, reason):
    """Rdb of a file that redis-check-rdb (`argv`, with the file's name) finds whole; BackupError(reason) otherwise."""
    try:
        said = effects.run(argv, reason, "Checking the RDB file").out
    except BackupError as failure:
        if "Can't handle RDB format version" in failure.message:
            text = "{0}. Install the Redis that wrote it, or a newer one."
            raise BackupError("application_missing", text.format(failure.message)) from failure
        raise
    with open(path, "rb") as stream:
        databases = {
            int(number): _sizes(stream, int(offset))
            for offset, number in re.findall(r"\[offset (\d+)\] Selecting DB ID (\d+)", said)
        }
    told = sum(keys for keys, _expiring in databases.values())
    read = int(_found(r"\[info\] (\d+) keys read", said, -1))
    if told != read:
        text = "the RDB file says that it holds {0} keys, and redis-check-rdb reads {1} in it"
        raise BackupError(reason, text.format(told, read))
    memory_bytes = int(_found(r"AUX FIELD used-mem = '(\d+)'", said, 0))
    return Rdb(databases, memory_bytes, _found(r"AUX FIELD ctime = '(\d+)'", said, None))


def _found(pattern, said, absent):
    match = re.search(pattern, said)
    return match.group(1) if match else absent


def _sizes(stream, offset):
    """Each database begins with its size, which the server wrote in the very state that it saved."""
    stream.seek(offset)
    words = stream.read(_LONGEST)
    if words[:1] != bytes([_RESIZE_DB]):
        return 0, 0
    keys, rest = length(words[1:])
    expiring, _rest = length(rest)
    return keys, expiring


def length(words):
    """A length as RDB encodes it, and the bytes that follow."""
    first = words[0]
    if first >> 6 == 0:
        return first, words[1:]
    if first >> 6 == 1:
        return (first & 0x3F) << 8 | words[1], words[2:]
    size = 4 if first == 0x80 else 8
    return int.from_bytes(words[1 : 1 + size], "big"), words[1 + size :]


def values(databases):
    """Key counts by name, from database number -> (keys, those with an expiry)."""
    found = {"keys": sum(keys for keys, _expiring in databases.values())}
    for number, (keys, expiring) in databases.items():
        found["keys of db{0}".format(number)] = keys
        found["keys of db{0} with an expiry".format(number)] = expiring
    return found


def keyspace(info):
    """The same of a server, from its INFO keyspace."""
    lines = re.findall(r"^db(\d+):keys=(\d+),expires=(\d+)", info, re.MULTILINE)
    return {int(number): (int(keys), int(expiring)) for number, keys, expiring in lines}
