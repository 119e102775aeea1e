# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area api: family, and every key with its default.
    DOCUMENTATION = r"""
options: {}
notes:
  - "C(http), a URL answers: C(url), required, C(method), one of C(GET), C(HEAD) and C(POST) (default C(GET)), C(body),
    what to post, C(headers), C(resolve), address to connect to instead of what the name resolves to, C(samples), how
    many requests, up to 20 (default 1), C(pause), between two of them (default C(100ms)), C(failures), how many of them
    may fail (default 0), C(status), the codes that are fine (default C(2xx)), C(header), headers of the answer, each
    with a regular expression that it matches, C(contains), text that has to be in the answer, C(regex), regular
    expression that has to match in it, C(json), paths in it such as C(status.db) or C(items[0].name), each with its
    value or with a mapping of C(warn) and C(crit) for a number, C(follow_redirects) (default true), C(verify), refuse
    a certificate that is not valid (default true), C(ca), file of certificate authorities on the host, C(warn)
    (default C(2s)) and C(crit) for the response time, of several samples the 95th percentile, C(first_byte_warn) and
    C(first_byte_crit) for the time until the first byte, C(certificate_warn) (default C(21d)) and C(certificate_crit)
    (default C(7d)) for the time that the certificate stays valid, where a single number is the least that is fine."
"""
