# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area errors: family, and every key with its default.
    DOCUMENTATION = r"""
options: {}
notes:
  - "C(access_log), share of requests that ended in a server error (HTTP 5xx) since the last round, in access logs in
    common, combined or JSON format: C(path), the log or a pattern, required, C(tail), how much of its end the first
    look reads (default C(1MiB)), C(warn) (default C(1%)) and C(crit) (default C(5%)) for the share,
    C(min_requests), with fewer there is no verdict (default 20), C(status_field), field of the status in JSON,
    C(time_field), field of the time that a request took, in JSON or as C(name=1.5), C(time_unit), one of C(s),
    C(ms), C(us) and C(ns) (default C(s)), C(latency_warn) and C(latency_crit) for the time that 95% of the requests
    took at most."
  - "C(journal), rate of entries in the systemd journal since the last round, reckoned over at least a minute:
    C(units), only of these, C(priority), only of this and worse, one of C(emerg), C(alert), C(crit), C(err),
    C(warning), C(notice), C(info) and C(debug) (default C(err)), C(match), regular expression that the message
    matches, C(ignore), regular expression of messages that do not count, C(look_back), how far the first look goes
    back (default C(15min)), C(quote), quote the last message (default true), C(warn) (default C(1/min)) and C(crit)
    for the rate."
  - "C(logfile), number of lines in log files that match an expression, since the last round: C(path), the log or a
    pattern, required, C(tail), how much of its end the first look reads (default C(1MiB)), C(regex), regular
    expression that the lines match, required, C(ignore), regular expression of lines that do not count,
    C(encoding) (default C(utf-8)), C(quote), quote the last line (default true), C(warn) (default C(0)) and C(crit)
    for the number of lines."
"""
