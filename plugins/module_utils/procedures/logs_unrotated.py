# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logs that grow and that nobody rotates, and the stanzas that they lack."""

from __future__ import annotations

import fnmatch
import grp
import os
import pwd
import stat
import time

from ..family import size
from ..tree import printable
from .base import ProcedureError
from .files import write_for_all
from .logrotate import is_compressed, log_of, stanza, stanza_name

GROWING_S = 7 * 86400
# They are rotated by what writes them, or hold a fixed table.
OTHERS = ("/var/log/journal/*", "/var/log/lastlog", "/var/log/faillog", "/var/log/installer/*")


def unrotated(directories, logs, least_bytes, exclude):
    """[(path, bytes on disk)] of the logs that were written to lately, are big, and that no stanza matches."""
    found = []
    for directory in directories:
        for folder, _folders, names in os.walk(directory):
            for path in (os.path.join(folder, name) for name in names):
                if (
                    path in logs
                    or is_compressed(path)
                    or any(fnmatch.fnmatchcase(path, one) for one in (*OTHERS, *exclude))
                ):
                    continue
                info = _look(path)
                big = info is not None and stat.S_ISREG(info.st_mode) and info.st_blocks * 512 >= least_bytes
                if big and time.time() - info.st_mtime < GROWING_S and log_of(path, logs) is None:
                    found.append((path, info.st_blocks * 512))
    return sorted(set(found))


def propose(step, found, lines, install_into, judge):
    """Tell of each log that nobody rotates, with its stanza, or write that into the directory `install_into`, if any.

    `judge` gives logrotate's Report on its configuration. A stanza that cannot be added is told of, and keeps nothing
    else from being done.
    """
    for path, used in found:
        shown, text = printable(path), stanza(path, lines, _login(os.path.dirname(path)))
        name = stanza_name(path)
        if text is None:
            step.warn("nobody rotates {0} ({1}), and logrotate cannot be told its name".format(shown, size(used)))
        elif install_into is None:
            words = "nobody rotates {0} ({1}). A stanza for it, in /etc/logrotate.d/{2}:\n{3}"
            step.warn(words.format(shown, size(used), name, text))
        else:
            why_not = _add(step, os.path.join(install_into, name), text, judge)
            if why_not:
                words = "nobody rotates {0} ({1}), and its stanza was not added: {2}"
                step.warn(words.format(shown, size(used), why_not))


def _add(step, path, text, judge):
    """Write a stanza, or plan it; returns why it could not be."""
    if os.path.lexists(path):
        return "{0} is there already, and yet the log is not rotated; correct it".format(path)
    if step.check_mode:
        step.plan("add stanza", path, None, text)
        return None
    try:
        with step.action("add stanza", path, None, text):
            _write(path, text, judge)
    except OSError as error:
        return error.strerror
    except ProcedureError as error:
        if error.reason != "refused":
            raise
        return error.message
    return None


def _write(path, text, judge):
    """Write a stanza, and take it back unless logrotate is found to take it. Raises ProcedureError(refused)."""
    write_for_all(path, text)
    faults = None
    try:
        faults = judge().faults
    finally:
        if faults != []:
            os.unlink(path)
    if faults:
        told = "; ".join("{0}: {1}".format(*fault) for fault in faults)
        raise ProcedureError("refused", "logrotate refuses it, so it was taken back: {0}".format(told))


def _login(folder):
    """(user, group) whom logrotate has to become in a directory where others than root may write, or None."""
    info = os.stat(folder)
    if info.st_uid == 0 and not info.st_mode & stat.S_IWOTH and (info.st_gid == 0 or not info.st_mode & stat.S_IWGRP):
        return None
    try:
        return pwd.getpwuid(info.st_uid).pw_name, grp.getgrgid(info.st_gid).gr_name
    except KeyError:
        return str(info.st_uid), str(info.st_gid)


def _look(path):
    try:
        return os.lstat(path)
    except OSError:
        return None
