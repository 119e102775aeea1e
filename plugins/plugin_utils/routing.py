# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the inventory says of a host that its alerts are routed by: labels, and what it depends on."""

from __future__ import annotations

import re
import shlex
from itertools import chain

LABELS = "roundsman_labels"
DEPENDS_ON = "roundsman_depends_on"
# Where an inventory says how SSH gets to a host.
SSH_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
VARIABLES = (LABELS, DEPENDS_ON, "ansible_host", *SSH_ARGUMENTS)
# Prometheus's names of labels; those that an alert has of its own are not for hosts to say.
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TAKEN = ("alertname", "host", "check", "severity", "priority")


def routing_of(values):
    """(routing, faults) from the variables of a host, templated: `labels`, `depends_on` (names or addresses),
    `address`."""
    labels, needed = values.get(LABELS) or {}, values.get(DEPENDS_ON) or []
    needed = [needed] if isinstance(needed, str) else needed
    faults = []
    if not isinstance(labels, dict):
        labels, faults = {}, ["%s is not a mapping of names to texts" % LABELS]
    if not isinstance(needed, list) or not all(isinstance(one, str) for one in needed):
        needed, faults = [], [*faults, "%s is neither a host nor a list of hosts" % DEPENDS_ON]
    for name, value in labels.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _TAKEN:
            faults.append("%s: %r cannot be a label of a host" % (LABELS, name))
        elif isinstance(value, (dict, list)):
            faults.append("%s: %s is not a text" % (LABELS, name))
    through = chain.from_iterable(jumps(str(values.get(name) or "")) for name in SSH_ARGUMENTS)
    routing = {
        "labels": {str(name): _text(value) for name, value in labels.items()},
        "depends_on": list(dict.fromkeys([*map(str, needed), *through])),
        "address": str(values.get("ansible_host") or ""),
    }
    return routing, faults


def _text(value):
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def jumps(arguments):
    """The hosts that SSH goes through by `-J`, `ProxyJump` or `ProxyCommand="ssh -W …"`."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        return
    for word, following in zip(words, [*words[1:], ""]):
        if word.startswith("-J"):
            yield from _names((word[2:] or following).split(","))
        elif word.startswith("-o"):
            option, value = ([*re.split(r"\s*[=\s]\s*", word[2:] or following, maxsplit=1), ""])[:2]
            if option.lower() == "proxyjump":
                yield from _names(value.split(","))
            elif option.lower() == "proxycommand" and "-W" in value.split():
                yield from _names(value.split()[-1:])


def _names(hops):
    """`ssh://user@bastion:22` is bastion."""
    for hop in hops:
        match = re.fullmatch(r"(?:ssh://)?(?:[^@]*@)?(?:\[(.+)\]|([^:/]+))(?::\d+)?/?", hop)
        if match:
            yield match[1] or match[2]
