# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tasks that wait in a queue of Celery, asked of its broker: Redis or RabbitMQ."""

from __future__ import annotations

from ..family import CRITICAL, CannotLookError, NoAnswerError, family, finding, judge, key, limits, perf, threshold
from ..rabbitmq_api import queues
from ..redaction import for_people
from ..redis_wire import KEYS, RefusedError, address, log_in, refused, trouble
from ..web import url_faults

# Kombu keeps a list for each priority: the queue's name alone for 0, else with this separator and the priority.
PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")


def in_redis(spec, patience_s):
    """(tasks that wait, tasks that workers hold, of all queues together)."""
    server = log_in(spec, patience_s)
    try:
        waiting = sum(server.ask("LLEN", spec["queue"] + suffix) for suffix in PRIORITIES)
        return waiting, server.ask("HLEN", "unacked")
    finally:
        server.close()


def in_rabbitmq(spec, patience_s):
    asked = {"url": spec["url"], "login": spec["login"], "password": spec["password"] or "guest"}
    found = [queue for queue in queues(asked, spec["vhost"], "*", patience_s) if queue["name"] == spec["queue"]]
    if not found:
        raise CannotLookError("there is no queue %s" % spec["queue"], "correct queue or vhost, or start a worker")
    return found[0].get("messages_ready") or 0, found[0].get("messages_unacknowledged") or 0


def run(spec, context):
    patience_s = context.patience_s
    try:
        waiting, held = in_redis(spec, patience_s) if spec["broker"] == "redis" else in_rabbitmq(spec, patience_s)
    except RefusedError as error:
        raise refused(spec, error) from error
    except (NoAnswerError, OSError, ValueError) as error:
        return finding(CRITICAL, "%s: %s" % (place(spec), trouble(error, patience_s)))
    warn, crit = spec["warn"], spec["crit"]
    status = judge(waiting, warn, crit)
    message = "queue %s: %d tasks wait%s, %d with workers" % (spec["queue"], waiting, limits(status, warn, crit), held)
    data = perf("waiting", waiting, "", (warn, crit), (0,)) + " " + perf("unacknowledged", held)
    return finding(status, message, waiting, "", data)


def place(spec):
    return address(spec) if spec["broker"] == "redis" else for_people(spec["url"])


FAMILY = family(
    "celery",
    "queues",
    "tasks that wait in a queue of Celery",
    {
        "broker": key("str", "what carries the tasks", "redis", choices=("redis", "rabbitmq")),
        "queue": key("str", "name of the queue", "celery"),
        **KEYS,
        "url": key("str", "with RabbitMQ, address of its management API", "http://localhost:15672"),
        "login": key("str", "with RabbitMQ, user with the tag `monitoring`", "guest"),
        "vhost": key("str", "with RabbitMQ, virtual host of the queue", "/"),
        "warn": threshold("count", "tasks that wait"),
        "crit": threshold("count", "tasks that wait"),
    },
    run,
    target=lambda spec: "%s %s" % (place(spec), spec["queue"]),
    judge_spec=lambda spec: url_faults("url", spec["url"]),
    anywhere=True,
)
