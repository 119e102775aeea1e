# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The releases of an application on disk: PATH/releases/VERSION, complete or not there at all."""

from __future__ import annotations

import hashlib
import os
import shutil

from ansible.module_utils.urls import open_url

from ..mounts import read_mounts
from .application import surplus
from .base import ProcedureError
from .files import sync_directory

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tar.zst")
_PIECE = 1 << 20
_SOCKET_TIMEOUT_S = 30


class Releases:
    """`path` is the application's directory, or None where no releases are kept."""

    def __init__(self, step, path):
        self._step = step
        self._path = path
        self.kept = path is not None
        self._directory = os.path.join(path, "releases") if path else None

    def of(self, version):
        """The directory of a version, whether it is there or not."""
        return os.path.join(self._directory, version)

    def where(self, version):
        """The directory in which hooks for a version run."""
        if not self.kept:
            return "/"
        places = [self.of(version)] if version else []
        return next((place for place in (*places, self._path) if os.path.isdir(place)), "/")

    def fetch(self, version, hooks, update):
        """Make the directory of a version, unless it is there. Its name appears when all is in it."""
        if not self.kept:
            hooks.command("fetch", version, update)
            return
        if os.path.isdir(self.of(version)):
            return
        partial = self._partial(version)
        self._remove(partial)
        os.makedirs(partial)
        if hooks.url("fetch"):
            self._download(hooks.url("fetch"), partial)
        else:
            if hooks.user("fetch"):
                shutil.chown(partial, hooks.user("fetch"))
            hooks.command("fetch", version, update, cwd=partial)
        _to_disk(partial)
        os.rename(partial, self.of(version))
        sync_directory(self._directory)

    def discard(self, version):
        """Remove a release, and what was fetched of it. One that cannot be removed is no reason not to serve another.

        It loses its name first: half removed, whoever wants that version again would take it for whole.
        """
        if not self.kept:
            return
        release, partial = self.of(version), self._partial(version)
        try:
            self._remove(partial)
            if os.path.lexists(release) and not self._is_mounted(release):
                os.rename(release, partial)
                self._remove(partial)
        except OSError as error:
            place = partial if os.path.lexists(partial) else release
            self._step.warn("{0} could not be removed: {1}. Remove it by hand".format(place, error.strerror or error))

    def surplus(self, protected, keep):
        """[(name, size in bytes)] of the releases that `keep` leaves no place for."""
        if not self.kept or not os.path.isdir(self._directory):
            return []
        with os.scandir(self._directory) as entries:
            found = [
                (entry.name, entry.stat(follow_symlinks=False).st_mtime)
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
        return [(name, _size(self.of(name))) for name in surplus(found, protected, keep)]

    def _partial(self, version):
        return os.path.join(self._directory, ".{0}.partial".format(version))

    def _remove(self, path):
        if os.path.islink(path):
            os.unlink(path)
        elif os.path.lexists(path) and not self._is_mounted(path):
            shutil.rmtree(path)

    def _is_mounted(self, path):
        """Whether something is mounted in a tree, which is not of this release alone then; says so."""
        real = os.path.realpath(path)
        within = [mount.path for mount in read_mounts()[0] if mount.path == real or mount.path.startswith(real + "/")]
        if within:
            text = "{0} was not removed: {1} is mounted there. Unmount it, and remove the directory by hand."
            self._step.warn(text.format(path, ", ".join(within)))
        return bool(within)

    def _download(self, wanted, directory):
        name = os.path.basename(wanted["url"].partition("?")[0]) or "download"
        path, digest = os.path.join(directory, name), hashlib.sha256()
        try:
            with open_url(wanted["url"], timeout=_SOCKET_TIMEOUT_S) as source, open(path, "wb") as target:
                for piece in iter(lambda: source.read(_PIECE), b""):
                    self._step.tick()
                    digest.update(piece)
                    target.write(piece)
        except OSError as error:
            raise ProcedureError("hook_failed", "fetch of {0} failed: {1}".format(name, error)) from error
        if "sha256:" + digest.hexdigest() != wanted["checksum"]:
            text = "what was fetched as {0} has another checksum (sha256:{1}) and was thrown away"
            raise ProcedureError("hook_failed", text.format(name, digest.hexdigest()))
        if name.endswith(_ARCHIVES):
            done = self._step.run(["tar", "--extract", "--no-same-owner", "--file", path, "--directory", directory])
            if done.rc:
                raise ProcedureError("hook_failed", "{0} cannot be unpacked: {1}".format(name, done.err.strip()[-300:]))
            os.unlink(path)


def _to_disk(tree):
    """After a power cut a release is whole, or its name is not there."""
    for folder, _folders, names in os.walk(tree):
        for path in [os.path.join(folder, name) for name in names] + [folder]:
            if os.path.isfile(path) or os.path.isdir(path):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)


def _size(path):
    files = (os.path.join(folder, name) for folder, _folders, names in os.walk(path) for name in names)
    return 512 * sum(os.lstat(file).st_blocks for file in files)
