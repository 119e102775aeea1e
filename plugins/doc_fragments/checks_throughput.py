# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area throughput: family, and every key with its default.
    DOCUMENTATION = r"""
options: {}
notes:
  - "C(throughput), how fast a counter grows: C(source), required, one of C(disk), C(file), C(network), C(nginx),
    C(postgresql), C(prometheus), C(redis); C(name), C(labels), C(path), C(url); to connect as the
    checks C(redis) and C(postgresql) do, C(host), C(port), C(socket), C(username), C(login), C(password), C(database),
    C(user); C(sample) (default C(1s)), C(warn), C(crit)."
"""
