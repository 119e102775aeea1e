"""Checks as a person writes them, and the result of running them here.

How long they may take is no matter of most tests, and on a machine that is busy with others anything may take seconds.
"""

from unittest import mock

import psutil
from ansible_collections.roundsman.fleet.plugins.module_utils import family as family_module
from ansible_collections.roundsman.fleet.plugins.module_utils.family import Context, family, finding
from ansible_collections.roundsman.fleet.plugins.module_utils.health import run_all
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import COMMON, Spec, read, read_keys

LIMIT_S = 60


def result_of(check, library=psutil, limit_s=LIMIT_S, patience_s=None):
    """The result of one check, run on this machine."""
    return look(check, library=library, limit_s=limit_s, patience_s=patience_s)[0]


def look(check, bookmark=None, library=psutil, limit_s=LIMIT_S, patience_s=None):
    """(result, bookmark left) of one check, run on this machine; the result is None where an optional thing is not.

    `patience_s`: how long the check itself waits, if not for the usual share of its limit. A test of what it says after
    that needs a limit that is not near.
    """
    (spec,), faults = read([check], limit_s)
    assert faults == []
    share = family_module.SHARE_TO_WAIT if patience_s is None else patience_s / limit_s
    with mock.patch.object(family_module, "SHARE_TO_WAIT", share):
        results, left = run_all([spec], library, "test", {spec.id: bookmark})
    return next(iter(results), None), left.get(spec.id)


def keys_of(check):
    (spec,), faults = read([check], 10)
    assert faults == []
    return spec.keys


def invented(name, run, limit_s=60.0, needs_psutil=False, optional=False):
    """A Spec of a family that exists only in this test; `run` takes a Context."""
    kind = family(name, "services", "", {}, lambda _spec, context: run(context), needs_psutil=needs_psutil)
    (keys, _faults) = read_keys({"type": name, "optional": optional}, COMMON, name)
    return Spec(name, name, "", limit_s, kind, keys)


__all__ = ["Context", "finding", "invented", "keys_of", "look", "result_of"]
