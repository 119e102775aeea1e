"""Certificates: what is read from them, and real files and ports that show them."""

import contextlib
import datetime
import ssl
import time

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import x509
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import certificate
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import read
from cryptography import x509 as reference
from hypothesis import given
from hypothesis import strategies as st

from tests.ports import refusing_port

from . import servers
from .builders import keys_of, result_of

DAY = 86400


def der_of(pem):
    return reference.load_pem_x509_certificate(pem.read_bytes()).public_bytes(servers.serialization.Encoding.DER)


def test_a_certificate_is_read_as_another_library_reads_it(tmp_path):
    pem = servers.certificate(tmp_path, 30)
    theirs, ours = reference.load_pem_x509_certificate(pem.read_bytes()), x509.read(der_of(pem))
    assert ours.not_before == theirs.not_valid_before_utc.timestamp()
    assert ours.not_after == theirs.not_valid_after_utc.timestamp()
    assert (ours.subject, ours.names, ours.self_issued) == ("localhost", ["localhost", "127.0.0.1"], True)


@given(st.binary(max_size=300))
def test_what_is_no_certificate_is_said_to_be_none(content):
    with pytest.raises(ValueError, match="the certificate cannot be read"):
        x509.read(content)


def test_a_certificate_with_any_byte_damaged_is_read_or_refused_but_breaks_nothing(tmp_path):
    der = der_of(servers.certificate(tmp_path, 30))
    for position in range(len(der)):
        with contextlib.suppress(ValueError):
            x509.read(der[:position] + bytes([der[position] ^ 255]) + der[position + 1 :])


@pytest.mark.parametrize(
    ("names", "name", "valid"),
    [
        (["shop.example"], "shop.example", True),
        (["shop.example"], "SHOP.example.", True),
        (["*.example"], "shop.example", True),
        (["*.example"], "a.shop.example", False),
        (["*.shop.example"], "shop.example", False),
        (["10.0.0.5"], "10.0.0.5", True),
        (["*.0.0.5"], "10.0.0.5", False),
        (["2001:db8::1"], "2001:0DB8::1", True),
        ([], "shop.example", False),
    ],
)
def test_names_are_compared_as_browsers_do(names, name, valid):
    assert x509.valid_for(x509.Certificate("x", names, 0, 0, False), name) is valid


@pytest.mark.parametrize(
    ("left", "status", "words"),
    [
        (60 * DAY, "OK", "expires in 60 days"),
        (20 * DAY, "WARNING", "expires in 20 days (warn 21d)"),
        (6 * DAY, "CRITICAL", "expires in 6 days (crit 7d)"),
        (3600, "CRITICAL", "expires in 60 min (crit 7d)"),
        (-3 * DAY, "CRITICAL", "expired 3 days ago (crit 7d)"),
    ],
)
def test_remaining_time_is_judged(left, status, words):
    spec = keys_of({"type": "certificate", "port": 443})
    one = x509.Certificate("shop.example", [], 0, 10**9 + left, False)
    assert certificate.judge_one("x", one, spec, 10**9)[:2] == (status, "x: shop.example " + words)
    early = one._replace(not_before=10**9 + 60, not_after=10**9 + 99 * DAY)
    verdict = certificate.judge_one("x", early, spec, 10**9)
    assert (verdict.status, "is not valid before 2001-09-09" in verdict.words) == ("CRITICAL", True)


def test_every_certificate_of_every_file_counts(tmp_path):
    good, soon = servers.certificate(tmp_path, 90), servers.certificate(tmp_path, 10, "soon.example")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(good.read_bytes() + b"noise \xff\n" + soon.read_bytes())
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    well = result_of({"type": "certificate", "path": str(good)})
    assert (well["status"], well["message"]) == ("OK", f"{good}: localhost expires in 90 days")
    assert (well["unit"], round(well["value"] / DAY, 1)) == ("s", 90.5)
    amiss = result_of({"type": "certificate", "path": [str(tmp_path / "*.pem")]})
    assert (amiss["status"], "'certificates'=4" in amiss["perfdata"]) == ("WARNING", True)
    assert f"{chain}: soon.example expires in 10 days (warn 21d)" in amiss["message"]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        ("no certificate at all", "UNKNOWN", "no certificate in it"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "UNKNOWN", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----", "UNKNOWN", "a certificate in it cannot be read"),
    ],
)
def test_a_file_without_a_certificate_is_named_beside_those_that_are_judged(tmp_path, content, status, words):
    bad, soon = tmp_path / "bad.pem", servers.certificate(tmp_path, 3)
    bad.write_text(content)
    alone = result_of({"type": "certificate", "path": str(bad)})
    assert (alone["status"], words in alone["message"], bool(alone["remedy"])) == (status, True, True), alone
    both = result_of({"type": "certificate", "path": [str(bad), str(soon)]})
    assert both["status"] == "CRITICAL"
    assert "expires in 3 days" in both["message"]
    assert words in both["message"]
    assert result_of({"type": "certificate", "path": "/no/such/*.pem"})["message"] == "no file is at /no/such/*.pem"


def test_ports_show_theirs(tmp_path):
    with servers.shop(servers.certificate(tmp_path, 10)) as url:
        port = int(url.rpartition(":")[2])
        check = {"type": "certificate", "host": "127.0.0.1", "port": port}
        result = result_of(check)
        by_name = result_of(dict(check, server_name="localhost"))
        named = result_of(dict(check, server_name="mail.example"))
        unnamed = result_of(dict(check, server_name="mail.example", match=False))
    words = "localhost expires in 10 days (warn 21d), self-signed"
    assert (result["status"], result["message"]) == ("WARNING", f"127.0.0.1:{port}: {words}")
    assert (by_name["status"], by_name["message"]) == ("WARNING", f"127.0.0.1:{port} (localhost): {words}")
    assert named["status"] == "CRITICAL"
    assert "is not valid for mail.example (but for localhost, 127.0.0.1)" in named["message"]
    assert unnamed["status"] == "WARNING"
    assert keys_of({"type": "certificate", "port": port})["host"] == "localhost"


TALKS = {
    "smtp": [b"220-mail\r\n220 mail\r\n", b"EHLO", b"250-mail\r\n250 STARTTLS\r\n", b"STARTTLS", b"220 go\r\n"],
    "imap": [b"* OK mail\r\n", b"r STARTTLS", b"* CAPABILITY x\r\nr OK go\r\n"],
    "pop3": [b"+OK mail\r\n", b"STLS", b"+OK go\r\n"],
}


def mail(talk, pem):
    """A mail server that says its lines, expects those of its client, and then speaks TLS if it has a certificate."""

    def behave(connection):
        for line in talk:
            if line.endswith(b"\r\n"):
                connection.sendall(line)
            elif not connection.recv(100).startswith(line):
                return
        if pem:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)

    return servers.listener(behave)


@pytest.mark.parametrize("protocol", TALKS)
def test_mail_servers_are_asked_for_tls_first(tmp_path, protocol):
    with mail(TALKS[protocol], servers.certificate(tmp_path, 60)) as port:
        check = {"type": "certificate", "host": "127.0.0.1", "port": port, "starttls": protocol, "match": False}
        result = result_of(check)
    assert (result["status"], result["message"]) == ("OK", f"127.0.0.1:{port}: localhost expires in 60 days")


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        ([b"554 no service\r\n"], '"554 no service" where 220 has to be answered to its greeting'),
        ([b"220 mail\r\n", b"EHLO", b"250 mail\r\n", b"STARTTLS", b"502 no\r\n"], '"502 no" where 220 has to'),
        ([b"220 mail\r\n", b"EHLO"], "hangs up"),
        ([b"\xff\xfe\r\n"], "has to be answered to its greeting"),
        ([b"2" * 5000 + b"\r\n"], "has to be answered to its greeting"),
    ],
)
def test_a_mail_server_that_has_no_tls_is_critical(talk, words):
    with mail(talk, None) as port:
        result = result_of({"type": "certificate", "host": "127.0.0.1", "port": port, "starttls": "smtp"})
    assert (result["status"], words in result["message"]) == ("CRITICAL", True), result["message"]


def drips(connection):
    for _byte in range(12000):
        connection.sendall(b"2")
        time.sleep(0.05)


@pytest.mark.parametrize("keys", [{}, {"starttls": "smtp"}])
def test_silence_and_dripping_end_before_the_limit(keys):
    for behave in (lambda connection: time.sleep(600), *[drips] * bool(keys)):
        with servers.listener(behave) as port:
            result = result_of(dict(keys, type="certificate", port=port, host="127.0.0.1"), patience_s=0.9)
        assert result["status"] == "CRITICAL"
        assert result["message"].endswith("does not show a certificate within 0.9 s")


def test_what_does_not_speak_tls_and_what_refuses():
    with servers.listener(servers.mumbles) as port:
        plain = result_of({"type": "certificate", "host": "127.0.0.1", "port": port})
    assert (plain["status"], "TLS fails" in plain["message"]) == ("CRITICAL", True)
    refused = result_of({"type": "certificate", "host": "127.0.0.1", "port": refusing_port()})
    assert (refused["status"], "Connection refused" in refused["message"]) == ("CRITICAL", True)


@pytest.mark.parametrize(
    "keys",
    [{}, {"path": "/a", "port": 1}, {"path": "a.pem"}, {"path": "/a", "starttls": "smtp"},
     {"path": "/a", "from": "controller"}, {"port": 1, "starttls": "ldap"}],
)  # fmt: skip
def test_keys_that_do_not_go_together_are_refused(keys):
    assert read([dict(keys, type="certificate")], 10)[1]


def test_dates_after_2050_are_read():
    # GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5)
    key = servers.ec.generate_private_key(servers.ec.SECP256R1())
    name = reference.Name([])
    end = datetime.datetime(2060, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    made = (
        reference.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime(1999, 1, 2, tzinfo=datetime.UTC))
        .not_valid_after(end)
        .sign(key, servers.hashes.SHA256())
    )
    ours = x509.read(made.public_bytes(servers.serialization.Encoding.DER))
    assert (ours.not_after, ours.subject, ours.names) == (end.timestamp(), "a certificate without a name", [])
