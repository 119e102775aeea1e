"""A real nginx on a real host: what the http and access_log checks say of it, well, failing, slow and hung."""

from __future__ import annotations

import re

import pytest

from tests.fleet import base
from tests.fleet.looking import look_until
from tests.fleet.test_health import by_id, sweep
from tests.fleet.test_health_errors import Watch
from tests.fleet.waiting import until

SITE = r"""
log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                 '"$http_referer" "$http_user_agent" rt=$request_time';
log_format fields escape=json '{"time":"$time_iso8601","request":"$request","status":$status,'
                              '"request_time":$request_time,"user_agent":"$http_user_agent"}';
server {
    listen 80;
    listen [::]:80;
    listen 443 ssl;
    ssl_certificate /etc/ssl/shop.pem;
    ssl_certificate_key /etc/ssl/shop.key;
    server_name shop.invalid;
    access_log /var/log/nginx/access.log combined;
    access_log /var/log/nginx/timed.log timed;
    access_log /var/log/nginx/fields.log fields;
    location /health {
        default_type application/json;
        add_header X-Version "7.1";
        return 200 '{"db":"ok","queue":{"length":7}}';
    }
    location /backend/ { proxy_pass http://127.0.0.1:8081/; }
    location / { return 404; }
}
server { listen 80 default_server; access_log off; return 421; }
"""
CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 60 -subj /CN=shop.invalid"
    " -addext subjectAltName=DNS:shop.invalid -keyout /etc/ssl/shop.key -out /etc/ssl/shop.pem 2>/dev/null"
)
SLOW = """
import http.server, time
class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.3)
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'o')
        time.sleep(0.2)
        self.wfile.write(b'k')
http.server.ThreadingHTTPServer(('', 8082), Slow).serve_forever()
"""
LOGS = ("access", "timed", "fields")


@pytest.fixture(scope="module")
def front(shared_fleet):
    host = shared_fleet.host("front", tree=base.servers_tree)
    host.write("/etc/nginx/sites-enabled/default", SITE)
    host.write("/etc/systemd/system/backend.service", "[Service]\nExecStart=/usr/bin/python3 -m http.server 8081\n")
    host.run(f"{CERTIFICATE} && systemctl start backend && systemctl restart nginx")
    return host


def ask(host, path, times, *options):
    """Requests with curl on the host itself, so many one after the other. nginx notes each after its answer."""
    command = f"curl -s -o /dev/null -H 'Host: shop.invalid' {' '.join(options)} localhost{path}"
    lines = f"cat {' '.join(f'/var/log/nginx/{name}.log*' for name in LOGS)} | wc -l"
    wanted = int(host.run(lines).stdout) + times * len(LOGS)
    host.run(f"seq {times} | xargs -I% {command}; {until(f'test $({lines}) -ge {wanted}')}")


def measured(result):
    return {name: float(value) for name, value in re.findall(r"'([^']+)'=([0-9.]+)", result["perfdata"])}


def shop(**keys):
    """Judged by what it answers, not by how hard the machine is at work."""
    return {"type": "http", "url": "http://shop.invalid/health", "resolve": "127.0.0.1", "warn": None, **keys}


def test_a_virtual_host_is_asked_by_its_name_whatever_dns_says(front):
    checks = [
        shop(id="json", json={"db": "ok", "queue.length": {"warn": 5}}, header={"X-Version": r"^7\."}, samples=3),
        shop(id="tls", url="https://shop.invalid/health", ca="/etc/ssl/shop.pem"),
        shop(id="six", resolve="::1"),
        shop(id="other", url="http://other.invalid/"),
        shop(id="dns", resolve=None),
        shop(id="head", method="HEAD"),
        shop(id="posted", method="POST", body="a=b", regex='"db" *: *"ok"'),
    ]
    results = Watch(front, *checks).look()
    assert (results["json"]["status"], results["json"]["value"] > 0) == ("WARNING", True)
    assert ": 3 of 3 answers fine, queue.length is 7 (warn 5), 95% of them in " in results["json"]["message"]
    assert "certificate expires in 59 days" in results["tls"]["message"]
    assert {name: results[name]["status"] for name in ("tls", "six", "head", "posted")} == dict.fromkeys(
        ("tls", "six", "head", "posted"), "OK"
    )
    assert "status 421, expected 2xx" in results["other"]["message"]
    assert results["dns"]["status"] == "CRITICAL"


def test_times_are_those_of_curl(front):
    front.write("/srv/slow.py", SLOW)
    front.run("systemd-run --quiet --unit=slow python3 /srv/slow.py")
    front.run("curl -s --retry 9 --retry-connrefused localhost:8082")

    def both():
        ours = measured(Watch(front, {"type": "http", "url": "http://localhost:8082/"}).one())
        curl = front.run("curl -s -o /dev/null -w '%{time_starttransfer} %{time_total}' http://localhost:8082/").stdout
        return (ours["first byte"], ours["time"]), tuple(map(float, curl.split()))

    def agree(times):
        ((first_byte, total), curl) = times
        return max(abs(first_byte - curl[0]), abs(total - curl[1])) < 0.1 and first_byte < total - 0.15

    # They are two requests, and each may meet the machine hard at work.
    times = look_until(both, agree)
    front.run("systemctl stop slow")
    assert agree(times), times


def test_seen_from_the_controller(shared_fleet, front):
    checks = [shop(id="site", resolve=front.address, **{"from": "controller"}), shop(id="here")]
    results = by_id(sweep(shared_fleet, front, checks=checks)["front"])
    assert {name: result["status"] for name, result in results.items()} == {"site": "OK", "here": "OK"}


def test_a_service_that_hangs_or_is_gone(front):
    site, ssh = shop(id="site", samples=3), {"id": "ssh", "type": "tcp", "port": 22, "warn": None}
    front.run("systemctl kill --signal=STOP nginx")
    hung = Watch(front, {**site, "timeout": "10s"}, ssh).look()
    front.run("systemctl kill --signal=CONT nginx; systemctl stop nginx")
    gone = Watch(front, site).look()
    front.run("systemctl start nginx")
    assert (hung["site"]["status"], hung["ssh"]["status"]) == ("CRITICAL", "OK")
    assert "no complete answer within 9.0 s" in hung["site"]["message"]
    assert "0 of 3 answers fine, Connection refused" in gone["site"]["message"]


def test_the_share_of_failed_requests_in_every_form_of_log(front):
    checks = [{"id": name, "type": "access_log", "path": f"/var/log/nginx/{name}.log"} for name in LOGS]
    watch = Watch(front, *checks)
    watch.look()
    ask(front, "/health", 45, "-A", "'x\"] \" 500 1'")
    ask(front, "/nowhere", 5)
    well = watch.look()
    assert {name: (well[name]["status"], well[name]["value"]) for name in LOGS} == dict.fromkeys(LOGS, ("OK", 0.0))
    assert "'requests'=50" in well["fields"]["perfdata"]
    assert "95% took at most 0." in well["timed"]["message"]
    assert "95% took at most 0." in well["fields"]["message"]
    assert "took" not in well["access"]["message"]

    front.run("systemctl stop backend")
    ask(front, "/health", 45)
    ask(front, "/backend/", 5)
    front.run("systemctl start backend")
    front.run("logrotate --force /etc/logrotate.d/nginx")
    ask(front, "/health", 10)
    sick = watch.look()
    for name in LOGS:
        assert (sick[name]["status"], sick[name]["value"]) == ("CRITICAL", 8.333), sick[name]["message"]
        assert "8.33% of 60 requests in " in sick[name]["message"]
        assert "failed: 5 with 502 (crit 5%)" in sick[name]["message"]

    ask(front, "/backend/none", 5)
    few = watch.look()["access"]
    assert (few["status"], "5 requests" in few["message"]) == ("OK", True)


def test_a_log_of_another_kind_and_one_that_may_not_be_read(front):
    error_log = {"id": "errors", "type": "access_log", "path": "/var/log/nginx/error.log"}
    front.run("systemctl stop backend; for i in 1 2; do curl -s -H 'Host: shop.invalid' localhost/backend/; done")
    front.run("systemctl start backend; chmod 0640 /var/log/nginx/access.log")
    assert "in common, combined or JSON format" in Watch(front, error_log).one()["message"]
    refused = Watch(front, {**error_log, "path": "/var/log/nginx/access.log"}, user="ops").one()
    assert refused["message"] == "no permission to read /var/log/nginx/access.log"
