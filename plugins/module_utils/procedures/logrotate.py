# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What logrotate says, and what to write for it. No effects."""

from __future__ import annotations

import hashlib
import os
import re
from collections import namedtuple

# faults: [(place, text)] of its configuration, place being FILE:LINE or FILE; errors: what else it complains about;
# logs: path -> Log of each log that some stanza matches
Report = namedtuple("Report", "faults errors logs")
# how: when it is rotated and how many are kept, in logrotate's words; due: whether it is rotated now
Log = namedtuple("Log", "how due")

_PLACE = re.compile(r"([^\s:]+):(\d+) (.*)")
_FOLLOWS = re.compile(r"found error in .*, skipping")
_COMPRESSED = r"\.(?:gz|xz|bz2|zst|lzma)"
_ROTATED = re.compile(r"(?:[.-]\d[\d.-]*|\.old)(?:%s)?" % _COMPRESSED)

# What a stanza must not hold: it would be taken for a pattern, or end the name.
_UNQUOTABLE = re.compile(r'["\\*?\[\]{}\n]')
_STANZA = '"{0}" {{\n{1}\n}}\n'


def read_report(said):
    """The Report in what `logrotate --debug` or `--verbose` prints."""
    reader = _Reader()
    for line in said.splitlines():
        for pattern, read in reader.readers:
            match = pattern.fullmatch(line)
            if match:
                read(*match.groups())
                break
    return Report(reader.faults, reader.errors, reader.logs)


class _Reader:
    """First logrotate reads its configuration, and complains about it; then it goes through the logs."""

    def __init__(self):
        self.faults, self.errors, self.logs = [], [], {}
        self._folder, self._files, self._configuring = "", {}, True
        self._how = self._log = None
        self.readers = (
            (re.compile(r"including (/.*)"), self._including),
            (re.compile(r"reading config file (.*)"), self._reading),
            (re.compile(r"Reading state from .*"), self._configured),
            (re.compile(r"error: (.*)"), self._error),
            (re.compile(r"rotating pattern: .*?  (.*)"), self._pattern),
            (re.compile(r"considering log (/.*)"), self._considering),
            (re.compile(r"  log needs rotating"), self._due),
        )

    def _including(self, folder):
        self._folder = folder

    def _reading(self, name):
        self._files[name] = os.path.join(self._folder, name)

    def _configured(self):
        self._configuring = False

    def _error(self, text):
        if not self._configuring:
            self.errors.append(text)
        elif not (self.faults and _FOLLOWS.fullmatch(text)):
            self.faults.append(self._fault(text))

    def _fault(self, text):
        match = _PLACE.fullmatch(text)
        if match:
            name, line, words = match.groups()
            return "{0}:{1}".format(self._files.get(name, name), line), words
        return next((self._files[name] for name in self._files if name in text.split()), "logrotate"), text

    def _pattern(self, how):
        self._how = how

    def _considering(self, log):
        self._log = log
        self.logs.setdefault(log, Log(self._how, False))

    def _due(self):
        self.logs[self._log] = Log(self._how, True)


def log_of(path, logs):
    """The log that `path` is a rotated copy of, or None. `logs` are paths."""
    folder, name = os.path.split(path)
    for end in range(len(name) - 1, 0, -1):
        log = os.path.join(folder, name[:end])
        if log in logs and _ROTATED.fullmatch(name[end:]):
            return log
    return None


def is_compressed(path):
    return re.search(_COMPRESSED + "$", path) is not None


def stanza(path, lines, login=None):
    """A stanza for a log that nobody rotates, or None when its name cannot be written.

    `login` is (user, group) to rotate as, where others than root may write to the directory.
    """
    if _UNQUOTABLE.search(path) or not path.isprintable():
        return None
    written = [*lines, *(["su {0} {1}".format(*login)] if login else [])]
    return _STANZA.format(path, "\n".join("    " + line for line in written))


def stanza_name(path):
    """The file name of a log's stanza in logrotate's directory; logrotate itself passes over some endings.

    What is left of a path can be the same for two logs, such as a.log and a_log: the digits tell them apart.
    """
    left = re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-")[:200]
    digits = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return "roundsman-{0}-{1}".format(left, digits)
