# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Faults in the values of a definition's keys, in words; what several kinds of source ask for."""

from __future__ import annotations


class Fault(str):
    """A fault in place of a value."""

    __slots__ = ()


def members(spec, key, found_empty=None):
    """The members of a list, or one stand-in that carries the fault."""
    value = spec.get(key)
    if value is None:
        value = []
    if not isinstance(value, list):
        return [Fault("{0} must be a list, not {1!r}".format(key, value))]
    if not value and found_empty:
        return [Fault("{0} {1}".format(key, found_empty))]
    return value


def path_faults(key, path):
    if isinstance(path, Fault):
        return [str(path)]
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
        return ["{0}: {1!r} is not an absolute path".format(key, path)]
    return []


def text_faults(spec, *keys):
    """Faults of optional keys that hold text."""
    found = [(key, spec[key]) for key in keys if spec.get(key) is not None]
    return [
        "{0} must be text that is not empty, not {1!r}".format(key, value)
        for key, value in found
        if not isinstance(value, str) or not value.strip()
    ]


def port_faults(spec):
    """Faults of an optional port."""
    port = spec.get("port", 1)
    if isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536:
        return []
    return ["port must be a whole number from 1 to 65535, not {0!r}".format(port)]
