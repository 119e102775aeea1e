# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area throughput: family, and every key with its default.
    DOCUMENTATION = r"""
options: {}
notes:
  - "C(throughput), how fast a counter grows: C(source), required, one of C(disk), C(file), C(network), C(nginx),
    C(postgresql), C(prometheus), C(redis); C(name), C(labels), C(path), C(url), C(host) (default C(localhost)),
    C(port), C(socket), C(username), C(password), C(database) (default C(0)); C(sample) (default C(1s)), C(warn),
    C(crit)."
"""
