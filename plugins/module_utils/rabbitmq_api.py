# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What RabbitMQ's management API says, for checks of its queues."""

from __future__ import annotations

import fnmatch
import json
from urllib.parse import quote

from .family import NoAnswerError, key
from .web import get

KEYS = {
    "url": key("str", "address of the management API", "http://localhost:15672"),
    "login": key("str", "user with the tag `monitoring`", "guest"),
    "password": key("str", "its password", "guest"),
}
COLUMNS = "name,vhost,messages,messages_ready,messages_unacknowledged,consumers"


def ask(spec, path, patience_s):
    """The JSON at a path. NoAnswerError and CannotLookError as of `web.get`."""
    body = get(spec["url"].rstrip("/") + path, patience_s, spec["login"], spec["password"])
    try:
        return json.loads(body)
    except ValueError:
        raise NoAnswerError("its answer is not JSON") from None


def queues(spec, vhost, pattern, patience_s):
    """The queues, of one vhost or of all that the user sees, whose name matches."""
    place = "/" + quote(vhost, safe="") if vhost else ""
    found = ask(spec, "/api/queues%s?columns=%s" % (place, COLUMNS), patience_s)
    return [queue for queue in found if fnmatch.fnmatchcase(queue["name"], pattern)]


def alarms(spec, patience_s):
    """Words on every node that is not running, or blocks publishers because its memory or disk runs out."""
    found = []
    for node in ask(spec, "/api/nodes?columns=name,running,mem_alarm,disk_free_alarm,partitions", patience_s):
        faults = [
            words
            for name, words in (("mem_alarm", "memory alarm"), ("disk_free_alarm", "disk alarm"))
            if node.get(name)
        ]
        faults += ["sees a network partition"] if node.get("partitions") else []
        faults += ["is not running"] if not node.get("running", True) else []
        found += ["%s: %s" % (node["name"], ", ".join(faults))] if faults else []
    return found
