# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the commands that people write into definitions, in a directory that is otherwise Roundsman's alone."""

from __future__ import annotations

import os
import pwd

from ..engines.base import BackupError
from .base import moment_of

# Where a command with a user of its own finds the directory, whose own path is closed to that user.
_PLACE = "/run/roundsman"
# A change of user undoes the signal that ends the command with us, so it is asked for once more. Without a network of
# its own a server can still be started and asked through the loopback interface.
_INSIDE = (
    'mount --bind "$1" "$2"; cd "$2"; uid=$3; gid=$4; shift 4; ip link set lo up 2>/dev/null || true; '
    'exec setpriv --reuid "$uid" --regid "$gid" --init-groups --pdeathsig TERM -- "$@"'
)


def command_faults(spec, *keys):
    """Faults of keys that hold a command: a list of words, or text for bash."""
    text = "{0} must be a command: a list of words, or text for bash; not {1!r}"
    return [text.format(key, spec[key]) for key in keys if spec.get(key) is not None and not _is_command(spec[key])]


def _is_command(value):
    words = value if isinstance(value, list) else [value]
    return bool(words) and all(isinstance(word, str) and "\0" not in word for word in words) and bool(words[0].strip())


class Commands:
    """The commands of one definition: `user` (a name or None) is whom they run as."""

    def __init__(self, effects, user):
        self._effects = effects
        self._user = user

    def run(self, command, variable, directory, failure, environment=None, stdout=None, network=True):
        """Run a command in `directory`, which it finds in the environment as `variable`, too: process.Finished.

        `failure`: reason code and words for the message. `network` false takes all interfaces but the loopback away,
        which takes root.
        """
        # A pipeline whose first part fails must not pass for a dump.
        argv = command if isinstance(command, list) else ["bash", "-e", "-o", "pipefail", "-c", command]
        known = dict(environment or {})
        if os.geteuid() == 0 and (self._user or not network):
            entry = self._entry()
            os.makedirs(_PLACE, 0o755, exist_ok=True)
            inside = ["sh", "-euc", _INSIDE, "sh", directory, _PLACE, str(entry.pw_uid), str(entry.pw_gid)]
            argv = ["unshare", "--mount", *([] if network else ["--net"]), "--", *inside, *argv]
            known = dict({"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}, **known)
            known[variable] = _PLACE
        else:
            known[variable] = directory
        options = {"user": self._user} if os.geteuid() != 0 else {}
        return self._effects.run(argv, *failure, environment=known, stdout=stdout, cwd=directory, **options)

    def check(self, command, copy, reason):
        """The values that a check prints as lines `name=value`, and that it passed."""
        failure = (reason, "The check of the copy")
        lines = self.run(command, "ROUNDSMAN_COPY", copy, failure, network=False).out.splitlines()
        pairs = [line.partition("=") for line in lines if "=" in line]
        return dict({name.strip(): value.strip() for name, _sign, value in pairs}, check="passed")

    def _entry(self):
        try:
            return pwd.getpwnam(self._user) if self._user else pwd.getpwuid(0)
        except KeyError:
            raise BackupError("unprivileged", "there is no user {0} on this host".format(self._user)) from None


def canary_of(values):
    """When the newest data were written, if a check says so by a value of the name `canary`."""
    return moment_of(values.get("canary"))
