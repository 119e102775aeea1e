# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes room by removing what can be had again, one kind of cache after the other."""

from __future__ import annotations

from ..family import size
from .base import ProcedureError
from .caches_directories import Directories
from .caches_evict import Evictions
from .caches_images import Images
from .caches_journal import Journal
from .caches_kernels import Kernels, prove_kernels
from .caches_packages import Packages
from .caches_temporary import Temporary

# Each is made of the module's parameters, raises ProcedureError for what is wrong with them, and has `clean(step)`,
# which plans or does it, and returns how many bytes that freed on disk.
KINDS = (Packages, Journal, Temporary, Directories, Images, Kernels, Evictions)


def clean(step):
    """Do what the module's parameters ask for. One kind that fails keeps no other from being done."""
    kinds = [kind(step.module.params) for kind in KINDS]
    freed, failures = [], []
    for kind in kinds:
        step.tick()
        try:
            freed.append(kind.clean(step))
        except ProcedureError as failure:
            if failure.reason in ("timeout", "no_space"):
                raise
            failures.append(failure)
        except OSError as error:
            failures.append(ProcedureError("procedure_failed", "{0}: {1}".format(error.filename, error.strerror)))
    if not step.check_mode:
        step.record["reclaimed_bytes"] = sum(freed)
    if failures:
        raise ProcedureError(failures[0].reason, "; ".join(failure.message for failure in failures))
    return _message(step)


def prove(step):
    """What must be so whatever was removed: the kernels that may boot next are whole."""
    return prove_kernels(step)


def _message(step):
    actions = step.record["actions"]
    if not actions:
        return "nothing to remove"
    if step.check_mode:
        return "would remove {0}".format(size(sum(one["size_bytes"] or 0 for one in actions)))
    return "freed {0}".format(size(step.record["reclaimed_bytes"]))
