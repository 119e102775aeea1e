# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work in a process of its own, that can be ended and that no other check waits for.

Python's regular expressions never let go of the interpreter: a catastrophic one in a thread would hang the whole sweep.
"""

from __future__ import annotations

import json
import re
import sys

from .family import CannotLookError

# Reading ends a little before the check's own limit, so that what was found by then is the result.
SHARE_OF_LIMIT = 0.7


def run_apart(context, worker, request):
    """What the function `worker` returns for `request` (both plain JSON), in a process of its own.

    The module of `worker` runs there as a script, so it imports nothing of ours.
    """
    module = sys.modules[worker.__module__]
    source = module.__spec__.loader.get_source(module.__name__)
    call = "import json\nprint(json.dumps(%s(json.loads(%r))))" % (worker.__name__, json.dumps(request))
    code, stdout, stderr = context.run([sys.executable, "-I", "-"], stdin="%s\n\n%s\n" % (source, call))
    try:
        return json.loads(stdout)
    except ValueError:
        words = (stderr.strip().splitlines() or ["it ended with %d and said nothing" % code])[-1]
        raise CannotLookError("the process that looks broke: %s" % words) from None


def bad_expressions(spec, *names):
    """Faults of those keys of a check that hold regular expressions."""
    faults = []
    for name in names:
        try:
            re.compile(spec[name] or "")
        except (re.error, RecursionError, OverflowError) as error:
            faults.append('%s "%s" is not a regular expression: %s' % (name, spec[name], error))
    return faults
