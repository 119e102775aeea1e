# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ways to switch an application from one version to another: a link to a release, a drop-in of its unit, or hooks.

A recipe says which version serves, what to remember before it switches, switches, and restores what was remembered.
"""

from __future__ import annotations

import contextlib
import os
import re

from .base import ProcedureError
from .files import sync_directory, write_for_all

_DROP_IN = "/etc/systemd/system/{0}.d/50-roundsman-version.conf"
_VERSION = re.compile(r'^Environment="ROUNDSMAN_VERSION=([^"]+)"$', re.MULTILINE)


class Release:
    """`current` is a link to releases/VERSION, and replaced by rename: there is no moment without one."""

    def __init__(self, path):
        self._path = path
        self._link = os.path.join(path, "current")

    def serving(self):
        target = self.remember()
        directory, name = os.path.split(os.path.join(self._path, target or ""))
        return name if directory == os.path.join(self._path, "releases") else target

    def remember(self):
        try:
            return os.readlink(self._link)
        except FileNotFoundError:
            return None
        except OSError as error:
            text = "{0} is no link, and nothing was changed. Move it away, or make it a link to what serves."
            raise ProcedureError("procedure_failed", text.format(self._link)) from error

    def switch(self, version, _update):
        self.restore(os.path.join("releases", version), version, None)

    def restore(self, target, _version, _update):
        if target is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._link)
            return
        fresh = self._link + ".new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        os.symlink(target, fresh)
        os.rename(fresh, self._link)
        sync_directory(os.path.dirname(self._link))


class Unit:
    """A drop-in tells the unit its version as $ROUNDSMAN_VERSION, and $ROUNDSMAN_RELEASE where releases are kept."""

    def __init__(self, unit, releases, reload):
        self._path = _DROP_IN.format(unit)
        self._releases = releases
        self._reload = reload

    def serving(self):
        found = _VERSION.search(self.remember() or "")
        return found.group(1) if found else None

    def remember(self):
        try:
            with open(self._path) as stream:
                return stream.read()
        except FileNotFoundError:
            return None

    def switch(self, version, _update):
        lines = ["[Service]", 'Environment="ROUNDSMAN_VERSION={0}"'.format(version)]
        if self._releases.kept:
            lines.append('Environment="ROUNDSMAN_RELEASE={0}"'.format(self._releases.of(version)))
        self.restore("\n".join(lines) + "\n", version, None)

    def restore(self, text, _version, _update):
        if text is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        else:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            write_for_all(self._path, text)
        self._reload()


class ByHooks:
    """The operator's own commands switch and roll back; which version serves is asked, or remembered."""

    def __init__(self, hooks, state):
        self._hooks = hooks
        self._state = state

    def serving(self):
        if "current" not in self._hooks:
            return self._state["serving"]
        return self._hooks.command("current", None, None).strip() or None

    def remember(self):
        return None

    def switch(self, version, update):
        self._hooks.command("switch", version, update)

    def restore(self, _remembered, version, update):
        self._hooks.command("roll_back", version, update)
