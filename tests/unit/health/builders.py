"""Checks as a person writes them, and the result of running them here."""

import psutil
from ansible_collections.roundsman.fleet.plugins.module_utils.family import Context, family, finding
from ansible_collections.roundsman.fleet.plugins.module_utils.health import run_all
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import Spec, read


def result_of(check, library=psutil, limit_s=10):
    """The result of one check, run on this machine."""
    specs, faults = read([check], limit_s)
    assert faults == []
    (result,) = run_all(specs, library, "test")
    return result


def keys_of(check):
    (spec,), faults = read([check], 10)
    assert faults == []
    return spec.keys


def invented(name, run, limit_s=5.0, needs_psutil=False):
    """A Spec of a family that exists only in this test; `run` takes a Context."""
    kind = family(name, "", {}, lambda _spec, context: run(context), needs_psutil=needs_psutil)
    return Spec(name, name, "", limit_s, kind, {})


__all__ = ["Context", "finding", "invented", "keys_of", "result_of"]
