# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area queues: family, and every key with its default.
    DOCUMENTATION = r"""
options: {}
notes:
  - "C(celery), tasks that wait: C(broker) (default C(redis)), C(queue) (default C(celery)); for Redis C(host)
    (default C(localhost)), C(port) (default C(6379)), C(socket), C(username), C(password), C(database) (default
    C(0)); for RabbitMQ C(url) (default C(http://localhost:15672)), C(login) (default C(guest)), C(password),
    C(vhost) (default C(/)); C(warn), C(crit)."
  - "C(mariadb), one number about a server: C(query) (default C(connections)), one of C(connections) (80%, 95%),
    C(lag) (30s, 5min), C(transactions) (15min), C(sql), where in parentheses are the defaults of C(warn) and
    C(crit); C(sql), a SELECT that returns one number; C(host), C(port), C(socket), C(login), C(password)."
  - "C(postfix), the mail queue: C(warn), C(crit) for all messages, C(deferred_warn) (default C(20)),
    C(deferred_crit), C(hold_warn), C(hold_crit), C(age_warn) (default C(4h)) and C(age_crit) for the oldest."
  - "C(postgresql), one number about a server: C(query) (default C(connections)), one of C(connections) (80%, 95%),
    C(lag) (30s, 5min), C(transactions) (15min), C(locks) (10), C(size), C(wraparound) (50%, 80%), C(sql), where in
    parentheses are the defaults of C(warn) and C(crit); C(sql), a SELECT that returns one number; C(standbys), how
    many have to be streaming; C(database) (default C(postgres)), C(host), C(port), C(login), C(password), and
    C(user), as which user of the host to ask."
  - "C(prometheus), the value of a metric: C(url) and C(metric), required, C(labels), C(aggregate) (default C(sum)),
    C(username), C(password), C(warn), C(crit)."
  - "C(rabbitmq), messages in the longest queue: C(url) of the management API (default C(http://localhost:15672)),
    C(login) (default C(guest)), C(password) (default C(guest)), C(vhost), C(queue), a pattern (default C(*)),
    C(consumers), how many each has to have (default C(0)), C(warn), C(crit)."
  - "C(redis), Redis answers: C(host) (default C(localhost)), C(port) (default C(6379)) or C(socket), C(username),
    C(password), C(database) (default C(0)); C(memory_warn) (default C(90%)), C(memory_crit) for the used part of
    maxmemory, C(replicas), how many have to be connected. With C(list), or C(stream) and perhaps its C(group),
    instead C(warn), C(crit) for the entries that wait."
  - "C(spool), files in a directory: C(path), required, C(pattern) (default C(*)), C(recursive) (default C(false)),
    C(warn), C(crit) for their number, C(age_warn), C(age_crit) for the age of the oldest, C(size_warn),
    C(size_crit) for all together."
"""
