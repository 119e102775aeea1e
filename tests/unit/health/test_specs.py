import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.health import prepare, run_all
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import (
    COMMON,
    FAMILIES,
    family_of,
    identity_of,
    read,
)

KEYS = (
    "attempts, crit, exclude, free_crit, free_warn, from, id, inodes_crit, inodes_warn, mounted, network, optional, "
    "path, read_only, recovery, runbook_url, timeout, type, warn"
)


def specs_of(*checks):
    specs, faults = read(list(checks), 10)
    assert faults == []
    return specs


def faults_of(*checks):
    return read(list(checks), 10)[1]


@pytest.mark.parametrize(
    ("check", "identity", "target"),
    [
        ({"type": "load"}, "load", ""),
        ({"type": "filesystem"}, "filesystem", ""),
        ({"type": "filesystem", "path": "/var"}, "filesystem-/var", "/var"),
        ({"type": "systemd", "unit": "nginx.service"}, "systemd-nginx.service", "nginx.service"),
        ({"type": "tcp", "port": "5432"}, "tcp-localhost:5432", "localhost:5432"),
        ({"type": "tcp", "host": "::1", "port": 80}, "tcp-[::1]:80", "[::1]:80"),
        ({"type": "http", "url": "https://u:secret@shop/"}, "http-https://shop/", "https://shop/"),
        ({"type": "processes", "name": "sshd", "user": "root", "crit": "1:"}, "processes-sshd of root", "sshd of root"),
        ({"type": "load", "id": 7}, "7", ""),
    ],
)
def test_a_check_is_named_after_what_it_looks_at_unless_it_has_an_id(check, identity, target):
    (spec,) = specs_of(check)
    assert (spec.id, spec.target) == (identity, target)


def test_defaults_apply_where_nothing_is_written_and_null_takes_a_threshold_away():
    (spec,) = specs_of({"type": "memory", "warn": None})
    assert spec.keys["warn"] is None
    assert spec.keys["crit"].text == "95%"


def test_a_check_has_its_own_time_limit_or_the_common_one():
    first, second = specs_of({"type": "load"}, {"type": "load", "id": "slow", "timeout": "1min"})
    assert (first.limit_s, second.limit_s) == (10, 60)


def test_a_runbook_is_an_address_and_comes_back_with_the_result():
    (told,) = run_all(specs_of({"type": "uptime", "runbook_url": "https://wiki/uptime"}), None, "test")[0]
    assert told["runbook_url"] == "https://wiki/uptime"
    assert "runbook_url" not in run_all(specs_of({"type": "uptime"}), None, "test")[0][0]
    (fault,) = faults_of({"type": "uptime", "runbook_url": "javascript:alert(1)"})
    assert "runbook_url has to be an http:// or https:// address, not javascript:alert(1)" in fault


def test_all_faults_are_named_at_once_with_check_key_and_what_is_allowed():
    faults = faults_of(
        {"type": "filesystem", "id": "data-disk", "wran": "80%", "crit": "90 pct"},
        {"type": "lod"},
        {"warn": 1},
        "load",
        {"type": "tcp"},
        {"type": "load", "minutes": 4},
    )
    assert faults == [
        'check 1 (data-disk): unknown key "wran" (did you mean "warn"?): filesystem takes ' + KEYS,
        'check 1 (data-disk): crit: "90 pct": the unit "pct" does not fit here; write for example 80%, 500M or 10GiB',
        'check 2: type "lod" is unknown (did you mean "load"?): one of ' + ", ".join(FAMILIES),
        "check 3: type is missing: one of " + ", ".join(FAMILIES),
        "check 4: it is text, not a mapping of keys",
        "check 5: port is missing: port number",
        'check 6: minutes: "4" is not one of 1, 5, 15',
    ]


@pytest.mark.parametrize(
    ("check", "complaint"),
    [
        ({"type": "tcp", "port": 70000}, "70000 is not a port"),
        ({"type": "tcp", "port": 80.5}, "not a whole number"),
        ({"type": "tcp", "port": True}, "not a whole number"),
        ({"type": "filesystem", "path": "var"}, "not an absolute path"),
        ({"type": "filesystem", "path": "/var", "network": True}, "do not go together with path"),
        ({"type": "filesystem", "mounted": True}, "mounted needs a path"),
        ({"type": "filesystem", "mounted": "perhaps", "path": "/"}, "not true or false"),
        ({"type": "processes", "name": "sshd"}, "give warn or crit"),
        ({"type": "http", "url": "shop.example"}, "not of the form"),
        ({"type": "http", "url": "ftp://shop/"}, "not of the form"),
        ({"type": "http", "url": "http://shop:port/"}, "port"),
        ({"type": "http", "url": "http://[::1/"}, "not of the form"),
        ({"type": "http", "url": "http://shop/", "status": "ok"}, "status takes codes"),
        ({"type": "http", "url": "http://shop/", "headers": ["a"]}, "not a mapping"),
        ({"type": "systemd", "unit": "a.service", "ignore": ["b"]}, "does not go together with unit"),
        ({"type": "load", "timeout": "0"}, "not a duration"),
        ({"type": "load", "timeout": "2h"}, "not a duration"),
        ({"type": "load", "id": "reachable"}, "reserved"),
        ({"type": "load", "id": "backup:etc"}, "reserved"),
        ({"type": "load", "id": "a\nb"}, "printable"),
        ({"type": "load", "id": "x" * 201}, "at most 200"),
        ({"type": ["load"]}, "is unknown"),
        ({"type": "uptime", "reboot_required": "maybe"}, "not one of ignore, warning, critical"),
    ],
)
def test_a_bad_value_is_refused_with_the_reason(check, complaint):
    (fault,) = faults_of(check)
    assert fault.startswith("check 1")
    assert complaint in fault


def test_two_checks_may_not_share_an_id():
    faults = faults_of({"type": "filesystem"}, {"type": "load"}, {"type": "load", "id": "filesystem"})
    assert faults == ['checks 1 and 3 have the same id "filesystem": give each its own id']


def test_a_password_in_a_url_is_not_in_the_complaint_about_it():
    (fault,) = faults_of({"type": "http", "url": "gopher://u:secret@shop/"})
    assert "secret" not in fault


@pytest.mark.parametrize("limit_s", [0, -1, 3601, float("nan")])
def test_the_time_limit_has_to_make_sense(limit_s):
    _specs, faults = prepare({"checks": [], "timeout_s": limit_s})
    assert "timeout_s" in faults[0]


NEEDED = {
    "access_log": {"path": "/var/log/nginx/access.log"},
    "certificate": {"port": 443},
    "http": {"url": "http://shop/"},
    "listen": {"ports": [22]},
    "logfile": {"path": "/var/log/app.log", "regex": "ERROR"},
    "plugin": {"command": "check_load"},
    "processes": {"crit": "1:"},
    "prometheus": {"url": "http://shop/metrics", "metric": "jobs"},
    "spool": {"path": "/srv/spool"},
    "tcp": {"port": 22},
    "throughput": {"source": "redis"},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_null_is_the_default_of_any_key_that_is_no_threshold_or_list(name):
    known = dict(COMMON, **family_of(name).keys)
    check = {"type": name, **NEEDED.get(name, {})}
    (spec,) = specs_of(check)
    for each in set(known) - set(check):
        if known[each].type not in ("threshold", "list"):
            (nulled,) = specs_of({**check, each: None})
            assert (nulled.id, nulled.keys[each]) == (spec.id, spec.keys[each])


@pytest.mark.parametrize(
    "check",
    [
        {"type": "certificate"}, {"type": "plugin", "command": []}, {"type": "http", "url": "http://[::1"},
        {"type": "rabbitmq", "url": "http://[::1"},
    ],
)  # fmt: skip
def test_what_cannot_be_looked_at_has_no_id_and_a_fault(check):
    assert identity_of(check) is None
    assert len(faults_of(check)) == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_the_defaults_of_every_family_are_themselves_valid(name):
    (spec,) = specs_of(dict(NEEDED.get(name, {}), type=name))
    assert set(family_of(name).keys) <= set(spec.keys)
