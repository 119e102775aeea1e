# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""psutil on the host: its own, or the copy that the controller carries there.

A copy lies in ~/.cache/roundsman/psutil-HASH, the hash being that of its content. It is trusted only when that
directory and its parent belong to this user and nobody else may write there.
"""

from __future__ import annotations

import importlib
import io
import os
import stat
import sys

REMEDY = "install python3-psutil on the host, or let Roundsman carry it there (psutil: carry)"


class Outcome:
    """`library` is psutil or None, `state` says where it is from or why it is missing; `wanted`: a copy would help."""

    def __init__(self, library, state, wanted=False):
        self.library = library
        self.state = state
        self.wanted = wanted


NOT_NEEDED = Outcome(None, "not needed")


def load(policy, offer=None, archive=None, home=None):
    """The Outcome of looking for psutil.

    `policy` is `carry` or `host`. `offer` describes the controller's copy: {hash, system, machine, libc}; without it
    any copy that an earlier call left is good. `archive` is that copy as the bytes of a zip file, when it was sent.
    """
    library = _import()
    if library is not None:
        return Outcome(library, "host %s" % library.__version__)
    if policy == "host":
        return Outcome(None, "missing: not installed on the host")
    try:
        return _carried(offer, archive, home or _home())
    except OSError as error:
        return Outcome(None, "missing: the carried copy cannot be stored or read: %s" % error)


def _carried(offer, archive, home):
    parent = os.path.join(home, ".cache", "roundsman")
    directory = os.path.join(parent, "psutil-" + offer["hash"]) if offer else _any_copy(parent)
    if directory and not os.path.lexists(directory):
        if archive is None:
            return _wish(offer, home)
        _unpack(archive, parent, directory)
    if not directory:
        return Outcome(None, "missing: not installed on the host, and no copy was carried there")
    for path in (parent, directory):
        if not _is_private(path):
            return Outcome(None, "missing: %s belongs to another user or others may write there" % path)
    sys.path.insert(0, directory)
    library = _import()
    if library is None:
        # Kept, so that it is not sent again with every sweep.
        sys.path.remove(directory)
        return Outcome(None, "missing: the carried copy is present but unusable (mounted noexec, or another libc)")
    return Outcome(library, "carried %s" % library.__version__)


def platform():
    """What a compiled module depends on, as {system, machine, libc}."""
    try:
        libc = (os.confstr("CS_GNU_LIBC_VERSION") or "").split(" ")[0]
    except (ValueError, OSError):
        libc = ""
    return {"system": os.uname().sysname, "machine": os.uname().machine, "libc": libc}


def _wish(offer, home):
    here = platform()
    other = [name for name, value in here.items() if offer[name] != value]
    if other:
        words = ", ".join("%s %s here, %s there" % (name, here[name] or "unknown", offer[name]) for name in other)
        return Outcome(None, "missing: the controller's copy does not fit (%s)" % words)
    if not os.access(_existing(os.path.join(home, ".cache", "roundsman")), os.W_OK | os.X_OK):
        return Outcome(None, "missing: %s cannot be written, so no copy can be kept there" % home)
    return Outcome(None, "missing: not carried yet", wanted=True)


def _existing(path):
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def _unpack(archive, parent, directory):
    """Put the copy in place at once or not at all; another process may do the same at the same time."""
    import shutil
    import tempfile
    import zipfile

    os.makedirs(parent, mode=0o700, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="incoming-", dir=parent)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            files.extractall(scratch)
        os.rename(scratch, directory)
    except (OSError, zipfile.BadZipFile) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        if not os.path.isdir(directory):
            raise OSError("unpacking failed: %s" % error) from error


def _is_private(path):
    found = os.lstat(path)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _any_copy(parent):
    try:
        copies = [os.path.join(parent, name) for name in os.listdir(parent) if name.startswith("psutil-")]
    except OSError:
        return None
    return max(copies, key=os.path.getmtime, default=None)


def _home():
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        raise OSError("user %d has no home" % os.geteuid()) from None


def _import():
    # A half-imported package would answer the next try with its remains.
    for name in [name for name in sys.modules if name.split(".")[0] == "psutil"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    try:
        import psutil
    except Exception:  # noqa: BLE001 - a broken installation is like none
        return None
    return psutil
