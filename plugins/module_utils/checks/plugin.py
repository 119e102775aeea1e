# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Any Nagios or monitoring plugin: its exit code, text and performance data (Monitoring Plugins guidelines)."""

from __future__ import annotations

import os
import re
import signal

from ..family import CRITICAL, ENVIRONMENT, OK, UNKNOWN, WARNING, CannotLookError, NotThereError, family, finding, key

STATUSES = (OK, WARNING, CRITICAL, UNKNOWN)
# Where distributions put them, so that `check_load` is enough.
FOLDERS = ("/usr/lib/nagios/plugins", "/usr/lib64/nagios/plugins", "/usr/lib/monitoring-plugins")
FOLDERS += ("/usr/local/nagios/libexec", "/usr/local/lib/nagios/plugins")
LONGEST_REST = 300
NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = r"[-+~@:\d.eE]*"
ITEM = re.compile(
    r"""\s*(?:'(?P<quoted>(?:[^']|'')+)'|(?P<plain>[^\s'=]+))=(?P<value>%s)(?P<unit>[A-Za-zµ%%/]*)"""
    r"""(?P<limits>(?:;%s){0,4});?(?=\s|$)""" % (NUMBER, RANGE)
)
# Units of the guidelines in ours.
UNITS = {"s": ("s", 1), "ms": ("s", 1e-3), "us": ("s", 1e-6), "%": ("%", 1), "B": ("B", 1), "c": ("", 1), "": ("", 1)}
UNITS.update((letter + "B", ("B", 1024**power)) for power, letter in enumerate("KMGTP", start=1))


def parts(output):
    """(first line, other lines, performance data) of a plugin's output."""
    first, _bar, data = (output.splitlines() or [""])[0].partition("|")
    rest, beyond, after = "\n".join(output.splitlines()[1:]).partition("|")
    return first.strip(), rest.strip(), " ".join([data, *([after] if beyond else [])])


def performance(text):
    """The valid items of performance data, as matches of ITEM; what is not valid is left out."""
    found, position = [], 0
    while position < len(text):
        match = ITEM.match(text, position)
        if match:
            found.append(match)
            position = match.end()
        else:
            after = re.compile(r"\s*\S+").match(text, position)
            position = after.end() if after else len(text)
    return found


def measured(items):
    """(value, unit) of the first item in our units."""
    if not items:
        return None, ""
    unit, factor = UNITS.get(items[0].group("unit"), (items[0].group("unit"), 1))
    return float(items[0].group("value")) * factor, unit


def death(code):
    """How a plugin ended that has no exit code of its own, or None."""
    number = -code if code < 0 else code - 128  # runuser and shells add 128
    try:
        return "was ended by signal %d (%s)" % (number, signal.Signals(number).name)
    except ValueError:
        return None


def judge_output(code, stdout, stderr):
    """(status, message, value, unit, performance data) of a plugin that ended with `code`."""
    first, rest, data = parts(stdout.strip())
    items = performance(data)
    words = first or "no output"
    if rest:
        shortened = " ".join(rest.split())
        words += "; " + shortened[:LONGEST_REST] + "…" * (len(shortened) > LONGEST_REST)
    complaint = " ".join(stderr.split())[:LONGEST_REST]
    if complaint and (not first or not 0 <= code <= 3):
        words += " (stderr: %s)" % complaint
    if not 0 <= code <= 3:
        strange = death(code) or "ended with %d, which means nothing" % code
        words = "the plugin %s: %s" % (strange, words)
    status = STATUSES[code] if 0 <= code <= 3 else UNKNOWN
    return (status, words, *measured(items), " ".join(item.group().strip() for item in items))


def target(spec):
    return os.path.basename(spec["command"][0])


def run(spec, context):
    path = {"PATH": ":".join((*FOLDERS, ENVIRONMENT["PATH"]))}
    command = spec["command"]
    # As another user somebody else starts it, who tells by exit codes that a plugin could use as well.
    program = _find(command[0], path["PATH"])
    code, stdout, stderr = context.run(
        [program, *command[1:]], user=spec["user"], environment=dict(path, **(spec["environment"] or {}))
    )
    return finding(*judge_output(code, stdout, stderr))


def _find(name, folders):
    places = [name] if "/" in name else [os.path.join(folder, name) for folder in folders.split(":")]
    found = [place for place in places if os.path.isfile(place)]
    if not found:
        raise NotThereError("the plugin %s is not on the host" % name, "install it, or correct the path in command")
    runnable = [place for place in found if os.access(place, os.X_OK)]
    if not runnable:
        raise CannotLookError("the plugin %s may not be run" % found[0], "make it executable, or check as root")
    return runnable[0]


def judge_spec(spec):
    return [] if spec["command"] else ["command is empty"]


FAMILY = family(
    "plugin",
    "services",
    "a Nagios or monitoring plugin: its status, text and performance data; the value is the first item of these",
    {
        "command": key("command", "the plugin and its arguments, a list or words as in a shell", required=True),
        "environment": key("dict", "environment variables for it, the place for secrets"),
        "user": key("str", "run it as this user"),
    },
    run,
    target=target,
    judge_spec=judge_spec,
)
