# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area api: family, and every key with its default.
    DOCUMENTATION = r"""
options: {}
notes:
  - "C(http), a URL answers: C(url), required, C(status), the codes that are fine (default C(2xx)), C(contains), text
    that has to be in the answer, C(headers), C(follow_redirects) (default true), C(verify), refuse a certificate that
    is not valid (default true), C(ca), file of certificate authorities on the host, C(warn) (default C(2s)) and
    C(crit) for the response time, C(certificate_warn) (default C(21d)) and C(certificate_crit) (default C(7d)) for
    the time that the certificate stays valid, where a single number is the least that is fine."
"""
