"""What looks like a secret does not leave the house."""

from __future__ import annotations

import time

import pytest

from roundsman.notify.redact import redact, scrub

from .cast import heard, message, problem

KEY_BLOCK = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nGEHEIM\n-----END OPENSSH PRIVATE KEY-----"
SECRETS = [
    ("cannot connect to postgresql://shop:GEHEIM@db/shop", "cannot connect to postgresql://db/shop"),
    ("mysql: password=GEHEIM is wrong", "mysql: password=*** is wrong"),
    ("PGPASSWORD='GEHEIM und mehr' psql", "PGPASSWORD=*** psql"),
    ('{"password": "GEHEIM", "port": 1}', '{"password": ***, "port": 1}'),
    ("curl --token GEHEIM https://x", "curl --token *** https://x"),
    ("GET /hook?api_key=GEHEIM&x=1", "GET /hook?api_key=***&x=1"),
    ("Authorization: Bearer GEHEIM.x", "Authorization: Bearer ***"),
    ("Authorization: Basic R0VIRUlN", "Authorization: Basic ***"),
    ("aws_secret_access_key = GEHEIM+/x", "aws_secret_access_key = ***"),
    ("key AKIAIOSFODNN7EXAMPLE is old", "key *** is old"),
    (f"found {KEY_BLOCK} in /tmp", "found *** in /tmp"),
    (KEY_BLOCK.partition("-----END")[0], "***"),
    ("pushed with ghp_0123456789abcdefghij", "pushed with ***"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "***"),
]


@pytest.mark.parametrize(("text", "scrubbed"), SECRETS, ids=[text[:20] for text, _ in SECRETS])
def test_texts_of_hosts(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


INNOCENT = [
    'FATAL: password authentication failed for user "shop"',
    "/var 97% used",
    "3 tokens left",
    "https://example.org/a@b?x=1",
]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    "piece", ["a", "password", "secret_", "eyJ-", "eyJaaaaaaaaa.", "a://", "-----BEGIN PRIVATE KEY-----"]
)
def test_a_hostile_host_cannot_keep_us_busy(piece: str) -> None:
    """Where the time grows with the square of the length, this takes minutes."""
    began = time.process_time()
    scrub(piece * (100_000 // len(piece)))
    assert time.process_time() - began < 20


def test_values_under_telling_keys_and_inside_lists() -> None:
    evidence = {"details": [{"password": "GEHEIM wort", "passwords": 3}], "url": "redis://:GEHEIM@x", "value": 1.5}
    assert scrub(evidence) == {"details": [{"password": "***", "passwords": 3}], "url": "redis://x", "value": 1.5}


def test_a_message_holds_no_secret_of_a_check() -> None:
    told = message(heard(problem("disk", "password=GEHEIM", output=f"x {KEY_BLOCK}", target="amqp://a:GEHEIM@mq")))
    assert "GEHEIM" not in repr(told)
    assert "password=***" in told.title


def test_pieces_of_a_target() -> None:
    words = "401 for /T0K3N/x?key=GEHEIM%21 and GEHEIM!"
    assert redact(words, ["https://host/T0K3N/x?key=GEHEIM%21"]) == "401 for /***/x?key=*** and ***"
