"""Every rule: what it sees, what it says, and the command, word for word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from roundsman.insight.advice import HostEvidence, Invocation, is_plain
from roundsman.insight.freshness import Missing
from roundsman.insight.recommend import Recommendation, recommend

from .evidence import GIB, NOW, filesystem, fills, result, snapshot

USED = Invocation(("inventory/",))
ANSIBLE = "ansible -i inventory/ web3 -b -m ansible.builtin."
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def about(*results: dict[str, Any], **more: Any) -> list[Recommendation]:
    return recommend([HostEvidence("web3", results, **more)], USED, NOW)


def certificate(where: str, days: float, kind: str = "certificate") -> dict[str, Any]:
    data = f"'certificate'={days * 86400:.0f}s;1814400:;604800:"
    return result(kind, "WARNING", f"certificate of {where} expires", target=where, perfdata=data)


def updates(manager: str = "apt", *packages: str, lists_age_days: float = 0) -> dict[str, Any]:
    details = {"manager": manager, "security": len(packages), "security_packages": list(packages)}
    return result("updates", details=details, perfdata=f"'lists_age'={lists_age_days * 86400}s")


FULL_DISK = "command -a 'du -xh --max-depth=3 --threshold=100M /var'"
CASES = [
    ("filesystem_is_full", filesystem("CRITICAL", root=40, var=97), "/var is 97 % full", FULL_DISK),
    (
        "inodes_run_out", filesystem("WARNING", var_inodes=91), "of the inodes of /var 91 % are used",
        "command -a 'du --inodes -x --max-depth=3 --threshold=10000 /var'",
    ),
    (
        "journal_is_large", result("reclaimable", details={"journal_archived_bytes": 38 * GIB}),
        "archived journals hold 38.0 GiB", "command -a 'journalctl --vacuum-size=500M'",
    ),
    (
        "package_archives_are_large", result("reclaimable", details={"packages_bytes": 2 * GIB}),
        "downloaded packages hold 2.0 GiB", "apt -a clean=true",
    ),
    (
        "unit_failed", result("systemd", "CRITICAL", "1 failed unit", details={"failed": ["shop-import.service"]}),
        "shop-import.service has failed", "systemd_service -a 'name=shop-import.service state=restarted'",
    ),
    (
        "unit_failed", result("systemd", "CRITICAL", "nginx.service is failed (failed)", target="nginx.service"),
        "nginx.service has failed", "systemd_service -a 'name=nginx.service state=restarted'",
    ),
    (
        "unit_is_stopped", result("systemd", "CRITICAL", "nginx.service is inactive (dead)", target="nginx.service"),
        "nginx.service is stopped", "systemd_service -a 'name=nginx.service state=started'",
    ),
    (
        "certificate_expires", certificate("/etc/letsencrypt/live/shop.example/fullchain.pem", 5.5),
        "the certificate of /etc/letsencrypt/live/shop.example/fullchain.pem expires in 5 d 12 h",
        "command -a 'certbot renew --cert-name shop.example'",
    ),
    (
        "certificate_expires", certificate("/etc/ssl/shop.pem", -2),
        "the certificate of /etc/ssl/shop.pem expired 2 d ago",
        "command -a 'openssl x509 -in /etc/ssl/shop.pem -noout -subject -issuer -enddate'",
    ),
    (
        "certificate_expires", certificate("https://shop.example/health", 3, "http"),
        "the certificate of https://shop.example/health expires in 3 d",
        "command -a 'openssl s_client -connect shop.example:443 -servername shop.example -showcerts stdin=Q'",
    ),
    (
        # Of several files the message names the one that ends first.
        "certificate_expires",
        certificate("/etc/ssl/*.pem, /srv/tls", 3) | {"message": "/srv/tls/shop.pem: shop expires in 3 days"},
        "the certificate of /srv/tls/shop.pem expires in 3 d",
        "command -a 'openssl x509 -in /srv/tls/shop.pem -noout -subject -issuer -enddate'",
    ),
    (
        "certificate_expires", certificate("mx1:25 (mail.example)", 3),
        "the certificate of mx1:25 (mail.example) expires in 3 d",
        "command -a 'openssl s_client -connect mx1:25 -servername mail.example -starttls smtp -showcerts stdin=Q'",
    ),
    (
        "security_updates_wait", updates("apt", "openssl", "libc6"), "2 security updates to install",
        "apt -a 'name=libc6,openssl state=latest only_upgrade=true update_cache=true'",
    ),
    (
        "security_updates_wait", updates("dnf", "openssl"), "1 security update to install",
        "dnf -a 'name=* state=latest security=true'",
    ),
    ("package_lists_are_old", updates(lists_age_days=9), "package lists are 9 d old", "apt -a update_cache=true"),
    (
        "clock_runs_free", result("clock", "WARNING", "clock agrees; nothing synchronises it"),
        "nothing keeps the clock right", "package -a 'name=chrony state=present'",
    ),
    (
        "memory_is_short", result("memory", "CRITICAL", value=97.0, unit="%"), "memory 97 % in use",
        "command -a 'ps -eo pid,user,rss,etime,comm --sort=-rss'",
    ),
    (
        "processors_are_busy", result("load", "WARNING", value=4.2), "load 4.2",
        "command -a 'ps -eo pid,user,pcpu,etime,comm --sort=-pcpu'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "seen", "text", "command"), CASES)
def test_what_a_result_leads_to(rule: str, seen: dict[str, Any], text: str, command: str) -> None:
    (one,) = about(seen)
    assert (one.rule, one.text, one.command) == (rule, f"web3: {text}", ANSIBLE + command)
    assert one.evidence
    assert one.hosts == ("web3",)


def test_a_pending_reboot_is_made_one_host_after_the_other() -> None:
    (one,) = about(result("uptime", "WARNING", perfdata="'uptime'=99s 'reboot_required'=1"))
    assert one.text == "web3: a reboot is pending"
    assert one.command == "ansible -i inventory/ web3 -b -f 1 -m ansible.builtin.reboot"


@pytest.mark.parametrize(
    ("earliest", "latest", "said"),
    [(24 * HOUR, 60 * HOUR, "24-60 h"), (5 * DAY, 8.5 * DAY, "5-9 days"), (-HOUR, HOUR / 2, "0-1 h")],
)
def test_a_disk_that_will_be_full(earliest: timedelta, latest: timedelta, said: str) -> None:
    forecasts = {("filesystem", "/var"): fills(earliest, latest)}
    (one,) = about(filesystem("OK", var=80), forecasts=forecasts)
    assert (one.rule, one.text) == ("filesystem_will_be_full", f"web3: /var will be full in {said}")
    assert one.command == ANSIBLE + FULL_DISK


def test_the_value_of_a_check_of_one_filesystem_is_its_own_forecast() -> None:
    (one,) = about(result("filesystem", target="/srv"), forecasts={("filesystem", ""): fills(DAY, 2 * DAY)})
    assert one.text == "web3: /srv will be full in 24-48 h"


def test_a_disk_that_is_full_or_has_months_is_not_foretold() -> None:
    soon, late = fills(DAY, 2 * DAY), fills(60 * DAY, 80 * DAY)
    found = about(filesystem("CRITICAL", var=97), forecasts={("filesystem", "/var"): soon})
    assert [one.rule for one in found] == ["filesystem_is_full"]
    assert about(filesystem("OK", var=50), forecasts={("filesystem", "/var"): late}) == []
    assert about(filesystem("OK", var=50), forecasts={("gone", "/var"): soon}) == []


@pytest.mark.parametrize(
    ("kept", "rule", "command"),
    [
        (snapshot(level=None), "snapshot_has_no_evidence", "roundsman backup verify --limit web3"),
        (snapshot(level="read"), "snapshot_has_no_evidence", "roundsman backup verify --limit web3"),
        (snapshot(failed_level="read"), "snapshot_is_damaged", "roundsman backup run --full --limit web3"),
        (snapshot(age=3 * DAY), "backup_is_old", "roundsman backup run --limit web3"),
    ],
)
def test_backups(kept: dict[str, Any], rule: str, command: str) -> None:
    found = about(snapshots=[kept, snapshot(age=9 * DAY, id="older", level=None)])
    assert [(one.rule, one.command) for one in found] == [(rule, command)]


def test_what_nobody_looked_at_or_can() -> None:
    missing = Missing("disk", DAY)
    blind = result("raid", "UNKNOWN", remedy="check as root (roundsman_health_become: true)")
    found = about(blind, missing=[missing])
    assert [(one.text, one.command) for one in found] == [
        ("web3: nobody has looked for 1 d", "roundsman health --limit web3"),
        ("web3: 1 check can only look as root", "roundsman doctor --become --limit web3"),
    ]


def test_an_unusual_value_is_looked_at_again() -> None:
    (one,) = about(unusual={("shop", "time"): "3.2 times what is usual on Tuesdays at 14 h"})
    assert one.text == "web3: shop (time) is 3.2 times what is usual on Tuesdays at 14 h"
    assert one.command == "roundsman health --verbose --limit web3"


def software(*checks: dict[str, Any]) -> dict[str, Any]:
    return result("software", message="PostgreSQL", details={"found": [{"software": "PostgreSQL", "checks": checks}]})


def test_software_that_nothing_looks_at_gets_its_checks() -> None:
    unit = {"type": "systemd", "unit": "postgresql.service"}
    (one,) = about(software(unit, {"type": "postgresql", "query": "connections"}), result("systemd"))
    assert one.text == "web3: nothing looks at PostgreSQL"
    assert one.command == (
        "# host_vars/web3.yml\nroundsman_checks:\n  - {type: systemd, unit: postgresql.service}\n"
        "  - {type: postgresql, query: connections}"
    )


@pytest.mark.parametrize(
    "there",
    [
        result("systemd", target="postgresql.service"),
        result("postgresql", target="localhost"),
        result("tcp", id="pg"),
        result("listen", target="5432"),
    ],
)
def test_software_that_a_check_looks_at_gets_none(there: dict[str, Any]) -> None:
    suggested = [{"type": "systemd", "unit": "postgresql.service"}, {"id": "pg", "type": "postgresql"}]
    suggested.append({"type": "listen", "ports": ["5432"]})
    assert about(software(*suggested), there) == []


HOSTILE = ["x; rm -rf /", "$(reboot)", "{{ lookup('pipe', 'id') }}", "a b", "a\nb", "--help", "a,b", "x=y", "'", "é"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_command_holds_a_name_that_is_not_plain(name: str) -> None:
    assert not is_plain(name)
    for seen in (
        result("systemd", "CRITICAL", f"{name}.service is failed", target=f"{name}.service"),
        result("systemd", "CRITICAL", f"{name}.service is inactive", target=f"{name}.service"),
        updates("apt", name),
        result("filesystem", "CRITICAL", perfdata=f"'/{name} x'=97%;85;95"),
        certificate(f"/{name} x", 1),
        certificate(f"https://{name}@x/", 1),
        software({"type": "tcp", "host": "{{ " + name}),
    ):
        assert about(seen) == [], seen


@pytest.mark.parametrize("name", ["/tmp/evil.deb", "http://evil/x.deb", "@group", "openssl/unstable", "openssl=1"])
def test_what_is_no_package_is_not_installed(name: str) -> None:
    assert about(updates("apt", name)) == []


def test_answers_of_another_shape_do_no_harm() -> None:
    garbage = [
        result("software", details={"found": [7, {"software": None}]}),
        result("updates", details={"security_packages": [None, {}]}),
        result("reclaimable", details={"journal_archived_bytes": "much"}),
        result("uptime", perfdata="'reboot_required'=U"),
        {},
    ]
    full = HostEvidence("web1", [filesystem("CRITICAL", var=97)])
    found = recommend([HostEvidence("web3", garbage), full], USED, NOW)
    assert [one.hosts for one in found] == [("web1",)]


def test_healthy_hosts_need_nothing() -> None:
    well = [filesystem("OK", root=40), result("systemd"), result("uptime", perfdata="'reboot_required'=0")]
    well += [result("reclaimable", details={"journal_archived_bytes": GIB // 2}), updates()]
    assert about(*well, snapshots=[snapshot()]) == []


def test_data_that_no_source_saves() -> None:
    (advice,) = recommend([HostEvidence("web3", uncovered=["shop", "/srv/a", "/srv/b", "/srv/c"])], USED, NOW)
    assert (advice.rule, advice.command) == ("data_is_not_saved", "roundsman backup coverage --last --limit web3")
    assert "shop, /srv/a, /srv/b and 1 more" in advice.evidence[0]
