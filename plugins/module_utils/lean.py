# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs on a host when the action plugin sends the health module over standard input, without AnsiballZ."""

from __future__ import annotations

import json
import os
import sys

from .health import prepare, sweep

MARKER = "ROUNDSMAN-HEALTH-1:"


def answer(request, archive):
    """The JSON value to print: a sweep's result, {send_psutil: true} when that would help, or {faults: [...]}."""
    parameters = request["parameters"]
    specs, faults = prepare(parameters)
    if faults:
        return {"faults": faults}
    return sweep(specs, parameters, request["offer"], archive or None)


def main(stream, request_size):
    request = json.loads(stream.read(request_size))
    text = json.dumps(answer(request, stream.read()))
    sys.stdout.write("\n" + MARKER + text + "\n")
    sys.stdout.flush()
    # Threads that still wait for a dead disk or network must not hold the connection.
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    os._exit(0)
