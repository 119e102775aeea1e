# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area queues: family, and every key with its default.
    DOCUMENTATION = r"""
options: {}
notes: []
"""
